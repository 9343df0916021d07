//! Where pictures and sound come from and where sound goes, as a person
//! writes it on the command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::frame::MAX_SIDE;

/// A picture's size and rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoFormat {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames per second.
    pub frames_per_second: u32,
}

impl Default for VideoFormat {
    /// What a camera is asked for when nobody says otherwise.
    fn default() -> Self {
        Self {
            width: 1280,
            height: 720,
            frames_per_second: 30,
        }
    }
}

impl fmt::Display for VideoFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}x{}@{}",
            self.width, self.height, self.frames_per_second
        )
    }
}

/// Where pictures come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum VideoSource {
    /// No pictures.
    None,
    /// A drawn, moving picture that carries its time.
    Synthetic(VideoFormat),
    /// The system's first camera.
    #[default]
    DefaultCamera,
    /// The camera with this place in the device list, from 0.
    CameraIndex(u32),
    /// The camera with this id.
    Camera(String),
    /// A y4m file, over and over.
    Y4m(PathBuf),
    /// A screen or a window, in its own size.
    Screen(ScreenSource),
}

/// What of the desktop is shared. Its text form is the one that
/// [`VideoSource`] reads: `screen`, `screen:N`, `screen:NAME`, `window:ID`, `window`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScreenSource {
    /// The primary screen, or the first; where the system asks, the one that is chosen
    /// in its dialog.
    Primary,
    /// The screen with this place in [`screen::list`](crate::video::screen::list),
    /// from 0.
    Index(u32),
    /// The screen with this name, such as `HDMI-1`.
    Named(String),
    /// The window with this id.
    Window(u32),
    /// The window that is chosen in the system's dialog, where there is one.
    ChosenWindow,
}

impl fmt::Display for ScreenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primary => f.write_str("screen"),
            Self::Index(index) => write!(f, "screen:{index}"),
            Self::Named(name) => write!(f, "screen:{name}"),
            Self::Window(id) => write!(f, "window:{id:#x}"),
            Self::ChosenWindow => f.write_str("window"),
        }
    }
}

/// Where sound comes from.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum AudioSource {
    /// No sound.
    None,
    /// A sine wave of this frequency in hertz, at −20 dBFS.
    Tone(f32),
    /// The system's default microphone.
    #[default]
    DefaultMicrophone,
    /// The microphone with this id.
    Microphone(String),
    /// A WAV file, over and over.
    Wav(PathBuf),
}

/// Where received sound goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AudioSink {
    /// It is decoded, measured and dropped.
    None,
    /// The system's default speaker.
    #[default]
    DefaultSpeaker,
    /// The speaker with this id.
    Speaker(String),
    /// A WAV file: 48 kHz, mono, 16 bit.
    Wav(PathBuf),
}

/// A source or sink that could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{given:?} is none of {expected}")]
pub struct ParseSourceError {
    given: String,
    expected: &'static str,
}

const VIDEO: &str = "synthetic[:WxH@FPS], camera[:N], y4m:FILE, screen[:N], window[:ID], none";
const AUDIO: &str = "tone[:HZ], mic, wav:FILE, none";
const SINK: &str = "speaker, wav:FILE, none";
const SYNTHETIC: VideoFormat = VideoFormat {
    width: 640,
    height: 360,
    frames_per_second: 30,
};
const TONE_HERTZ: f32 = 440.0;

fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once(':')
        .map_or((text, None), |(kind, rest)| (kind, Some(rest)))
}

fn format(text: &str) -> Option<VideoFormat> {
    let (size, rate) = text.split_once('@')?;
    let (width, height) = size.split_once('x')?;
    let format = VideoFormat {
        width: width.parse().ok()?,
        height: height.parse().ok()?,
        frames_per_second: rate.parse().ok()?,
    };
    let side = |n: u32| (32..=MAX_SIDE).contains(&n) && n.is_multiple_of(2);
    (side(format.width) && side(format.height) && (1..=120).contains(&format.frames_per_second))
        .then_some(format)
}

/// The longest name of a screen that is read, in bytes.
const MAX_SCREEN_NAME: usize = 128;

fn screen(text: &str) -> Option<ScreenSource> {
    if let Ok(index) = text.parse() {
        return Some(ScreenSource::Index(index));
    }
    let is_name = (1..=MAX_SCREEN_NAME).contains(&text.len()) && !text.contains(char::is_control);
    is_name.then(|| ScreenSource::Named(text.into()))
}

fn window(text: &str) -> Option<ScreenSource> {
    let id = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    id.ok().filter(|id| *id != 0).map(ScreenSource::Window)
}

impl FromStr for VideoSource {
    type Err = ParseSourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let source = match split(text) {
            ("none", None) => Some(Self::None),
            ("synthetic", None) => Some(Self::Synthetic(SYNTHETIC)),
            ("synthetic", Some(rest)) => format(rest).map(Self::Synthetic),
            ("camera", None) => Some(Self::DefaultCamera),
            ("camera", Some(rest)) => rest.parse().ok().map(Self::CameraIndex),
            ("y4m", Some(file)) if !file.is_empty() => Some(Self::Y4m(file.into())),
            ("screen", None) => Some(Self::Screen(ScreenSource::Primary)),
            ("screen", Some(rest)) => screen(rest).map(Self::Screen),
            ("window", None) => Some(Self::Screen(ScreenSource::ChosenWindow)),
            ("window", Some(rest)) => window(rest).map(Self::Screen),
            _ => None,
        };
        source.ok_or_else(|| ParseSourceError {
            given: text.into(),
            expected: VIDEO,
        })
    }
}

impl FromStr for AudioSource {
    type Err = ParseSourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let source = match split(text) {
            ("none", None) => Some(Self::None),
            ("tone", None) => Some(Self::Tone(TONE_HERTZ)),
            ("tone", Some(rest)) => rest
                .parse()
                .ok()
                .filter(|hertz| (20.0..=20_000.0).contains(hertz))
                .map(Self::Tone),
            ("mic", None) => Some(Self::DefaultMicrophone),
            ("wav", Some(file)) if !file.is_empty() => Some(Self::Wav(file.into())),
            _ => None,
        };
        source.ok_or_else(|| ParseSourceError {
            given: text.into(),
            expected: AUDIO,
        })
    }
}

impl FromStr for AudioSink {
    type Err = ParseSourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let sink = match split(text) {
            ("none", None) => Some(Self::None),
            ("speaker", None) => Some(Self::DefaultSpeaker),
            ("wav", Some(file)) if !file.is_empty() => Some(Self::Wav(file.into())),
            _ => None,
        };
        sink.ok_or_else(|| ParseSourceError {
            given: text.into(),
            expected: SINK,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_read_as_written() {
        let small = VideoFormat {
            width: 320,
            height: 180,
            frames_per_second: 15,
        };
        assert_eq!(
            "synthetic:320x180@15".parse(),
            Ok(VideoSource::Synthetic(small))
        );
        assert_eq!("camera:1".parse(), Ok(VideoSource::CameraIndex(1)));
        assert_eq!(
            "y4m:C:\\a.y4m".parse(),
            Ok(VideoSource::Y4m("C:\\a.y4m".into()))
        );
        assert_eq!("tone:1000".parse(), Ok(AudioSource::Tone(1000.0)));
        assert_eq!("wav:out.wav".parse(), Ok(AudioSink::Wav("out.wav".into())));
    }

    #[test]
    fn screens_and_windows_read_as_they_are_written() {
        for (text, source) in [
            ("screen", ScreenSource::Primary),
            ("screen:1", ScreenSource::Index(1)),
            ("screen:HDMI-1", ScreenSource::Named("HDMI-1".into())),
            ("window:0x1e00003", ScreenSource::Window(0x1e0_0003)),
            ("window", ScreenSource::ChosenWindow),
        ] {
            assert_eq!(source.to_string(), text);
            assert_eq!(text.parse(), Ok(VideoSource::Screen(source)));
        }
        let decimal = VideoSource::Screen(ScreenSource::Window(31_457_283));
        assert_eq!("window:31457283".parse(), Ok(decimal));
        let long = format!("screen:{}", "x".repeat(MAX_SCREEN_NAME + 1));
        for text in [
            "screen:",
            "screen:a\nb",
            "window:",
            "window:0",
            "window:0x",
            &long,
            "window:0x100000000",
            "window:-1",
        ] {
            let error = text.parse::<VideoSource>().unwrap_err().to_string();
            assert!(error.contains("screen[:N], window[:ID]"), "{error}");
        }
    }

    #[test]
    fn what_is_not_a_source_says_what_is() {
        for text in [
            "",
            "synthetic:0x0@0",
            "synthetic:321x180@15",
            "camera:x",
            "y4m:",
            "none:1",
        ] {
            let error = text.parse::<VideoSource>().unwrap_err();
            assert!(error.to_string().contains("synthetic[:WxH@FPS]"), "{error}");
        }
        assert!(
            "tone:1".parse::<AudioSource>().is_err() && "tone:NaN".parse::<AudioSource>().is_err()
        );
        assert!("headphones".parse::<AudioSink>().is_err());
    }
}

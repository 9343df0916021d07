//! Commands on standard input, one JSON object a line.

use std::io::BufRead;
use std::path::PathBuf;
use std::thread;

use serde::{Deserialize, Deserializer};
use tokio::sync::mpsc;
use visavis_call::VideoSize;
use visavis_media::video::background::Background;
use visavis_media::{AudioSource, VideoSource};
use visavis_protocol::TrackSource;

/// Commands read ahead; when full, standard input is not read.
const COMMANDS_CAPACITY: usize = 16;

/// The highest volume, in percent.
const MAX_VOLUME: u8 = 200;

/// A command.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Control {
    /// Mute a source.
    Mute { source: TrackSource },
    /// Unmute a source.
    Unmute { source: TrackSource },
    /// Use another video source, as `--video` names it.
    Video {
        #[serde(deserialize_with = "from_text")]
        source: VideoSource,
    },
    /// Show something else behind the person, as `--background` names it.
    Background {
        #[serde(deserialize_with = "from_text")]
        source: Background,
    },
    /// Share another source, as `--share` names it; none ends the share.
    Share {
        #[serde(deserialize_with = "from_text")]
        source: VideoSource,
    },
    /// Use another audio source, as `--audio` names it.
    Audio {
        #[serde(deserialize_with = "from_text")]
        source: AudioSource,
    },
    /// Show the video of the others in another size, as `--show` names it.
    Show {
        #[serde(deserialize_with = "from_text")]
        size: VideoSize,
    },
    /// Write the newest frame of each member's video to this folder, as MEMBER.y4m, and
    /// that of a shared screen as MEMBER-screen.y4m.
    Snapshot { folder: PathBuf },
    /// Play the sound of a participant, or of all with a display name, at this volume.
    Volume {
        participant: String,
        #[serde(deserialize_with = "volume")]
        percent: u8,
    },
    /// Send a chat message.
    Chat { text: String },
}

/// Reads the commands in a thread of its own, which ends with standard input or
/// with the process. A line that is no command is an error.
pub fn read() -> mpsc::Receiver<Result<Control, serde_json::Error>> {
    let (sender, receiver) = mpsc::channel(COMMANDS_CAPACITY);
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            // Standard input that is no UTF-8 or cannot be read ends the commands.
            let Ok(line) = line else { return };
            if sender.blocking_send(serde_json::from_str(&line)).is_err() {
                return;
            }
        }
    });
    receiver
}

fn from_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    String::deserialize(deserializer)?
        .parse()
        .map_err(serde::de::Error::custom)
}

/// A volume in percent, at most [`MAX_VOLUME`].
fn volume<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let percent = u8::deserialize(deserializer)?;
    if percent > MAX_VOLUME {
        let error = format!("a volume of {percent} % is above {MAX_VOLUME} %");
        return Err(serde::de::Error::custom(error));
    }
    Ok(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_json_objects_and_anything_else_is_refused() {
        let read = |text: &str| serde_json::from_str::<Control>(text);
        let mute = read(r#"{"command":"mute","source":"camera"}"#).unwrap();
        let source = TrackSource::Camera;
        assert_eq!(mute, Control::Mute { source });
        let video = read(r#"{"command":"video","source":"none"}"#).unwrap();
        let source = VideoSource::None;
        assert_eq!(video, Control::Video { source });
        let blur = read(r#"{"command":"background","source":"blur"}"#).unwrap();
        let source = Background::Blur;
        assert_eq!(blur, Control::Background { source });
        let show = read(r#"{"command":"show","size":"320x180"}"#).unwrap();
        let (width, height) = (320, 180);
        let size = VideoSize { width, height };
        assert_eq!(show, Control::Show { size });
        let snapshot = read(r#"{"command":"snapshot","folder":"here"}"#).unwrap();
        let folder = "here".into();
        assert_eq!(snapshot, Control::Snapshot { folder });
        let volume = read(r#"{"command":"volume","participant":"anna","percent":150}"#).unwrap();
        let (participant, percent) = ("anna".to_owned(), 150);
        let wanted = Control::Volume {
            participant,
            percent,
        };
        assert_eq!(volume, wanted);
        for bad in [
            "",
            "mute",
            r#"{"command":"dance"}"#,
            r#"{"command":"mute"}"#,
            r#"{"command":"video","source":"synthetic:0x0@0"}"#,
            r#"{"command":"mute","source":"camera","for":3}"#,
            r#"{"command":"background","source":""}"#,
            r#"{"command":"show","size":"320"}"#,
            r#"{"command":"show","size":"-1x180"}"#,
            r#"{"command":"volume","participant":"anna","percent":201}"#,
            r#"{"command":"volume","participant":"anna","percent":-1}"#,
            r#"{"command":"volume","percent":50}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}

//! A WAV file as a sound source, read ahead on a thread of its own.

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::audio::capture::{Frame, Step};
use crate::audio::downmix::Downmix;
use crate::audio::resample::Resampler;
use crate::audio::ticker::Ticker;
use crate::audio::wav::WavReader;
use crate::audio::{FRAME_SAMPLES, SAMPLE_RATE};
use crate::device::DeviceError;

/// Frames of 20 ms that are read ahead: half a second.
const READ_AHEAD: usize = 25;
/// Frames of the file that are read at a time.
const CHUNK_FRAMES: usize = 1_024;

/// A file that plays over and over. A pipe plays once; while it has nothing to
/// read there is silence.
pub(crate) struct FileCapture {
    events: Receiver<Event>,
    /// The clock of the frames, once the file plays.
    ticker: Option<Ticker>,
}

/// What the reading thread says.
enum Event {
    /// The first frame follows.
    Opened,
    Frame(Box<Frame>),
    /// The last event.
    Failed(DeviceError),
}

impl FileCapture {
    /// Opens the file. A pipe without a writer blocks only the reading thread.
    pub(crate) fn open(path: PathBuf) -> Self {
        let (sender, events) = sync_channel(READ_AHEAD);
        let reading = Reading {
            events: sender,
            worker: thread::current(),
        };
        // It ends at its next event after this is dropped.
        thread::spawn(move || reading.run(&path));
        Self {
            events,
            ticker: None,
        }
    }

    pub(crate) fn step(&mut self, frame: &mut Frame) -> Step {
        let Some(ticker) = &mut self.ticker else {
            return match self.events.try_recv() {
                Ok(Event::Opened) => {
                    let step = Duration::from_millis(20);
                    self.ticker = Some(Ticker::new(Instant::now(), step));
                    Step::Live
                }
                Ok(Event::Failed(error)) => Step::Failed(error),
                // The thread wakes this one.
                Ok(Event::Frame(_)) | Err(_) => Step::Wait(None),
            };
        };
        let due = match ticker.take(Instant::now()) {
            Ok(due) => due,
            Err(wait) => return Step::Wait(Some(wait)),
        };
        match self.events.try_recv() {
            Ok(Event::Frame(read)) => *frame = *read,
            Ok(Event::Opened) | Err(TryRecvError::Empty) => frame.fill(0.0),
            Ok(Event::Failed(error)) => {
                self.ticker = None;
                return Step::Failed(error);
            }
            Err(TryRecvError::Disconnected) => {
                self.ticker = None;
                return Step::Failed(DeviceError::Failed("the file is no longer read".into()));
            }
        }
        Step::Frame(due)
    }
}

struct Reading {
    events: SyncSender<Event>,
    worker: Thread,
}

impl Reading {
    fn run(self, path: &Path) {
        if let Err(reason) = self.play(path) {
            self.say(Event::Failed(DeviceError::File {
                path: path.display().to_string(),
                reason,
            }));
        }
    }

    /// Whether anybody listens.
    fn say(&self, event: Event) -> bool {
        let listened = self.events.send(event).is_ok();
        self.worker.unpark();
        listened
    }

    /// Reads until nobody listens.
    fn play(&self, path: &Path) -> Result<(), String> {
        let say = |error: std::io::Error| error.to_string();
        let file = File::open(path).map_err(say)?;
        let about = file.metadata().map_err(say)?;
        let mut wav = WavReader::new(file, about.is_file().then_some(about.len()))?;
        let mut downmix = Downmix::new(wav.channels(), wav.hertz());
        let mut resampler = Resampler::new(wav.hertz(), SAMPLE_RATE, 1)?;
        let (mut interleaved, mut mono) = (Vec::new(), Vec::new());
        let mut ready: VecDeque<f32> = VecDeque::new();
        let (mut is_open, mut had_samples) = (false, false);
        loop {
            interleaved.clear();
            mono.clear();
            wav.read(CHUNK_FRAMES, &mut interleaved).map_err(say)?;
            if interleaved.is_empty() {
                if !had_samples {
                    return Err("it holds no sound".into());
                }
                if !about.is_file() {
                    return Err("the pipe has ended".into());
                }
                wav.rewind().map_err(say)?;
                continue;
            }
            had_samples = true;
            downmix.push(&interleaved, &mut mono);
            resampler.push(&mono, &mut ready);
            while ready.len() >= FRAME_SAMPLES {
                if !std::mem::replace(&mut is_open, true) && !self.say(Event::Opened) {
                    return Ok(());
                }
                let mut frame = Box::new([0.0; FRAME_SAMPLES]);
                frame
                    .iter_mut()
                    .zip(ready.drain(..FRAME_SAMPLES))
                    .for_each(|(to, from)| *to = from);
                if !self.say(Event::Frame(frame)) {
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::audio::goertzel::power;

    /// A header as a program writes it that does not know the length, and 0.2 s
    /// of a tone of 440 Hz in the first of two channels, inverted in the other.
    fn piped(hertz: u32) -> Vec<u8> {
        let mut file = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x02\0".to_vec();
        file.extend(hertz.to_le_bytes());
        file.extend((hertz * 4).to_le_bytes());
        file.extend([4, 0, 16, 0]);
        file.extend(b"data\xff\xff\xff\xff");
        for n in 0..hertz / 5 {
            let turns = n as f32 / hertz as f32 * 440.0;
            let sample = ((turns * std::f32::consts::TAU).sin() * 16_384.0) as i16;
            file.extend(sample.to_le_bytes());
            file.extend((-sample).to_le_bytes());
        }
        file
    }

    /// Steps until `frames` frames came, or it failed.
    fn play(capture: &mut FileCapture, frames: usize) -> Result<Vec<f32>, DeviceError> {
        let (mut sound, mut frame) = (Vec::new(), [0.0; FRAME_SAMPLES]);
        while sound.len() < frames * FRAME_SAMPLES {
            match capture.step(&mut frame) {
                Step::Frame(_) => sound.extend(frame),
                Step::Live => {}
                Step::Failed(error) => return Err(error),
                Step::Wait(limit) => thread::park_timeout(limit.unwrap_or(Duration::from_secs(10))),
            }
        }
        Ok(sound)
    }

    #[test]
    fn a_file_plays_over_and_over_at_any_rate() {
        let folder = tempfile::tempdir().unwrap();
        for hertz in [8_000, 44_100, 48_000, 96_000] {
            let path = folder.path().join("a.wav");
            std::fs::write(&path, piped(hertz)).unwrap();
            let sound = play(&mut FileCapture::open(path), 40).unwrap();
            // Half of the square of an amplitude of 0.5.
            let heard = power(&sound[9_600..], 440.0);
            assert!((0.1..0.13).contains(&heard), "{hertz}: {heard}");
        }
    }

    #[test]
    fn a_file_that_is_no_recording_is_named_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.wav");
        let refused = |path: &Path| match play(&mut FileCapture::open(path.into()), 1) {
            Err(DeviceError::File { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        assert!(refused(&path).contains("No such file"));
        std::fs::write(&path, b"RIFF\x10\0\0\0WAVEjunk").unwrap();
        assert_eq!(refused(&path), "it holds no samples");
        std::fs::write(&path, &piped(8_000)[..44]).unwrap();
        assert_eq!(refused(&path), "it holds no sound");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_plays_once_and_waits_in_silence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe.wav");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let mut capture = FileCapture::open(path.clone());
        assert!(matches!(
            capture.step(&mut [0.0; FRAME_SAMPLES]),
            Step::Wait(None)
        ));
        let mut pipe = File::create(&path).unwrap();
        pipe.write_all(&piped(48_000)).unwrap();
        // What is read waits for the rest of a chunk: 9 of 10 frames are whole. On loaded
        // cores there is silence between them.
        let (deadline, mut loud) = (Instant::now() + Duration::from_secs(10), 0);
        while loud < 9 {
            assert!(Instant::now() < deadline, "{loud} frames of sound");
            let frame = play(&mut capture, 1).unwrap();
            loud += usize::from(power(&frame, 440.0) > 0.05);
        }
        let rest = play(&mut capture, 5).unwrap();
        assert!(rest.iter().all(|sample| *sample == 0.0));
        drop(pipe);
        let Err(DeviceError::File { reason, .. }) = play(&mut capture, 50) else {
            panic!("the pipe goes on")
        };
        assert_eq!(reason, "the pipe has ended");
    }
}

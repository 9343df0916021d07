//! A camera that stamps the time: a pipe into which a clip is written at its rate, the
//! time code in each frame as it is written. `visavis-headless` plays it as it plays a
//! file; in Chromium, `timed` of `sources.js` does the same with its file's frames.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use nix::sys::stat::Mode;
use tempfile::TempDir;

use crate::clip::{Clip, stamp};

/// A running camera. Its thread ends when its reader closes the pipe.
pub struct Camera {
    folder: TempDir,
}

impl Camera {
    /// Waits for a reader and then plays the clip over and over.
    ///
    /// # Errors
    /// When there can be no pipe.
    pub fn start(clip: &Clip) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let camera = Self { folder };
        let (clip, pipe) = (clip.clone(), camera.pipe());
        nix::unistd::mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR)?;
        std::thread::spawn(move || {
            // The reader has left the call.
            let _ = play(&clip, &pipe);
        });
        Ok(camera)
    }

    /// The pipe's path.
    pub fn pipe(&self) -> PathBuf {
        self.folder.path().join("camera.y4m")
    }
}

fn play(clip: &Clip, pipe: &Path) -> Result<()> {
    let mut file = File::open(&clip.path)?;
    let mut output = File::options().write(true).open(pipe)?;
    let start = Instant::now();
    output.write_all(&clip.header()?)?;
    let mut number = 0;
    loop {
        let mut data = clip.frame(&mut file, number % clip.frames)?;
        let due = start + Duration::from_secs(1).mul_f64(number as f64 / 30.0);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        stamp(&mut data, clip.width, clip.height, now.as_millis() as u64);
        output.write_all(b"FRAME\n")?;
        output.write_all(&data)?;
        // What is missed altogether is skipped, as a camera would.
        let passed = (start.elapsed().as_secs_f64() * 30.0) as u64;
        number = passed.max(number) + 1;
    }
}

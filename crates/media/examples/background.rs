//! What virtual backgrounds cost: captures a y4m file for some seconds with each of them
//! and prints the processor time a frame.
//!
//! `cargo run --release -p visavis-media --example background FILE.y4m PICTURE`
//!
//! The model is that of `cargo xtask models`.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use visavis_media::video::VideoSender;
use visavis_media::video::background::{self, Background, BackgroundState};
use visavis_media::{VideoFormat, VideoSource};

const TIME: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(clip), Some(picture)) = (arguments.next(), arguments.next()) else {
        return Err("a y4m file and a picture are needed".into());
    };
    background::available()?;
    let sender = VideoSender::new();
    sender.set_source(VideoSource::Y4m(clip), VideoFormat::default());
    let mut none = 0.0;
    for background in [
        Background::None,
        Background::Blur,
        Background::Picture(picture),
    ] {
        sender.set_background(background.clone());
        // Loading does not count.
        thread::sleep(Duration::from_secs(1));
        let milliseconds = milliseconds_a_frame(&sender);
        match sender.background().get() {
            Some(BackgroundState::Failed(error)) => return Err(error.into()),
            state => println!(
                "{background:?}: {milliseconds:.2} ms a frame, {:.2} more than none, {state:?}",
                milliseconds - none
            ),
        }
        if background == Background::None {
            none = milliseconds;
        }
    }
    Ok(())
}

/// Processor time of the process for each captured frame; nothing is encoded.
fn milliseconds_a_frame(sender: &VideoSender) -> f64 {
    let (preview, start, used) = (sender.preview(), Instant::now(), processor_time());
    let (first, _) = preview.versioned();
    thread::sleep(TIME.saturating_sub(start.elapsed()));
    let (last, _) = preview.versioned();
    let used = processor_time().saturating_sub(used);
    used.as_secs_f64() * 1_000.0 / (last - first).max(1) as f64
}

/// Processor time of this process; 0 where the system does not say.
fn processor_time() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
    let times = tasks.flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}

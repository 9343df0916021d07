//! Lists the screens and windows, or captures one for ten seconds and prints what it
//! costs.
//!
//! `cargo run -p visavis-media --example screens [screen[:N] | window:ID]`

use std::fs;
use std::time::{Duration, Instant};

use visavis_media::video::screen::{self, Screen};
use visavis_media::{DeviceError, VideoFormat, VideoSource};

const TIME: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(text) = std::env::args().nth(1) else {
        for found in screen::list()? {
            let size = format!("{}x{}", found.width, found.height);
            println!("{} {size} {}", found.id, found.name);
        }
        return Ok(());
    };
    let VideoSource::Screen(source) = text.parse()? else {
        return Err(DeviceError::Absent.into());
    };
    let mut screen = Screen::open(None, &source, VideoFormat::default())?;
    println!("{}", screen.format());
    let (start, used, mut frames) = (Instant::now(), processor_time(), 0_u32);
    while start.elapsed() < TIME {
        frames += u32::from(screen.next_frame()?.is_some());
    }
    let used = processor_time().saturating_sub(used);
    println!(
        "{:.1} frames/s, {:.3} of a core, {:.2} ms of processor time a frame",
        f64::from(frames) / TIME.as_secs_f64(),
        used.as_secs_f64() / TIME.as_secs_f64(),
        used.as_secs_f64() * 1_000.0 / f64::from(frames.max(1)),
    );
    Ok(())
}

/// Processor time of this thread; 0 where the system does not say.
fn processor_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text
        .split_whitespace()
        .next()
        .and_then(|text| text.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

//! Opens each camera once in each of its pixel formats, and prints what it gives.
//!
//! `cargo run -p visavis-media --example cameras [WIDTHxHEIGHT]`
//!
//! One line a format: its name, the size and rate that were opened, how many
//! frames came and how many of them were damaged, and the mean Y, U and V of
//! eight columns in the lower half of the last one.

use std::env;
use std::time::{Duration, Instant};

use visavis_media::DeviceError;
use visavis_media::frame::Frame;
use visavis_media::source::VideoFormat;
use visavis_media::video::camera::{self, Camera, Choice, Offer};

const FRAMES: u32 = 5;
const LIMIT: Duration = Duration::from_secs(10);
const COLUMNS: usize = 8;

fn main() {
    let size = env::args().nth(1);
    let size = size.as_deref().and_then(|size| size.split_once('x'));
    let side = |text: Option<&str>, usual| text.and_then(|text| text.parse().ok()).unwrap_or(usual);
    let wanted = VideoFormat {
        width: side(size.map(|(width, _)| width), 1280),
        height: side(size.map(|(_, height)| height), 720),
        frames_per_second: 30,
    };
    for found in camera::list() {
        println!("{} ({})", found.name, found.id);
        let choice = Choice::Id(found.id);
        let mut opened = Vec::new();
        for offer in camera::offers(&choice, wanted).unwrap_or_default() {
            if opened.contains(&offer.pixels) {
                continue;
            }
            opened.push(offer.pixels);
            match capture(&choice, &offer) {
                Ok(line) => println!("{:?} {line}", offer.pixels),
                Err(error) => println!("{:?} {error}", offer.pixels),
            }
        }
    }
}

fn capture(choice: &Choice, offer: &Offer) -> Result<String, DeviceError> {
    let mut camera = Camera::open_as(choice, offer)?;
    let (mut frames, mut last) = (0, None);
    let start = Instant::now();
    while frames < FRAMES && start.elapsed() < LIMIT {
        if let Some(frame) = camera.next_frame()? {
            frames += 1;
            last = Some(frame);
        }
    }
    let columns: Vec<String> = last.iter().flat_map(columns).collect();
    Ok(format!(
        "{} frames={frames} damaged={} columns={}",
        camera.format(),
        camera.damaged(),
        columns.join(" ")
    ))
}

/// Means of the middles of eight columns.
fn columns(frame: &Frame) -> Vec<String> {
    let mean = |plane: &[u8], shrunk: usize, column: usize| {
        let (width, height) = (
            frame.width() as usize / shrunk,
            frame.height() as usize / shrunk,
        );
        let (left, wide) = (width * column / COLUMNS, width / COLUMNS);
        let middle = left + wide / 4..left + wide * 3 / 4;
        let rows = height / 2..height;
        let row = |row: usize| &plane[row * width..][middle.clone()];
        let samples = rows.flat_map(row).map(|sample| u64::from(*sample));
        let (sum, count) = samples.fold((0, 0), |(sum, count), sample| (sum + sample, count + 1));
        sum / count.max(1)
    };
    let column = |n| {
        let (y, u, v) = (
            mean(frame.y(), 1, n),
            mean(frame.u(), 2, n),
            mean(frame.v(), 2, n),
        );
        format!("{y},{u},{v}")
    };
    (0..COLUMNS).map(column).collect()
}

//! `cargo xtask bench call`: calls of several participants, one process each,
//! over loopback UDP; beside them, where Chromium is installed, the same scenes
//! with Chromium participants, and how the two compare.
//!
//! CPU time and memory are read from the system for each process and all that
//! it started, over the same stretch of a running call.

#[path = "call/chromium.rs"]
mod chromium;
#[path = "machine.rs"]
mod machine;
#[path = "call/ours.rs"]
mod ours;
#[path = "call/table.rs"]
mod table;
#[path = "call/usage.rs"]
mod usage;

use std::time::Duration;

use anyhow::{Context, Result};
use visavis_tests::programs;

use crate::table::Row;

/// How long a call runs before it is measured: encoders and jitter buffers have settled.
const SETTLE: Duration = Duration::from_secs(8);

/// One scene.
#[derive(Debug, Clone, Copy)]
struct Scene {
    participants: usize,
    width: u32,
    height: u32,
}

/// What every side sends: pictures at this rate, and sound.
const FRAMES_PER_SECOND: u32 = 30;

const SCENES: [Scene; 4] = [
    Scene {
        participants: 2,
        width: 640,
        height: 360,
    },
    Scene {
        participants: 3,
        width: 640,
        height: 360,
    },
    Scene {
        participants: 4,
        width: 640,
        height: 360,
    },
    Scene {
        participants: 2,
        width: 1280,
        height: 720,
    },
];

/// What one scene came to. Figures of a participant are means over all of them.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    /// CPU seconds a second, for each participant.
    cpu: f64,
    /// Proportional set size at the end, in MiB, for each participant.
    memory_mib: f64,
    /// Largest resident set of any participant, in MiB; of ours only.
    peak_rss_mib: Option<f64>,
    /// From sending the join to the first picture of someone; the median.
    first_frame_ms: f64,
    /// One-way delay from drawing a picture to having it decoded.
    delay_p50_ms: f64,
    delay_p95_ms: f64,
    /// All freezes of all participants.
    freezes: u64,
    /// Pictures a second, of each sender at each receiver.
    frames_per_second: f64,
    /// Of the smallest picture that was received at the end.
    width: u32,
}

#[tokio::main]
async fn main() -> Result<()> {
    let seconds: u64 = match std::env::args().nth(1) {
        Some(text) => text.parse().context("usage: bench-call [SECONDS]")?,
        None => 15,
    };
    let measured = Duration::from_secs(seconds);
    let chromium = programs::installed("chromium").is_ok();
    let mut rows = Vec::new();
    for scene in SCENES {
        let ours = ours::run(scene, measured).await?;
        let theirs = if chromium {
            Some(chromium::run(scene, measured).await?)
        } else {
            None
        };
        rows.push(Row {
            scene,
            ours,
            theirs,
        });
    }
    table::print(&rows, measured);
    Ok(())
}

/// The middle one, or the lower of the two in the middle; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values
        .get(values.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(0.0)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

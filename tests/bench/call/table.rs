//! The figures, for people.

use std::time::Duration;

use crate::machine::machine;
use crate::{Outcome, Scene};

/// A scene with both sides.
pub struct Row {
    pub scene: Scene,
    pub ours: Outcome,
    pub theirs: Option<Outcome>,
}

pub fn print(rows: &[Row], measured: Duration) {
    println!();
    println!(
        "Measured over {} s of a running call on {}.",
        measured.as_secs(),
        machine()
    );
    println!("CPU and memory are for each participant; delay is from drawing to decoding.");
    println!();
    println!(
        "| scene | side | CPU s/s | PSS MiB | peak RSS MiB | first frame ms | delay p50 / p95 ms | freezes | frames/s | width |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let Scene {
            participants,
            width,
            height,
        } = row.scene;
        let scene = format!("{participants} at {width}x{height}");
        line(&scene, "Visavis", &row.ours);
        if let Some(theirs) = &row.theirs {
            line(&scene, "Chromium", theirs);
            ratios(&scene, &row.ours, theirs);
        }
    }
}

fn line(scene: &str, side: &str, outcome: &Outcome) {
    let peak = outcome
        .peak_rss_mib
        .map_or("-".to_owned(), |mib| format!("{mib:.0}"));
    println!(
        "| {scene} | {side} | {:.3} | {:.0} | {peak} | {:.0} | {:.0} / {:.0} | {} | {:.1} | {} |",
        outcome.cpu,
        outcome.memory_mib,
        outcome.first_frame_ms,
        outcome.delay_p50_ms,
        outcome.delay_p95_ms,
        outcome.freezes,
        outcome.frames_per_second,
        outcome.width,
    );
}

/// Ours as a share of theirs: below 1 is better.
fn ratios(scene: &str, ours: &Outcome, theirs: &Outcome) {
    let ratio = |of: fn(&Outcome) -> f64| of(ours) / of(theirs);
    println!(
        "| {scene} | ratio | {:.2} | {:.2} | | {:.2} | {:.2} / {:.2} | | | |",
        ratio(|side| side.cpu),
        ratio(|side| side.memory_mib),
        ratio(|side| side.first_frame_ms),
        ratio(|side| side.delay_p50_ms),
        ratio(|side| side.delay_p95_ms),
    );
}

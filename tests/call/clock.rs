//! Clocks that are wrong.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use visavis_tests::headless::{Event, Headless, SMALL, Stats};
use visavis_tests::server::RoomServer;
use visavis_tests::wait::wait_until;

const LIMIT: Duration = Duration::from_secs(60);
/// Seconds that are compared of each direction.
const SECONDS: usize = 7;
/// Between the sum of the stages and the truth, in milliseconds.
const TOLERANCE: f64 = 10.0;

/// libfaketime for programs with threads, from Debian's package `faketime`.
fn faketime() -> Result<PathBuf> {
    let folders = Path::new("/usr/lib").read_dir()?.flatten();
    let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    let found = libraries.find(|library| library.is_file());
    found.context("libfaketime is missing: install the package faketime")
}

/// The environment of a process whose clock is off by so many seconds. Its timers keep
/// the true time.
fn clock_off_by(seconds: i64) -> Result<Vec<(String, String)>> {
    let library = faketime()?.display().to_string();
    let variables = [
        ("LD_PRELOAD", library),
        ("FAKETIME", format!("{seconds:+}s")),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ("DONT_FAKE_MONOTONIC", "1".into()),
    ];
    let variables = variables.into_iter();
    Ok(variables
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}

/// The seconds in which the stages of a member's video were measured.
fn measured(one: &Headless, member: &str) -> Vec<Stats> {
    let stats = one.events().into_iter().filter_map(|event| match event {
        Event::Stats(stats) if stats.member == member => Some(*stats),
        _ => None,
    });
    let is_measured = |stats: &Stats| {
        let stages = stats.delay_by_stage_ms.as_ref();
        stages.is_some_and(|stages| stages.frames >= 5) && stats.delay_ms_mean.is_some()
    };
    stats.filter(is_measured).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The stages of what `to` shows of a member, whose clock is so many seconds behind that
/// of `to`, add up to the time from drawing to decoding.
async fn add_up(to: &Headless, member: &str, behind: f64) -> Result<()> {
    let lines = wait_until("measured stages", LIMIT, async || {
        let lines = measured(to, member);
        Ok((lines.len() >= SECONDS).then_some(lines))
    })
    .await?;
    let error = |stats: &Stats| {
        let stages = stats.delay_by_stage_ms.as_ref()?;
        // The pictures say the time at which they were drawn, on the sender's clock.
        let truth = stats.delay_ms_mean? - behind * 1_000.0;
        Some(stages.total - truth)
    };
    let errors: Vec<f64> = lines.iter().filter_map(error).collect();
    ensure!(
        median(errors.clone()).abs() <= TOLERANCE,
        "{errors:?} {lines:?}"
    );
    let offset = |stats: &Stats| stats.clock_offset_ms.unwrap_or_default() + behind * 1_000.0;
    let offset = median(lines.iter().map(offset).collect());
    ensure!(offset.abs() <= TOLERANCE, "off by {offset} ms");
    for stats in &lines {
        let stages = stats.delay_by_stage_ms.as_ref().context("measured")?;
        // The sender's are whole milliseconds of each frame.
        let sender = [stages.capture, stages.encode, stages.pace];
        ensure!(sender.iter().sum::<f64>() > 0.0, "{stages:?}");
        ensure!(sender.iter().all(|stage| *stage >= 0.0), "{stages:?}");
        ensure!(
            stages.jitter_buffer > 0.0 && stages.decode > 0.0,
            "{stages:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_stages_of_the_delay_add_up_to_the_truth_with_clocks_five_seconds_off() -> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let url = server.url();
    let anna = Headless::join("anna", &url, &["--video", SMALL, "--create", "clocks"]).await?;
    let join = ["--video", SMALL, "--room", anna.room()];
    let ahead = Headless::join_with("ahead", &url, &join, &clock_off_by(5)?).await?;
    let behind = Headless::join_with("behind", &url, &join, &clock_off_by(-5)?).await?;
    // The time code tells delays above 0 only.
    add_up(&ahead, anna.member(), 5.0).await?;
    add_up(&anna, behind.member(), 5.0).await?;
    add_up(&ahead, behind.member(), 10.0).await?;
    for one in [anna, ahead, behind] {
        one.leave().await?;
    }
    Ok(())
}

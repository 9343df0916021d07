//! A scene with our own participants.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use visavis_tests::headless::{Event, Headless, Stats};
use visavis_tests::server::RoomServer;

use crate::{FRAMES_PER_SECOND, Outcome, SETTLE, Scene, mean, median, usage};

pub async fn run(scene: Scene, measured: Duration) -> Result<Outcome> {
    let server = RoomServer::start(&[]).await?;
    let video = format!(
        "synthetic:{}x{}@{FRAMES_PER_SECOND}",
        scene.width, scene.height
    );
    let mut people: Vec<Headless> = Vec::new();
    for number in 0..scene.participants {
        let tone = format!("tone:{}", 440 + 110 * number);
        let room = people.first().map(|host| host.room().to_owned());
        let way_in = match &room {
            Some(room) => ["--room", room],
            None => ["--create", "Benchmark"],
        };
        let arguments = [
            "--video", &video, "--audio", &tone, "--play", "none", way_in[0], way_in[1],
        ];
        people.push(
            Headless::join(&format!("Participant {number}"), &server.url(), &arguments).await?,
        );
    }
    for person in &people {
        for other in people
            .iter()
            .filter(|other| other.member() != person.member())
        {
            person.sees(other.member(), 1).await?;
        }
    }
    tokio::time::sleep(SETTLE).await;
    let pids: Vec<u32> = people
        .iter()
        .map(|person| person.pid().context("a participant ended"))
        .collect::<Result<_>>()?;
    let (frames_before, cpu_before) = (decoded(&people), cpu(&pids)?);
    let since = Instant::now();
    tokio::time::sleep(measured).await;
    let seconds = since.elapsed().as_secs_f64();
    let cpu: Vec<f64> = cpu(&pids)?
        .iter()
        .zip(&cpu_before)
        .map(|(now, before)| (now - before) / seconds)
        .collect();
    let memory: Vec<f64> = pids
        .iter()
        .map(|pid| usage::memory_mib(*pid))
        .collect::<Result<_>>()?;
    let frames = decoded(&people) - frames_before;
    let figures: Vec<Stats> = people.iter().flat_map(newest).collect();
    let first_frames = people.iter().flat_map(|person| {
        person.events().into_iter().filter_map(|event| match event {
            Event::FirstFrame { ms, .. } => Some(ms as f64),
            _ => None,
        })
    });
    let first_frames: Vec<f64> = first_frames.collect();
    let directions = scene.participants * (scene.participants - 1);
    let delays = |of: fn(&Stats) -> Option<f64>| median(figures.iter().filter_map(of).collect());
    let (delay_p50_ms, delay_p95_ms) = (
        delays(|stats| stats.delay_ms_p50),
        delays(|stats| stats.delay_ms_p95),
    );
    let mut peak: f64 = 0.0;
    for person in people {
        peak = peak.max(person.leave().await?.peak_rss_bytes as f64 / 1_048_576.0);
    }
    server.stop().await?;
    Ok(Outcome {
        cpu: mean(&cpu),
        memory_mib: mean(&memory),
        peak_rss_mib: Some(peak),
        first_frame_ms: median(first_frames),
        delay_p50_ms,
        delay_p95_ms,
        freezes: figures.iter().map(|stats| stats.freezes).sum(),
        frames_per_second: frames as f64 / seconds / directions as f64,
        width: figures.iter().map(|stats| stats.width).min().unwrap_or(0),
    })
}

fn cpu(pids: &[u32]) -> Result<Vec<f64>> {
    pids.iter().map(|pid| usage::cpu_seconds(*pid)).collect()
}

/// The newest figures of each peer of a participant.
fn newest(person: &Headless) -> Vec<Stats> {
    let mut figures: Vec<Stats> = Vec::new();
    for event in person.events() {
        if let Event::Stats(stats) = event {
            figures.retain(|known| known.member != stats.member);
            figures.push(stats);
        }
    }
    figures
}

fn decoded(people: &[Headless]) -> u64 {
    people
        .iter()
        .flat_map(newest)
        .map(|stats| stats.frames_decoded)
        .sum()
}

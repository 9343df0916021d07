//! The same scene with Chromium: a process tree for each participant, sending
//! a canvas with detail and our time code, and a tone.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use visavis_tests::chromium::Chromium;
use visavis_tests::page::Page;
use visavis_tests::server::RoomServer;

use crate::{FRAMES_PER_SECOND, Outcome, SETTLE, Scene, mean, median, usage};

/// Chromium begins small and takes its time to the full size.
const EXTRA_SETTLE: Duration = Duration::from_secs(22);

struct Participant {
    chromium: Chromium,
    page: Page,
    id: String,
}

pub async fn run(scene: Scene, measured: Duration) -> Result<Outcome> {
    let server = RoomServer::start(&[]).await?;
    let mut people: Vec<Participant> = Vec::new();
    let mut room: Option<String> = None;
    for _ in 0..scene.participants {
        let chromium = Chromium::start().await?;
        let way_in = room
            .as_ref()
            .map_or("create=Benchmark".to_owned(), |room| format!("room={room}"));
        let Scene { width, height, .. } = scene;
        let query = format!(
            "{way_in}&codec=vp8&source=canvas&width={width}&height={height}&fps={FRAMES_PER_SECOND}"
        );
        let mut page = chromium.participant(&server.url(), &query).await?;
        let (entered, id) = page.inside().await?;
        room = Some(entered);
        people.push(Participant { chromium, page, id });
    }
    let ids: Vec<String> = people.iter().map(|person| person.id.clone()).collect();
    for person in &mut people {
        for other in ids.iter().filter(|id| **id != person.id) {
            person
                .page
                .sees(other, "a picture", |peer| {
                    peer["framesDecoded"].as_u64() > Some(0)
                })
                .await?;
        }
    }
    tokio::time::sleep(SETTLE + EXTRA_SETTLE).await;
    let pids: Vec<u32> = people
        .iter()
        .map(|person| person.chromium.process().pid().context("Chromium ended"))
        .collect::<Result<_>>()?;
    let frames_before = sum(&peers(&mut people).await?, "framesDecoded");
    let cpu_before: Vec<f64> = pids
        .iter()
        .map(|pid| usage::cpu_seconds(*pid))
        .collect::<Result<_>>()?;
    let since = Instant::now();
    tokio::time::sleep(measured).await;
    let seconds = since.elapsed().as_secs_f64();
    let mut cpu = Vec::new();
    for (pid, before) in pids.iter().zip(&cpu_before) {
        cpu.push((usage::cpu_seconds(*pid)? - before) / seconds);
    }
    let memory: Vec<f64> = pids
        .iter()
        .map(|pid| usage::memory_mib(*pid))
        .collect::<Result<_>>()?;
    let figures = peers(&mut people).await?;
    let frames = sum(&figures, "framesDecoded") - frames_before;
    let all = |key: &str| {
        median(
            figures
                .iter()
                .filter_map(|peer| peer[key].as_f64())
                .collect(),
        )
    };
    drop(people);
    server.stop().await?;
    Ok(Outcome {
        cpu: mean(&cpu),
        memory_mib: mean(&memory),
        peak_rss_mib: None,
        first_frame_ms: all("firstFrameMs"),
        delay_p50_ms: all("delayMsP50"),
        delay_p95_ms: all("delayMsP95"),
        freezes: sum(&figures, "freezeCount") as u64,
        frames_per_second: frames / seconds / figures.len() as f64,
        width: figures
            .iter()
            .filter_map(|peer| peer["frameWidth"].as_u64())
            .min()
            .unwrap_or(0) as u32,
    })
}

/// The figures of every peer of every participant.
async fn peers(people: &mut [Participant]) -> Result<Vec<Value>> {
    let mut figures = Vec::new();
    for person in people {
        let stats = person.page.evaluate("window.stats()").await?;
        let peers = stats["peers"].as_object().context("a page has no peers")?;
        figures.extend(peers.values().cloned());
    }
    Ok(figures)
}

fn sum(figures: &[Value], key: &str) -> f64 {
    figures.iter().filter_map(|peer| peer[key].as_f64()).sum()
}

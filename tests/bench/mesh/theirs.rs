//! A participant of Chromium: a browser of its own with the page of `tests/call/page`.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use visavis_tests::chromium::{Chromium, Launch};
use visavis_tests::page::Page;

use crate::luma::Luma;
use crate::person::{Setup, Sound, Video};
use crate::timeline::Second;

/// Reads the figures, and begins the delays of the next second.
const FIGURES: &str =
    "(async () => { const s = await window.stats(); await window.forgetDelays(); return s })()";

pub struct Theirs {
    pub chromium: Chromium,
    pub id: String,
    pub room: String,
    page: Page,
    /// The last figures of each peer, and when they were read.
    last: HashMap<String, (Value, Duration)>,
}

impl Theirs {
    pub async fn join(server: &str, room: Option<&str>, setup: &Setup<'_>) -> Result<Self> {
        let mut flags = Vec::new();
        if let Video::Clip(clip) | Video::Timed(clip) = setup.video {
            let file = clip.path.display();
            flags.push(format!("--use-file-for-fake-video-capture={file}"));
        }
        if let Sound::File(file) | Sound::Devices { file, .. } = &setup.sound {
            let file = file.display();
            flags.push(format!("--use-file-for-fake-audio-capture={file}"));
        }
        let environment = match &setup.sound {
            Sound::Off | Sound::File(_) => &[],
            Sound::Devices { environment, .. }
            | Sound::Mouth(environment)
            | Sound::Ear(environment) => environment.as_slice(),
        };
        let chromium = Chromium::launch(Launch {
            flags: &flags,
            environment,
            namespace: setup.machine.map(|(shaper, n)| shaper.machines().name(n)),
            has_real_devices: matches!(setup.sound, Sound::Mouth(_) | Sound::Ear(_)),
        })
        .await?;
        let mut page = chromium.participant(server, &query(room, setup)).await?;
        let (room, id) = page.inside().await?;
        Ok(Self {
            chromium,
            id,
            room,
            page,
            last: HashMap::new(),
        })
    }

    pub async fn first_picture(&mut self, of: &str) -> Result<Option<f64>> {
        Ok(self.page.figures(of).await?["firstFrameMs"].as_f64())
    }

    pub async fn seconds(&mut self, elapsed: Duration) -> Result<Vec<(String, Second)>> {
        let mut stats = self.page.evaluate(FIGURES).await?;
        let peers = stats["peers"].as_object_mut().context("no peers")?;
        let mut seconds = Vec::new();
        for (id, now) in std::mem::take(peers) {
            if let Some((before, read)) = self.last.get(&id) {
                seconds.push((id.clone(), second(before, &now, *read, elapsed)));
            }
            self.last.insert(id, (now, elapsed));
        }
        Ok(seconds)
    }

    pub async fn frame(&mut self, of: &str) -> Result<Option<Luma>> {
        let frame = self.page.evaluate(&format!("window.frame({of:?})")).await?;
        let Some(luma) = frame["luma"].as_str() else {
            return Ok(None);
        };
        let side = |key: &str| frame[key].as_u64().unwrap_or_default() as usize;
        Ok(Some(Luma {
            width: side("width"),
            height: side("height"),
            pixels: STANDARD.decode(luma)?,
        }))
    }
}

/// The page's query, as `page.js` describes it.
fn query(room: Option<&str>, setup: &Setup<'_>) -> String {
    let mut query = match room {
        Some(room) => format!("room={room}"),
        None => "create=Benchmark".into(),
    };
    query += &format!("&codec={}", setup.codec);
    query += &match setup.video {
        Video::Off => "&source=none".to_owned(),
        Video::Clip(clip) | Video::Timed(clip) => {
            let (width, height) = (clip.width, clip.height);
            format!("&source=camera&width={width}&height={height}&fps=30")
        }
    };
    query += match setup.video {
        Video::Timed(_) => "&timed=1",
        Video::Clip(_) | Video::Off => "&delays=0",
    };
    query += match setup.sound {
        Sound::Off | Sound::Ear(_) => "&audio=0",
        Sound::File(_) => "",
        Sound::Devices { .. } | Sound::Mouth(_) => "&processing=1",
    };
    if let Some(cap) = setup.cap {
        query += &format!("&kbps={cap}");
    }
    query
}

fn second(before: &Value, now: &Value, read: Duration, elapsed: Duration) -> Second {
    let number = |stats: &Value, key: &str| stats[key].as_f64().unwrap_or_default();
    let grown = |key: &str| (number(now, key) - number(before, key)).max(0.0);
    let length = elapsed.saturating_sub(read).as_secs_f64();
    let bytes = grown("bytesReceived") + grown("audioBytesReceived");
    Second {
        at: elapsed.as_secs_f64(),
        length,
        frames: grown("framesDecoded"),
        freezes: grown("freezeCount"),
        frozen: grown("totalFreezesDuration"),
        kbps: bytes * 8.0 / 1_000.0 / length.max(0.001),
        concealed: grown("concealedSamples"),
        silent: grown("silentConcealedSamples"),
        samples: grown("totalSamplesReceived"),
        delay_p50: now["delayMsP50"].as_f64(),
        delay_p95: now["delayMsP95"].as_f64(),
        delay_max: now["delayMsMax"].as_f64(),
    }
}

//! A participant of ours: `visavis-headless`.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tempfile::TempDir;
use visavis_tests::headless::{Event, Headless, Stats};
use visavis_tests::wait::wait_until;

use crate::camera::Camera;
use crate::luma::Luma;
use crate::person::{Setup, Sound, Video};
use crate::timeline::Second;

/// How long a frame may take to its file.
const FRAME_LIMIT: Duration = Duration::from_secs(10);

pub struct Ours {
    pub headless: Headless,
    _camera: Option<Camera>,
    frames: TempDir,
    /// Lines of its report that were read, and what of them was not asked for yet.
    lines: usize,
    first_pictures: HashMap<String, f64>,
    stats: Vec<Stats>,
    /// The last figures of each peer, and when they were read.
    last: HashMap<String, (Stats, Duration)>,
}

impl Ours {
    pub async fn join(server: &str, room: Option<&str>, setup: &Setup<'_>) -> Result<Self> {
        let camera = match setup.video {
            Video::Timed(clip) => Some(Camera::start(clip)?),
            Video::Off | Video::Clip(_) => None,
        };
        let video = match (setup.video, &camera) {
            (Video::Clip(clip), _) => format!("y4m:{}", clip.path.display()),
            (_, Some(camera)) => format!("y4m:{}", camera.pipe().display()),
            (_, None) => "none".into(),
        };
        let (audio, play, environment) = match &setup.sound {
            Sound::Off => ("none".to_owned(), "none", Vec::new()),
            Sound::File(file) => (format!("wav:{}", file.display()), "none", Vec::new()),
            Sound::Devices { environment, .. } => ("mic".into(), "speaker", environment.clone()),
            Sound::Mouth(environment) => ("mic".into(), "none", environment.clone()),
            Sound::Ear(environment) => ("none".into(), "speaker", environment.clone()),
        };
        let mut arguments = vec!["--video", &video, "--audio", &audio, "--play", play];
        arguments.extend(["--codec", setup.codec]);
        arguments.extend(match room {
            Some(room) => ["--room", room],
            None => ["--create", "Benchmark"],
        });
        arguments.extend(setup.show.iter().flat_map(|size| ["--show", size]));
        let headless = match setup.machine {
            None => Headless::join_with("visavis", server, &arguments, &environment).await?,
            Some((shaper, machine)) => {
                let namespace = shaper.machines().name(machine);
                Headless::join_in(namespace, "visavis", server, &arguments).await?
            }
        };
        Ok(Self {
            headless,
            _camera: camera,
            frames: tempfile::tempdir()?,
            lines: 0,
            first_pictures: HashMap::new(),
            stats: Vec::new(),
            last: HashMap::new(),
        })
    }

    pub fn first_picture(&mut self, of: &str) -> Option<f64> {
        self.read();
        self.first_pictures.get(of).copied()
    }

    /// Reads the new lines of its report.
    fn read(&mut self) {
        let (events, lines) = self.headless.events_after(self.lines);
        self.lines = lines;
        for event in events {
            match event {
                Event::FirstFrame { member, ms } => {
                    self.first_pictures.entry(member).or_insert(ms as f64);
                }
                Event::Stats(stats) => self.stats.push(*stats),
                _ => {}
            }
        }
    }

    pub fn seconds(&mut self, elapsed: Duration) -> Vec<(String, Second)> {
        self.read();
        let mut seconds = Vec::new();
        for now in std::mem::take(&mut self.stats) {
            let member = now.member.clone();
            if let Some((before, read)) = self.last.get(&member) {
                seconds.push((member.clone(), second(before, &now, *read, elapsed)));
            }
            self.last.insert(member, (now, elapsed));
        }
        seconds
    }

    pub async fn frame(&mut self, of: &str) -> Result<Option<Luma>> {
        let folder = self.frames.path();
        let command = json!({"command": "snapshot", "folder": folder});
        self.headless.obeys(&command).await?;
        let name = of.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let file = folder.join(name).with_extension("y4m");
        let data = wait_until("a frame as a file", FRAME_LIMIT, async || {
            Ok(std::fs::read(&file).ok())
        })
        .await?;
        std::fs::remove_file(&file).context("a frame's file")?;
        Luma::of_y4m(&data).map(Some)
    }
}

fn second(before: &Stats, now: &Stats, read: Duration, elapsed: Duration) -> Second {
    let grown = |of: fn(&Stats) -> u64| of(now).saturating_sub(of(before)) as f64;
    Second {
        at: elapsed.as_secs_f64(),
        length: elapsed.saturating_sub(read).as_secs_f64(),
        frames: grown(|stats| stats.frames_decoded),
        freezes: grown(|stats| stats.freezes),
        frozen: (now.freeze_ms - before.freeze_ms).max(0.0) / 1_000.0,
        kbps: now.received_kbps,
        concealed: grown(|stats| stats.concealed_samples),
        silent: grown(|stats| stats.silent_concealed_samples),
        samples: grown(|stats| stats.total_samples_received),
        delay_p50: now.delay_ms_p50,
        delay_p95: now.delay_ms_p95,
        delay_max: now.delay_ms_max,
    }
}

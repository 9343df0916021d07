//! `mouth-to-ear`: from a sound in front of one participant's microphone to the same
//! sound from the other's speaker, through PulseAudio's null sinks.
//!
//! One participant has the microphone and the other the speaker of the same sound card;
//! both places are listened to at once.

mod clicks;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::io::AsyncReadExt;
use tokio::process::Child;
use tokio::task::JoinHandle;
use visavis_tests::pulse::{Place, SoundCard};
use visavis_tests::server::RoomServer;

use self::clicks::{delays, onsets, write_clicks};
use crate::call::Call;
use crate::person::{Setup, Side, Sound};
use crate::plan::Plan;
use crate::statistics::{median, percentile};
use crate::table::{Figures, Goal, Line, Section};

/// From the room to the sound.
const CONNECTED: Duration = Duration::from_secs(5);
/// Bytes a second of what is heard.
const BYTES_PER_SECOND: f64 = 96_000.0;

const LINES: [Line; 3] = [
    Line::new("median", "mouth to ear, median, ms", 0, Goal::Share(0.7)),
    Line::new("p95", "mouth to ear, p95, ms", 0, Goal::Share(0.7)),
    Line::new("clicks", "clicks heard of those made, %", 0, Goal::None),
];

pub async fn run(plan: &Plan) -> Vec<Section> {
    let scene = "mouth to ear";
    let rounds = plan.both(scene, async |side| call(plan, side).await).await;
    vec![Section {
        scene: scene.into(),
        lines: &LINES,
        rounds,
    }]
}

async fn call(plan: &Plan, side: Side) -> Result<Figures> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("clicks.wav");
    write_clicks(&file, plan.measured())?;
    let card = SoundCard::start("card").await?;
    let environment = card.environment().to_vec();
    // The page's newcomer offers what it sends: it has to be the one who speaks.
    let setups = [Sound::Ear(environment.clone()), Sound::Mouth(environment)].map(|sound| Setup {
        sound,
        ..Setup::default()
    });
    let call = Call::start(side, RoomServer::start(&[]).await?, &setups).await?;
    tokio::time::sleep(CONNECTED.max(plan.settle(Side::Ours))).await;
    let listeners = [Place::Mouth, Place::Ear].map(|place| Listener::start(&card, place));
    let [mouth, ear] = listeners;
    let (mouth, ear) = (mouth?, ear?);
    card.speak(Path::new(&file)).await?;
    // What is still on its way.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (spoken, heard) = (mouth.stop().await?, ear.stop().await?);
    call.end().await?;
    let (spoken, heard) = (onsets(&spoken), onsets(&heard));
    let delays = delays(&spoken, &heard);
    let share = delays.len() as f64 / spoken.len().max(1) as f64;
    Ok(vec![
        ("median", median(&delays).context("no click was heard")?),
        ("p95", percentile(&delays, 0.95).unwrap_or_default()),
        ("clicks", share * 100.0),
    ])
}

/// Samples, and when the first was heard in seconds on a clock that all listeners share.
pub struct Heard {
    pub from: f64,
    pub samples: Vec<f64>,
}

/// Listens to a place.
struct Listener {
    child: Child,
    heard: JoinHandle<Result<Heard>>,
}

impl Listener {
    fn start(card: &SoundCard, place: Place) -> Result<Self> {
        let mut command = card.listener(place)?;
        let mut child = command.stdout(std::process::Stdio::piped()).spawn()?;
        let mut output = child.stdout.take().context("it has an output")?;
        let heard = tokio::spawn(async move {
            let clock = clock();
            let (mut bytes, mut from) = (Vec::new(), f64::MAX);
            let mut chunk = vec![0; 4_096];
            loop {
                let length = output.read(&mut chunk).await?;
                if length == 0 {
                    break;
                }
                bytes.extend_from_slice(&chunk[..length]);
                // The stream is gapless: the chunk that came soonest after it was heard
                // tells best when the first sample was.
                let now = clock.elapsed().as_secs_f64();
                from = from.min(now - bytes.len() as f64 / BYTES_PER_SECOND);
            }
            let samples = bytes.chunks_exact(2);
            let samples = samples.map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])));
            Ok(Heard {
                from,
                samples: samples.map(|sample| sample / 32_768.0).collect(),
            })
        });
        Ok(Self { child, heard })
    }

    async fn stop(mut self) -> Result<Heard> {
        self.child.kill().await?;
        self.heard.await?
    }
}

fn clock() -> Instant {
    static CLOCK: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *CLOCK.get_or_init(Instant::now)
}

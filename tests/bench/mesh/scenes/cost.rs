//! `cost`: CPU, memory and bits of a call, and the quality that they buy.

use std::time::{Duration, Instant};

use anyhow::Result;
use visavis_tests::pulse::SoundCard;
use visavis_tests::server::RoomServer;

use super::Clips;
use crate::call::{Call, Timelines};
use crate::clip::Clip;
use crate::person::{Setup, Side, Sound, Video};
use crate::plan::Plan;
use crate::statistics::mean;
use crate::table::{Figures, Goal, Line, Section};

/// How long received frames are compared, after the figures were read: reading the
/// frames costs time of the processor.
pub const COMPARED: Duration = Duration::from_secs(10);

const SMALL: [Line; 6] = lines(0.3, 0.12);
const LARGE: [Line; 6] = lines(0.45, 0.2);

const fn lines(cpu: f64, memory: f64) -> [Line; 6] {
    [
        Line::new("cpu", "CPU of a participant, cores", 3, Goal::Share(cpu)),
        Line::new(
            "memory",
            "PSS of a participant, MiB",
            0,
            Goal::Share(memory),
        ),
        Line::new("rate", "received in a direction, kbit/s", 0, Goal::None),
        Line::new("psnr", "PSNR-Y, dB", 1, Goal::NotBelowTheirsLess(0.5)),
        Line::new("fps", "frames/s", 1, Goal::None),
        Line::new("freezes", "freezes", 0, Goal::NotAboveTheirs),
    ]
}

pub async fn run(plan: &Plan, clips: &Clips) -> Vec<Section> {
    let mut sections = Vec::new();
    let scenes = [
        (2, &clips.small, &SMALL),
        (3, &clips.small, &SMALL),
        (2, &clips.large, &LARGE),
    ];
    for (participants, clip, lines) in scenes {
        let scene = format!("{participants} at {}", clip.size());
        let rounds = plan.both(&scene, async |side| {
            call(plan, side, participants, clip, clips).await
        });
        sections.push(Section {
            rounds: rounds.await,
            scene,
            lines,
        });
    }
    sections
}

async fn call(
    plan: &Plan,
    side: Side,
    participants: usize,
    clip: &Clip,
    clips: &Clips,
) -> Result<Figures> {
    // Each participant has a sound card of its own, which hears speech.
    let mut cards = Vec::new();
    for _ in 0..participants {
        let card = SoundCard::start("card").await?;
        let speaking = card.speak_on(&clips.speech)?;
        cards.push((card, speaking));
    }
    let setups: Vec<Setup<'_>> = cards
        .iter()
        .map(|(card, _)| Setup {
            video: Video::Clip(clip),
            sound: Sound::Devices {
                environment: card.environment().to_vec(),
                file: clips.speech.clone(),
            },
            ..Setup::default()
        })
        .collect();
    let mut call = Call::start(side, RoomServer::start(&[]).await?, &setups).await?;
    call.first_pictures(participants).await?;
    tokio::time::sleep(plan.settle(side)).await;
    let (since, before) = (Instant::now(), call.cpu_seconds()?);
    let timelines = call.watch(plan.measured()).await?;
    let (seconds, after) = (since.elapsed().as_secs_f64(), call.cpu_seconds()?);
    let memory = call.memory_mib()?;
    let cpu: Vec<f64> = after
        .iter()
        .zip(&before)
        .map(|(after, before)| (after - before) / seconds)
        .collect();
    let psnr = call.psnr(clip, COMPARED.min(plan.measured())).await?;
    call.end().await?;
    let mut figures = traffic(&timelines);
    let means = [("cpu", cpu), ("memory", memory), ("psnr", psnr)];
    let means = means.iter().map(|(key, values)| (*key, mean(values)));
    figures.extend(means.filter_map(|(key, value)| Some((key, value?))));
    Ok(figures)
}

/// Rate, frames and freezes: means over the directions, and the sum.
pub fn traffic(timelines: &Timelines) -> Figures {
    let all = |of: fn(&crate::timeline::Timeline) -> f64| -> Vec<f64> {
        timelines.values().map(of).collect()
    };
    let mean = |values: Vec<f64>| mean(&values).unwrap_or_default();
    vec![
        ("rate", mean(all(crate::timeline::Timeline::rate))),
        (
            "fps",
            mean(all(crate::timeline::Timeline::frames_per_second)),
        ),
        (
            "freezes",
            all(crate::timeline::Timeline::freezes).iter().sum(),
        ),
    ]
}

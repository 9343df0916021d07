//! `shaped`: calls through a network that is narrow, slow or loses packets.

mod links;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::time::sleep;
use visavis_network_simulator::Profile;
use visavis_tests::server::RoomServer;
use visavis_tests::shaper::{Direction, Shaper};

use self::links::{Scene, Step, scenes};
use super::Clips;
use crate::call::{Call, Timelines};
use crate::person::{Setup, Side, Sound, Video};
use crate::plan::Plan;
use crate::statistics::{max, mean, min};
use crate::table::{Figures, Section};
use crate::timeline::Timeline;

/// The same for both sides.
const SEED: u64 = 20_261_128;
/// How often the bytes that are sent are counted, and over how long a rate is taken.
const COUNTED: Duration = Duration::from_millis(100);
const RATE_WINDOW: usize = 5;
/// A rate counts as the full one from this share on.
const FULL: f64 = 0.9;

pub async fn run(plan: &Plan, clips: &Clips) -> Vec<Section> {
    let mut sections = Vec::new();
    for scene in scenes(plan.seconds) {
        let run = async |side| call(plan, side, &scene, clips).await;
        sections.push(Section {
            rounds: plan.both(scene.name, run).await,
            scene: scene.name.into(),
            lines: scene.lines,
        });
    }
    sections
}

async fn call(plan: &Plan, side: Side, scene: &Scene, clips: &Clips) -> Result<Figures> {
    let network = Shaper::make(scene.participants + 1, SEED).await?;
    let network = network.context("namespaces and TUN devices take root")?;
    let clip = if scene.is_large {
        &clips.large
    } else {
        &clips.small
    };
    shape(&network, scene, scene.before)?;
    let setups: Vec<Setup<'_>> = (1..=scene.participants)
        .map(|machine| Setup {
            video: Video::Timed(clip),
            sound: Sound::File(clips.speech.clone()),
            machine: Some((&network, machine)),
            ..Setup::default()
        })
        .collect();
    let server = RoomServer::start_on(network.machines(), &[]).await?;
    let mut call = Call::start(side, server, &setups).await?;
    call.first_pictures(scene.participants).await?;
    sleep(plan.settle(side)).await;
    let time = Duration::from_secs_f64(scene.end);
    let (timelines, below_cap) = tokio::join!(call.watch(time), follow(&network, scene));
    let (timelines, below_cap) = (timelines?, below_cap?);
    call.end().await?;
    let mut figures = figures(scene, &timelines);
    figures.extend(below_cap.map(|seconds| ("below_cap", seconds)));
    Ok(figures)
}

fn shape(network: &Shaper, scene: &Scene, profile: Profile) -> Result<()> {
    (1..=scene.shaped).try_for_each(|machine| network.set(machine, Direction::Up, profile))
}

/// Changes the links as the scene goes on. Where they are cut to a rate, gives how many
/// seconds later machine 1 sent no more than that, over half a second.
async fn follow(network: &Shaper, scene: &Scene) -> Result<Option<f64>> {
    let since = Instant::now();
    let mut below_cap = None;
    for (number, Step { at, profile }) in scene.steps.iter().enumerate() {
        sleep(Duration::from_secs_f64(*at).saturating_sub(since.elapsed())).await;
        shape(network, scene, *profile)?;
        if let (0, Some(cap), true) = (number, profile.rate, scene.steps.len() > 1) {
            below_cap = time_below(network, cap, scene.steps[1].at - at).await?;
        }
    }
    Ok(below_cap)
}

async fn time_below(network: &Shaper, cap: f64, limit: f64) -> Result<Option<f64>> {
    let since = Instant::now();
    let mut counts = Vec::new();
    while since.elapsed().as_secs_f64() < limit {
        let bytes = network.traffic(1, Direction::Up)?.bytes;
        counts.push((since.elapsed().as_secs_f64(), bytes));
        if let Some((then, before)) = counts.iter().rev().nth(RATE_WINDOW) {
            let now = since.elapsed().as_secs_f64();
            if (bytes - before) as f64 * 8.0 / (now - then) <= cap {
                return Ok(Some(now));
            }
        }
        sleep(COUNTED).await;
    }
    Ok(None)
}

/// All figures that a scene may show.
fn figures(scene: &Scene, timelines: &Timelines) -> Figures {
    // The directions that a shaped link carries.
    let shaped = timelines
        .iter()
        .filter(|((_, sender), _)| *sender < scene.shaped);
    let during: Vec<Timeline> = shaped
        .clone()
        .map(|(_, timeline)| timeline.between(scene.measured.0, scene.measured.1))
        .collect();
    let before: Vec<Timeline> = shaped
        .clone()
        .map(|(_, timeline)| timeline.between(0.0, scene.steps.first().map_or(0.0, |step| step.at)))
        .collect();
    let all = |of: fn(&Timeline) -> f64| during.iter().map(of).collect::<Vec<_>>();
    let some = |of: fn(&Timeline) -> Option<f64>| during.iter().filter_map(of).collect::<Vec<_>>();
    // A freeze counts when it ends, and a late frame when it comes: after a cut, too.
    let whole: Vec<Timeline> = shaped
        .clone()
        .map(|(_, timeline)| timeline.between(scene.measured.0, scene.end))
        .collect();
    let of_whole = |of: fn(&Timeline) -> f64| whole.iter().map(of).collect::<Vec<_>>();
    let late: Vec<f64> = whole.iter().filter_map(Timeline::worst_delay).collect();
    let rates = all(Timeline::rate);
    let full = mean(&before.iter().map(Timeline::rate).collect::<Vec<_>>());
    let full = full.filter(|rate| *rate > 0.0);
    let mut figures = vec![
        ("rate", mean(&rates)),
        ("clean", full),
        ("of_clean", full.and_then(|full| Some(mean(&rates)? / full))),
        ("freezes", Some(of_whole(Timeline::freezes).iter().sum())),
        ("frozen", Some(of_whole(Timeline::frozen).iter().sum())),
        ("longest", max(&of_whole(Timeline::longest_freeze))),
        ("fps", min(&all(Timeline::frames_per_second))),
        ("delay_p50", mean(&some(Timeline::delay_p50))),
        ("delay_max", max(&late)),
        (
            "concealed",
            mean(&all(Timeline::concealed_share)).map(|share| share * 100.0),
        ),
        (
            "evenness",
            min(&rates)
                .zip(max(&rates))
                .map(|(low, high)| low / high.max(1.0)),
        ),
    ];
    if let [_, rise, ..] = scene.steps {
        let after: Vec<Timeline> = shaped
            .map(|(_, timeline)| timeline.between(rise.at, scene.end))
            .collect();
        let rates = after.iter().zip(&before);
        let times = rates.map(|(after, before)| {
            let time = after.time_to_rate(rise.at, before.rate() * FULL);
            // Not within the time that was watched.
            time.unwrap_or(scene.end - rise.at)
        });
        figures.push(("recovered", max(&times.collect::<Vec<_>>())));
        let fps = after.iter().map(Timeline::frames_per_second);
        figures.push(("fps_after", min(&fps.collect::<Vec<_>>())));
    }
    let known = figures.into_iter();
    known
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
}

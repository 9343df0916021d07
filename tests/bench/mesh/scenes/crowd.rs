//! `crowd`: large meshes of ours, and what each further receiver costs a sender.

use std::time::Instant;

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use visavis_tests::server::RoomServer;

use super::Clips;
use crate::call::Call;
use crate::person::{Person, Setup, Side, Sound, Video};
use crate::plan::Plan;
use crate::statistics::{max, min};
use crate::table::{Figures, Goal, Line, Section};
use crate::timeline::Timeline;

const ROUNDS: usize = 3;

const TILES: [Line; 4] = [
    Line::new("fps", "frames/s, worst direction", 1, Goal::AtLeast(28.0)),
    Line::new("freezes", "freezes", 0, Goal::AtMost(0.0)),
    Line::new("cpu", "CPU of all, cores", 2, Goal::AtMost(1.6)),
    Line::new("first", "worst first picture, ms", 0, Goal::None),
];
const LARGE: [Line; 4] = [
    Line::new("fps", "frames/s, worst direction", 1, Goal::AtLeast(28.0)),
    Line::new("freezes", "freezes", 0, Goal::None),
    Line::new("cpu", "CPU of all, cores", 2, Goal::None),
    Line::new("first", "worst first picture, ms", 0, Goal::None),
];
const FAN_OUT: [Line; 4] = [
    Line::new(
        "encodes",
        "encodes with 8 peers, of those with 1",
        2,
        Goal::AtMost(1.01),
    ),
    Line::new("one", "CPU of a sender with 1 peer, cores", 3, Goal::None),
    Line::new(
        "eight",
        "CPU of a sender with 8 peers, cores",
        3,
        Goal::None,
    ),
    Line::new(
        "further",
        "a further receiver, of the first",
        2,
        Goal::AtMost(0.15),
    ),
];

pub async fn run(plan: &Plan, clips: &Clips) -> Vec<Section> {
    let ours = [Side::Ours];
    let scene = "16 at 1280x720, shown at 320x180";
    let run = async |_| mesh(plan, clips, 16, Some("320x180")).await;
    let tiles = plan.alternate(scene, &ours, ROUNDS, run).await;
    let mut sections = vec![Section {
        scene: scene.into(),
        lines: &TILES,
        rounds: tiles,
    }];
    let scene = "6 at 1280x720";
    let run = async |_| mesh(plan, clips, 6, Some("1280x720")).await;
    sections.push(Section {
        scene: scene.into(),
        lines: &LARGE,
        rounds: plan.alternate(scene, &ours, ROUNDS, run).await,
    });
    let scene = "8 peers against 1, 640x360";
    let run = async |_| fan_out(plan, clips).await;
    sections.push(Section {
        scene: scene.into(),
        lines: &FAN_OUT,
        rounds: plan.alternate(scene, &ours, ROUNDS, run).await,
    });
    sections
}

async fn mesh(plan: &Plan, clips: &Clips, count: usize, show: Option<&str>) -> Result<Figures> {
    let setup = Setup {
        video: Video::Clip(&clips.large),
        sound: Sound::File(clips.speech.clone()),
        show,
        ..Setup::default()
    };
    let first = std::slice::from_ref(&setup);
    let server = RoomServer::start(&[]).await?;
    let url = server.url();
    let mut call = Call::start(Side::Ours, server, first).await?;
    // The others enter at once.
    let room = call.people.first().context("the first")?.room().to_owned();
    let others = (1..count).map(|_| Person::join(Side::Ours, &url, Some(&room), &setup));
    call.people.extend(try_join_all(others).await?);
    let first_pictures = call.first_pictures(count).await?;
    tokio::time::sleep(plan.settle(Side::Ours)).await;
    let (since, before) = (Instant::now(), call.cpu_seconds()?);
    let timelines = call.watch(plan.measured()).await?;
    let (seconds, after) = (since.elapsed().as_secs_f64(), call.cpu_seconds()?);
    call.end().await?;
    let cpu: f64 = after.iter().sum::<f64>() - before.iter().sum::<f64>();
    let rates: Vec<f64> = timelines
        .values()
        .map(Timeline::frames_per_second)
        .collect();
    let mut figures = vec![
        ("cpu", cpu / seconds),
        ("freezes", timelines.values().map(Timeline::freezes).sum()),
    ];
    figures.extend(min(&rates).map(|rate| ("fps", rate)));
    figures.extend(max(&first_pictures).map(|time| ("first", time)));
    Ok(figures)
}

/// A sender with one receiver and with eight, which send nothing.
async fn fan_out(plan: &Plan, clips: &Clips) -> Result<Figures> {
    let (one, encodes_for_one) = sender(plan, clips, 1).await?;
    let (eight, encodes_for_eight) = sender(plan, clips, 8).await?;
    Ok(vec![
        ("one", one),
        ("eight", eight),
        ("encodes", encodes_for_eight / encodes_for_one),
        ("further", (eight - one) / 7.0 / one),
    ])
}

/// CPU of a sender, and how often it encoded a captured frame.
async fn sender(plan: &Plan, clips: &Clips, receivers: usize) -> Result<(f64, f64)> {
    let sending = Setup {
        video: Video::Clip(&clips.small),
        sound: Sound::File(clips.speech.clone()),
        ..Setup::default()
    };
    let setups = [vec![sending], vec![Setup::default(); receivers]].concat();
    let mut call = Call::start(Side::Ours, RoomServer::start(&[]).await?, &setups).await?;
    call.first_pictures(1).await?;
    tokio::time::sleep(plan.settle(Side::Ours)).await;
    let (since, before) = (Instant::now(), call.cpu_seconds()?);
    tokio::time::sleep(plan.measured()).await;
    let (seconds, after) = (since.elapsed().as_secs_f64(), call.cpu_seconds()?);
    let sender = call.people.remove(0).into_headless().context("ours")?;
    let summary = sender.leave().await?;
    call.end().await?;
    let cpu = (after.first().zip(before.first())).map(|(after, before)| after - before);
    let encodes = summary.frames_encoded as f64 / summary.frames_captured.max(1) as f64;
    Ok((cpu.context("the sender")? / seconds, encodes))
}

//! `delay`: from a frame's capture to the decoded frame on the other side, without
//! sound, so that nothing is held for lip sync.

use anyhow::Result;
use visavis_tests::server::RoomServer;

use super::Clips;
use crate::call::Call;
use crate::clip::Clip;
use crate::person::{Setup, Side, Video};
use crate::plan::Plan;
use crate::statistics::mean;
use crate::table::{Figures, Goal, Line, Section};

const LINES: [Line; 2] = [
    Line::new("p50", "one-way delay p50, ms", 0, Goal::Share(0.3)),
    Line::new("p95", "one-way delay p95, ms", 0, Goal::Share(0.3)),
];

pub async fn run(plan: &Plan, clips: &Clips) -> Vec<Section> {
    let mut sections = Vec::new();
    for clip in [&clips.small, &clips.large] {
        let scene = format!("2 at {}, no sound", clip.size());
        let rounds = plan.both(&scene, async |side| call(plan, side, clip).await);
        sections.push(Section {
            rounds: rounds.await,
            scene,
            lines: &LINES,
        });
    }
    sections
}

async fn call(plan: &Plan, side: Side, clip: &Clip) -> Result<Figures> {
    let setup = Setup {
        video: Video::Timed(clip),
        ..Setup::default()
    };
    let setups = [setup.clone(), setup];
    let mut call = Call::start(side, RoomServer::start(&[]).await?, &setups).await?;
    call.first_pictures(setups.len()).await?;
    tokio::time::sleep(plan.settle(side)).await;
    let timelines = call.watch(plan.measured()).await?;
    call.end().await?;
    let delays = |of: fn(&crate::timeline::Timeline) -> Option<f64>| {
        mean(&timelines.values().filter_map(of).collect::<Vec<_>>())
    };
    let p50 = delays(crate::timeline::Timeline::delay_p50).map(|ms| ("p50", ms));
    let p95 = delays(crate::timeline::Timeline::delay_p95).map(|ms| ("p95", ms));
    Ok(p50.into_iter().chain(p95).collect())
}

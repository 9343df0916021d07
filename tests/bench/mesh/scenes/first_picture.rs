//! `first-picture`: a mesh of four whose participants enter one after the other; the
//! time to the first picture in every direction.

use anyhow::Result;
use visavis_tests::server::RoomServer;

use super::Clips;
use crate::call::Call;
use crate::person::{Setup, Side, Sound, Video};
use crate::plan::Plan;
use crate::statistics::{max, median};
use crate::table::{Figures, Goal, Line, Rounds, Section};

const PARTICIPANTS: usize = 4;
const RUNS: usize = 10;

const LINES: [Line; 2] = [
    Line::new(
        "worst",
        "worst of all runs and directions, ms",
        0,
        Goal::AtMost(250.0),
    ),
    Line::new("median", "median, ms", 0, Goal::None),
];

pub async fn run(plan: &Plan, clips: &Clips) -> Vec<Section> {
    let scene = "first picture, 4 at 640x360";
    let sides = [Side::Ours, Side::Chromium];
    let run = async |side| call(side, clips).await;
    let runs = plan.alternate(scene, &sides, RUNS, run).await;
    let rounds = Rounds {
        ours: over_all(&runs.ours),
        theirs: over_all(&runs.theirs),
    };
    vec![Section {
        scene: scene.into(),
        lines: &LINES,
        rounds,
    }]
}

/// The times of one run, all under the same key.
async fn call(side: Side, clips: &Clips) -> Result<Figures> {
    let setup = Setup {
        video: Video::Clip(&clips.small),
        sound: Sound::File(clips.speech.clone()),
        ..Setup::default()
    };
    let first = std::slice::from_ref(&setup);
    let mut call = Call::start(side, RoomServer::start(&[]).await?, first).await?;
    let mut times = Vec::new();
    for participants in 2..=PARTICIPANTS {
        call.add(side, &setup).await?;
        times = call.first_pictures(participants).await?;
    }
    call.end().await?;
    Ok(times.into_iter().map(|time| ("time", time)).collect())
}

/// The worst and the median of all times of all runs.
fn over_all(runs: &[Figures]) -> Vec<Figures> {
    let times: Vec<f64> = runs.iter().flatten().map(|(_, time)| *time).collect();
    let figures = [("worst", max(&times)), ("median", median(&times))];
    let figures = figures.into_iter();
    vec![
        figures
            .filter_map(|(key, value)| Some((key, value?)))
            .collect(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_and_the_median_are_of_all_runs_together() {
        let runs = [vec![("time", 90.0), ("time", 300.0)], vec![("time", 100.0)]];
        assert_eq!(over_all(&runs), [[("worst", 300.0), ("median", 100.0)]]);
        assert_eq!(over_all(&[]), [[]; 1]);
    }
}

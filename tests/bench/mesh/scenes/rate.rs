//! `rate`: bits for equal quality. Each side sends at three rates. Chromium is capped by
//! `RTCRtpSender.setParameters`; ours by a link of that rate without loss, since it has
//! no such setting. Compared is what arrived: payload and PSNR.

use anyhow::{Context, Result};
use tokio::process::Command;
use visavis_network_simulator::Profile;
use visavis_tests::programs;
use visavis_tests::server::RoomServer;
use visavis_tests::shaper::{Direction, Shaper};

use super::Clips;
use super::cost::{COMPARED, traffic};
use crate::call::Call;
use crate::interpolation::{Point, rate_share};
use crate::person::{Setup, Side, Video};
use crate::plan::Plan;
use crate::statistics::mean;
use crate::table::{Figures, Goal, Line, Rounds, Section, value};

/// kbit/s.
const CAPS: [u32; 3] = [250, 400, 600];
const SEED: u64 = 1;
/// Frames/s from which a point counts.
const MOVING: f64 = 25.0;
/// A queue of this many seconds.
const QUEUE: f64 = 0.3;

const POINTS: [Line; 3] = [
    Line::new("rate", "received in a direction, kbit/s", 0, Goal::None),
    Line::new("psnr", "PSNR-Y, dB", 1, Goal::None),
    Line::new("fps", "frames/s", 1, Goal::None),
];
const VP8: [Line; 1] = [Line::new(
    "share",
    "bits for equal PSNR, of Chromium's",
    2,
    Goal::AtMost(1.0),
)];
const VP9: [Line; 1] = [Line::new(
    "share",
    "bits for equal PSNR, of Chromium's VP8",
    2,
    Goal::AtMost(0.8),
)];

pub async fn run(plan: &Plan, clips: &Clips) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut points: [Vec<Point>; 3] = Default::default();
    for cap in CAPS {
        let scene = format!("VP8 at {cap} kbit/s, 640x360");
        let run = async |side| call(plan, side, "vp8", cap, clips).await;
        let rounds = plan.both(&scene, run).await;
        points[0].extend(point(&rounds.ours));
        points[1].extend(point(&rounds.theirs));
        sections.push(Section {
            scene,
            lines: &POINTS,
            rounds,
        });
    }
    sections.push(compare("VP8, 640x360", &points[0], &points[1], &VP8));
    if has_vp9().await {
        for cap in CAPS {
            let scene = format!("VP9 at {cap} kbit/s, 640x360");
            let run = async |side| call(plan, side, "vp9", cap, clips).await;
            let rounds = plan.alternate(&scene, &[Side::Ours], 3, run).await;
            points[2].extend(point(&rounds.ours));
            sections.push(Section {
                scene,
                lines: &POINTS,
                rounds,
            });
        }
        sections.push(compare("VP9, 640x360", &points[2], &points[1], &VP9));
    }
    sections
}

/// Whether our build sends VP9.
async fn has_vp9() -> bool {
    let Ok(program) = programs::built("visavis-headless") else {
        return false;
    };
    let help = programs::output(Command::new(program).arg("--help")).await;
    help.is_ok_and(|help| help.contains("vp9"))
}

/// The medians of the rounds at one cap; `None` where the picture did not move: fewer
/// frames cost fewer bits, and a frame that stands still is compared again and again.
fn point(rounds: &[Figures]) -> Option<Point> {
    value(rounds, "fps").filter(|fps| *fps >= MOVING)?;
    let (rate, quality) = value(rounds, "rate").zip(value(rounds, "psnr"))?;
    Some(Point { rate, quality })
}

fn compare(scene: &str, ours: &[Point], theirs: &[Point], lines: &'static [Line]) -> Section {
    let share = rate_share(ours, theirs).map(|share| vec![("share", share)]);
    Section {
        scene: scene.into(),
        lines,
        rounds: Rounds {
            ours: share.into_iter().collect(),
            theirs: Vec::new(),
        },
    }
}

async fn call(
    plan: &Plan,
    side: Side,
    codec: &'static str,
    cap: u32,
    clips: &Clips,
) -> Result<Figures> {
    let network = Shaper::make(3, SEED).await?;
    let network = network.context("namespaces and TUN devices take root")?;
    if side == Side::Ours {
        let rate = f64::from(cap) * 1_000.0;
        let profile = Profile {
            rate: Some(rate),
            queue_bytes: (rate / 8.0 * QUEUE) as usize,
            ..Profile::default()
        };
        for machine in [1, 2] {
            network.set(machine, Direction::Up, profile)?;
        }
    }
    let setups = [1, 2].map(|machine| Setup {
        video: Video::Clip(&clips.small),
        codec,
        cap: Some(cap),
        machine: Some((&network, machine)),
        ..Setup::default()
    });
    let server = RoomServer::start_on(network.machines(), &[]).await?;
    let mut call = Call::start(side, server, &setups).await?;
    call.first_pictures(setups.len()).await?;
    // A rate is settled only after Chromium's time, on either side.
    tokio::time::sleep(plan.settle(Side::Chromium)).await;
    let timelines = call.watch(plan.measured()).await?;
    let psnr = call
        .psnr(&clips.small, COMPARED.min(plan.measured()))
        .await?;
    call.end().await?;
    let mut figures = traffic(&timelines);
    figures.extend(mean(&psnr).map(|psnr| ("psnr", psnr)));
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_counts_only_where_the_picture_moves() {
        let round = |fps| vec![("rate", 300.0), ("psnr", 36.0), ("fps", fps)];
        let expected = Point {
            rate: 300.0,
            quality: 36.0,
        };
        assert_eq!(point(&[round(29.0)]), Some(expected));
        assert_eq!(point(&[round(0.0)]), None);
    }
}

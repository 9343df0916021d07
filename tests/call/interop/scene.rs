//! What happens in a call of one row of the table.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::time::Instant;
use visavis_tests::headless::{Headless, SMALL};
use visavis_tests::namespaces::replace_own_address;
use visavis_tests::server::RoomServer;
use visavis_tests::wait::wait_until;

use crate::interop::peer::{Action, Kind, Peer, Start};

/// From a change to what comes of it, on a loaded machine.
const LIMIT: Duration = Duration::from_secs(40);
/// Frames of a second.
const SECOND: u64 = 15;
/// The energy of a second of silence is below, of a tone or of beeps above.
const SILENCE: f64 = 1e-5;
/// Nothing may come for this long before a source counts as muted: a browser's
/// beeps come once a second. Of a camera that is off, Firefox sends a black frame a
/// second.
const QUIET: Duration = Duration::from_millis(1_500);
const BLACK_FRAMES: u64 = 2;

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub kind: Kind,
    pub codec: &'static str,
    /// Who sends the first offer: who joins second.
    pub we_offer: bool,
    /// The least length of the call.
    pub seconds: u64,
}

impl Row {
    /// All rows of the table.
    pub fn all() -> Vec<Self> {
        let kinds = [
            Kind::Chromium,
            Kind::Firefox,
            Kind::Aiortc,
            Kind::Gstreamer("none"),
            Kind::Gstreamer("max-compat"),
            Kind::Gstreamer("max-bundle"),
            Kind::Janus,
        ];
        let scenes = [
            (true, "vp8"),
            (false, "vp8"),
            (true, "h264"),
            (false, "h264"),
        ];
        let rows = scenes.into_iter().flat_map(|(we_offer, codec)| {
            kinds.into_iter().map(move |kind| Self {
                kind,
                codec,
                we_offer,
                seconds: 30,
            })
        });
        rows.filter(|row| row.we_offer || row.kind != Kind::Janus)
            .collect()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = if self.we_offer { "answers" } else { "offers" };
        write!(f, "{} {role}, {}", self.kind, self.codec.to_uppercase())
    }
}

/// What came of a step.
#[derive(Debug)]
pub enum Outcome {
    Passed,
    /// The peer cannot do it; why.
    Impossible(&'static str),
    Failed(String),
    /// An earlier step failed.
    Skipped,
}

/// The columns of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    BothWays,
    WeMute,
    TheyMute,
    OurCamera,
    TheirCamera,
    WeRestart,
    TheyRestart,
    TheirSecond,
    OurLateCamera,
    TheirLateCamera,
}

impl Step {
    pub const ALL: [Self; 10] = [
        Self::BothWays,
        Self::WeMute,
        Self::TheyMute,
        Self::OurCamera,
        Self::TheirCamera,
        Self::WeRestart,
        Self::TheyRestart,
        Self::TheirSecond,
        Self::OurLateCamera,
        Self::TheirLateCamera,
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BothWays => "both ways",
            Self::WeMute => "we mute",
            Self::TheyMute => "they mute",
            Self::OurCamera => "our camera off, on",
            Self::TheirCamera => "their camera off, on",
            Self::WeRestart => "we restart ICE",
            Self::TheyRestart => "they restart ICE",
            Self::TheirSecond => "their second video",
            Self::OurLateCamera => "our camera comes late",
            Self::TheirLateCamera => "their camera comes late",
        })
    }
}

const AIORTC_PAYLOAD_TYPES: &str = "aiortc re-offers a section of ours with other payload types \
     and then receives only the former ones";

/// Why a peer cannot do a step.
fn impossible(row: Row, step: Step, own_network: bool) -> Option<&'static str> {
    match (row.kind, step) {
        (_, Step::WeRestart) if !own_network => Some("it takes a network of its own"),
        (Kind::Gstreamer("none"), _) if row.we_offer => Some(
            "webrtcbin 1.22 without BUNDLE answers with a transport for each section and one set \
             of ICE credentials for all: the one transport here meets any of them by chance",
        ),
        (
            kind,
            Step::OurCamera
            | Step::TheirCamera
            | Step::TheirSecond
            | Step::OurLateCamera
            | Step::TheirLateCamera,
        ) if !kind.has_pictures() => Some(
            "without BUNDLE each section has a transport of its own, and a peer connection here \
             has one: sound only",
        ),
        (Kind::Aiortc, Step::TheyRestart) => Some("aiortc has no ICE restart of its own"),
        (Kind::Firefox, _) if row.codec == "h264" => {
            Some("Firefox has H.264 by a plugin that it downloads")
        }
        // The late camera of ours, before theirs, begins the section of video.
        (Kind::Aiortc, Step::TheirLateCamera) => Some(AIORTC_PAYLOAD_TYPES),
        (Kind::Aiortc, Step::TheirSecond) if row.we_offer => Some(AIORTC_PAYLOAD_TYPES),
        (Kind::Aiortc, Step::WeRestart) => Some("aiortc keeps its ICE session in an answer"),
        (Kind::Gstreamer(_), Step::TheyRestart | Step::WeRestart) => {
            Some("webrtcbin 1.22 has no ICE restart")
        }
        (Kind::Gstreamer(_), Step::TheirSecond) => Some(
            "webrtcbin 1.22 offers a video that it sends as receive-only when it adds another one",
        ),
        (Kind::Janus, Step::TheyRestart | Step::TheirSecond | Step::TheirLateCamera) => {
            Some("the echo test only answers")
        }
        _ => None,
    }
}

/// Runs two calls: one with cameras, one in which they come late.
pub async fn run(row: Row, own_network: bool) -> Vec<(Step, Outcome)> {
    let (first, late) = Step::ALL.split_at(Step::ALL.len() - 2);
    let mut outcomes = part(row, own_network, first, true).await;
    outcomes.extend(part(row, own_network, late, false).await);
    outcomes
}

/// Runs the steps in one call, up to the first that fails.
async fn part(row: Row, own_network: bool, steps: &[Step], cameras: bool) -> Vec<(Step, Outcome)> {
    let cannot = |step: &Step| {
        Some((
            *step,
            Outcome::Impossible(impossible(row, *step, own_network)?),
        ))
    };
    if let Some(outcomes) = steps.iter().map(cannot).collect() {
        return outcomes;
    }
    let mut outcomes = Vec::new();
    let started = match Scene::start(row, cameras).await {
        Ok(mut scene) => {
            for &step in steps {
                let outcome = match impossible(row, step, own_network) {
                    Some(why) => Outcome::Impossible(why),
                    None => match scene.step(step).await {
                        Ok(()) => Outcome::Passed,
                        Err(error) => Outcome::Failed(format!("{error:#}")),
                    },
                };
                let failed = matches!(outcome, Outcome::Failed(_));
                outcomes.push((step, outcome));
                if failed {
                    break;
                }
            }
            scene.end(row.seconds).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = started {
        // A call that does not start or end well fails the step it was in.
        let index = outcomes.len().min(steps.len() - 1);
        outcomes.truncate(index);
        outcomes.push((steps[index], Outcome::Failed(format!("{error:#}"))));
    }
    let rest = steps[outcomes.len()..].iter();
    outcomes.extend(rest.map(|&step| (step, Outcome::Skipped)));
    outcomes
}

/// A call in progress.
struct Scene {
    row: Row,
    server: RoomServer,
    ours: Headless,
    theirs: Peer,
    since: Instant,
}

/// Totals that grow while media flows.
#[derive(Debug, Clone, Copy)]
struct Totals {
    /// Frames, and the energy of sound, that we received.
    ours: (u64, f64),
    /// The same of them.
    theirs: (u64, f64),
}

/// What flows in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Medium {
    Sound,
    Picture,
}

/// From whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Us,
    Them,
}

impl Scene {
    async fn start(row: Row, cameras: bool) -> Result<Self> {
        let server = RoomServer::start(&[]).await?;
        let url = server.url();
        let video = if cameras { SMALL } else { "none" };
        let arguments = [
            "--video", video, "--audio", "tone:440", "--codec", row.codec,
        ];
        let with = |way_in: [&'static str; 1], room: String| {
            let mut all: Vec<String> = arguments.map(str::to_owned).to_vec();
            all.extend([way_in[0].to_owned(), room]);
            all
        };
        let join = async |arguments: Vec<String>| {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            Headless::join("ours", &url, &arguments).await
        };
        let start = Start {
            server: &url,
            room: None,
            codec: row.codec,
            video: cameras,
        };
        let (ours, theirs) = if row.we_offer {
            let theirs = Peer::start(row.kind, start).await?;
            let ours = join(with(["--room"], theirs.room().to_owned())).await?;
            (ours, theirs)
        } else {
            let ours = join(with(["--create"], "interop".to_owned())).await?;
            let room = Some(ours.room());
            let theirs = Peer::start(row.kind, Start { room, ..start }).await?;
            (ours, theirs)
        };
        let mut scene = Self {
            row,
            server,
            ours,
            theirs,
            since: Instant::now(),
        };
        scene.flows(Medium::Sound, &[From::Us, From::Them]).await?;
        if cameras && row.kind.has_pictures() {
            scene
                .flows(Medium::Picture, &[From::Us, From::Them])
                .await?;
        }
        Ok(scene)
    }

    async fn step(&mut self, step: Step) -> Result<()> {
        match step {
            Step::BothWays => {
                self.codec_is_right().await?;
                self.both_ways().await
            }
            Step::WeMute => {
                self.we(json!({"command": "mute", "source": "microphone"}))
                    .await?;
                self.stops(Medium::Sound, From::Us).await?;
                self.we(json!({"command": "unmute", "source": "microphone"}))
                    .await?;
                self.flows(Medium::Sound, &[From::Us]).await
            }
            Step::TheyMute => {
                self.theirs.does(Action::Mute(true)).await?;
                self.stops(Medium::Sound, From::Them).await?;
                self.theirs.does(Action::Mute(false)).await?;
                self.flows(Medium::Sound, &[From::Them]).await
            }
            Step::OurCamera => {
                self.we(json!({"command": "mute", "source": "camera"}))
                    .await?;
                self.stops(Medium::Picture, From::Us).await?;
                self.we(json!({"command": "unmute", "source": "camera"}))
                    .await?;
                self.flows(Medium::Picture, &[From::Us]).await
            }
            Step::TheirCamera => {
                self.theirs.does(Action::Camera(false)).await?;
                self.stops(Medium::Picture, From::Them).await?;
                self.theirs.does(Action::Camera(true)).await?;
                self.flows(Medium::Picture, &[From::Them]).await
            }
            Step::WeRestart => {
                let before = self.ufrag().await?;
                replace_own_address().await?;
                self.restarted(&before).await
            }
            Step::TheyRestart => {
                let before = self.ufrag().await?;
                self.theirs.does(Action::RestartIce).await?;
                self.restarted(&before).await
            }
            Step::TheirSecond => {
                self.theirs.does(Action::AddSecond).await?;
                wait_until("frames of their second video", LIMIT, async || {
                    let stats = self.ours.stats(self.theirs.id());
                    let decoded = stats.map_or(0, |stats| stats.screen_frames_decoded);
                    Ok((decoded >= SECOND).then_some(()))
                })
                .await?;
                self.both_ways().await
            }
            Step::OurLateCamera => {
                self.we(json!({"command": "video", "source": SMALL}))
                    .await?;
                self.flows(Medium::Picture, &[From::Us]).await
            }
            Step::TheirLateCamera => {
                self.theirs.does(Action::AddCamera).await?;
                self.both_ways().await
            }
        }
    }

    /// Lets the call last its time, and ends it.
    async fn end(mut self, seconds: u64) -> Result<()> {
        let until = self.since + Duration::from_secs(seconds);
        wait_until("the call's length", LIMIT, async || {
            Ok((Instant::now() >= until).then_some(()))
        })
        .await?;
        self.flows(Medium::Sound, &[From::Us, From::Them]).await?;
        drop(self.theirs);
        self.ours.leave().await?;
        self.server.stop().await
    }

    async fn we(&mut self, command: Value) -> Result<()> {
        self.ours.obeys(&command).await
    }

    async fn totals(&mut self) -> Result<Totals> {
        let stats = self.ours.stats(self.theirs.id());
        // GStreamer sends a camera that comes late in a section of its own, which is
        // shown as a screen.
        let ours = stats.map_or((0, 0.0), |stats| {
            let in_own_section = match self.row.kind {
                Kind::Gstreamer(_) => stats.screen_frames_decoded,
                _ => 0,
            };
            (stats.frames_decoded + in_own_section, stats.audio_energy)
        });
        let theirs = self.theirs.figures(self.ours.member()).await?;
        // What an echo gives back is what it received.
        let theirs = match self.row.kind {
            Kind::Janus => ours,
            _ => (
                theirs["framesDecoded"].as_u64().unwrap_or(0),
                theirs["totalAudioEnergy"].as_f64().unwrap_or(0.0),
            ),
        };
        Ok(Totals { ours, theirs })
    }

    /// Waits for a second's worth of frames, or for sound, from these.
    async fn flows(&mut self, medium: Medium, from: &[From]) -> Result<()> {
        let before = self.totals().await?;
        let mut last = before;
        let what = format!("{medium:?} from {from:?}");
        let grown = |now: Totals, from: From| {
            let (now, before) = received(now, before, from);
            match medium {
                Medium::Sound => now.1 > before.1 + SILENCE,
                Medium::Picture => now.0 >= before.0 + SECOND,
            }
        };
        wait_until(&what, LIMIT, async || {
            last = self.totals().await?;
            Ok(from.iter().all(|&from| grown(last, from)).then_some(()))
        })
        .await
        .with_context(|| format!("{before:?} became {last:?}"))
    }

    /// Waits until nothing comes for a while.
    async fn stops(&mut self, medium: Medium, from: From) -> Result<()> {
        let mut still = (self.totals().await?, Instant::now());
        wait_until(&format!("no {medium:?} from {from:?}"), LIMIT, async || {
            let totals = self.totals().await?;
            let (now, before) = received(totals, still.0, from);
            let moves = match medium {
                Medium::Sound => now.1 > before.1 + SILENCE / 10.0,
                Medium::Picture => now.0 > before.0 + BLACK_FRAMES,
            };
            if moves {
                still = (totals, Instant::now());
            }
            Ok((still.1.elapsed() >= QUIET).then_some(()))
        })
        .await
    }

    async fn both_ways(&mut self) -> Result<()> {
        self.flows(Medium::Sound, &[From::Us, From::Them]).await?;
        if self.row.kind.has_pictures() {
            self.flows(Medium::Picture, &[From::Us, From::Them]).await?;
        }
        Ok(())
    }

    async fn codec_is_right(&mut self) -> Result<()> {
        let figures = self.theirs.figures(self.ours.member()).await?;
        let wanted = format!("video/{}", self.row.codec.to_uppercase());
        for codec in ["codec", "sentCodec"] {
            if let Some(codec) = figures[codec].as_str() {
                ensure!(codec == wanted, "{figures}");
            }
        }
        Ok(())
    }

    /// Of our description, as the peer has it.
    async fn ufrag(&mut self) -> Result<String> {
        let figures = self.theirs.figures(self.ours.member()).await?;
        let ufrag = figures["ufrag"].as_str();
        Ok(ufrag.context("no ICE user name fragment")?.to_owned())
    }

    async fn restarted(&mut self, before: &str) -> Result<()> {
        wait_until(
            "another ICE user name fragment of ours",
            LIMIT,
            async || Ok((self.ufrag().await? != before).then_some(())),
        )
        .await?;
        self.both_ways().await
    }
}

/// What was received of one side's media, now and before.
fn received(now: Totals, before: Totals, from: From) -> ((u64, f64), (u64, f64)) {
    match from {
        From::Us => (now.theirs, before.theirs),
        From::Them => (now.ours, before.ours),
    }
}

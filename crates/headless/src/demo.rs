//! The demo call: the embedded server and three participants that call each other
//! over UDP. Shows a live table and saves video snapshots at the end.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::time::{Instant, interval, timeout};
use visavis_call::{
    Call, CallCommand, CallConfig, CallHandle, CallPhase, Media, PeerStatistics, RoomChoice,
};
use visavis_media::video::snapshot;
use visavis_media::{AudioSink, AudioSource, VideoCodec, VideoFormat, VideoSource};
use visavis_protocol::TrackSource;
use visavis_server::{Server, ServerConfig, operator_secret};

use crate::arguments::Demo;
use crate::participant::stop_signal;

const NAMES: [&str; 3] = ["Ada", "Ben", "Cleo"];
const TONES_HERTZ: [f32; 3] = [440.0, 554.0, 659.0];
const VIDEO_FORMAT: VideoFormat = VideoFormat {
    width: 640,
    height: 360,
    frames_per_second: 15,
};
/// W3C `totalAudioEnergy` above which audio counts as received: a tenth of what a
/// tone has after one second.
const AUDIBLE_ENERGY: f64 = 0.000_5;
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

struct Guest {
    name: &'static str,
    call: CallHandle,
    id: String,
}

/// Runs the demo call. Returns exit code 0 when all six directions carried video
/// and audio, else 1.
pub async fn run(arguments: &Demo) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(&arguments.snapshots)
        .with_context(|| format!("cannot create {}", arguments.snapshots.display()))?;
    let config = ServerConfig {
        operator_secret: Some(operator_secret()),
        ..ServerConfig::default()
    };
    let server = Server::bind(config).await?;
    let url = format!("ws://{}", server.local_addr());
    println!("The server listens on {url}; three participants join a room.");
    let guests = join_all(&url).await?;

    let mut table = Table {
        lines: 0,
        live: std::io::stdout().is_terminal(),
    };
    let mut ticks = interval(Duration::from_secs(1));
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let stop = stop_signal();
    tokio::pin!(stop);
    while Instant::now() < end {
        tokio::select! {
            _ = ticks.tick() => table.draw(&guests)?,
            () = tokio::time::sleep_until(end) => {}
            () = &mut stop => break,
        }
    }
    table.draw(&guests)?;

    let incomplete = incomplete_directions(&guests);
    let paths = save_snapshots(&guests, &arguments.snapshots)?;
    for guest in &guests {
        guest.call.send(CallCommand::Leave).await;
        guest.call.ended().await;
    }
    server.shutdown().await;
    for direction in &incomplete {
        println!("{direction}");
    }
    println!("Snapshots of the received video:");
    for path in paths {
        println!("{}", path.display());
    }
    Ok(if incomplete.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Starts the participants. The first one creates the room, the others join it.
async fn join_all(url: &str) -> anyhow::Result<Vec<Guest>> {
    let mut guests: Vec<Guest> = Vec::new();
    let mut room = RoomChoice::Create {
        name: "Demonstration".to_owned(),
        private: false,
    };
    for (name, hertz) in NAMES.into_iter().zip(TONES_HERTZ) {
        let media = Media::new();
        media
            .video
            .set_source(VideoSource::Synthetic(VIDEO_FORMAT), VIDEO_FORMAT);
        media.audio.set_source(AudioSource::Tone(hertz));
        media.playout.set_sink(AudioSink::None);
        let config = CallConfig {
            server: url.to_owned(),
            room: room.clone(),
            display_name: name.to_owned(),
            preferred_codec: VideoCodec::Vp8,
            ice_servers: Vec::new(),
            relay_only: false,
            muted: Vec::new(),
            wait: false,
            passcode: None,
            token: None,
        };
        let call = Call::start(config, media)?;
        let mut view = call.view();
        let joined = timeout(
            JOIN_TIMEOUT,
            view.wait_for(|view| view.phase != CallPhase::Joining),
        )
        .await;
        let view = joined.context("joining timed out")??.clone();
        ensure!(
            view.phase == CallPhase::Inside,
            "{name} could not join: {:?}",
            view.phase
        );
        room = RoomChoice::Join(view.room.map(|room| room.id).unwrap_or_default());
        let id = view
            .participants
            .first()
            .map(|me| me.id.clone())
            .unwrap_or_default();
        guests.push(Guest { name, call, id });
    }
    Ok(guests)
}

struct Table {
    lines: usize,
    live: bool,
}

impl Table {
    /// Draws the table; on a terminal it replaces the previous one.
    fn draw(&mut self, guests: &[Guest]) -> anyhow::Result<()> {
        let mut text = String::new();
        if self.live && self.lines > 0 {
            write!(text, "\x1b[{}A\x1b[J", self.lines)?;
        }
        let rows = directions(guests);
        self.lines = rows.len() + 1;
        writeln!(
            text,
            "{:<14} {:>9} {:>8} {:>8} {:>8} {:>8}",
            "from → to", "video", "frames", "delay", "rtt", "audio"
        )?;
        for (from, to, peer) in rows {
            let direction = format!("{} → {}", from.name, to.name);
            let size = format!("{}x{}", peer.video.width, peer.video.height);
            let delay = peer
                .video
                .delay
                .percentile(0.5)
                .map_or("-".to_owned(), |ms| format!("{ms} ms"));
            let rtt = peer
                .round_trip_ms
                .map_or("-".to_owned(), |ms| format!("{ms:.1} ms"));
            let audio = if peer.audio.total_energy > AUDIBLE_ENERGY {
                "received"
            } else {
                "-"
            };
            writeln!(
                text,
                "{direction:<14} {size:>9} {:>8} {delay:>8} {rtt:>8} {audio:>8}",
                peer.video.frames_decoded
            )?;
        }
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }
}

/// The received direction of every pair: sender, receiver and statistics.
fn directions(guests: &[Guest]) -> Vec<(&Guest, &Guest, PeerStatistics)> {
    let mut rows = Vec::new();
    for to in guests {
        let statistics = to.call.statistics().borrow().clone();
        for peer in statistics.peers {
            rows.extend(
                guests
                    .iter()
                    .find(|from| from.id == peer.member)
                    .map(|from| (from, to, peer)),
            );
        }
    }
    rows
}

/// Describes the directions that carried no video or no audio.
fn incomplete_directions(guests: &[Guest]) -> Vec<String> {
    let carried = directions(guests);
    let pairs = guests
        .iter()
        .flat_map(|from| guests.iter().map(move |to| (from, to)));
    let pairs = pairs.filter(|(from, to)| from.id != to.id);
    pairs
        .filter_map(|(from, to)| {
            let peer = carried
                .iter()
                .find(|(f, t, _)| f.id == from.id && t.id == to.id)
                .map(|(_, _, peer)| peer);
            let video = peer.is_some_and(|peer| peer.video.frames_decoded > 0);
            let audio = peer.is_some_and(|peer| peer.audio.total_energy > AUDIBLE_ENERGY);
            let missing = match (video, audio) {
                (true, true) => return None,
                (true, false) => "no audio",
                (false, true) => "no video",
                (false, false) => "nothing",
            };
            Some(format!("{} → {} carried {missing}.", from.name, to.name))
        })
        .collect()
}

fn save_snapshots(guests: &[Guest], folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for (from, to, _) in directions(guests) {
        let Some(frame) = to
            .call
            .frames(&from.id, TrackSource::Camera)
            .and_then(|frames| frames.get())
        else {
            continue;
        };
        let path = folder.join(format!(
            "{}-seen-by-{}.png",
            from.name.to_lowercase(),
            to.name.to_lowercase()
        ));
        snapshot::save_png(&frame, &path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        paths.push(std::path::absolute(&path)?);
    }
    Ok(paths)
}

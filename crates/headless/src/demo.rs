//! A call in the terminal: the embedded server and three real participants
//! over UDP, with a live table, and their pictures saved at the end.

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
use visavis_media::audio::{AudioSender, Playout};
use visavis_media::video::{VideoSender, snapshot};
use visavis_media::{AudioSink, AudioSource, VideoCodec, VideoFormat, VideoSource};
use visavis_server::{Server, ServerConfig, operator_secret};

use crate::arguments::Demo;
use crate::participant::stop_signal;

const NAMES: [&str; 3] = ["Ada", "Ben", "Cleo"];
const TONES_HERTZ: [f32; 3] = [440.0, 554.0, 659.0];
const PICTURE: VideoFormat = VideoFormat {
    width: 640,
    height: 360,
    frames_per_second: 15,
};
/// Sound at a tenth of what a tone of ours has after a second.
const HEARD_ENERGY: f64 = 0.000_5;
const JOIN_LIMIT: Duration = Duration::from_secs(10);

struct Person {
    name: &'static str,
    call: CallHandle,
    id: String,
}

/// Exit code 0 when all six directions carried picture and sound, else 1.
pub async fn run(arguments: &Demo) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(&arguments.snapshots)
        .with_context(|| format!("{} cannot be made", arguments.snapshots.display()))?;
    let config = ServerConfig {
        operator_secret: Some(operator_secret()),
        ..ServerConfig::default()
    };
    let server = Server::bind(config).await?;
    let url = format!("ws://{}", server.local_addr());
    println!("A room service listens on {url}; three participants join a room of it.");
    let people = gather(&url).await?;

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
            _ = ticks.tick() => table.draw(&people)?,
            () = tokio::time::sleep_until(end) => {}
            () = &mut stop => break,
        }
    }
    table.draw(&people)?;

    let silent = silent_directions(&people);
    let paths = save_pictures(&people, &arguments.snapshots)?;
    for person in &people {
        person.call.send(CallCommand::Leave).await;
        person.call.ended().await;
    }
    server.shutdown().await;
    for direction in &silent {
        println!("{direction}");
    }
    println!("Received pictures:");
    for path in paths {
        println!("{}", path.display());
    }
    Ok(if silent.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The first makes the room, the others join it.
async fn gather(url: &str) -> anyhow::Result<Vec<Person>> {
    let mut people: Vec<Person> = Vec::new();
    let mut room = RoomChoice::Create {
        name: "Demonstration".to_owned(),
        private: false,
    };
    for (name, hertz) in NAMES.into_iter().zip(TONES_HERTZ) {
        let media = Media {
            video: VideoSender::new(),
            audio: AudioSender::new(),
            playout: Playout::new(),
        };
        media
            .video
            .set_source(VideoSource::Synthetic(PICTURE), PICTURE);
        media.audio.set_source(AudioSource::Tone(hertz));
        media.playout.set_sink(AudioSink::None);
        let config = CallConfig {
            server: url.to_owned(),
            room: room.clone(),
            display_name: name.to_owned(),
            preferred_codec: VideoCodec::Vp8,
            ice_servers: Vec::new(),
            relay_only: false,
            microphone_muted: false,
            camera_muted: false,
        };
        let call = Call::start(config, media)?;
        let mut view = call.view();
        let inside = timeout(
            JOIN_LIMIT,
            view.wait_for(|view| view.phase != CallPhase::Joining),
        )
        .await;
        let view = inside.context("joining took too long")??.clone();
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
        people.push(Person { name, call, id });
    }
    Ok(people)
}

struct Table {
    lines: usize,
    live: bool,
}

impl Table {
    /// Draws over the table before, where there is a terminal.
    fn draw(&mut self, people: &[Person]) -> anyhow::Result<()> {
        let mut text = String::new();
        if self.live && self.lines > 0 {
            write!(text, "\x1b[{}A\x1b[J", self.lines)?;
        }
        let rows = directions(people);
        self.lines = rows.len() + 1;
        writeln!(
            text,
            "{:<14} {:>9} {:>8} {:>8} {:>8} {:>8}",
            "from → to", "picture", "frames", "delay", "trip", "sound"
        )?;
        for (from, to, peer) in rows {
            let direction = format!("{} → {}", from.name, to.name);
            let size = format!("{}x{}", peer.video.width, peer.video.height);
            let delay = peer
                .video
                .delay
                .percentile(0.5)
                .map_or("-".to_owned(), |ms| format!("{ms} ms"));
            let trip = peer
                .round_trip_ms
                .map_or("-".to_owned(), |ms| format!("{ms:.1} ms"));
            let sound = if peer.audio.total_energy > HEARD_ENERGY {
                "heard"
            } else {
                "-"
            };
            writeln!(
                text,
                "{direction:<14} {size:>9} {:>8} {delay:>8} {trip:>8} {sound:>8}",
                peer.video.frames_decoded
            )?;
        }
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }
}

/// What each receives of each other.
fn directions(people: &[Person]) -> Vec<(&Person, &Person, PeerStatistics)> {
    let mut rows = Vec::new();
    for to in people {
        let figures = to.call.statistics().borrow().clone();
        for peer in figures.peers {
            rows.extend(
                people
                    .iter()
                    .find(|from| from.id == peer.member)
                    .map(|from| (from, to, peer)),
            );
        }
    }
    rows
}

/// The directions, of all there should be, that carried no picture or no sound.
fn silent_directions(people: &[Person]) -> Vec<String> {
    let carried = directions(people);
    let pairs = people
        .iter()
        .flat_map(|from| people.iter().map(move |to| (from, to)));
    let pairs = pairs.filter(|(from, to)| from.id != to.id);
    pairs
        .filter_map(|(from, to)| {
            let peer = carried
                .iter()
                .find(|(f, t, _)| f.id == from.id && t.id == to.id)
                .map(|(_, _, peer)| peer);
            let picture = peer.is_some_and(|peer| peer.video.frames_decoded > 0);
            let sound = peer.is_some_and(|peer| peer.audio.total_energy > HEARD_ENERGY);
            let missing = match (picture, sound) {
                (true, true) => return None,
                (true, false) => "no sound",
                (false, true) => "no picture",
                (false, false) => "nothing",
            };
            Some(format!("{} → {} carried {missing}.", from.name, to.name))
        })
        .collect()
}

fn save_pictures(people: &[Person], folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for (from, to, _) in directions(people) {
        let Some(frame) = to.call.frames(&from.id).and_then(|frames| frames.get()) else {
            continue;
        };
        let path = folder.join(format!(
            "{}-seen-by-{}.png",
            from.name.to_lowercase(),
            to.name.to_lowercase()
        ));
        snapshot::save_png(&frame, &path)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        paths.push(std::path::absolute(&path)?);
    }
    Ok(paths)
}

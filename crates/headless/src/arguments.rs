//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use visavis_call::VideoSize;
use visavis_media::video::background::Background;
use visavis_media::{AudioSink, AudioSource, VideoCodec, VideoSource};
use visavis_protocol::IceServer;

/// A participant without a window. Writes one JSON line per event.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Arguments {
    #[command(subcommand)]
    pub task: Option<Task>,
    #[command(flatten)]
    pub participant: Participant,
}

/// What to run instead of one participant.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Run a demo call in the terminal: a server and three participants in one process.
    Demo(Demo),
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Length of the call, in seconds.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,
    /// Directory for snapshots of the received video, as PNG files.
    #[arg(long, default_value = "visavis-demo")]
    pub snapshots: PathBuf,
}

#[derive(Debug, Args)]
pub struct Participant {
    /// The server: a ws, wss, http or https URL.
    #[arg(long, required = true, value_name = "URL", default_value = "")]
    pub server: String,
    #[command(flatten)]
    pub room: Room,
    /// Wait for a place in a full room, and to be let in by a host.
    #[arg(long)]
    pub wait: bool,
    /// The room's passcode.
    #[arg(long, value_name = "TEXT")]
    pub passcode: Option<String>,
    /// The access token.
    #[arg(
        long,
        value_name = "JWT",
        env = "VISAVIS_TOKEN",
        hide_env_values = true
    )]
    pub token: Option<String>,
    /// The name that others see.
    #[arg(long, default_value = "")]
    pub name: String,
    /// Video source: synthetic[:WxH@FPS], camera[:N], y4m:FILE, none.
    #[arg(long, default_value = "synthetic", value_name = "SOURCE")]
    pub video: VideoSource,
    /// What is behind the person in the video: none, blur, or a PNG or JPEG file.
    #[arg(long, default_value = "none", value_name = "none|blur|FILE")]
    pub background: Background,
    /// What to share beside it: screen[:N], window:ID, window, or any video source. On
    /// Wayland the desktop asks which screen, or with window which window.
    #[arg(long, value_name = "SOURCE")]
    pub share: Option<VideoSource>,
    /// Audio source: tone[:HZ], mic, wav:FILE, none. Echo, noise and level of mic are
    /// corrected.
    #[arg(long, default_value = "tone", value_name = "SOURCE")]
    pub audio: AudioSource,
    /// Output of the received audio: speaker, wav:FILE, none.
    #[arg(long, default_value = "none", value_name = "SINK")]
    pub play: AudioSink,
    /// The preferred video codec.
    #[arg(long, value_enum, default_value_t = Codec::Vp8)]
    pub codec: Codec,
    /// The size in which the video of the others is shown, for example 320x180: they
    /// send no larger one. 0x0 hides it. Without it, they send their full size.
    #[arg(long, value_name = "WxH")]
    pub show: Option<VideoSize>,
    /// Use relayed candidates only.
    #[arg(long)]
    pub relay_only: bool,
    /// A STUN or TURN server; may be repeated.
    #[arg(long, value_name = "URL[,USER,CREDENTIAL]")]
    pub ice_server: Vec<IceServer>,
    /// Read commands from standard input, one JSON object a line, for example
    /// {"command":"mute","source":"camera"}. The others: unmute; video, background,
    /// share and audio with a source; show with a size; volume with a participant (its
    /// id or name) and a percent of 0 to 200; snapshot with a folder for the newest
    /// frames, as y4m files; chat with a text. Leave when standard input ends.
    #[arg(long)]
    pub control: bool,
    /// Leave after this many seconds; without it, on SIGINT or SIGTERM.
    #[arg(long, value_parser = seconds)]
    pub seconds: Option<Duration>,
    /// File for the JSON lines; - is standard output.
    #[arg(long, default_value = "-", value_name = "FILE|-")]
    pub stats: PathBuf,
    /// Directory for one snapshot of each member's video, as PNG files.
    #[arg(long, value_name = "DIR")]
    pub snapshots: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Room {
    /// Join the room with this id.
    #[arg(long, value_name = "ID")]
    pub room: Option<String>,
    /// Create a room with this name.
    #[arg(long, value_name = "NAME")]
    pub create: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Codec {
    H264,
    Vp8,
}

impl From<Codec> for VideoCodec {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::H264 => Self::H264,
            Codec::Vp8 => Self::Vp8,
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

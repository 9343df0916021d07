//! The command line.

use clap::{Parser, Subcommand, ValueEnum};
use uuid::Uuid;

use super::settings::Settings;

/// The Visavis room service. Without a command it serves.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "RUST_LOG chooses what is logged: info, or for instance \
                  info,visavis_server::room=debug."
)]
pub(super) struct Args {
    #[command(subcommand)]
    pub task: Option<Task>,
    #[command(flatten)]
    pub settings: Settings,
    /// How log lines are written, to stderr
    #[arg(
        long,
        value_enum,
        default_value_t,
        env = "VISAVIS_LOG_FORMAT",
        help_heading = "Looking inside"
    )]
    pub log_format: LogFormat,
}

/// What it does besides serving.
#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// Says what is well and what is not, with the service and one of its rooms
    Doctor(DoctorArgs),
    /// Lists the rooms that are stored
    Rooms(RoomsArgs),
    /// Makes an access token
    Token(TokenArgs),
    /// Sends each --webhook a signed event, and says what came back
    WebhookTest,
}

#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    /// The room, by any of its names
    pub room: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct RoomsArgs {
    /// Those that are over too
    #[arg(long)]
    pub all: bool,
    /// One line of JSON for each
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct TokenArgs {
    /// Who it is for, as others see it
    #[arg(long, value_name = "IDENTITY")]
    pub identity: String,
    /// The room that it opens, by the name that clients join by
    #[arg(long, value_name = "ROOM")]
    pub room: String,
    /// The name to show
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// A host's: it may also administrate and record the room
    #[arg(id = "host", long = "admin", conflicts_with = "viewer")]
    pub admin: bool,
    /// A viewer's: it may see and write, and send no picture or sound
    #[arg(long)]
    pub viewer: bool,
    /// How long it is good for
    #[arg(long, value_name = "SECONDS", default_value_t = crate::access::token::TOKEN_LIFE)]
    pub ttl: u64,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ClockKind {
    /// The system's
    #[default]
    System,
    /// For tests: POST /debug/clock/advance {"seconds": N} moves it on
    Manual,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum DiscoveryKind {
    /// A list shows all rooms, private ones too
    Public,
    /// A list shows none
    IdOnly,
    /// A list shows those that are not private
    #[default]
    Hybrid,
}

/// A user's id.
pub(super) fn user(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text).map_err(|_| "a user's id is a UUID".to_owned())
}

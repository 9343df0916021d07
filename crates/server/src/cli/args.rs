//! The command line.

use clap::{Parser, Subcommand, ValueEnum};

use super::settings::Settings;

/// The Visavis server. Without a command it serves.
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

/// Commands other than serving.
#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// Checks the server and one of its rooms
    Doctor(DoctorArgs),
    /// Lists the rooms that are stored
    Rooms(RoomsArgs),
    /// Makes an access token
    Token(TokenArgs),
    /// Sends a signed event to each --webhook and prints the answer
    WebhookTest,
}

#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    /// The room, by any of its names
    pub room: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct RoomsArgs {
    /// Include rooms that have ended
    #[arg(long)]
    pub all: bool,
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct TokenArgs {
    /// The participant's identity
    #[arg(long, value_name = "IDENTITY")]
    pub identity: String,
    /// The room, by the name that clients join by
    #[arg(long, value_name = "ROOM")]
    pub room: String,
    /// The name to show
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Grant administrating and recording the room
    #[arg(id = "host", long = "admin", conflicts_with = "viewer")]
    pub admin: bool,
    /// Grant viewing and chat only, no audio or video
    #[arg(long)]
    pub viewer: bool,
    /// How long the token is valid
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

//! The values of flags, and how they are parsed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use uuid::Uuid;
use visavis_protocol::IceServer;

use crate::config::DAY;

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
    /// A list shows all rooms, including private ones
    Public,
    /// A list shows no rooms
    IdOnly,
    /// A list shows the rooms that are not private
    #[default]
    Hybrid,
}

/// A user's id.
pub(super) fn user(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text).map_err(|_| "a user's id is a UUID".to_owned())
}

/// A number of days, 1 or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Days(pub u32);

impl Days {
    pub fn duration(self) -> Duration {
        DAY * self.0
    }
}

impl FromStr for Days {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let days = text.parse().ok().filter(|days| *days > 0);
        let days = days.map(Self);
        days.ok_or_else(|| "it must be a whole number of days, 1 or more".to_owned())
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// LiveKit's hosts are written with any of these schemes, or with none.
pub(super) fn public_url(text: &str) -> Result<String, String> {
    let (scheme, place) = text.split_once("://").unwrap_or(("wss", text));
    let scheme = match scheme {
        "ws" | "http" => "ws",
        "wss" | "https" => "wss",
        _ => return Err("--public-url: it must begin with wss:// or ws://".to_owned()),
    };
    match place.trim_end_matches('/') {
        "" => Err("--public-url: it names no host".to_owned()),
        place => Ok(format!("{scheme}://{place}")),
    }
}

pub(super) fn ice_server(text: &str) -> Result<IceServer, String> {
    let mut parts = text.splitn(3, ',').map(str::to_owned);
    let url = parts.next().unwrap_or_default();
    let scheme = url.split(':').next().unwrap_or_default();
    if !matches!(scheme, "stun" | "stuns" | "turn" | "turns") || scheme.len() + 1 >= url.len() {
        return Err("the URL must begin with stun:, stuns:, turn: or turns:".to_owned());
    }
    let (username, credential) = (parts.next(), parts.next());
    if username.is_some() != credential.is_some() {
        return Err("a user needs a credential: URL,USER,CREDENTIAL".to_owned());
    }
    Ok(IceServer {
        urls: vec![url],
        username,
        credential,
    })
}

//! How a server is to run.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use visavis_protocol::{IceServer, limits};

use crate::store::Database;

/// How a server is to run. The default listens on a free port of 127.0.0.1.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where to listen; port 0 = a free one.
    pub listen: SocketAddr,
    /// How long a room made over the socket outlives its last leave; zero =
    /// not at all.
    pub empty_timeout: Duration,
    /// STUN and TURN servers, told to every client that knows extensions.
    pub ice_servers: Vec<IceServer>,
    /// The secret shared with the TURN servers (coturn's `use-auth-secret`):
    /// each join gets credentials of its own for those of
    /// [`ServerConfig::ice_servers`] that come without any.
    pub turn_secret: Option<String>,
    /// Where rooms, people, chat and events are kept.
    pub database: Database,
    /// Who is told of what happens in rooms, in LiveKit's format.
    pub webhooks: Vec<String>,
    /// Whether the clock can be moved on (for tests).
    pub manual_clock: bool,
    /// Times and rates of each connection.
    pub limits: Limits,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            empty_timeout: Duration::from_secs(300),
            ice_servers: Vec::new(),
            turn_secret: None,
            database: Database::default(),
            webhooks: Vec::new(),
            manual_clock: false,
            limits: Limits::default(),
        }
    }
}

/// Times and rates of each connection; the default is the protocol's
/// ([`visavis_protocol::limits`]).
#[derive(Debug, Clone)]
pub struct Limits {
    /// A ping goes out this often.
    pub ping_interval: Duration,
    /// A socket silent for this long is dropped.
    pub silence_limit: Duration,
    /// A client that can resume keeps its place for this long.
    pub resume_window: Duration,
    /// How long a client may exceed its message rate, held back meanwhile.
    pub rate_patience: Duration,
    /// Whether the rates hold for peers on this machine too.
    pub rates_on_loopback: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ping_interval: limits::PING_INTERVAL,
            silence_limit: limits::SILENCE_LIMIT,
            resume_window: limits::RESUME_WINDOW,
            rate_patience: limits::RATE_LIMIT_PATIENCE,
            rates_on_loopback: false,
        }
    }
}

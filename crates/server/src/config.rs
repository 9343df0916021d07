//! How a server is to run.

mod connections;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;
use visavis_protocol::{IceServer, limits};

use crate::access::principal::AuthMode;
use crate::access::proxy::TrustedProxies;
use crate::access::seal::StateKey;
use crate::access::token::Keys;
use crate::store::Database;

pub use connections::HttpLimits;

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
    /// Redis, where nodes meet; without it a node is alone.
    pub redis: Option<String>,
    /// How those who ask say who they are.
    pub auth: AuthMode,
    /// What tokens and webhooks are signed with.
    pub keys: Option<Keys>,
    /// The users who may administrate everything, where a gateway says who asks.
    pub admins: Vec<Uuid>,
    /// The proxies whose headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// The certificate to listen with; without it the listener speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Where clients reach the service, as tokens' answers name it:
    /// `wss://rooms.example.org`. `None` = where it listens.
    pub public_url: Option<String>,
    /// Who is told of what happens in rooms, in LiveKit's format. Needs
    /// [`ServerConfig::keys`].
    pub webhooks: Vec<String>,
    /// Which rooms a list shows.
    pub discovery: Discovery,
    /// Whether the first to join begins a room's life; else its host's token
    /// must have begun it.
    pub auto_create: bool,
    /// Whether a room may be recorded when nothing is said of it.
    pub default_recording: bool,
    /// Whether rooms can be dialled into by telephone.
    pub sip: bool,
    /// Whether clients without a room may send each other messages, as the old
    /// system let them.
    pub direct: bool,
    /// Whether peers on this machine may look at rows and deliveries, at
    /// `/admin` and `/debug/webhooks`.
    pub dev: bool,
    /// Whether the clock can be moved on (for tests).
    pub manual_clock: bool,
    /// Told to stop, a server is not ready for so long before it closes its
    /// sockets, so that a load balancer sends nobody any more.
    pub drain: Duration,
    /// Seals rooms for their members, so that a server in memory restores them after a
    /// restart. `None`: no seals are made or taken.
    pub state_key: Option<StateKey>,
    /// Times and rates of each connection.
    pub limits: Limits,
}

/// Settings that make no sense together, or by themselves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// Tokens that nobody could check.
    #[error("--auth jwt needs --api-key and --api-secret to check tokens with")]
    JwtWithoutKeys,
    /// A gateway that nobody could tell from a client.
    #[error("--auth header needs --trusted-proxy: whom else could X-User-Id be taken from?")]
    HeaderWithoutProxies,
    /// Users whom nobody names.
    #[error("--admin names users of --auth header; otherwise a token says who may administrate")]
    AdminsWithoutHeader,
    /// Webhooks that nobody could sign.
    #[error("--webhook needs --api-key and --api-secret to sign with")]
    WebhooksWithoutKeys,
    /// A webhook that leads nowhere.
    #[error("--webhook {0}: it must be a URL that begins with http:// or https://")]
    WebhookUrl(String),
}

impl ServerConfig {
    /// Whether the settings make sense together.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), Contradiction> {
        let http = |url: &&String| {
            let url = reqwest::Url::parse(url);
            url.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        };
        if self.auth == AuthMode::Jwt && self.keys.is_none() {
            Err(Contradiction::JwtWithoutKeys)
        } else if self.auth == AuthMode::Header && self.trusted_proxies.is_empty() {
            Err(Contradiction::HeaderWithoutProxies)
        } else if self.auth != AuthMode::Header && !self.admins.is_empty() {
            Err(Contradiction::AdminsWithoutHeader)
        } else if !self.webhooks.is_empty() && self.keys.is_none() {
            Err(Contradiction::WebhooksWithoutKeys)
        } else if let Some(url) = self.webhooks.iter().find(|url| !http(url)) {
            Err(Contradiction::WebhookUrl(url.clone()))
        } else {
            Ok(())
        }
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            empty_timeout: Duration::from_secs(300),
            ice_servers: Vec::new(),
            turn_secret: None,
            database: Database::default(),
            redis: None,
            auth: AuthMode::default(),
            keys: None,
            admins: Vec::new(),
            trusted_proxies: TrustedProxies::default(),
            tls: None,
            public_url: None,
            webhooks: Vec::new(),
            discovery: Discovery::default(),
            auto_create: true,
            default_recording: false,
            sip: false,
            direct: false,
            dev: false,
            manual_clock: false,
            drain: Duration::ZERO,
            state_key: None,
            limits: Limits::default(),
        }
    }
}

/// Which rooms a list shows. One who knows a room's id finds it in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Discovery {
    /// All, private ones too.
    Public,
    /// None.
    IdOnly,
    /// Those that are not private.
    #[default]
    Hybrid,
}

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, with those up to a known authority after it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Bounds of connections; the default of what the protocol names is the protocol's
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
    /// Whether rates and limits of an address hold for peers on this machine too.
    pub rates_on_loopback: bool,
    /// Longest time from the first byte of a WebSocket message to its last.
    pub message_deadline: Duration,
    /// WebSocket connections of one address (IPv6: /64).
    pub sockets_per_address: usize,
    /// Bounds of HTTP connections.
    pub http: HttpLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ping_interval: limits::PING_INTERVAL,
            silence_limit: limits::SILENCE_LIMIT,
            resume_window: limits::RESUME_WINDOW,
            rate_patience: limits::RATE_LIMIT_PATIENCE,
            rates_on_loopback: false,
            message_deadline: Duration::from_secs(10),
            sockets_per_address: 200,
            http: HttpLimits::default(),
        }
    }
}

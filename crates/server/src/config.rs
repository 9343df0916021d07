//! The server's configuration.

mod connections;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::http::HeaderMap;
use uuid::Uuid;
use visavis_protocol::{IceServer, limits};

use crate::access::headers::Rules;
use crate::access::principal::AuthMode;
use crate::access::proxy::{Origin, TrustedProxies};
use crate::access::seal::StateKey;
use crate::access::token::Keys;
use crate::store::Database;
use crate::stun::Stun;
use crate::tls::TlsFiles;

pub use connections::HttpLimits;

/// Unit of the times that rows are kept.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Default of [`ServerConfig::keep_days`], in days.
pub(crate) const KEEP_DAYS: u32 = 30;
/// Default of [`ServerConfig::keep_history`], in days: a year and a month, so that a
/// yearly bill can be checked.
pub(crate) const KEEP_HISTORY: u32 = 400;

/// The server's configuration. The default listens on a free port of 127.0.0.1.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where to listen; port 0 = a free one.
    pub listen: SocketAddr,
    /// How long a room created over the socket outlives its last leave; zero =
    /// it ends at once.
    pub empty_timeout: Duration,
    /// The STUN server on UDP at the listening port.
    pub stun: Stun,
    /// STUN and TURN servers, sent to every client that knows extensions.
    pub ice_servers: Vec<IceServer>,
    /// The secret shared with the TURN servers (coturn's `use-auth-secret`):
    /// each join gets credentials of its own for those of
    /// [`ServerConfig::ice_servers`] that come without any.
    pub turn_secret: Option<String>,
    /// Where rooms, participants, chat and events are stored.
    pub database: Database,
    /// Redis, which connects the nodes of a cluster; `None` = a single node.
    pub redis: Option<String>,
    /// How long chat messages and events are kept; a day or more.
    pub keep_days: Duration,
    /// How long the history of rooms is kept, counted from its end: ended rooms, room
    /// instances and stays of participants. A day or more.
    pub keep_history: Duration,
    /// How requests authenticate.
    pub auth: AuthMode,
    /// The key that signs tokens and webhooks.
    pub keys: Option<Keys>,
    /// The users who administrate everything, in header mode.
    pub admins: Vec<Uuid>,
    /// The proxies whose headers are trusted.
    pub trusted_proxies: TrustedProxies,
    /// Host names, without ports, by which programs on this machine may name the
    /// server and still administrate it in open mode, besides loopback ones.
    pub allow_hosts: Vec<String>,
    /// Web origins, `https://app.example.org`, whose pages may use every path.
    pub allow_origins: Vec<String>,
    /// The secret of an embedded server's operator: in open mode its bearer, in
    /// `X-Visavis-Operator`, administrates everything, and nobody else does.
    /// `None` = standalone: programs on this machine do. See
    /// [`crate::operator_secret`].
    pub operator_secret: Option<String>,
    /// The certificate to listen with; without it the listener speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// The URL by which clients reach the server, returned with tokens:
    /// `wss://rooms.example.org`. `None` = the listening address.
    pub public_url: Option<String>,
    /// URLs that receive webhooks in LiveKit's format. Needs
    /// [`ServerConfig::keys`].
    pub webhooks: Vec<String>,
    /// Which rooms a list shows.
    pub discovery: Discovery,
    /// Whether the first join starts the room's instance; otherwise only its
    /// host's token does.
    pub auto_create: bool,
    /// Whether rooms may be recorded by default.
    pub default_recording: bool,
    /// Whether telephone dial-in is offered.
    pub sip: bool,
    /// Whether clients outside rooms may send each other messages, as in the old
    /// system.
    pub direct: bool,
    /// Whether programs on this machine may read `/admin` and `/debug/webhooks`.
    pub dev: bool,
    /// Whether the clock can be advanced over HTTP (for tests).
    pub manual_clock: bool,
    /// How long a stopping server answers 503 at `/readyz` before it closes its
    /// sockets, so that a load balancer stops sending clients.
    pub drain: Duration,
    /// Seals rooms for their members, so that a server in memory restores them after a
    /// restart. `None`: no seals are made or taken.
    pub state_key: Option<StateKey>,
    /// Timeouts, rates and bounds of connections.
    pub limits: Limits,
}

/// Settings that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// Tokens could not be checked.
    #[error("--auth jwt needs --api-key and --api-secret to check tokens with")]
    JwtWithoutKeys,
    /// No gateway is listed.
    #[error("--auth header needs --trusted-proxy: X-User-Id is accepted from listed proxies only")]
    HeaderWithoutProxies,
    /// A secret that could be guessed.
    #[error(
        "--api-secret needs {MIN_SECRET_BYTES} bytes or more: tokens are signed with HMAC-SHA-256"
    )]
    ShortSecret,
    /// Clients could reach others without authentication.
    #[error("--direct needs --auth open: it relays messages of clients without authentication")]
    DirectWithAuth,
    /// Administrators by user id outside header mode.
    #[error("--admin names users of --auth header; otherwise a token says who may administrate")]
    AdminsWithoutHeader,
    /// Webhooks could not be signed.
    #[error("--webhook needs --api-key and --api-secret to sign with")]
    WebhooksWithoutKeys,
    /// Rows would be deleted as soon as they are written.
    #[error("--keep-days and --keep-history need one day or more")]
    KeptTooShort,
    /// A webhook URL is invalid.
    #[error("--webhook {0}: it must be a URL that begins with http:// or https://")]
    WebhookUrl(String),
}

/// The shortest secret: as long as the output of the hash that signs with it
/// (RFC 7518, section 3.2).
const MIN_SECRET_BYTES: usize = 32;

impl ServerConfig {
    /// Checks that no settings contradict each other.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), Contradiction> {
        let http = |url: &&String| {
            let url = reqwest::Url::parse(url);
            url.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        };
        let short = |keys: &Keys| keys.secret().len() < MIN_SECRET_BYTES;
        if self.auth == AuthMode::Jwt && self.keys.is_none() {
            Err(Contradiction::JwtWithoutKeys)
        } else if self.keys.as_ref().is_some_and(short) {
            Err(Contradiction::ShortSecret)
        } else if self.direct && self.auth != AuthMode::Open {
            Err(Contradiction::DirectWithAuth)
        } else if self.auth == AuthMode::Header && self.trusted_proxies.is_empty() {
            Err(Contradiction::HeaderWithoutProxies)
        } else if self.auth != AuthMode::Header && !self.admins.is_empty() {
            Err(Contradiction::AdminsWithoutHeader)
        } else if self.keep_days < DAY || self.keep_history < DAY {
            Err(Contradiction::KeptTooShort)
        } else if !self.webhooks.is_empty() && self.keys.is_none() {
            Err(Contradiction::WebhooksWithoutKeys)
        } else if let Some(url) = self.webhooks.iter().find(|url| !http(url)) {
            Err(Contradiction::WebhookUrl(url.clone()))
        } else {
            Ok(())
        }
    }
}

impl ServerConfig {
    /// Settings that work but probably not as meant, in words.
    pub(crate) fn warnings(&self) -> Vec<&'static str> {
        let turn = |server: &IceServer| {
            let is_turn = |url: &String| url.starts_with("turn:") || url.starts_with("turns:");
            server.credential.is_none() && server.urls.iter().any(is_turn)
        };
        let memory = self.redis.is_some() && self.database == Database::Memory;
        let no_turn = self.turn_secret.is_some() && !self.ice_servers.iter().any(turn);
        let memory = memory.then_some(
            "--redis with --database memory: the nodes of a cluster need one PostgreSQL database",
        );
        let no_turn = no_turn.then_some(
            "--turn-secret without a turn: or turns: URL in --ice-server: no client gets it",
        );
        memory.into_iter().chain(no_turn).collect()
    }

    /// Where a request comes from, by these settings.
    pub(crate) fn origin(&self, peer: SocketAddr, headers: &HeaderMap) -> Origin {
        let rules = Rules {
            proxies: &self.trusted_proxies,
            hosts: &self.allow_hosts,
            web_origins: &self.allow_origins,
            operator_secret: self.operator_secret.as_deref(),
        };
        rules.origin(peer, headers)
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            empty_timeout: Duration::from_secs(300),
            stun: Stun::default(),
            ice_servers: Vec::new(),
            turn_secret: None,
            database: Database::default(),
            redis: None,
            keep_days: KEEP_DAYS * DAY,
            keep_history: KEEP_HISTORY * DAY,
            auth: AuthMode::default(),
            keys: None,
            admins: Vec::new(),
            trusted_proxies: TrustedProxies::default(),
            allow_hosts: Vec::new(),
            allow_origins: Vec::new(),
            operator_secret: None,
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

/// Which rooms a list shows. A room is found by its id in every case.
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

/// Timeouts, rates and bounds of connections; where the protocol names one, it is the
/// default
/// ([`visavis_protocol::limits`]).
#[derive(Debug, Clone)]
pub struct Limits {
    /// The interval of pings.
    pub ping_interval: Duration,
    /// A socket silent for this long is dropped.
    pub silence_limit: Duration,
    /// How long a broken connection may be resumed.
    pub resume_window: Duration,
    /// How long a client may exceed its message rate, throttled, before it is closed.
    pub rate_patience: Duration,
    /// Whether the rates and bounds of an address apply to loopback peers too.
    pub rates_on_loopback: bool,
    /// Longest time from the first byte of a WebSocket message to its last.
    pub message_deadline: Duration,
    /// How long TURN credentials made with [`ServerConfig::turn_secret`] are valid. New
    /// ones are sent after 75 % of it.
    pub turn_lifetime: Duration,
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
            turn_lifetime: Duration::from_secs(4 * 3_600),
            sockets_per_address: 200,
            http: HttpLimits::default(),
        }
    }
}

//! The server's flags, each with an environment variable, and the configuration
//! made from them. An empty value counts as absent.

use std::net::SocketAddr;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use uuid::Uuid;
use visavis_protocol::IceServer;

use super::values::{ClockKind, Days, DiscoveryKind, ice_server, public_url, user};
use crate::access::principal::AuthMode;
use crate::access::proxy::TrustedProxies;
use crate::access::seal::StateKey;
use crate::access::site::{host_of, web_origin};
use crate::access::token::Keys;
use crate::config::{Discovery, KEEP_DAYS, KEEP_HISTORY, ServerConfig};
use crate::stun::{InvalidStun, Stun};
use crate::tls::TlsFiles;

/// The server's own flags.
#[derive(Debug, Args)]
pub(super) struct Settings {
    /// Where to listen; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:7420",
        env = "VISAVIS_LISTEN",
        help_heading = "Serving"
    )]
    listen: SocketAddr,
    /// The URL by which clients reach the server, returned with tokens
    #[arg(
        long,
        value_name = "URL",
        env = "LIVEKIT_HOST",
        help_heading = "Serving"
    )]
    public_url: Option<String>,
    /// A certificate to listen with, and those up to a known authority after it (PEM)
    #[arg(
        long,
        value_name = "FILE",
        env = "VISAVIS_TLS_CERT",
        help_heading = "Serving"
    )]
    tls_cert: Option<String>,
    /// The certificate's private key (PEM)
    #[arg(
        long,
        value_name = "FILE",
        env = "VISAVIS_TLS_KEY",
        help_heading = "Serving"
    )]
    tls_key: Option<String>,
    /// When stopping: how long /readyz answers 503 before the sockets are closed
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        env = "VISAVIS_DRAIN",
        help_heading = "Serving"
    )]
    drain: u64,

    /// memory, sqlite:PATH or postgres://USER@HOST/NAME
    #[arg(
        long,
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true,
        help_heading = "Keeping"
    )]
    database: Option<String>,
    /// Seals rooms in memory for their members, who restore them after a restart: 64
    /// hexadecimal digits
    #[arg(
        long,
        value_name = "HEX",
        env = "VISAVIS_STATE_KEY",
        hide_env_values = true,
        help_heading = "Keeping"
    )]
    state_key: Option<StateKey>,
    /// Redis, which connects the nodes of a cluster
    #[arg(
        long,
        value_name = "URL",
        env = "REDIS_URL",
        hide_env_values = true,
        help_heading = "Keeping"
    )]
    redis: Option<String>,
    /// Days that chat messages and events are kept, 1 or more; older ones are deleted
    /// every hour
    #[arg(long, value_name = "DAYS", default_value_t = Days(KEEP_DAYS), env = "VISAVIS_KEEP_DAYS", allow_negative_numbers = true, help_heading = "Keeping")]
    keep_days: Days,
    /// Days that ended rooms are kept, with their instances and participants, counted
    /// from the end, 1 or more; older ones are deleted every hour
    #[arg(long, value_name = "DAYS", default_value_t = Days(KEEP_HISTORY), env = "VISAVIS_KEEP_HISTORY", allow_negative_numbers = true, help_heading = "Keeping")]
    keep_history: Days,

    /// How requests authenticate: open, header or jwt
    #[arg(
        long,
        value_name = "MODE",
        default_value_t,
        env = "VISAVIS_AUTH",
        help_heading = "Access"
    )]
    auth: AuthMode,
    /// The key that tokens and webhooks are signed with
    #[arg(
        long,
        value_name = "KEY",
        env = "LIVEKIT_API_KEY",
        help_heading = "Access"
    )]
    api_key: Option<String>,
    /// Its secret, 32 bytes or more
    #[arg(
        long,
        value_name = "SECRET",
        env = "LIVEKIT_API_SECRET",
        hide_env_values = true,
        help_heading = "Access"
    )]
    api_secret: Option<String>,
    /// A proxy whose X-Forwarded-For and X-User-Id are trusted; may be repeated
    #[arg(
        long,
        value_name = "CIDR",
        env = "VISAVIS_TRUSTED_PROXY",
        value_delimiter = ' ',
        help_heading = "Access"
    )]
    trusted_proxy: Vec<String>,
    /// A host name by which programs on this machine may administrate the server in open
    /// mode, besides loopback ones; may be repeated
    #[arg(
        long,
        value_name = "HOST",
        env = "VISAVIS_ALLOW_HOST",
        value_delimiter = ' ',
        help_heading = "Access"
    )]
    allow_host: Vec<String>,
    /// A web origin whose pages may use every path; may be repeated
    #[arg(
        long,
        value_name = "ORIGIN",
        env = "VISAVIS_ALLOW_ORIGIN",
        value_delimiter = ' ',
        help_heading = "Access"
    )]
    allow_origin: Vec<String>,
    /// A user who may administrate everything (--auth header); may be repeated
    #[arg(long, value_name = "UUID", env = "VISAVIS_ADMIN", value_delimiter = ' ', value_parser = user, help_heading = "Access")]
    admin: Vec<Uuid>,

    /// How long a room outlives its last participant
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 300,
        env = "VISAVIS_EMPTY_TIMEOUT",
        help_heading = "Rooms"
    )]
    empty_timeout: u64,
    /// Which rooms a list shows
    #[arg(
        long,
        value_enum,
        default_value_t,
        env = "VISAVIS_DISCOVERY",
        help_heading = "Rooms"
    )]
    discovery: DiscoveryKind,
    /// Whether the first join starts the room's instance; otherwise its host's token does
    #[arg(long, value_name = "BOOL", default_value = "true", env = "VISAVIS_AUTO_CREATE", value_parser = BoolishValueParser::new(), action = ArgAction::Set, help_heading = "Rooms")]
    auto_create: bool,
    /// Whether rooms may be recorded by default
    #[arg(long, value_name = "BOOL", default_value = "false", env = "LIVEKIT_DEFAULT_RECORDING_ENABLED", value_parser = BoolishValueParser::new(), action = ArgAction::Set, help_heading = "Rooms")]
    default_recording: bool,
    /// Whether telephone dial-in is offered
    #[arg(long, value_name = "BOOL", default_value = "false", env = "LIVEKIT_SIP_ENABLED", value_parser = BoolishValueParser::new(), action = ArgAction::Set, help_heading = "Rooms")]
    sip: bool,
    /// Let clients outside rooms send each other messages, as in the old system; open mode only
    #[arg(long, env = "VISAVIS_DIRECT", help_heading = "Rooms")]
    direct: bool,
    /// A URL that receives webhooks in LiveKit's format; may be repeated; needs a key
    #[arg(
        long,
        value_name = "URL",
        env = "VISAVIS_WEBHOOK",
        value_delimiter = ' ',
        help_heading = "Rooms"
    )]
    webhook: Vec<String>,

    /// STUN on UDP at the listening port: on, off, or HOST:PORT where clients reach it
    #[arg(
        long,
        value_name = "on|off|HOST:PORT",
        env = "VISAVIS_STUN",
        help_heading = "Media"
    )]
    stun: Option<String>,
    /// A STUN or TURN server for the clients; may be repeated
    #[arg(long, value_name = "URL[,USER,CREDENTIAL]", env = "VISAVIS_ICE_SERVER", hide_env_values = true, value_delimiter = ' ', value_parser = ice_server, help_heading = "Media")]
    ice_server: Vec<IceServer>,
    /// The secret shared with the TURN servers (coturn: use-auth-secret)
    #[arg(
        long,
        value_name = "SECRET",
        env = "VISAVIS_TURN_SECRET",
        hide_env_values = true,
        help_heading = "Media"
    )]
    turn_secret: Option<String>,

    /// Let programs on this machine read /admin and /debug/webhooks
    #[arg(long, env = "VISAVIS_DEV", help_heading = "Looking inside")]
    dev: bool,
    /// The clock of rooms and tokens
    #[arg(
        long,
        value_enum,
        default_value_t,
        env = "VISAVIS_CLOCK",
        help_heading = "Looking inside"
    )]
    clock: ClockKind,
}

impl Settings {
    /// The configuration.
    ///
    /// # Errors
    /// The first contradiction, in words.
    pub fn config(self) -> Result<ServerConfig, String> {
        let database = given(self.database).map_or_else(
            || Ok(crate::store::Database::default()),
            |url| url.parse().map_err(|error| format!("--database: {error}")),
        )?;
        let stun = given(self.stun).map_or(Ok(Stun::default()), |text| text.parse());
        let stun = stun.map_err(|error: InvalidStun| format!("--stun: {error}"))?;
        let (api_key, api_secret) = (given(self.api_key), given(self.api_secret));
        let keys = match (api_key, api_secret) {
            (Some(key), Some(secret)) => Keys::new(key, secret),
            (None, None) => None,
            (Some(_), None) => return Err("--api-key needs --api-secret".to_owned()),
            (None, Some(_)) => return Err("--api-secret needs --api-key".to_owned()),
        };
        let tls = match (given(self.tls_cert), given(self.tls_key)) {
            (Some(certificate), Some(key)) => Some(TlsFiles {
                certificate: certificate.into(),
                key: key.into(),
            }),
            (None, None) => None,
            (Some(_), None) => return Err("--tls-cert needs --tls-key".to_owned()),
            (None, Some(_)) => return Err("--tls-key needs --tls-cert".to_owned()),
        };
        let proxies = self.trusted_proxy.iter().map(String::as_str);
        let trusted_proxies = TrustedProxies::parse(proxies.filter(|proxy| !proxy.is_empty()))
            .map_err(|error| format!("--trusted-proxy: {error}"))?;
        let origins = self.allow_origin.iter().filter(|origin| !origin.is_empty());
        let allow_origins = origins.map(|origin| web_origin(origin));
        let allow_origins = allow_origins
            .collect::<Result<_, _>>()
            .map_err(|error| format!("--allow-origin: {error}"))?;
        let hosts = self.allow_host.iter().map(|host| host_of(host));
        let hosts = hosts.filter(|host| !host.is_empty()).map(str::to_owned);
        let allow_hosts = hosts.collect();
        let public_url = given(self.public_url).map(|url| public_url(&url));
        let webhooks = self.webhook.into_iter().filter(|url| !url.is_empty());
        let config = ServerConfig {
            listen: self.listen,
            empty_timeout: Duration::from_secs(self.empty_timeout),
            stun,
            ice_servers: self.ice_server,
            turn_secret: given(self.turn_secret),
            database,
            state_key: self.state_key,
            redis: given(self.redis),
            keep_days: self.keep_days.duration(),
            keep_history: self.keep_history.duration(),
            auth: self.auth,
            keys,
            admins: self.admin,
            trusted_proxies,
            allow_hosts,
            allow_origins,
            tls,
            public_url: public_url.transpose()?,
            webhooks: webhooks.collect(),
            discovery: match self.discovery {
                DiscoveryKind::Public => Discovery::Public,
                DiscoveryKind::IdOnly => Discovery::IdOnly,
                DiscoveryKind::Hybrid => Discovery::Hybrid,
            },
            auto_create: self.auto_create,
            default_recording: self.default_recording,
            sip: self.sip,
            direct: self.direct,
            dev: self.dev,
            manual_clock: self.clock == ClockKind::Manual,
            drain: Duration::from_secs(self.drain),
            ..ServerConfig::default()
        };
        config.check().map_err(|error| error.to_string())?;
        Ok(config)
    }
}

fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

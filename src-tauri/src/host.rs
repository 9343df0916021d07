//! The room service that this application hosts, for itself or for its network.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use visavis_server::store::Database;
use visavis_server::{Listener, Server, ServerConfig, ServerError, operator_secret};

use crate::addresses;

/// Where others on this network come in, when that port is free.
const SHARED_PORT: u16 = 7420;
/// Where its rooms are kept, in the profile.
const FILE: &str = "rooms.sqlite3";

/// A running room service. Dropping it stops it.
#[derive(Debug)]
pub struct Host {
    server: Server,
    /// Open while others on this network may come in.
    shared: Option<Listener>,
}

impl Host {
    /// Starts a room service for this machine alone, with the rooms that the
    /// profile keeps. Where it cannot keep any, as beside a second application of
    /// the same profile, they are kept in memory and end with the run.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn start(profile: &Path) -> Result<Self, ServerError> {
        let kept = ServerConfig {
            database: database(profile),
            ..embedded()
        };
        let server = match Server::bind(kept).await {
            Err(ServerError::Database(error)) => {
                tracing::warn!(%error, "the hosted rooms end with this run");
                Server::bind(embedded()).await?
            }
            bound => bound?,
        };
        tracing::info!("hosting a room service");
        Ok(Self {
            server,
            shared: None,
        })
    }

    /// Lets others on this network in, or nobody more. Who is inside stays.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn share(&mut self, shared: bool) -> Result<(), ServerError> {
        if shared == self.is_shared() {
            return Ok(());
        }
        self.shared = if shared {
            Some(self.open().await?)
        } else {
            None
        };
        tracing::info!(shared, "the hosted room service");
        Ok(())
    }

    async fn open(&self) -> Result<Listener, ServerError> {
        let at = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        match self.server.listen(at(SHARED_PORT)).await {
            Err(ServerError::AddressInUse(_)) => self.server.listen(at(0)).await,
            other => other,
        }
    }

    /// Under which URL this application reaches it.
    pub fn url(&self) -> String {
        url(Ipv4Addr::LOCALHOST, self.server.local_addr().port())
    }

    /// Whether others on this network may come in.
    pub fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Under which URLs others on this network reach it; empty unless shared.
    pub fn addresses(&self) -> Vec<String> {
        let Some(listener) = &self.shared else {
            return Vec::new();
        };
        let port = listener.local_addr().port();
        let reachable = addresses::reachable().into_iter();
        reachable.map(|ip| url(ip, port)).collect()
    }

    /// Stops it; its sockets are closed. At most three seconds.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

/// An embedded server: only the bearer of its operator secret administrates it,
/// and this application never does.
fn embedded() -> ServerConfig {
    ServerConfig {
        operator_secret: Some(operator_secret()),
        ..ServerConfig::default()
    }
}

/// A profile that cannot be made, or named, keeps none.
fn database(profile: &Path) -> Database {
    let made = std::fs::create_dir_all(profile);
    match (made, profile.join(FILE).to_str()) {
        (Ok(()), Some(path)) => Database::Sqlite(path.to_owned()),
        _ => Database::Memory,
    }
}

fn url(address: Ipv4Addr, port: u16) -> String {
    format!("ws://{address}:{port}")
}

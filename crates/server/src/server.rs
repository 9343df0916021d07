//! The running server.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::DropGuard;
use visavis_protocol::{Feature, Role};

use crate::hub::Hub;
use crate::store::{Store, StoreError};
use crate::tls::{Certificate, Doorway, TlsError};
use crate::webhook::deliver::{self, Post};
use crate::{Contradiction, ServerConfig, http};

/// The longest that [`Server::shutdown`] waits for its connections, and for what
/// is written of their end.
const SHUTDOWN_LIMIT: Duration = Duration::from_millis(2_900);

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Another program listens there.
    #[error("{0} is in use by another program; choose another port, or 0 for a free one")]
    AddressInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The database cannot be used.
    #[error("the database cannot be used")]
    Database(#[from] StoreError),
    /// The settings make no sense.
    #[error(transparent)]
    Settings(#[from] Contradiction),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A running server. Dropping it stops it too, without waiting.
pub struct Server {
    local_addr: SocketAddr,
    hub: Arc<Hub>,
    tls: Option<TlsAcceptor>,
    cancel: DropGuard,
}

/// One more address of a running [`Server`]. Dropping it takes no new
/// connections there; those that came by it stay.
#[derive(Debug)]
pub struct Listener {
    local_addr: SocketAddr,
    _open: DropGuard,
}

impl Listener {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addr", &self.local_addr)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Opens the database, listens, and serves from then on. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the settings make no sense, the address cannot be listened on, or
    /// the database or the certificate cannot be used.
    pub async fn bind(config: ServerConfig) -> Result<Self, ServerError> {
        config.check()?;
        let certificate = config.tls.as_ref().map(Certificate::read).transpose()?;
        let tls = (certificate.as_ref().map(Certificate::acceptor)).transpose()?;
        let post = match &config.keys {
            Some(keys) if !config.webhooks.is_empty() => Some(Post::new(keys.clone())?),
            _ => None,
        };
        let (listener, local_addr) = listen(config.listen).await?;
        let store = Store::open(&config.database).await?;
        let hub = Hub::start(config, store).await?;
        let cancel = hub.cancel.clone();
        let door = Doorway::new(listener, tls.clone());
        hub.tasks
            .spawn(http::serve(door, Arc::clone(&hub), cancel.clone()));
        if let Some(certificate) = certificate {
            let stopped = cancel.clone().cancelled_owned();
            hub.tasks.spawn(async move {
                tokio::select! {
                    () = stopped => {}
                    () = certificate.stay_current() => {}
                }
            });
        }
        if let Some(post) = post {
            hub.tasks.spawn(deliver::run(Arc::clone(&hub), post));
        }
        Ok(Self {
            local_addr,
            hub,
            tls,
            cancel: cancel.drop_guard(),
        })
    }

    /// Listens at another address too, for the same rooms.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn listen(&self, address: SocketAddr) -> Result<Listener, ServerError> {
        let (listener, local_addr) = listen(address).await?;
        let open = self.hub.cancel.child_token();
        let door = Doorway::new(listener, self.tls.clone());
        let serving = http::serve(door, Arc::clone(&self.hub), open.clone());
        self.hub.tasks.spawn(serving);
        Ok(Listener {
            local_addr,
            _open: open.drop_guard(),
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops: it is not ready any more, and after [`ServerConfig::drain`] every
    /// socket is closed with 1001. Where the database is shared, whoever can
    /// resume keeps its place, and takes it on another node. Takes at most three
    /// seconds more than the draining.
    pub async fn shutdown(self) {
        self.hub.leaving.cancel();
        tokio::time::sleep(self.hub.config.drain).await;
        drop(self.cancel);
        self.hub.tasks.close();
        let ended = async {
            self.hub.tasks.wait().await;
            self.hub.rooms.wait().await;
            see_off(&self.hub).await
        };
        match tokio::time::timeout(SHUTDOWN_LIMIT, ended).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "cannot note who has left");
            }
            Err(_) => {
                let left = self.hub.tasks.len();
                tracing::warn!(left, "not everything ended in time");
            }
        }
    }
}

/// Whoever cannot take its place again has left: others can on another node,
/// until this one's lease runs out.
async fn see_off(hub: &Hub) -> Result<(), StoreError> {
    for who in hub.store.participants_of_node(&hub.node).await? {
        if hub.store.is_shared() && who.features.has(Feature::Resume) {
            continue;
        }
        let was_host = who.role == Role::Host;
        hub.left(who, was_host).await?;
    }
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ServerError::AddressInUse(address),
        _ => ServerError::Listen { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let local_addr = listener.local_addr().map_err(refused)?;
    Ok((listener, local_addr))
}

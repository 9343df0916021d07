//! The running server.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use visavis_protocol::{Feature, Role};

use crate::config::{Contradiction, ServerConfig};
use crate::http::{self, App};
use crate::rooms::RoomService;
use crate::store::{Store, StoreError};
use crate::stun::{Responder, Stun, StunAddress};
use crate::tls::{Certificate, TlsError};
use crate::webhook::dispatcher::{self, WebhookClient};

/// Longest wait of [`Server::shutdown`] for connections to close and departures to
/// be recorded.
const SHUTDOWN_LIMIT: Duration = Duration::from_millis(2_900);

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is in use.
    #[error("{0} is in use by another program; choose another port, or 0 for a free one")]
    AddressInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// The operating system's error.
        source: io::Error,
    },
    /// The database cannot be used.
    #[error("the database cannot be used")]
    Database(#[from] StoreError),
    /// The settings contradict each other.
    #[error(transparent)]
    Settings(#[from] Contradiction),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A running server. Dropping it stops it too, without waiting.
pub struct Server {
    local_addr: SocketAddr,
    service: Arc<RoomService>,
    app: App,
    tls: Option<TlsAcceptor>,
    cancel: DropGuard,
}

/// An additional address of a running [`Server`]. Dropping it stops accepting there;
/// WebSocket connections made through it stay open.
#[derive(Debug)]
pub struct Listener {
    local_addr: SocketAddr,
    _open: DropGuard,
}

impl Listener {
    /// The bound address.
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
    /// When the settings contradict each other, the address cannot be listened on, or
    /// the database or the certificate cannot be used.
    pub async fn bind(config: ServerConfig) -> Result<Self, ServerError> {
        config.check()?;
        let certificate = config.tls.as_ref().map(Certificate::read).transpose()?;
        let tls = (certificate.as_ref().map(Certificate::acceptor)).transpose()?;
        let client = match &config.keys {
            Some(keys) if !config.webhooks.is_empty() => Some(WebhookClient::new(keys.clone())?),
            _ => None,
        };
        let bound = bind(config.listen, &config.stun).await?;
        let local_addr = bound.local_addr;
        let store = Store::open(&config.database).await?;
        let service = RoomService::start(config, store).await?;
        let app = App::new(Arc::clone(&service), Arc::default());
        let cancel = service.cancel.clone();
        bound.serve(tls.clone(), &app, &cancel);
        if let Some(certificate) = certificate {
            let stopped = cancel.clone().cancelled_owned();
            service.tasks.spawn(async move {
                tokio::select! {
                    () = stopped => {}
                    () = certificate.stay_current() => {}
                }
            });
        }
        if let Some(client) = client {
            let context = dispatcher::Context {
                store: service.store.clone(),
                clock: service.clock.clone(),
                metrics: Arc::clone(&service.metrics),
                attempts: Arc::clone(&app.attempts),
                node: service.node.clone(),
                receivers: service.config.webhooks.clone(),
                cancel: cancel.clone(),
            };
            let written = service.noted.subscribe();
            service
                .tasks
                .spawn(dispatcher::run(context, client, written));
        }
        Ok(Self {
            local_addr,
            service,
            app,
            tls,
            cancel: cancel.drop_guard(),
        })
    }

    /// Listens at an additional address, with the same rooms.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn listen(&self, address: SocketAddr) -> Result<Listener, ServerError> {
        let bound = bind(address, &self.service.config.stun).await?;
        let local_addr = bound.local_addr;
        let open = self.service.cancel.child_token();
        bound.serve(self.tls.clone(), &self.app, &open);
        Ok(Listener {
            local_addr,
            _open: open.drop_guard(),
        })
    }

    /// The bound address.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops: `/readyz` fails at once, and after [`ServerConfig::drain`] every socket
    /// is closed with 1001. With a shared database, members that can resume keep
    /// their membership and resume on another node. Takes at most three seconds more
    /// than the drain time.
    pub async fn shutdown(self) {
        self.service.leaving.cancel();
        tokio::time::sleep(self.service.config.drain).await;
        drop(self.cancel);
        self.service.tasks.close();
        let ended = async {
            self.service.tasks.wait().await;
            self.service.room_tasks.wait().await;
            record_departures(&self.service).await
        };
        match tokio::time::timeout(SHUTDOWN_LIMIT, ended).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "cannot record departures");
            }
            Err(_) => {
                let left = self.service.tasks.len();
                tracing::warn!(left, "tasks still running at the shutdown limit");
            }
        }
    }
}

/// Records the departure of members that cannot resume. With a shared database
/// the others may resume on another node until this node's lease expires.
async fn record_departures(service: &RoomService) -> Result<(), StoreError> {
    for who in service.store.participants_of_node(&service.node).await? {
        if service.store.is_shared() && who.features.has(Feature::Resume) {
            continue;
        }
        let was_host = who.role == Role::Host;
        service.left(who, was_host).await?;
    }
    Ok(())
}

/// The sockets of a listening address.
struct Bound {
    listener: TcpListener,
    local_addr: SocketAddr,
    /// Where STUN is off or its UDP port is not free, there is none.
    stun: Option<Responder>,
}

impl Bound {
    /// Serves until cancelled.
    fn serve(self, tls: Option<TlsAcceptor>, app: &App, cancel: &CancellationToken) {
        let tasks = &app.service.tasks;
        let address = StunAddress(self.stun.as_ref().map(Responder::local_addr));
        let serving = (self.listener, tls, address);
        tasks.spawn(http::serve(serving, app.clone(), cancel.clone()));
        if let Some(stun) = self.stun {
            tasks.spawn(stun.run(cancel.clone()));
        }
    }
}

/// Binds TCP, and UDP at the same port, which may have been chosen by the system.
async fn bind(address: SocketAddr, stun: &Stun) -> Result<Bound, ServerError> {
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ServerError::AddressInUse(address),
        _ => ServerError::Listen { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let local_addr = listener.local_addr().map_err(refused)?;
    let stun = match stun {
        Stun::Off => None,
        Stun::On | Stun::At(_) => match Responder::bind(local_addr).await {
            Ok(responder) => Some(responder),
            Err(error) => {
                let port = local_addr.port();
                tracing::warn!(port, %error, "cannot answer STUN: the UDP port cannot be bound");
                None
            }
        },
    };
    Ok(Bound {
        listener,
        local_addr,
        stun,
    })
}

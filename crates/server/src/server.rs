//! The running server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

use crate::hub::Hub;
use crate::store::{MemoryStore, Store};
use crate::{ServerConfig, http};

/// The longest that [`Server::shutdown`] waits for its connections.
const SHUTDOWN_LIMIT: Duration = Duration::from_millis(2_500);

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
}

/// A running server. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    cancel: DropGuard,
    tasks: TaskTracker,
}

impl Server {
    /// Listens, and serves from then on. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind(config: ServerConfig) -> Result<Self, ServerError> {
        Self::bind_with(config, Arc::<MemoryStore>::default()).await
    }

    /// The same with rooms and chat kept in a store of the caller's.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind_with(
        config: ServerConfig,
        store: Arc<dyn Store>,
    ) -> Result<Self, ServerError> {
        let listen = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ServerError::AddressInUse(config.listen),
            _ => ServerError::Listen {
                address: config.listen,
                source,
            },
        };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let local_addr = listener.local_addr().map_err(listen)?;
        let hub = Arc::new(Hub::new(config, store));
        let server = Self {
            local_addr,
            cancel: hub.cancel.clone().drop_guard(),
            tasks: hub.tasks.clone(),
        };
        server.tasks.spawn(http::serve(listener, hub));
        Ok(server)
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops: every socket is closed with 1001. Takes at most three seconds.
    pub async fn shutdown(self) {
        drop(self.cancel);
        self.tasks.close();
        if tokio::time::timeout(SHUTDOWN_LIMIT, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(left = self.tasks.len(), "connections did not end in time");
        }
    }
}

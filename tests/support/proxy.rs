//! A TCP connection that a test can cut.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::namespaces;

type Connections = Arc<Mutex<JoinSet<()>>>;

/// Where connections are passed on to.
#[derive(Clone)]
enum Target {
    /// `HOST:PORT`.
    Here(String),
    /// An address within a network namespace.
    Within(String, SocketAddr),
}

impl Target {
    async fn connect(&self) -> Result<TcpStream> {
        match self {
            Self::Here(target) => Ok(TcpStream::connect(target).await?),
            Self::Within(namespace, target) => {
                let stream = namespaces::connect(namespace, *target)?;
                stream.set_nonblocking(true)?;
                Ok(TcpStream::from_std(stream)?)
            }
        }
    }
}

/// Passes connections on. Dropping it ends them all.
pub struct TcpProxy {
    address: SocketAddr,
    connections: Connections,
    open: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl TcpProxy {
    /// Listens on a free port of 127.0.0.1, and passes on to `target`, `HOST:PORT`.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(target: &str) -> Result<Self> {
        Self::pass_on(Target::Here(target.to_owned())).await
    }

    async fn pass_on(target: Target) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let connections = Connections::default();
        let open = Arc::new(AtomicBool::new(true));
        let task = tokio::spawn(accept(
            listener,
            target,
            Arc::clone(&connections),
            Arc::clone(&open),
        ));
        Ok(Self {
            address,
            connections,
            open,
            task,
        })
    }

    /// Listens on a free port of 127.0.0.1, and passes on to `target` within a network
    /// namespace.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn into_namespace(namespace: &str, target: SocketAddr) -> Result<Self> {
        Self::pass_on(Target::Within(namespace.to_owned(), target)).await
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there are.
    pub fn connected(&self) -> usize {
        let mut connections = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while connections.try_join_next().is_some() {}
        connections.len()
    }

    /// Drops every connection; new ones are taken as before. Gives how many
    /// there were.
    pub fn cut(&self) -> usize {
        let cut = self.connected();
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
        cut
    }

    /// Drops every connection, and every new one at once.
    pub fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
        self.cut();
    }

    /// Passes connections on again.
    pub fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: Target,
    connections: Connections,
    open: Arc<AtomicBool>,
) {
    while let Ok((mut near, _)) = listener.accept().await {
        if !open.load(Ordering::SeqCst) {
            continue;
        }
        let target = target.clone();
        connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .spawn(async move {
                if let Ok(mut far) = target.connect().await {
                    // However it ends, it is over.
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                }
            });
    }
}

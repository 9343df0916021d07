//! Carries pictures to the page: a WebSocket on this machine's loopback
//! address, whose path only the page knows.
//!
//! One picture of a tile is on its way at a time: the page gives the credit
//! for the next after it drew one, so that a slow or hidden page slows nothing
//! but itself and always gets the newest picture.

mod connection;
mod handshake;
mod layout;
mod packet;

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use visavis_call::ShownTrack;
use visavis_media::{Frame, Latest};

use crate::pictures::{Pictures, Source};
use crate::view::VideoEndpoint;

/// Connections at a time: one page, and its predecessor while it reloads.
const CONNECTIONS: usize = 4;
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

/// The pictures that a page can show.
pub trait PagePictures: Send + Sync {
    /// The newest picture of a source; none while there is no such source.
    fn find(&self, source: &Source) -> Option<Latest<Frame>>;

    /// The page shows these tracks, and no others.
    fn show(&self, tracks: Vec<ShownTrack>);
}

impl PagePictures for Pictures {
    fn find(&self, source: &Source) -> Option<Latest<Frame>> {
        self.find(source)
    }

    fn show(&self, tracks: Vec<ShownTrack>) {
        self.show(tracks);
    }
}

/// The running server. Dropping it closes every connection.
#[derive(Debug)]
pub struct VideoOut {
    endpoint: VideoEndpoint,
    _running: DropGuard,
}

impl VideoOut {
    /// Listens on a free port. Needs a tokio runtime.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn start(pictures: impl PagePictures + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let token = handshake::token();
        let endpoint = VideoEndpoint {
            url: format!("ws://{}/{token}", listener.local_addr()?),
        };
        let running = CancellationToken::new();
        let serving = serve(listener, token.into(), Arc::new(pictures));
        tokio::spawn(running.clone().run_until_cancelled_owned(serving));
        Ok(Self {
            endpoint,
            _running: running.drop_guard(),
        })
    }

    /// Where the page connects.
    pub fn endpoint(&self) -> &VideoEndpoint {
        &self.endpoint
    }
}

async fn serve(listener: TcpListener, token: Arc<str>, pictures: Arc<dyn PagePictures>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // Dropped with this task, and the connections with it.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // Out of descriptors, most likely: not again at once.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    tracing::warn!("too many connections for pictures");
                    continue;
                };
                let (token, pictures) = (Arc::clone(&token), Arc::clone(&pictures));
                connections.spawn(async move {
                    connect(stream, &token, &*pictures).await;
                    drop(place);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connect(stream: TcpStream, token: &str, pictures: &dyn PagePictures) {
    stream.set_nodelay(true).ok();
    match timeout(HANDSHAKE_LIMIT, handshake::accept(stream, token)).await {
        Ok(Ok(socket)) => connection::run(socket, pictures).await,
        Ok(Err(error)) => tracing::warn!(%error, "a connection for pictures was refused"),
        Err(_) => tracing::warn!("a connection for pictures said nothing"),
    }
}

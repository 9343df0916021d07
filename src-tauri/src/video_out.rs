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

use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use visavis_call::ShownTrack;
use visavis_media::{Frame, Latest};

use crate::pictures::{Pictures, Source};
use crate::view::VideoEndpoint;

/// Pages at a time: one, and its predecessor while it reloads.
const PAGES: usize = 4;
/// Connections that have not proved to be the page. A further one ends the oldest: a
/// program that only connects keeps nobody out.
const HANDSHAKES: usize = 16;
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

/// The open port, before there are pictures: the page's policy names it.
#[derive(Debug)]
pub struct VideoListener(TcpListener);

impl VideoListener {
    /// Opens a free port. Needs a tokio runtime.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn open() -> io::Result<Self> {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map(Self)
    }

    /// The address without the token: `ws://127.0.0.1:PORT`.
    ///
    /// # Errors
    /// When the system does not know the port.
    pub fn origin(&self) -> io::Result<String> {
        Ok(format!("ws://{}", self.0.local_addr()?))
    }

    /// Serves these pictures. Needs a tokio runtime.
    ///
    /// # Errors
    /// As [`VideoListener::origin`].
    pub fn serve(self, pictures: impl PagePictures + 'static) -> io::Result<VideoOut> {
        let token = handshake::token();
        let endpoint = VideoEndpoint {
            url: format!("{}/{token}", self.origin()?),
        };
        let running = CancellationToken::new();
        let serving = serve(self.0, token.into(), Arc::new(pictures));
        tokio::spawn(running.clone().run_until_cancelled_owned(serving));
        Ok(VideoOut {
            endpoint,
            _running: running.drop_guard(),
        })
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
        VideoListener::open().await?.serve(pictures)
    }

    /// Where the page connects.
    pub fn endpoint(&self) -> &VideoEndpoint {
        &self.endpoint
    }
}

async fn serve(listener: TcpListener, token: Arc<str>, pictures: Arc<dyn PagePictures>) {
    let places = Arc::new(Semaphore::new(PAGES));
    // Dropped with this task, and the connections with it.
    let mut handshakes: JoinSet<Option<Socket>> = JoinSet::new();
    let mut pages = JoinSet::new();
    let mut oldest: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // Out of descriptors, most likely: not again at once.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                oldest.retain(|handshake| !handshake.is_finished());
                if oldest.len() >= HANDSHAKES
                    && let Some(handshake) = oldest.pop_front()
                {
                    handshake.abort();
                    tracing::warn!("too many connections for pictures: the oldest was closed");
                }
                let token = Arc::clone(&token);
                oldest.push_back(handshakes.spawn(async move { connect(stream, &token).await }));
            }
            Some(done) = handshakes.join_next() => {
                let Ok(Some(socket)) = done else { continue };
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    tracing::warn!("too many pages for pictures");
                    continue;
                };
                let pictures = Arc::clone(&pictures);
                pages.spawn(async move {
                    connection::run(socket, &*pictures).await;
                    drop(place);
                });
            }
            Some(_) = pages.join_next() => {}
        }
    }
}

type Socket = WebSocketStream<TcpStream>;

async fn connect(stream: TcpStream, token: &str) -> Option<Socket> {
    stream.set_nodelay(true).ok();
    match timeout(HANDSHAKE_LIMIT, handshake::accept(stream, token)).await {
        Ok(Ok(socket)) => Some(socket),
        Ok(Err(error)) => {
            tracing::warn!(%error, "a connection for pictures was refused");
            None
        }
        Err(_) => {
            tracing::warn!("a connection for pictures said nothing");
            None
        }
    }
}

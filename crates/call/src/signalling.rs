//! The WebSocket connection to the server: one task per connection. The only
//! module that names tokio-tungstenite.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use url::Url;
use visavis_protocol::{ClientMessage, ParseError, ServerMessage, limits};

/// Messages queued for the socket. When the queue is full the connection is
/// treated as lost, since the server has stopped reading.
const OUTGOING_CAPACITY: usize = 256;

/// Timeout of opening a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Timeout of the closing handshake (RFC 6455, section 7).
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Events of a connection. The last one is [`SignallingEvent::Closed`].
#[derive(Debug)]
pub(crate) enum SignallingEvent {
    /// A message arrived.
    Message(Box<ServerMessage>),
    /// The connection closed, broke or could not be opened.
    Closed,
}

/// One connection. Dropping it sends the queued messages, then closes.
#[derive(Debug)]
pub(crate) struct SignallingHandle {
    outgoing: mpsc::Sender<String>,
    abandoned: CancellationToken,
    /// Ends an attempt to connect.
    _dropped: DropGuard,
}

impl SignallingHandle {
    /// Queues a message without waiting. Returns false when the queue is full or
    /// the connection has ended.
    pub fn send(&self, message: &ClientMessage) -> bool {
        self.outgoing.try_send(message.to_json()).is_ok()
    }

    /// Breaks the connection without a closing handshake, after which the server
    /// keeps the place in the room for a while. A closed connection would leave it.
    pub fn abandon(self) {
        self.abandoned.cancel();
    }
}

/// A text that is not a server URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a server URL starts with ws, wss, http or https, for example http://192.0.2.1:7420")]
pub struct NotAServer;

/// The WebSocket URL of a server URL: `http` becomes `ws`, `https` becomes `wss`,
/// and the rest is unchanged.
pub(crate) fn socket_url(server: &str) -> Result<Url, NotAServer> {
    let mut url = Url::parse(server.trim()).map_err(|_| NotAServer)?;
    let scheme = match url.scheme() {
        "ws" | "http" => "ws",
        "wss" | "https" => "wss",
        _ => return Err(NotAServer),
    };
    url.set_scheme(scheme).map_err(|()| NotAServer)?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(NotAServer);
    }
    Ok(url)
}

/// Spawns a connection. Its events carry `generation`, which tells late events of
/// an abandoned connection apart.
pub(crate) fn connect(
    url: Url,
    generation: u64,
    events: mpsc::Sender<(u64, SignallingEvent)>,
    tasks: &TaskTracker,
) -> SignallingHandle {
    let (outgoing, queue) = mpsc::channel(OUTGOING_CAPACITY);
    let dropped = CancellationToken::new();
    let abandoned = CancellationToken::new();
    let handle = SignallingHandle {
        outgoing,
        abandoned: abandoned.clone(),
        _dropped: dropped.clone().drop_guard(),
    };
    tasks.spawn(async move {
        // Boxed because the future is large.
        let opened = timeout(CONNECT_LIMIT, Box::pin(open(&url)));
        match dropped.run_until_cancelled(opened).await {
            Some(Ok(Ok(socket))) => {
                tokio::select! {
                    // First: the queue of an abandoned connection is closed, too.
                    biased;
                    () = abandoned.cancelled() => {}
                    () = run(socket, generation, &events, queue) => {}
                }
            }
            Some(Ok(Err(error))) => tracing::info!(%error, "connecting to the server failed"),
            Some(Err(_)) => tracing::info!("connecting to the server timed out"),
            // Nothing was sent yet.
            None => {}
        }
        // The receiver is gone only when the call ends.
        let _ = events.send((generation, SignallingEvent::Closed)).await;
    });
    handle
}

/// Opens a WebSocket to a server.
pub(crate) async fn open(url: &Url) -> Result<Socket, Error> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits::CLOSING_MESSAGE_BYTES))
        .max_frame_size(Some(limits::CLOSING_MESSAGE_BYTES));
    let (socket, _) = connect_async_with_config(url.as_str(), Some(config), true).await?;
    Ok(socket)
}

async fn run(
    mut socket: Socket,
    generation: u64,
    events: &mpsc::Sender<(u64, SignallingEvent)>,
    mut queue: mpsc::Receiver<String>,
) {
    let mut ping = interval_at(
        Instant::now() + limits::PING_INTERVAL,
        limits::PING_INTERVAL,
    );
    let mut received_at = Instant::now();
    loop {
        tokio::select! {
            incoming = socket.next() => {
                received_at = Instant::now();
                match incoming {
                    Some(Ok(Message::Text(text))) => {
                        if let Some(message) = parse(&text)
                            && events.send((generation, SignallingEvent::Message(message))).await.is_err()
                        {
                            break;
                        }
                    }
                    Some(Ok(Message::Close(_))) | None => return,
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        tracing::info!(%error, "the connection to the server broke");
                        return;
                    }
                }
            }
            message = queue.recv() => match message {
                Some(text) => if let Err(error) = socket.send(Message::text(text)).await {
                    tracing::info!(%error, "the connection to the server broke");
                    return;
                },
                None => break,
            },
            _ = ping.tick() => {
                if received_at.elapsed() > limits::SILENCE_LIMIT || socket.send(Message::Ping(bytes::Bytes::new())).await.is_err() {
                    tracing::info!("the server stopped responding");
                    return;
                }
            }
        }
    }
    // A server that is gone does not complete the handshake.
    let _ = timeout(CLOSE_LIMIT, async {
        socket.close(None).await?;
        while let Some(Ok(_)) = socket.next().await {}
        Ok::<(), Error>(())
    })
    .await;
}

/// Parses a message. Unknown and malformed ones are ignored.
pub(crate) fn parse(text: &str) -> Option<Box<ServerMessage>> {
    match ServerMessage::parse(text) {
        Ok(message) => Some(Box::new(message)),
        Err(ParseError::UnknownType(kind)) => {
            tracing::debug!(kind, "a message of unknown type is ignored");
            None
        }
        Err(ParseError::Malformed(error)) => {
            tracing::debug!(error, "a malformed message is ignored");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_url_has_one_of_four_schemes_and_is_otherwise_unchanged() {
        for (given, url) in [
            ("http://127.0.0.1:7420", "ws://127.0.0.1:7420/"),
            ("ws://a.example/ws", "ws://a.example/ws"),
            (" https://a.example ", "wss://a.example/"),
        ] {
            assert_eq!(socket_url(given).unwrap().as_str(), url);
        }
        for given in [
            "",
            "a.example",
            "ftp://a.example",
            "http://",
            "localhost:7420",
        ] {
            assert_eq!(socket_url(given), Err(NotAServer), "{given}");
        }
    }
}

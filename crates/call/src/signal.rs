//! The socket to the room service: one task for each connection, text
//! messages in and out. The only module that names tokio-tungstenite.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tokio_util::task::TaskTracker;
use url::Url;
use visavis_protocol::{ClientMessage, ParseError, ServerMessage, limits};

/// Messages waiting for the socket: 256; when full the connection is given up,
/// since a server that reads nothing for so long is no longer there.
const OUTGOING_CAPACITY: usize = 256;

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How long saying goodbye may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What the socket says. It ends with [`SignalEvent::Closed`], once.
#[derive(Debug)]
pub(crate) enum SignalEvent {
    /// A message came.
    Message(Box<ServerMessage>),
    /// It broke, was closed, or was never made.
    Closed,
}

/// One connection. Dropping it sends what waits, then closes.
#[derive(Debug)]
pub(crate) struct SignalHandle {
    outgoing: mpsc::Sender<String>,
}

impl SignalHandle {
    /// Hands a message over without waiting. Whether there was room.
    pub fn send(&self, message: &ClientMessage) -> bool {
        self.outgoing.try_send(message.to_json()).is_ok()
    }
}

/// A text that is no server's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a server's URL begins with ws, wss, http or https, for example http://192.0.2.1:7420")]
pub struct NotAServer;

/// The socket's URL of a server's: HTTP is its WebSocket twin, all else stays.
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

/// Begins a connection. Its events bear `generation`, so that those of one that
/// was given up are told apart.
pub(crate) fn connect(
    url: Url,
    generation: u64,
    events: mpsc::Sender<(u64, SignalEvent)>,
    tasks: &TaskTracker,
) -> SignalHandle {
    let (outgoing, queue) = mpsc::channel(OUTGOING_CAPACITY);
    tasks.spawn(async move {
        match timeout(CONNECT_LIMIT, open(&url)).await {
            Ok(Ok(socket)) => run(socket, generation, &events, queue).await,
            Ok(Err(error)) => tracing::info!(%error, "the server was not reached"),
            Err(_) => tracing::info!("the server was not reached in time"),
        }
        // Without a reader nobody needs to know.
        let _ = events.send((generation, SignalEvent::Closed)).await;
    });
    SignalHandle { outgoing }
}

/// Opens a socket to a server.
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
    events: &mpsc::Sender<(u64, SignalEvent)>,
    mut queue: mpsc::Receiver<String>,
) {
    let mut ping = interval_at(
        Instant::now() + limits::PING_INTERVAL,
        limits::PING_INTERVAL,
    );
    let mut heard_at = Instant::now();
    loop {
        tokio::select! {
            incoming = socket.next() => {
                heard_at = Instant::now();
                match incoming {
                    Some(Ok(Message::Text(text))) => {
                        if let Some(message) = read(&text)
                            && events.send((generation, SignalEvent::Message(message))).await.is_err()
                        {
                            break;
                        }
                    }
                    Some(Ok(Message::Close(_))) | None => return,
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        tracing::info!(%error, "the server's socket broke");
                        return;
                    }
                }
            }
            message = queue.recv() => match message {
                Some(text) => if let Err(error) = socket.send(Message::text(text)).await {
                    tracing::info!(%error, "the server's socket broke");
                    return;
                },
                None => break,
            },
            _ = ping.tick() => {
                if heard_at.elapsed() > limits::SILENCE_LIMIT || socket.send(Message::Ping(bytes::Bytes::new())).await.is_err() {
                    tracing::info!("the server fell silent");
                    return;
                }
            }
        }
    }
    // The other side may be gone; then there is nobody to take leave of.
    let _ = timeout(CLOSE_LIMIT, async {
        socket.close(None).await?;
        while let Some(Ok(_)) = socket.next().await {}
        Ok::<(), Error>(())
    })
    .await;
}

/// A message, or nothing where it is none that we know.
pub(crate) fn read(text: &str) -> Option<Box<ServerMessage>> {
    match ServerMessage::parse(text) {
        Ok(message) => Some(Box::new(message)),
        Err(ParseError::UnknownType(kind)) => {
            tracing::debug!(kind, "a message of a type that is not known here");
            None
        }
        Err(ParseError::Malformed(error)) => {
            tracing::debug!(error, "the server sent what is no message");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_any_of_four_schemes_and_kept_as_given() {
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

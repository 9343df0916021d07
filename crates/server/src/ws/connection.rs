//! The task of one connection: reads, writes, keep-alive, rate limit and close.

use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep_until, timeout};
use visavis_protocol::limits::{CLOSING_MESSAGE_BYTES, MAX_MESSAGE_BYTES};
use visavis_protocol::{CloseCode, Envelope, ErrorCode};

use super::Reader;
use super::addresses::Place;
use super::closing::Closing;
use super::keepalive::KeepAlive;
use super::link::Link;
use super::rate::{ClientRate, Cost};
use crate::id::SocketId;
use crate::refusal::Refusal;
use crate::rooms::RoomService;
use crate::signalling::{Caller, Kind, Session};
use crate::socket::{Incoming, Outgoing, Permit, Sink, WireError, outbox};

/// Longest wait for the client to read the close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// How a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// The client sent a close frame.
    Closed,
    /// No close frame: the participant may resume.
    Broken,
    /// Closed by the server.
    Close(Closing),
    /// Closed by the server where no further frame can be read.
    Abort(Closing),
    /// Closed by the server: a rate was exceeded for too long.
    Flooded,
}

struct Connection {
    link: Link,
    session: Session,
}

pub(super) async fn run(
    (reader, sink): (Reader, Sink),
    id: SocketId,
    service: Arc<RoomService>,
    caller: Caller,
    // Both count the socket while it is open.
    (place, _permit): (Place, Arc<Permit>),
) {
    let _connected = service.metrics.connected();
    let now = Instant::now();
    let limits = &service.config.limits;
    let (outbox, queue) = outbox(sink);
    let keep_alive = KeepAlive::new(now, limits.ping_interval, limits.silence_limit);
    let rate = place.budget.clone();
    let rate = rate.map(|address| Box::new(ClientRate::new(now, limits.rate_patience, address)));
    let ended = (service.parting.clone(), caller.hung_up.clone());
    let mut connection = Connection {
        link: Link::new((reader, queue), keep_alive, rate, ended),
        session: Session::begin(service, caller, id, outbox),
    };
    let Err(end) = connection.serve().await;
    // Boxed: keeps the future of a running connection small.
    Box::pin(connection.finish(end)).await;
}

impl Connection {
    async fn serve(&mut self) -> Result<Infallible, End> {
        let mut alarm = pin!(sleep_until(self.link.next_ping().into()));
        loop {
            if let Some(incoming) = self.link.next(alarm.as_mut()).await? {
                // Boxed: keeps the future of an idle connection small.
                match incoming {
                    Ok(incoming) => Box::pin(self.handle(incoming, alarm.as_mut())).await?,
                    Err(WireError::TooBig) => Box::pin(self.permit()).await?,
                    Err(error) => return Err(end_of(&error)),
                }
            }
        }
    }

    /// Reads a large message of a client in a room; closes the connection of others
    /// at the frame header.
    async fn permit(&mut self) -> Result<(), End> {
        let inside = self.session.is_inside().await;
        let permitted = inside && self.link.reader.permit(CLOSING_MESSAGE_BYTES).is_ok();
        permitted.then_some(()).ok_or(End::Abort(Closing::TOO_BIG))
    }

    async fn handle(&mut self, incoming: Incoming, alarm: Pin<&mut Sleep>) -> Result<(), End> {
        let bytes = incoming.len();
        let mut kind = Kind::Other;
        match incoming {
            Incoming::Text(text) if text.len() > MAX_MESSAGE_BYTES => {
                let why = format!("the message exceeds {MAX_MESSAGE_BYTES} bytes");
                self.refuse(ErrorCode::MessageTooLarge, why);
            }
            Incoming::Text(text) => {
                let handled = pin!(self.session.handle_text(&text));
                kind = self.link.keep_up(alarm, handled).await?;
            }
            Incoming::Binary(_) => {
                let why = "binary messages are not supported; send JSON in text frames";
                self.refuse(ErrorCode::BadMessage, why);
            }
            control => return self.link.control(control).await,
        }
        self.link.count(Cost::of(kind, bytes))
    }

    fn refuse(&self, code: ErrorCode, why: impl Into<Cow<'static, str>>) {
        self.session
            .refuse(Refusal::new(code, why), Envelope::default());
    }

    /// Leaves the room first: the room must not wait for a client that does not read.
    async fn finish(mut self, end: End) {
        tracing::info!(?end, "connection closed");
        if let End::Flooded = end {
            self.refuse(ErrorCode::RateLimited, "rate limit exceeded for too long");
        }
        self.session.end(matches!(end, End::Broken)).await;
        let queue = &self.link.queue;
        match end {
            End::Broken => return,
            // The reply to its close frame is already queued.
            End::Closed => {}
            End::Close(closing) | End::Abort(closing) => {
                queue.put(Outgoing::Close(&closing.payload()));
            }
            End::Flooded => {
                let closing = Closing::from(CloseCode::RateLimited);
                queue.put(Outgoing::Close(&closing.payload()));
            }
        }
        let closing_handshake = async {
            let _ = queue.flush().await;
            if let End::Close(_) | End::Flooded = end {
                while let Ok(incoming) = self.link.reader.next().await
                    && !matches!(incoming, Incoming::Close(_))
                {}
            }
            // The server closes TCP first (RFC 6455, section 7.1.1).
            let _ = queue.shut().await;
            if let End::Abort(_) = end {
                // Closing with unread input resets the connection, and the client
                // could lose the close frame.
                self.link.reader.drain().await;
            }
        };
        // The timeout covers clients that never reply.
        let _ = timeout(CLOSE_GRACE, closing_handshake).await;
    }
}

pub(super) fn end_of(error: &WireError) -> End {
    tracing::debug!(%error, "reading ended");
    match error {
        WireError::Broken(_) => End::Broken,
        WireError::Protocol(reason) => End::Abort(Closing::protocol_error(reason)),
        WireError::Text => End::Abort(Closing::NOT_UTF8),
        WireError::TooBig => End::Abort(Closing::TOO_BIG),
        WireError::Late => End::Abort(Closing::LATE),
        WireError::Crowded => End::Abort(Closing::CROWDED),
    }
}

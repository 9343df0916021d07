//! The task of one connection: reads, writes, keep-alive, rate limit and close.

use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use visavis_protocol::limits::{CLOSING_MESSAGE_BYTES, MAX_MESSAGE_BYTES};
use visavis_protocol::{CloseCode, Envelope, ErrorCode};

use super::Reader;
use super::addresses::Place;
use super::closing::Closing;
use super::keepalive::{Due, KeepAlive};
use super::rate::{ClientRate, Cost, Verdict};
use crate::id::SocketId;
use crate::refusal::Refusal;
use crate::rooms::RoomService;
use crate::signalling::{Caller, Kind, Session};
use crate::socket::{Incoming, Outgoing, Permit, Queue, Sink, WireError, outbox};

/// Longest wait for the client to read the close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// How a connection ended.
#[derive(Debug)]
enum End {
    /// The client sent a close frame.
    Closed,
    /// No close frame: the participant may resume.
    Broken,
    /// Closed by the server.
    Close(Closing),
    /// Closed by the server where no further frame can be read.
    Abort(Closing),
}

struct Connection {
    reader: Reader,
    queue: Queue,
    session: Session,
    parting: CancellationToken,
    keep_alive: KeepAlive,
    /// None where rates are off.
    rate: Option<Box<ClientRate>>,
    /// Reading stops until then.
    paused_until: Option<Instant>,
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
    let mut connection = Connection {
        reader,
        queue,
        parting: service.parting.clone(),
        keep_alive: KeepAlive::new(now, limits.ping_interval, limits.silence_limit),
        rate: place
            .budget
            .clone()
            .map(|address| Box::new(ClientRate::new(now, limits.rate_patience, address))),
        paused_until: None,
        session: Session::begin(service, caller, id, outbox),
    };
    let Err(end) = connection.serve().await;
    // Boxed: keeps the future of a running connection small.
    Box::pin(connection.finish(end)).await;
}

impl Connection {
    async fn serve(&mut self) -> Result<Infallible, End> {
        let mut alarm = pin!(sleep_until(self.keep_alive.deadline().into()));
        loop {
            let now = Instant::now();
            match self.keep_alive.due(now) {
                Due::Nothing => {}
                Due::Ping => {
                    self.queue.put(Outgoing::Ping);
                    self.flush().await?;
                }
                Due::Silent => return Err(End::Broken),
            }
            self.paused_until = self.paused_until.filter(|until| *until > now);
            let wanted = self.keep_alive.deadline();
            let wanted = self.paused_until.map_or(wanted, |until| until.min(wanted));
            // An early wake-up finds nothing due; resetting the timer for every
            // message would cost more.
            let wakes_at = alarm.deadline().into_std();
            if wakes_at > wanted || wakes_at <= now {
                alarm.as_mut().reset(wanted.into());
            }
            tokio::select! {
                () = self.parting.cancelled() => {
                    self.flush().await?;
                    return Err(End::Close(CloseCode::GoingAway.into()));
                }
                filled = self.queue.filled() => {
                    filled.map_err(|code| End::Close(code.into()))?;
                    self.flush().await?;
                }
                () = &mut alarm => {}
                incoming = self.reader.next(), if self.paused_until.is_none() => {
                    // Boxed: keeps the future of an idle connection small.
                    match incoming {
                        Ok(incoming) => Box::pin(self.handle(incoming)).await?,
                        Err(WireError::TooBig) => Box::pin(self.permit()).await?,
                        Err(error) => return Err(end_of(&error)),
                    }
                }
            }
        }
    }

    /// Reads a large message of a client in a room; closes the connection of others
    /// at the frame header.
    async fn permit(&mut self) -> Result<(), End> {
        let inside = self.session.is_inside().await;
        let permitted = inside && self.reader.permit(CLOSING_MESSAGE_BYTES).is_ok();
        permitted.then_some(()).ok_or(End::Abort(Closing::TOO_BIG))
    }

    async fn handle(&mut self, incoming: Incoming) -> Result<(), End> {
        let now = Instant::now();
        self.keep_alive.received(now);
        let bytes = incoming.len();
        let mut kind = Kind::Other;
        match incoming {
            Incoming::Text(text) if text.len() > MAX_MESSAGE_BYTES => {
                let why = format!("the message exceeds {MAX_MESSAGE_BYTES} bytes");
                self.refuse(ErrorCode::MessageTooLarge, why);
            }
            Incoming::Text(text) => kind = self.session.handle_text(&text).await,
            Incoming::Binary(_) => {
                let why = "binary messages are not supported; send JSON in text frames";
                self.refuse(ErrorCode::BadMessage, why);
            }
            Incoming::Ping(payload) => {
                self.queue.put(Outgoing::Pong(&payload));
                self.flush().await?;
            }
            Incoming::Pong => {}
            Incoming::Close(code) => {
                self.queue.put(Outgoing::Close(&code));
                return Err(End::Closed);
            }
        }
        let cost = Cost::of(kind, bytes);
        let verdict = self.rate.as_mut().map(|rate| rate.count(now, cost));
        match verdict.unwrap_or(Verdict::Go) {
            Verdict::Go => Ok(()),
            Verdict::Wait(pause) => {
                self.paused_until = Some(now + pause);
                self.reader.pause(pause);
                Ok(())
            }
            Verdict::TooMuch => {
                self.refuse(ErrorCode::RateLimited, "rate limit exceeded for too long");
                self.flush().await?;
                Err(End::Close(CloseCode::RateLimited.into()))
            }
        }
    }

    fn refuse(&self, code: ErrorCode, why: impl Into<Cow<'static, str>>) {
        self.session
            .refuse(Refusal::new(code, why), Envelope::default());
    }

    /// Sends everything queued, until the connection is to be closed.
    async fn flush(&self) -> Result<(), End> {
        tokio::select! { biased;
            flushed = self.queue.flush() => flushed.map_err(|_| End::Broken),
            () = self.parting.cancelled() => Err(End::Close(CloseCode::GoingAway.into())),
            code = self.queue.closed() => Err(End::Close(code.into())),
            () = sleep_until(self.keep_alive.silent_at().into()) => Err(End::Broken),
        }
    }

    /// Leaves the room first: the room must not wait for a client that does not read.
    async fn finish(mut self, end: End) {
        tracing::info!(?end, "connection closed");
        self.session.end(matches!(end, End::Broken)).await;
        match end {
            End::Broken => return,
            // The reply to its close frame is already queued.
            End::Closed => {}
            End::Close(closing) | End::Abort(closing) => {
                self.queue.put(Outgoing::Close(&closing.payload()));
            }
        }
        let closing_handshake = async {
            let _ = self.queue.flush().await;
            if let End::Close(_) = end {
                while let Ok(incoming) = self.reader.next().await
                    && !matches!(incoming, Incoming::Close(_))
                {}
            }
            // The server closes TCP first (RFC 6455, section 7.1.1).
            let _ = self.queue.shut().await;
            if let End::Abort(_) = end {
                // Closing with unread input resets the connection, and the client
                // could lose the close frame.
                self.reader.drain().await;
            }
        };
        // The timeout covers clients that never reply.
        let _ = timeout(CLOSE_GRACE, closing_handshake).await;
    }
}

fn end_of(error: &WireError) -> End {
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

//! One socket's task: reads, writes, and knows when it is over.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Error;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures_util::SinkExt;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use visavis_protocol::limits::{CLOSING_MESSAGE_BYTES, MAX_MESSAGE_BYTES};
use visavis_protocol::{CloseCode, Envelope, ErrorCode};

use super::keepalive::{Due, KeepAlive};
use super::outbox::{Queue, outbox};
use super::rate::{MessageRate, Verdict};
use crate::hub::Hub;
use crate::id::SocketId;
use crate::refusal::Refusal;
use crate::room::Frame;
use crate::session::{Caller, Session};

/// How long a client has to read why it is closed.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// How a connection ended.
#[derive(Debug)]
enum End {
    /// By the client's close frame.
    Closed,
    /// Without any: its participant may come back.
    Broken,
    /// By us, and why.
    Close(CloseCode),
    /// By us, in the middle of a message that is too large to be read.
    CutOff,
}

struct Connection {
    socket: WebSocket,
    queue: Queue,
    session: Session,
    parting: CancellationToken,
    keep_alive: KeepAlive,
    /// None where rates are off.
    rate: Option<MessageRate>,
    /// Nothing is read until then.
    paused_until: Option<Instant>,
}

pub(super) async fn run(
    socket: WebSocket,
    id: SocketId,
    hub: Arc<Hub>,
    caller: Caller,
    limited: bool,
) {
    let now = Instant::now();
    let limits = &hub.config.limits;
    let (outbox, queue) = outbox();
    let mut connection = Connection {
        socket,
        queue,
        parting: hub.parting.clone(),
        keep_alive: KeepAlive::new(now, limits.ping_interval, limits.silence_limit),
        rate: limited.then(|| MessageRate::new(now, limits.rate_patience)),
        paused_until: None,
        session: Session::begin(hub, caller, id, outbox),
    };
    let Err(end) = connection.serve().await;
    // Not in the future of a connection that lives.
    Box::pin(connection.finish(end)).await;
}

impl Connection {
    async fn serve(&mut self) -> Result<Infallible, End> {
        loop {
            let now = Instant::now();
            match self.keep_alive.due(now) {
                Due::Nothing => {}
                Due::Ping => {
                    self.write(Message::Ping(Bytes::new())).await?;
                    self.flush().await?;
                }
                Due::Silent => return Err(End::Broken),
            }
            self.paused_until = self.paused_until.filter(|until| *until > now);
            let wake = self.keep_alive.deadline();
            let wake = self.paused_until.map_or(wake, |until| until.min(wake));
            tokio::select! {
                () = self.parting.cancelled() => {
                    if let Some(last) = self.queue.waiting() {
                        self.send(last).await?;
                    }
                    return Err(End::Close(CloseCode::GoingAway));
                }
                next = self.queue.next() => self.send(next.map_err(End::Close)?).await?,
                () = sleep_until(wake.into()) => {}
                message = self.socket.recv(), if self.paused_until.is_none() => {
                    self.take(message).await?;
                }
            }
        }
    }

    async fn take(&mut self, message: Option<Result<Message, Error>>) -> Result<(), End> {
        let message = match message {
            None => return Err(End::Broken),
            Some(Err(error)) => return Err(failed(error)),
            Some(Ok(message)) => message,
        };
        let now = Instant::now();
        self.keep_alive.heard(now);
        match message {
            Message::Text(text) if text.len() > CLOSING_MESSAGE_BYTES => {
                return Err(End::Close(CloseCode::TooBig));
            }
            Message::Binary(bytes) if bytes.len() > CLOSING_MESSAGE_BYTES => {
                return Err(End::Close(CloseCode::TooBig));
            }
            Message::Text(text) if text.len() > MAX_MESSAGE_BYTES => {
                let why = format!("a message has at most {MAX_MESSAGE_BYTES} bytes");
                self.refuse(ErrorCode::MessageTooLarge, why);
            }
            Message::Text(text) => Box::pin(self.session.hear(&text)).await,
            Message::Binary(_) => {
                let why = "messages are JSON in text frames; this one is binary";
                self.refuse(ErrorCode::BadMessage, why);
            }
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(_) => return Err(End::Closed),
        }
        let verdict = self.rate.as_mut().map(|rate| rate.count(now));
        match verdict.unwrap_or(Verdict::Go) {
            Verdict::Go => Ok(()),
            Verdict::Wait(pause) => {
                self.paused_until = Some(now + pause);
                Ok(())
            }
            Verdict::TooMuch => {
                self.refuse(ErrorCode::RateLimited, "too many messages for too long");
                while let Some(frame) = self.queue.waiting() {
                    self.write(Message::Text(frame)).await?;
                }
                Err(End::Close(CloseCode::RateLimited))
            }
        }
    }

    fn refuse(&self, code: ErrorCode, why: impl Into<Cow<'static, str>>) {
        self.session
            .refuse(Refusal::new(code, why), Envelope::default());
    }

    /// Sends what waits, in as few writes as it takes.
    async fn send(&mut self, first: Frame) -> Result<(), End> {
        let mut frame = Some(first);
        while let Some(text) = frame {
            self.write(Message::Text(text)).await?;
            frame = self.queue.waiting();
        }
        self.flush().await
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        let written = self.socket.feed(message);
        guarded(written, &self.parting, &self.queue, &self.keep_alive).await
    }

    async fn flush(&mut self) -> Result<(), End> {
        let flushed = self.socket.flush();
        guarded(flushed, &self.parting, &self.queue, &self.keep_alive).await
    }

    /// Tells the room first: it must not wait for a client that does not read.
    async fn finish(mut self, end: End) {
        tracing::info!(?end, "the connection is over");
        self.session.end(matches!(end, End::Broken)).await;
        let close = match end {
            End::Broken => return,
            End::Closed => None,
            End::Close(code) => Some(code),
            End::CutOff => Some(CloseCode::TooBig),
        };
        let goodbye = async {
            if let Some(code) = close {
                let frame = CloseFrame {
                    code: code as u16,
                    reason: Utf8Bytes::default(),
                };
                let _ = self.socket.send(Message::Close(Some(frame))).await;
            }
            if let End::CutOff = end {
                // Nothing can be read any more; a reset at once would overtake the frame.
                std::future::pending::<()>().await;
            }
            while let Some(Ok(_)) = self.socket.recv().await {}
        };
        // Over when the client has closed too, or will not.
        let _ = timeout(CLOSE_GRACE, goodbye).await;
    }
}

/// Waits for a write, but not for a client that does not read.
async fn guarded(
    write: impl Future<Output = Result<(), Error>>,
    parting: &CancellationToken,
    queue: &Queue,
    keep_alive: &KeepAlive,
) -> Result<(), End> {
    tokio::select! { biased;
        written = write => written.map_err(|_| End::Broken),
        () = parting.cancelled() => Err(End::Close(CloseCode::GoingAway)),
        code = queue.closed() => Err(End::Close(code)),
        () = sleep_until(keep_alive.silent_at().into()) => Err(End::Broken),
    }
}

fn failed(error: Error) -> End {
    match error.into_inner().downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Capacity(_)) => End::CutOff,
        _ => End::Broken,
    }
}

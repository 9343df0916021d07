//! Messages from the client, assembled from frames.
//!
//! An idle connection holds no buffer: every socket is read into a scratch buffer
//! of its thread. A WebSocket library keeps several buffers per connection.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::header::{Head, close_reply};
use super::{CLOSE, CONTINUATION, Incoming, PING, PONG, TEXT, WireError};
use crate::socket::budget::{Budget, Share};

/// Bytes per read.
const READ_BYTES: usize = 32 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

pub(crate) struct Reader<S> {
    stream: S,
    limits: ReadLimits,
    /// Longest message, in bytes. More than `limits.message` for a message that was
    /// [permitted](Self::permit).
    max_message: usize,
    /// Time limit of an unfinished message; `None` where there is none.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Bytes that the unfinished message holds.
    share: Share,
    /// Received bytes; those before `taken` are parsed.
    unread: Vec<u8>,
    taken: usize,
    /// Opcode and payload of a message whose last fragment is outstanding.
    fragments: Option<(u8, Vec<u8>)>,
}

/// Bounds of what is read from one socket.
#[derive(Clone)]
pub(crate) struct ReadLimits {
    /// Longest message, in bytes.
    pub message: usize,
    /// Longest time from the first byte of a message to its last.
    pub deadline: Duration,
    /// Memory of the unfinished messages of all sockets.
    pub budget: Arc<Budget>,
}

impl<S: AsyncRead + Unpin> Reader<S> {
    /// A socket after the handshake; `unread` arrived together with it.
    pub fn new(stream: S, unread: &[u8], limits: ReadLimits) -> Self {
        Self {
            stream,
            max_message: limits.message,
            deadline: None,
            share: Share::of(Arc::clone(&limits.budget)),
            limits,
            unread: unread.to_vec(),
            taken: 0,
            fragments: None,
        }
    }

    /// Waits for the next message or control frame. Cancel safe.
    ///
    /// # Errors
    /// When nothing more can be read.
    pub async fn next(&mut self) -> Result<Incoming, WireError> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Allows the message that was just refused with [`WireError::TooBig`], and no
    /// later one, this many bytes.
    ///
    /// # Errors
    /// When it exceeds those too.
    pub fn permit(&mut self, bytes: usize) -> Result<(), WireError> {
        if self.max_message >= bytes {
            return Err(WireError::TooBig);
        }
        self.max_message = bytes;
        Ok(())
    }

    /// Extends the deadline of an unfinished message by a time without reading.
    pub fn pause(&mut self, pause: Duration) {
        if let Some(deadline) = &mut self.deadline {
            let extended = deadline.deadline() + pause;
            deadline.as_mut().reset(extended);
        }
    }

    /// Reads and drops everything until the end of the stream.
    pub async fn drain(&mut self) {
        self.unread = Vec::new();
        self.fragments = None;
        let drain = |context: &mut Context<'_>| loop {
            let read = SCRATCH.with_borrow_mut(|scratch| {
                let mut read = ReadBuf::new(scratch);
                ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
                Poll::Ready(io::Result::Ok(read.filled().len()))
            });
            match ready!(read) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        };
        poll_fn(drain).await;
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Incoming, WireError>> {
        loop {
            if let Some(incoming) = self.take()? {
                return Poll::Ready(Ok(incoming));
            }
            self.unread.drain(..self.taken);
            self.taken = 0;
            if self.unread.is_empty() {
                self.unread = Vec::new();
            }
            let held = self.fragments.as_ref().map_or(0, |(_, m)| m.capacity());
            let privileged = self.max_message > self.limits.message;
            if !self.share.hold(held + self.unread.capacity(), privileged) {
                return Poll::Ready(Err(WireError::Crowded));
            }
            let received = SCRATCH.with_borrow_mut(|scratch| {
                let mut read = ReadBuf::new(scratch);
                ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
                self.unread.extend_from_slice(read.filled());
                Poll::Ready(io::Result::Ok(read.filled().len()))
            });
            match received? {
                Poll::Ready(1..) => {}
                Poll::Ready(0) => {
                    return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
                }
                Poll::Pending => {
                    ready!(self.poll_deadline(context));
                    return Poll::Ready(Err(WireError::Late));
                }
            }
        }
    }

    /// Waits for the deadline of the unfinished message, if there is one.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.unread.is_empty() && self.fragments.is_none() {
            self.deadline = None;
            return Poll::Pending;
        }
        let limit = self.limits.deadline;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(limit)));
        deadline.as_mut().poll(context)
    }

    /// Parses the next message or control frame from the received bytes, if complete.
    fn take(&mut self) -> Result<Option<Incoming>, WireError> {
        loop {
            let unread = &self.unread[self.taken..];
            let Some(head) = Head::read(unread)? else {
                return Ok(None);
            };
            let before = self
                .fragments
                .as_ref()
                .map_or(0, |(_, payload)| payload.len());
            let left = self.max_message.saturating_sub(before);
            if !head.is_control() && head.payload > left {
                return Err(WireError::TooBig);
            }
            let end = head.length + head.payload;
            let Some(payload) = unread.get(head.length..end) else {
                return Ok(None);
            };
            let mut payload = payload.to_vec();
            for (index, byte) in payload.iter_mut().enumerate() {
                *byte ^= head.mask[index % 4];
            }
            self.taken += end;
            if let Some(incoming) = self.accept(&head, payload)? {
                if self.fragments.is_none() {
                    self.deadline = None;
                }
                if !head.is_control() {
                    self.max_message = self.limits.message;
                }
                return Ok(Some(incoming));
            }
        }
    }

    /// Accepts a whole frame; returns the message that it completes.
    fn accept(&mut self, head: &Head, payload: Vec<u8>) -> Result<Option<Incoming>, WireError> {
        let (opcode, payload) = match head.opcode {
            PING => return Ok(Some(Incoming::Ping(payload))),
            PONG => return Ok(Some(Incoming::Pong)),
            CLOSE => return close_reply(&payload).map(|reply| Some(Incoming::Close(reply))),
            CONTINUATION => {
                let Some((opcode, mut message)) = self.fragments.take() else {
                    return Err(WireError::Protocol(
                        "a continuation without a first fragment",
                    ));
                };
                message.extend(payload);
                (opcode, message)
            }
            opcode if self.fragments.is_none() => (opcode, payload),
            _ => {
                return Err(WireError::Protocol(
                    "a new message before the last fragment of the previous one",
                ));
            }
        };
        if !head.is_final {
            self.fragments = Some((opcode, payload));
            return Ok(None);
        }
        Ok(Some(match opcode {
            // Checked here only: a character may be split between fragments.
            TEXT => Incoming::Text(String::from_utf8(payload).map_err(|_| WireError::Text)?),
            _ => Incoming::Binary(payload.len()),
        }))
    }
}

#[cfg(test)]
mod tests;

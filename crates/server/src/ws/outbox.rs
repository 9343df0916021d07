//! What waits to be sent on one socket. An idle one costs next to nothing: what
//! was sent is given back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Notify;
use visavis_protocol::CloseCode;

use crate::room::Frame;

/// Server to socket: full ends the connection with 4008.
const QUEUE_MESSAGES: usize = 4_096;
/// The same in bytes.
const QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// The sending end of a socket. It never waits: a client that does not read
/// loses its connection, not the others' time.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Shared>);

/// The socket's end of it.
pub(super) struct Queue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    filled: Notify,
    /// Why the connection is to end.
    close: OnceLock<CloseCode>,
    closed: Notify,
}

#[derive(Default)]
struct Waiting {
    frames: VecDeque<Frame>,
    bytes: usize,
}

pub(super) fn outbox() -> (Outbox, Queue) {
    let shared = Arc::<Shared>::default();
    (Outbox(Arc::clone(&shared)), Queue(shared))
}

impl Outbox {
    /// Queues a message.
    pub fn send(&self, frame: Frame) {
        let mut waiting = self.0.waiting();
        waiting.bytes += frame.len();
        waiting.frames.push_back(frame);
        let full = waiting.bytes > QUEUE_BYTES || waiting.frames.len() > QUEUE_MESSAGES;
        drop(waiting);
        self.0.filled.notify_one();
        if full {
            self.close(CloseCode::TooSlow);
        }
    }

    /// Ends the connection; the first reason counts.
    pub fn close(&self, code: CloseCode) {
        if self.0.close.set(code).is_ok() {
            self.0.closed.notify_one();
        }
    }
}

impl Queue {
    /// Waits for the next message, or for the reason to end the connection.
    pub async fn next(&mut self) -> Result<Frame, CloseCode> {
        loop {
            if let Some(code) = self.0.close.get() {
                return Err(*code);
            }
            if let Some(frame) = self.waiting() {
                return Ok(frame);
            }
            tokio::select! {
                code = self.0.closed() => return Err(code),
                () = self.0.filled.notified() => {}
            }
        }
    }

    /// The next message, if one waits.
    pub fn waiting(&mut self) -> Option<Frame> {
        let mut waiting = self.0.waiting();
        let frame = waiting.frames.pop_front()?;
        waiting.bytes -= frame.len();
        if waiting.frames.is_empty() {
            waiting.frames = VecDeque::new();
        }
        Some(frame)
    }

    /// Waits for the reason to end the connection.
    pub async fn closed(&self) -> CloseCode {
        self.0.closed().await
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn closed(&self) -> CloseCode {
        loop {
            let closed = self.closed.notified();
            if let Some(code) = self.close.get() {
                return *code;
            }
            closed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_closed(queue: &Queue) -> bool {
        queue.0.close.get().is_some()
    }

    #[test]
    fn a_full_queue_closes_the_connection_by_messages_and_by_bytes() {
        let (outbox, queue) = outbox();
        for _ in 0..QUEUE_MESSAGES {
            outbox.send(Frame::from("x"));
        }
        assert!(!is_closed(&queue));
        outbox.send(Frame::from("x"));
        assert!(is_closed(&queue));

        let (outbox, queue) = super::outbox();
        let frame = Frame::from("x".repeat(QUEUE_BYTES / 4));
        for _ in 0..4 {
            outbox.send(frame.clone());
        }
        assert!(!is_closed(&queue));
        outbox.send(Frame::from("x"));
        assert!(is_closed(&queue));
    }

    #[tokio::test]
    async fn what_was_taken_makes_room() {
        let (outbox, mut queue) = outbox();
        let frame = Frame::from("x".repeat(QUEUE_BYTES));
        for _ in 0..3 {
            outbox.send(frame.clone());
            assert_eq!(queue.next().await, Ok(frame.clone()));
        }
        assert!(queue.waiting().is_none() && !is_closed(&queue));
    }

    #[tokio::test]
    async fn the_first_reason_to_close_counts() {
        let (outbox, queue) = outbox();
        outbox.close(CloseCode::Replaced);
        outbox.close(CloseCode::TooSlow);
        assert_eq!(queue.closed().await, CloseCode::Replaced);
    }
}

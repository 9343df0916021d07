//! What waits to be sent on one socket.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::{Notify, mpsc};
use visavis_protocol::CloseCode;

use crate::room::Frame;

/// Server to socket: full ends the connection with 4008.
const QUEUE_MESSAGES: usize = 4_096;
/// The same in bytes.
const QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// The sending end of a socket. It never waits: a client that does not read
/// loses its connection, not the others' time.
#[derive(Clone)]
pub(crate) struct Outbox {
    queue: mpsc::Sender<Frame>,
    shared: Arc<Shared>,
}

/// The socket's end of it.
pub(super) struct Queue {
    frames: mpsc::Receiver<Frame>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    bytes: AtomicUsize,
    /// Why the connection is to end.
    close: OnceLock<CloseCode>,
    closed: Notify,
}

pub(super) fn outbox() -> (Outbox, Queue) {
    let (queue, frames) = mpsc::channel(QUEUE_MESSAGES);
    let shared = Arc::<Shared>::default();
    let outbox = Outbox {
        queue,
        shared: Arc::clone(&shared),
    };
    (outbox, Queue { frames, shared })
}

impl Outbox {
    /// Queues a message.
    pub fn send(&self, frame: Frame) {
        let size = frame.len();
        let waiting = self.shared.bytes.fetch_add(size, Ordering::Relaxed);
        if waiting + size > QUEUE_BYTES || self.queue.try_send(frame).is_err() {
            self.close(CloseCode::TooSlow);
        }
    }

    /// Ends the connection; the first reason counts.
    pub fn close(&self, code: CloseCode) {
        if self.shared.close.set(code).is_ok() {
            self.shared.closed.notify_one();
        }
    }
}

impl Queue {
    /// Waits for the next message, or for the reason to end the connection.
    pub async fn next(&mut self) -> Result<Frame, CloseCode> {
        tokio::select! { biased;
            code = self.shared.closed() => Err(code),
            Some(frame) = self.frames.recv() => Ok(self.shared.taken(frame)),
        }
    }

    /// The next message, if one waits.
    pub fn waiting(&mut self) -> Option<Frame> {
        let frame = self.frames.try_recv().ok()?;
        Some(self.shared.taken(frame))
    }

    /// Waits for the reason to end the connection.
    pub async fn closed(&self) -> CloseCode {
        self.shared.closed().await
    }
}

impl Shared {
    fn taken(&self, frame: Frame) -> Frame {
        self.bytes.fetch_sub(frame.len(), Ordering::Relaxed);
        frame
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
        queue.shared.close.get().is_some()
    }

    #[test]
    fn a_full_queue_closes_the_connection_by_messages_and_by_bytes() {
        let (outbox, queue) = outbox();
        for _ in 0..QUEUE_MESSAGES {
            outbox.send(Frame::from_static("x"));
        }
        assert!(!is_closed(&queue));
        outbox.send(Frame::from_static("x"));
        assert!(is_closed(&queue));

        let (outbox, queue) = super::outbox();
        let frame = Frame::from("x".repeat(QUEUE_BYTES / 4));
        for _ in 0..4 {
            outbox.send(frame.clone());
        }
        assert!(!is_closed(&queue));
        outbox.send(Frame::from_static("x"));
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

//! The send queue of one socket. The sender writes directly, as far as the socket
//! accepts bytes without blocking: waking the socket's task would cost as much as
//! the write. The task sends the rest. An idle queue holds no buffer: its memory is
//! freed once everything is sent.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::AsyncWrite;
use tokio::sync::Notify;
use visavis_protocol::CloseCode;

use super::frames::Outgoing;

/// Messages in the queue; past it the connection is closed with 4008.
const QUEUE_MESSAGES: usize = 4_096;
/// Bytes in the queue; past it the connection is closed with 4008.
const QUEUE_BYTES: usize = 4 * 1024 * 1024;
/// Bytes gathered for one write.
const WRITE_BYTES: usize = 64 * 1024;

/// A serialised message; copies share the bytes.
pub(crate) type Frame = Arc<str>;

/// The writing half of the socket.
pub(crate) type Sink = Box<dyn AsyncWrite + Send + Unpin>;

/// The sending end. It never blocks: a client that does not read loses its
/// connection and delays nobody.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Shared>);

/// The end of the socket's task. Dropping it closes the sink.
pub(crate) struct Queue(Arc<Shared>);

struct Shared {
    unsent: Mutex<Unsent>,
    /// Wakes the socket's task.
    filled: Notify,
    /// Why the connection is closed.
    close: OnceLock<CloseCode>,
    closed: Notify,
}

struct Unsent {
    /// None once the connection is over.
    sink: Option<Sink>,
    /// Encoded frames; the bytes before `written` are sent.
    bytes: Vec<u8>,
    written: usize,
    /// Whether the sink may hold unflushed bytes.
    unflushed: bool,
    /// Messages that are not encoded yet.
    frames: VecDeque<Frame>,
    /// Bytes of those messages.
    length: usize,
    /// Whether a close frame was queued; nothing may follow it.
    ended: bool,
}

pub(crate) fn outbox(sink: Sink) -> (Outbox, Queue) {
    let shared = Arc::new(Shared {
        unsent: Mutex::new(Unsent {
            sink: Some(sink),
            bytes: Vec::new(),
            written: 0,
            unflushed: false,
            frames: VecDeque::new(),
            length: 0,
            ended: false,
        }),
        filled: Notify::new(),
        close: OnceLock::new(),
        closed: Notify::new(),
    });
    (Outbox(Arc::clone(&shared)), Queue(shared))
}

impl Outbox {
    /// Sends a message, or queues it behind others.
    pub fn send(&self, frame: Frame) {
        let mut unsent = self.0.unsent();
        if unsent.ended {
            return;
        }
        let waits = !unsent.is_empty();
        unsent.length += frame.len();
        unsent.frames.push_back(frame);
        // While others wait, the task has registered its waker with the socket; a poll
        // here would replace that waker.
        let sent = waits || {
            let mut no_waker = Context::from_waker(Waker::noop());
            matches!(unsent.poll_flush(&mut no_waker), Poll::Ready(Ok(())))
        };
        let full = unsent.length > QUEUE_BYTES || unsent.frames.len() > QUEUE_MESSAGES;
        drop(unsent);
        if !sent {
            self.0.filled.notify_one();
        }
        if full {
            self.close(CloseCode::TooSlow);
        }
    }

    /// Closes the connection; the first reason counts.
    pub fn close(&self, code: CloseCode) {
        if self.0.close.set(code).is_ok() {
            self.0.closed.notify_one();
        }
    }
}

impl Queue {
    /// Waits until messages are queued.
    ///
    /// # Errors
    /// The reason to close the connection.
    pub async fn filled(&self) -> Result<(), CloseCode> {
        loop {
            if let Some(code) = self.0.close.get() {
                return Err(*code);
            }
            if !self.0.unsent().is_empty() {
                return Ok(());
            }
            tokio::select! {
                code = self.closed() => return Err(code),
                () = self.0.filled.notified() => {}
            }
        }
    }

    /// Queues a control frame before the messages; a close frame replaces them.
    pub fn put(&self, control: Outgoing<'_>) {
        let mut unsent = self.0.unsent();
        if unsent.ended {
            return;
        }
        control.write(&mut unsent.bytes);
        if let Outgoing::Close(_) = control {
            unsent.ended = true;
            unsent.frames = VecDeque::new();
        }
    }

    /// Sends everything queued. Cancel safe: the next call continues.
    ///
    /// # Errors
    /// When the socket failed.
    pub async fn flush(&self) -> io::Result<()> {
        poll_fn(|context| self.0.unsent().poll_flush(context)).await
    }

    /// Shuts down the sending direction.
    ///
    /// # Errors
    /// When the socket failed.
    pub async fn shut(&self) -> io::Result<()> {
        poll_fn(|context| match &mut self.0.unsent().sink {
            Some(sink) => Pin::new(sink).poll_shutdown(context),
            None => Poll::Ready(Ok(())),
        })
        .await
    }

    /// Waits for the reason to close the connection.
    pub async fn closed(&self) -> CloseCode {
        loop {
            let closed = self.0.closed.notified();
            if let Some(code) = self.0.close.get() {
                return *code;
            }
            closed.await;
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let mut unsent = self.0.unsent();
        unsent.ended = true;
        unsent.sink = None;
        unsent.bytes = Vec::new();
        unsent.frames = VecDeque::new();
    }
}

impl Shared {
    fn unsent(&self) -> MutexGuard<'_, Unsent> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unsent {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.frames.is_empty() && !self.unflushed
    }

    /// Writes everything, in as few writes as possible.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.bytes.is_empty() {
                self.gather();
            }
            let Some(sink) = &mut self.sink else {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            };
            if self.bytes.is_empty() {
                ready!(Pin::new(sink).poll_flush(context))?;
                self.unflushed = false;
                return Poll::Ready(Ok(()));
            }
            self.unflushed = true;
            match ready!(Pin::new(sink).poll_write(context, &self.bytes[self.written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
            if self.written == self.bytes.len() {
                self.bytes = Vec::new();
                self.written = 0;
            }
        }
    }

    /// Encodes queued messages for the next write.
    fn gather(&mut self) {
        while self.bytes.len() < WRITE_BYTES
            && let Some(frame) = self.frames.pop_front()
        {
            self.length -= frame.len();
            Outgoing::Text(&frame).write(&mut self.bytes);
        }
        if self.frames.is_empty() {
            self.frames = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;

    fn stalled() -> (Outbox, Queue, DuplexStream) {
        let (client, sink) = duplex(1);
        let (outbox, queue) = outbox(Box::new(sink));
        (outbox, queue, client)
    }

    fn is_closed(queue: &Queue) -> bool {
        queue.0.close.get().is_some()
    }

    #[test]
    fn a_full_queue_closes_the_connection_by_messages_and_by_bytes() {
        let (outbox, queue, _client) = stalled();
        // The first is being written.
        for _ in 0..=QUEUE_MESSAGES {
            outbox.send(Frame::from("x"));
        }
        assert!(!is_closed(&queue));
        outbox.send(Frame::from("x"));
        assert!(is_closed(&queue));

        let (outbox, queue, _client) = stalled();
        let frame = Frame::from("x".repeat(QUEUE_BYTES / 4));
        for _ in 0..5 {
            outbox.send(frame.clone());
        }
        assert!(!is_closed(&queue));
        outbox.send(Frame::from("x"));
        assert!(is_closed(&queue));
    }

    #[tokio::test]
    async fn sent_messages_free_their_memory() {
        let (mut client, sink) = duplex(2 * QUEUE_BYTES);
        let (outbox, queue) = outbox(Box::new(sink));
        let frame = Frame::from("x".repeat(QUEUE_BYTES));
        for _ in 0..3 {
            outbox.send(frame.clone());
            client
                .read_exact(&mut vec![0; 10 + QUEUE_BYTES])
                .await
                .unwrap();
        }
        let unsent = queue.0.unsent();
        assert!(unsent.is_empty() && !is_closed(&queue));
        assert_eq!((unsent.bytes.capacity(), unsent.frames.capacity()), (0, 0));
    }

    #[tokio::test]
    async fn the_first_reason_to_close_counts() {
        let (outbox, queue, _client) = stalled();
        outbox.close(CloseCode::Replaced);
        outbox.close(CloseCode::TooSlow);
        assert_eq!(queue.closed().await, CloseCode::Replaced);
    }

    #[tokio::test]
    async fn the_task_is_not_woken_when_the_socket_accepts_everything() {
        let (mut client, sink) = duplex(100);
        let (outbox, queue) = outbox(Box::new(sink));
        outbox.send(Frame::from("one"));
        assert!(queue.filled().now_or_never().is_none());
        let mut received = [0; 5];
        client.read_exact(&mut received).await.unwrap();
        assert_eq!(&received, b"\x81\x03one");
    }

    #[tokio::test]
    async fn frames_stay_whole_and_in_order_when_the_socket_accepts_few_bytes() {
        let (mut client, sink) = duplex(3);
        let (outbox, queue) = outbox(Box::new(sink));
        let sent = [
            &b"\x81\x05first"[..],
            b"\x8a\x01!\x89\x00",
            b"\x81\x06second",
            b"\x81\x05third",
            b"\x88\x02\x03\xe8",
        ];
        let sent = sent.concat();
        let serve = async {
            outbox.send(Frame::from("first"));
            outbox.send(Frame::from("second"));
            queue.put(Outgoing::Pong(b"!"));
            queue.put(Outgoing::Ping);
            queue.filled().await.unwrap();
            queue.flush().await.unwrap();
            outbox.send(Frame::from("third"));
            queue.filled().await.unwrap();
            queue.flush().await.unwrap();
            queue.put(Outgoing::Close(&[3, 0xe8]));
            outbox.send(Frame::from("too late"));
            queue.put(Outgoing::Ping);
            queue.flush().await.unwrap();
            drop(queue);
            outbox.send(Frame::from("later still"));
        };
        let mut received = Vec::new();
        let (_, read) = tokio::join!(serve, client.read_to_end(&mut received));
        read.unwrap();
        assert_eq!(received, sent);
    }

    #[tokio::test]
    async fn a_send_during_a_flush_keeps_the_waker_of_the_task() {
        let (outbox, queue, mut client) = stalled();
        outbox.send(Frame::from("first"));
        let flush = tokio::spawn(async move { queue.flush().await });
        tokio::task::yield_now().await;
        outbox.send(Frame::from("second"));
        let mut received = [0; 7 + 8];
        client.read_exact(&mut received).await.unwrap();
        assert_eq!(&received, b"\x81\x05first\x81\x06second");
        flush.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_close_frame_replaces_queued_messages() {
        let (outbox, queue, mut client) = stalled();
        outbox.send(Frame::from("begun"));
        outbox.send(Frame::from("dropped"));
        queue.put(Outgoing::Close(&[]));
        let mut received = Vec::new();
        let flush = async {
            queue.flush().await.unwrap();
            queue.shut().await.unwrap();
        };
        tokio::join!(flush, async {
            client.read_to_end(&mut received).await.unwrap()
        });
        assert_eq!(received, b"\x81\x05begun\x88\x00");
    }

    #[tokio::test]
    async fn a_failed_socket_is_reported_to_the_task() {
        let (outbox, queue, client) = stalled();
        drop(client);
        outbox.send(Frame::from("x"));
        queue.filled().await.unwrap();
        assert!(queue.flush().await.is_err());
    }
}

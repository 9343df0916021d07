//! What is to be sent on one socket. Whoever sends writes it, as far as the socket
//! takes it at once: waking its task for that would take as long again. The task
//! sends what is left. An idle one costs next to nothing: what was sent is given
//! back.

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

/// Server to socket: full ends the connection with 4008.
const QUEUE_MESSAGES: usize = 4_096;
/// The same in bytes.
const QUEUE_BYTES: usize = 4 * 1024 * 1024;
/// What is gathered before it is written.
const WRITE_BYTES: usize = 64 * 1024;

/// A serialised message; copies share the bytes.
pub(crate) type Frame = Arc<str>;

/// The writing half of the socket.
pub(crate) type Sink = Box<dyn AsyncWrite + Send + Unpin>;

/// The sending end of a socket. It never waits: a client that does not read
/// loses its connection, not the others' time.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Shared>);

/// The socket's task's end of it. Dropped, it closes the sink.
pub(crate) struct Queue(Arc<Shared>);

struct Shared {
    unsent: Mutex<Unsent>,
    /// The socket's task has something to do.
    filled: Notify,
    /// Why the connection is to end.
    close: OnceLock<CloseCode>,
    closed: Notify,
}

struct Unsent {
    /// None once the connection is over.
    sink: Option<Sink>,
    /// Whole frames of the wire, but for the first: that from `written` on.
    bytes: Vec<u8>,
    written: usize,
    /// What the sink may not have passed on yet.
    unflushed: bool,
    /// What follows, and its length.
    frames: VecDeque<Frame>,
    length: usize,
    /// Nothing may follow a close frame.
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
    /// Sends a message, or has it wait behind others.
    pub fn send(&self, frame: Frame) {
        let mut unsent = self.0.unsent();
        if unsent.ended {
            return;
        }
        let waits = !unsent.is_empty();
        unsent.length += frame.len();
        unsent.frames.push_back(frame);
        // Where others wait, the task waits for the socket itself, and is not to be
        // forgotten by it.
        let sent = waits || {
            let mut nobody = Context::from_waker(Waker::noop());
            matches!(unsent.poll_flush(&mut nobody), Poll::Ready(Ok(())))
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

    /// Ends the connection; the first reason counts.
    pub fn close(&self, code: CloseCode) {
        if self.0.close.set(code).is_ok() {
            self.0.closed.notify_one();
        }
    }
}

impl Queue {
    /// Waits until something is left to be sent, or for the reason to end the
    /// connection.
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

    /// Puts a control frame before the messages that wait; a close frame in their
    /// place.
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

    /// Sends what waits. What is not sent when the future is dropped is sent by the
    /// next one.
    ///
    /// # Errors
    /// When the socket broke.
    pub async fn flush(&self) -> io::Result<()> {
        poll_fn(|context| self.0.unsent().poll_flush(context)).await
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// When the socket broke.
    pub async fn shut(&self) -> io::Result<()> {
        poll_fn(|context| match &mut self.0.unsent().sink {
            Some(sink) => Pin::new(sink).poll_shutdown(context),
            None => Poll::Ready(Ok(())),
        })
        .await
    }

    /// Waits for the reason to end the connection.
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

    /// Writes all of it, in as few writes as it takes.
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

    /// Frames messages that wait, as many as are written at once.
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
    async fn what_was_sent_makes_room_and_is_given_back() {
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
    async fn the_task_has_nothing_to_do_where_the_socket_takes_all() {
        let (mut client, sink) = duplex(100);
        let (outbox, queue) = outbox(Box::new(sink));
        outbox.send(Frame::from("one"));
        assert!(queue.filled().now_or_never().is_none());
        let mut come = [0; 5];
        client.read_exact(&mut come).await.unwrap();
        assert_eq!(&come, b"\x81\x03one");
    }

    #[tokio::test]
    async fn frames_stay_whole_and_in_order_however_little_the_socket_takes() {
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
        let mut come = Vec::new();
        let (_, read) = tokio::join!(serve, client.read_to_end(&mut come));
        read.unwrap();
        assert_eq!(come, sent);
    }

    #[tokio::test]
    async fn who_sends_meanwhile_does_not_have_the_task_forgotten() {
        let (outbox, queue, mut client) = stalled();
        outbox.send(Frame::from("first"));
        let flush = tokio::spawn(async move { queue.flush().await });
        tokio::task::yield_now().await;
        outbox.send(Frame::from("second"));
        let mut come = [0; 7 + 8];
        client.read_exact(&mut come).await.unwrap();
        assert_eq!(&come, b"\x81\x05first\x81\x06second");
        flush.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_close_frame_takes_the_place_of_what_waits() {
        let (outbox, queue, mut client) = stalled();
        outbox.send(Frame::from("begun"));
        outbox.send(Frame::from("dropped"));
        queue.put(Outgoing::Close(&[]));
        let mut come = Vec::new();
        let flush = async {
            queue.flush().await.unwrap();
            queue.shut().await.unwrap();
        };
        tokio::join!(flush, async {
            client.read_to_end(&mut come).await.unwrap()
        });
        assert_eq!(come, b"\x81\x05begun\x88\x00");
    }

    #[tokio::test]
    async fn a_broken_socket_is_its_tasks_to_find() {
        let (outbox, queue, client) = stalled();
        drop(client);
        outbox.send(Frame::from("x"));
        queue.filled().await.unwrap();
        assert!(queue.flush().await.is_err());
    }
}

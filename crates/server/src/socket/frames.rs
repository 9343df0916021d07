//! The frame codec of RFC 6455, server side.
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

use super::budget::{Budget, Share};

/// Bytes per read.
const READ_BYTES: usize = 32 * 1024;
/// Longest payload of a control frame (RFC 6455, section 5.5).
const MAX_CONTROL_BYTES: usize = 125;

const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// A message or control frame from the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Text(String),
    /// A binary message of this many bytes; its content is dropped.
    Binary(usize),
    /// The pong carries the same payload.
    Ping(Vec<u8>),
    Pong,
    /// The client's close frame; its reply has this payload.
    Close(Vec<u8>),
}

impl Incoming {
    /// Bytes of the payload.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => *bytes,
            Self::Ping(payload) | Self::Close(payload) => payload.len(),
            Self::Pong => 0,
        }
    }
}

/// A message or control frame to the client.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outgoing<'a> {
    Text(&'a str),
    Ping,
    Pong(&'a [u8]),
    /// The last frame of a connection.
    Close(&'a [u8]),
}

/// Why nothing more can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("the socket failed")]
    Broken(#[from] io::Error),
    #[error("the message is too large")]
    TooBig,
    #[error("the message took too long to arrive")]
    Late,
    #[error("too many unfinished messages on this server")]
    Crowded,
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    #[error("text that is not UTF-8")]
    Text,
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

/// The header of a frame.
struct Head {
    is_final: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Bytes of the header.
    length: usize,
    /// Bytes of the payload that follows.
    payload: usize,
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

/// The payload of the reply to a close frame: the same code, if there is one.
///
/// # Errors
/// For a payload that RFC 6455, sections 5.5.1 and 7.4, does not allow, or a code that
/// is not assigned.
fn close_reply(payload: &[u8]) -> Result<Vec<u8>, WireError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return match payload {
            [] => Ok(Vec::new()),
            _ => Err(WireError::Protocol("a close code of one byte")),
        };
    };
    if !matches!(u16::from_be_bytes(*code), 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(WireError::Protocol("an invalid close code"));
    }
    match str::from_utf8(reason) {
        Ok(_) => Ok(code.to_vec()),
        Err(_) => Err(WireError::Protocol("a close reason that is not UTF-8")),
    }
}

impl Outgoing<'_> {
    /// Appends the frame. A server does not mask (section 5.1).
    pub fn write(self, to: &mut Vec<u8>) {
        let (opcode, payload) = match self {
            Self::Text(text) => (TEXT, text.as_bytes()),
            Self::Ping => (PING, &[][..]),
            Self::Pong(payload) => (PONG, payload),
            Self::Close(code) => (CLOSE, code),
        };
        to.reserve(payload.len() + 10);
        to.push(FINAL | opcode);
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(length @ ..126), _) => to.push(length),
            (_, Ok(length)) => {
                to.push(126);
                to.extend(length.to_be_bytes());
            }
            _ => {
                to.push(127);
                to.extend((payload.len() as u64).to_be_bytes());
            }
        }
        to.extend_from_slice(payload);
    }
}

impl Head {
    fn is_control(&self) -> bool {
        matches!(self.opcode, CLOSE | PING | PONG)
    }

    /// Parses a header (section 5.2); `None` while bytes of it are missing.
    fn read(bytes: &[u8]) -> Result<Option<Self>, WireError> {
        let &[first, second, ..] = bytes else {
            return Ok(None);
        };
        let opcode = first & 0x0f;
        let is_final = first & FINAL != 0;
        if first & RESERVED != 0 {
            return Err(WireError::Protocol(
                "reserved bits without a negotiated extension",
            ));
        }
        if second & MASKED == 0 {
            return Err(WireError::Protocol("an unmasked frame"));
        }
        let (payload, length) = match second & !MASKED {
            126 => match bytes.get(2..).and_then(<[u8]>::first_chunk) {
                Some(length) => (u64::from(u16::from_be_bytes(*length)), 4),
                None => return Ok(None),
            },
            127 => match bytes.get(2..).and_then(<[u8]>::first_chunk) {
                Some(length) => (u64::from_be_bytes(*length), 10),
                None => return Ok(None),
            },
            length => (u64::from(length), 2),
        };
        if payload > i64::MAX as u64 {
            return Err(WireError::Protocol("a length of 64 bits"));
        }
        if length == 4 && payload < 126 || length == 10 && payload <= u64::from(u16::MAX) {
            return Err(WireError::Protocol("a length in more bytes than it needs"));
        }
        let payload = usize::try_from(payload).map_err(|_| WireError::TooBig)?;
        match opcode {
            CONTINUATION | TEXT | BINARY => {}
            CLOSE | PING | PONG if is_final && payload <= MAX_CONTROL_BYTES => {}
            CLOSE | PING | PONG => {
                return Err(WireError::Protocol(
                    "a control frame that is fragmented or longer than 125 bytes",
                ));
            }
            _ => return Err(WireError::Protocol("an unknown opcode")),
        }
        let Some(mask) = bytes.get(length..).and_then(<[u8]>::first_chunk) else {
            return Ok(None);
        };
        Ok(Some(Self {
            is_final,
            opcode,
            mask: *mask,
            length: length + mask.len(),
            payload,
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const MOST: usize = 1_000_000;

    fn wire() -> (Reader<DuplexStream>, DuplexStream) {
        wire_with(ReadLimits {
            message: MOST,
            deadline: Duration::from_secs(10),
            budget: Budget::new(100 * MOST),
        })
    }

    fn wire_with(limits: ReadLimits) -> (Reader<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(4 * MOST);
        (Reader::new(ours, &[], limits), theirs)
    }

    /// A masked frame, as clients send it.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            length @ ..126 => frame.push(MASKED | length as u8),
            length @ ..0x1_0000 => {
                frame.push(MASKED | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(MASKED | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
        frame
    }

    async fn all(wire: &mut Reader<DuplexStream>) -> (Vec<Incoming>, WireError) {
        let mut incoming = Vec::new();
        loop {
            match wire.next().await {
                Ok(one) => incoming.push(one),
                Err(error) => return (incoming, error),
            }
        }
    }

    async fn received(bytes: &[u8]) -> (Vec<Incoming>, WireError) {
        let (mut wire, mut client) = wire();
        client.write_all(bytes).await.unwrap();
        drop(client);
        all(&mut wire).await
    }

    fn text(text: &str) -> Incoming {
        Incoming::Text(text.to_owned())
    }

    #[tokio::test]
    async fn fragments_are_joined_and_control_frames_may_come_between_them() {
        let bytes = [
            frame(FINAL | TEXT, b"one"),
            frame(TEXT, b"t"),
            frame(FINAL | PING, b"?"),
            frame(CONTINUATION, b""),
            frame(FINAL | CONTINUATION, b"wo"),
            frame(FINAL | BINARY, &[0xff; 70_000]),
            frame(FINAL | PONG, b""),
            frame(FINAL | CLOSE, &1000_u16.to_be_bytes()),
        ];
        let (incoming, end) = received(&bytes.concat()).await;
        let expected = [
            text("one"),
            Incoming::Ping(b"?".to_vec()),
            text("two"),
            Incoming::Binary(70_000),
            Incoming::Pong,
            Incoming::Close(1000_u16.to_be_bytes().to_vec()),
        ];
        assert_eq!(incoming, expected);
        assert!(matches!(end, WireError::Broken(_)));
    }

    #[tokio::test]
    async fn a_malformed_frame_is_a_protocol_error() {
        let long = frame(FINAL | PING, &[0; 126]);
        let mut bare = frame(FINAL | TEXT, b"x");
        bare[1] &= !MASKED;
        for bytes in [
            frame(FINAL | TEXT | 0x40, b"x"),
            frame(FINAL | 0x3, b"x"),
            frame(FINAL | CONTINUATION, b"x"),
            [frame(TEXT, b"x"), frame(FINAL | TEXT, b"y")].concat(),
            frame(PING, b""),
            frame(FINAL | CLOSE, b"x"),
            frame(FINAL | CLOSE, b"\x03\xe8\xff"),
            vec![FINAL | TEXT, MASKED | 126, 0, 125],
            [&[FINAL | TEXT, MASKED | 127][..], &65_535_u64.to_be_bytes()].concat(),
            [&[FINAL | TEXT, MASKED | 127][..], &[255; 8]].concat(),
            long,
            bare,
        ] {
            let (incoming, end) = received(&bytes).await;
            assert!(incoming.is_empty(), "{incoming:?}");
            assert!(matches!(end, WireError::Protocol(_)), "{end:?}");
        }
    }

    #[tokio::test]
    async fn a_message_that_is_too_large_is_refused_by_its_header_alone_and_in_sum() {
        let head = &frame(FINAL | TEXT, &vec![b'x'; MOST + 1])[..14];
        let parts = [
            frame(TEXT, &vec![b'x'; MOST]),
            frame(FINAL | CONTINUATION, b"x"),
        ];
        let huge = [&[FINAL | TEXT, MASKED | 127, 127][..], &[255; 11]].concat();
        for bytes in [head, &parts.concat(), &huge] {
            let end = received(bytes).await.1;
            assert!(matches!(end, WireError::TooBig), "{end:?}");
        }
    }

    #[tokio::test]
    async fn an_idle_reader_holds_no_buffer() {
        let (mut wire, mut client) = wire();
        client
            .write_all(&frame(FINAL | TEXT, &[b'x'; 5_000]))
            .await
            .unwrap();
        wire.next().await.unwrap();
        let idle = tokio::time::timeout(std::time::Duration::ZERO, wire.next()).await;
        assert!(idle.is_err());
        assert_eq!(wire.unread.capacity(), 0);
        assert!(wire.deadline.is_none());
        assert!(wire.share.hold(50 * MOST, false), "no byte is held");
    }

    #[tokio::test]
    async fn a_larger_message_is_read_only_with_permission_and_only_once() {
        let (mut wire, mut client) = wire();
        let large = "x".repeat(MOST + 10);
        for _ in 0..2 {
            let large = frame(FINAL | TEXT, large.as_bytes());
            client.write_all(&large).await.unwrap();
        }
        assert!(matches!(wire.next().await, Err(WireError::TooBig)));
        wire.permit(2 * MOST).unwrap();
        assert_eq!(wire.next().await.unwrap(), text(&large));
        assert!(matches!(wire.next().await, Err(WireError::TooBig)));
        wire.permit(MOST + 1).unwrap();
        assert!(matches!(wire.next().await, Err(WireError::TooBig)));
        assert!(wire.permit(MOST + 1).is_err());
    }

    #[tokio::test]
    async fn an_unfinished_message_has_a_deadline_from_its_first_byte() {
        for begun in [&frame(TEXT, b"x")[..], &frame(FINAL | TEXT, b"xyz")[..5]] {
            let (mut wire, mut client) = wire_with(ReadLimits {
                message: MOST,
                deadline: Duration::from_millis(50),
                budget: Budget::new(MOST),
            });
            client.write_all(begun).await.unwrap();
            let fragments = begun.len() == 7;
            let pings = async {
                // They are no progress; within a frame there are none.
                while fragments && client.write_all(&frame(FINAL | PING, b"")).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                std::future::pending().await
            };
            let end = async {
                loop {
                    match wire.next().await {
                        Ok(incoming) => assert_eq!(incoming, Incoming::Ping(Vec::new())),
                        Err(end) => return end,
                    }
                }
            };
            let end = tokio::select! {
                end = end => end,
                () = pings => unreachable!("it never ends"),
            };
            assert!(matches!(end, WireError::Late), "{end:?}");
        }
    }

    #[tokio::test]
    async fn finished_messages_and_idle_time_have_no_deadline() {
        let deadline = Duration::from_millis(20);
        let (mut wire, mut client) = wire_with(ReadLimits {
            message: MOST,
            deadline,
            budget: Budget::new(MOST),
        });
        let message = frame(FINAL | TEXT, b"xyz");
        let (head, tail) = message.split_at(5);
        for _ in 0..2 {
            client.write_all(head).await.unwrap();
            let started = tokio::time::timeout(Duration::ZERO, wire.next()).await;
            assert!(started.is_err() && wire.deadline.is_some());
            client.write_all(tail).await.unwrap();
            assert_eq!(wire.next().await.unwrap(), text("xyz"));
            assert!(wire.deadline.is_none());
        }
        let idle = tokio::time::timeout(2 * deadline, wire.next()).await;
        assert!(idle.is_err(), "{idle:?}");
    }

    #[tokio::test]
    async fn unfinished_messages_of_all_sockets_share_one_budget() {
        let limits = ReadLimits {
            message: MOST,
            deadline: Duration::from_secs(10),
            budget: Budget::new(4 * MOST),
        };
        let begun = frame(TEXT, &vec![b'x'; MOST - 1]);
        let mut open = Vec::new();
        let refused = loop {
            let (mut wire, mut client) = wire_with(limits.clone());
            client.write_all(&begun).await.unwrap();
            match tokio::time::timeout(Duration::from_millis(20), wire.next()).await {
                Err(_) => open.push((wire, client)),
                Ok(end) => break end.unwrap_err(),
            }
            assert!(open.len() < 4, "the budget is exceeded");
        };
        assert!(matches!(refused, WireError::Crowded), "{refused:?}");
        assert!(!open.is_empty());
        drop(open);
        let (mut wire, mut client) = wire_with(limits);
        client.write_all(&frame(FINAL | TEXT, b"x")).await.unwrap();
        assert_eq!(wire.next().await.unwrap(), text("x"));
    }

    #[test]
    fn outgoing_frames_have_no_mask() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let text = "x".repeat(length);
            let mut frame = Vec::new();
            Outgoing::Text(&text).write(&mut frame);
            let head = match length {
                ..126 => vec![FINAL | TEXT, length as u8],
                126..65_536 => [&[FINAL | TEXT, 126][..], &(length as u16).to_be_bytes()].concat(),
                _ => [&[FINAL | TEXT, 127][..], &(length as u64).to_be_bytes()].concat(),
            };
            assert_eq!(frame, [&head, text.as_bytes()].concat());
        }
    }

    #[tokio::test]
    async fn text_is_checked_as_a_whole_message() {
        for bytes in [
            frame(FINAL | TEXT, &[0xff]),
            [frame(TEXT, &[0xc3]), frame(FINAL | CONTINUATION, b"x")].concat(),
        ] {
            let (incoming, end) = received(&bytes).await;
            assert!(incoming.is_empty(), "{incoming:?}");
            assert!(matches!(end, WireError::Text), "{end:?}");
        }
        let unfinished = received(&frame(TEXT, &[0xff])).await.1;
        assert!(matches!(unfinished, WireError::Broken(_)));
    }

    proptest! {
        #[test]
        fn a_close_code_is_echoed_if_it_is_assigned(code: u16, reason in "[a-zé]{0,60}") {
            let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
            let assigned = match code {
                ..1000 | 1004..=1006 | 1015..3000 | 5000.. => false,
                1000..=1003 | 1007..=1014 | 3000..5000 => true,
            };
            match close_reply(&payload) {
                Ok(reply) => prop_assert!(assigned && reply == code.to_be_bytes()),
                Err(error) => prop_assert!(!assigned && matches!(error, WireError::Protocol(_))),
            }
        }

        #[test]
        fn a_character_may_be_split_between_fragments(
            text in "[a-zé€😀]{1,60}",
            cut in any::<proptest::sample::Index>(),
        ) {
            let (head, tail) = text.as_bytes().split_at(cut.index(text.len()));
            let bytes = [frame(TEXT, head), frame(FINAL | CONTINUATION, tail)].concat();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let (incoming, _) = runtime.block_on(received(&bytes));
            prop_assert_eq!(incoming, vec![Incoming::Text(text)]);
        }

        #[test]
        fn messages_are_the_same_however_the_stream_is_cut(
            texts in proptest::collection::vec("[a-zé]{0,300}", 0..8),
            cuts in proptest::collection::vec(1..50_usize, 1..40),
        ) {
            let bytes: Vec<u8> = texts.iter().flat_map(|text| frame(FINAL | TEXT, text.as_bytes())).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let incoming = runtime.block_on(async {
                let (mut wire, mut client) = wire();
                let write = async move {
                    let mut rest = &bytes[..];
                    for cut in cuts.iter().cycle() {
                        if rest.is_empty() {
                            break;
                        }
                        let (head, tail) = rest.split_at((*cut).min(rest.len()));
                        client.write_all(head).await.unwrap();
                        tokio::task::yield_now().await;
                        rest = tail;
                    }
                };
                tokio::join!(write, all(&mut wire)).1.0
            });
            let expected: Vec<Incoming> = texts.into_iter().map(Incoming::Text).collect();
            prop_assert_eq!(incoming, expected);
        }

        #[test]
        fn arbitrary_bytes_cause_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(received(&bytes));
        }
    }
}

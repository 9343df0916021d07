//! The frame codec of RFC 6455, server side.
//!
//! An idle connection holds no buffer: every socket is read into a scratch buffer
//! of its thread. A WebSocket library keeps several buffers per connection.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

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
    /// The client's close frame, to be answered with the same code, if it has one.
    Close(Vec<u8>),
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
    #[error("protocol error: {0}")]
    Protocol(&'static str),
}

pub(crate) struct Reader<S> {
    stream: S,
    /// Longest message, in bytes.
    max_message: usize,
    /// Received bytes; those before `taken` are parsed.
    unread: Vec<u8>,
    taken: usize,
    /// Opcode and payload of a message whose last fragment is outstanding.
    fragments: Option<(u8, Vec<u8>)>,
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
    pub fn new(stream: S, unread: &[u8], max_message: usize) -> Self {
        Self {
            stream,
            max_message,
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
            let received = SCRATCH.with_borrow_mut(|scratch| {
                let mut read = ReadBuf::new(scratch);
                ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
                self.unread.extend_from_slice(read.filled());
                Poll::Ready(io::Result::Ok(read.filled().len()))
            });
            if ready!(received)? == 0 {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
            }
        }
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
            if head.payload > self.max_message.saturating_sub(before) {
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
                return Ok(Some(incoming));
            }
        }
    }

    /// Accepts a whole frame; returns the message that it completes.
    fn accept(&mut self, head: &Head, payload: Vec<u8>) -> Result<Option<Incoming>, WireError> {
        let (opcode, payload) = match head.opcode {
            PING => return Ok(Some(Incoming::Ping(payload))),
            PONG => return Ok(Some(Incoming::Pong)),
            CLOSE => {
                let code = payload.get(..2).unwrap_or_default();
                return Ok(Some(Incoming::Close(code.to_vec())));
            }
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
            TEXT => Incoming::Text(
                String::from_utf8(payload)
                    .map_err(|_| WireError::Protocol("text that is not UTF-8"))?,
            ),
            _ => Incoming::Binary(payload.len()),
        }))
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
        let (ours, theirs) = duplex(4 * MOST);
        (Reader::new(ours, &[], MOST), theirs)
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
            frame(FINAL | TEXT, &[0xff]),
            frame(PING, b""),
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
        let endless = [
            FINAL | TEXT,
            MASKED | 127,
            255,
            255,
            255,
            255,
            255,
            255,
            255,
            255,
        ];
        for bytes in [head, &parts.concat(), &endless] {
            let end = received(bytes).await.1;
            assert!(!matches!(end, WireError::Protocol(_)), "{end:?}");
        }
        assert!(matches!(received(head).await.1, WireError::TooBig));
        assert!(matches!(
            received(&parts.concat()).await.1,
            WireError::TooBig
        ));
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

    proptest! {
        #[test]
        fn messages_are_the_same_however_the_stream_is_cut(
            texts in proptest::collection::vec("[a-zé]{0,300}", 0..8),
            cuts in proptest::collection::vec(1..50_usize, 1..40),
        ) {
            let bytes: Vec<u8> = texts.iter().flat_map(|text| frame(FINAL | TEXT, text.as_bytes())).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
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
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(received(&bytes));
        }
    }
}

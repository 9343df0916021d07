//! A WebSocket as RFC 6455 has it, the server's side: how its frames are read
//! and written.
//!
//! Of one that is idle nothing is kept but its socket: all are read into a
//! buffer of their thread. A library's own buffers for each connection are
//! several times that.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// What is read at once.
const READ_BYTES: usize = 32 * 1024;
/// Control frames have no more payload (RFC 6455, section 5.5).
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

/// What came from the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Text(String),
    /// So many bytes that are no text.
    Binary(usize),
    /// A sign of life, to be answered with the same payload.
    Ping(Vec<u8>),
    Pong,
    /// The client's close frame, to be answered with the same code, if it has one.
    Close(Vec<u8>),
}

/// What is sent to the client.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outgoing<'a> {
    Text(&'a str),
    Ping,
    Pong(&'a [u8]),
    /// After which there is to be nothing.
    Close(&'a [u8]),
}

/// Why there is nothing more to come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("the socket broke")]
    Broken(#[from] io::Error),
    #[error("a message too large to be read")]
    TooBig,
    #[error("not as RFC 6455 has it: {0}")]
    Protocol(&'static str),
}

pub(crate) struct Reader<S> {
    stream: S,
    /// The longest message that is read.
    most: usize,
    /// What came and was not taken yet, from `taken` on.
    unread: Vec<u8>,
    taken: usize,
    /// A message in fragments, the last of which is to come.
    begun: Option<(u8, Vec<u8>)>,
}

/// The beginning of a frame.
struct Head {
    is_final: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Of itself, and of what follows.
    length: usize,
    payload: usize,
}

impl<S: AsyncRead + Unpin> Reader<S> {
    /// A socket after the handshake; `unread` came with that.
    pub fn new(stream: S, unread: &[u8], most: usize) -> Self {
        Self {
            stream,
            most,
            unread: unread.to_vec(),
            taken: 0,
            begun: None,
        }
    }

    /// Waits for the next from the client. Nothing is lost with the future.
    ///
    /// # Errors
    /// When nothing more will come.
    pub async fn next(&mut self) -> Result<Incoming, WireError> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Incoming, WireError>> {
        loop {
            if let Some(heard) = self.take()? {
                return Poll::Ready(Ok(heard));
            }
            self.unread.drain(..self.taken);
            self.taken = 0;
            if self.unread.is_empty() {
                self.unread = Vec::new();
            }
            let come = SCRATCH.with_borrow_mut(|scratch| {
                let mut come = ReadBuf::new(scratch);
                ready!(Pin::new(&mut self.stream).poll_read(context, &mut come))?;
                self.unread.extend_from_slice(come.filled());
                Poll::Ready(io::Result::Ok(come.filled().len()))
            });
            if ready!(come)? == 0 {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
            }
        }
    }

    /// The next of what came, as far as it is whole.
    fn take(&mut self) -> Result<Option<Incoming>, WireError> {
        loop {
            let unread = &self.unread[self.taken..];
            let Some(head) = Head::read(unread)? else {
                return Ok(None);
            };
            let before = self.begun.as_ref().map_or(0, |(_, payload)| payload.len());
            if head.payload > self.most.saturating_sub(before) {
                return Err(WireError::TooBig);
            }
            let end = head.length + head.payload;
            let Some(payload) = unread.get(head.length..end) else {
                return Ok(None);
            };
            let mut payload = payload.to_vec();
            for (place, byte) in payload.iter_mut().enumerate() {
                *byte ^= head.mask[place % 4];
            }
            self.taken += end;
            if let Some(heard) = self.accept(&head, payload)? {
                return Ok(Some(heard));
            }
        }
    }

    /// Takes in a frame; what it completes, if anything.
    fn accept(&mut self, head: &Head, payload: Vec<u8>) -> Result<Option<Incoming>, WireError> {
        let (opcode, payload) = match head.opcode {
            PING => return Ok(Some(Incoming::Ping(payload))),
            PONG => return Ok(Some(Incoming::Pong)),
            CLOSE => {
                let code = payload.get(..2).unwrap_or_default();
                return Ok(Some(Incoming::Close(code.to_vec())));
            }
            CONTINUATION => {
                let Some((opcode, mut begun)) = self.begun.take() else {
                    return Err(WireError::Protocol("a continuation of nothing"));
                };
                begun.extend(payload);
                (opcode, begun)
            }
            opcode if self.begun.is_none() => (opcode, payload),
            _ => return Err(WireError::Protocol("a message within another")),
        };
        if !head.is_final {
            self.begun = Some((opcode, payload));
            return Ok(None);
        }
        Ok(Some(match opcode {
            TEXT => Incoming::Text(
                String::from_utf8(payload)
                    .map_err(|_| WireError::Protocol("a text that is not UTF-8"))?,
            ),
            _ => Incoming::Binary(payload.len()),
        }))
    }
}

impl Outgoing<'_> {
    /// Adds its frame to what is to be sent. A server's have no mask (section 5.1).
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
    /// Reads one (section 5.2), once all of it has come.
    fn read(bytes: &[u8]) -> Result<Option<Self>, WireError> {
        let &[first, second, ..] = bytes else {
            return Ok(None);
        };
        let opcode = first & 0x0f;
        let is_final = first & FINAL != 0;
        if first & RESERVED != 0 {
            return Err(WireError::Protocol("an extension that was not agreed on"));
        }
        if second & MASKED == 0 {
            return Err(WireError::Protocol("a client's frame without a mask"));
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
            CLOSE | PING | PONG => return Err(WireError::Protocol("a control frame too long")),
            _ => return Err(WireError::Protocol("an unknown kind of frame")),
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

    /// As a client sends it.
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
        let mut heard = Vec::new();
        loop {
            match wire.next().await {
                Ok(one) => heard.push(one),
                Err(error) => return (heard, error),
            }
        }
    }

    async fn said(bytes: &[u8]) -> (Vec<Incoming>, WireError) {
        let (mut wire, mut client) = wire();
        client.write_all(bytes).await.unwrap();
        drop(client);
        all(&mut wire).await
    }

    fn text(text: &str) -> Incoming {
        Incoming::Text(text.to_owned())
    }

    #[tokio::test]
    async fn messages_come_whole_in_fragments_and_with_pings_between() {
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
        let (heard, end) = said(&bytes.concat()).await;
        let expected = [
            text("one"),
            Incoming::Ping(b"?".to_vec()),
            text("two"),
            Incoming::Binary(70_000),
            Incoming::Pong,
            Incoming::Close(1000_u16.to_be_bytes().to_vec()),
        ];
        assert_eq!(heard, expected);
        assert!(matches!(end, WireError::Broken(_)));
    }

    #[tokio::test]
    async fn what_is_not_as_it_should_be_ends_it() {
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
            let (heard, end) = said(&bytes).await;
            assert!(heard.is_empty(), "{heard:?}");
            assert!(matches!(end, WireError::Protocol(_)), "{end:?}");
        }
    }

    #[tokio::test]
    async fn too_much_is_refused_by_its_head_alone_and_in_sum() {
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
            let end = said(bytes).await.1;
            assert!(!matches!(end, WireError::Protocol(_)), "{end:?}");
        }
        assert!(matches!(said(head).await.1, WireError::TooBig));
        assert!(matches!(said(&parts.concat()).await.1, WireError::TooBig));
    }

    #[tokio::test]
    async fn an_idle_one_keeps_nothing() {
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
    fn what_is_told_reads_as_frames_without_a_mask() {
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
        fn however_it_is_cut_it_is_the_same(
            texts in proptest::collection::vec("[a-zé]{0,300}", 0..8),
            cuts in proptest::collection::vec(1..50_usize, 1..40),
        ) {
            let bytes: Vec<u8> = texts.iter().flat_map(|text| frame(FINAL | TEXT, text.as_bytes())).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let heard = runtime.block_on(async {
                let (mut wire, mut client) = wire();
                let write = async move {
                    let mut rest = &bytes[..];
                    for cut in cuts.iter().cycle() {
                        if rest.is_empty() {
                            break;
                        }
                        let (now, later) = rest.split_at((*cut).min(rest.len()));
                        client.write_all(now).await.unwrap();
                        tokio::task::yield_now().await;
                        rest = later;
                    }
                };
                tokio::join!(write, all(&mut wire)).1.0
            });
            let expected: Vec<Incoming> = texts.into_iter().map(Incoming::Text).collect();
            prop_assert_eq!(heard, expected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(said(&bytes));
        }
    }
}

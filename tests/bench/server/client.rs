//! A small WebSocket client (RFC 6455): a library's buffers and tasks would
//! take more of the machine than the servers that are to be measured.

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Poll, ready};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

const REQUEST: &str = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// The same in every frame: chance protects proxies, of which there are none,
/// and costs time. Not zero, which a server may take a shorter way for.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// What all readers read into, one after the other.
pub type Scratch = RefCell<Box<[u8]>>;

pub fn scratch() -> Scratch {
    RefCell::new(vec![0; 64 * 1024].into())
}

/// Connects, and asks for a WebSocket.
pub async fn connect(address: SocketAddr) -> Result<(Reader, Writer)> {
    let stream = TcpStream::connect(address).await.context("connecting")?;
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    let writer = Writer(writer);
    writer.write(REQUEST.as_bytes())?;
    let reader = Reader {
        stream: reader,
        upgraded: false,
        rest: Vec::new(),
    };
    Ok((reader, writer))
}

pub struct Writer(OwnedWriteHalf);

impl Writer {
    pub fn text(&self, text: &str) -> Result<()> {
        self.write(&frame(TEXT, text.as_bytes()))
    }

    fn write(&self, bytes: &[u8]) -> Result<()> {
        let written = self
            .0
            .try_write(bytes)
            .context("the server does not read")?;
        ensure!(written == bytes.len(), "the server reads too slowly");
        Ok(())
    }
}

pub struct Reader {
    stream: OwnedReadHalf,
    upgraded: bool,
    /// The beginning of a frame whose end is still to come.
    rest: Vec<u8>,
}

impl Reader {
    /// Waits for something to come, and hands over each message in it. Pings
    /// are answered.
    ///
    /// # Errors
    /// When the connection ends.
    pub async fn read(
        &mut self,
        scratch: &Scratch,
        writer: &Writer,
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        poll_fn(|context| {
            let mut scratch = scratch.borrow_mut();
            let mut come = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut come))?;
            Poll::Ready(self.take(come.filled(), writer, &mut take))
        })
        .await
    }

    fn take(
        &mut self,
        come: &[u8],
        writer: &Writer,
        take: &mut impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        ensure!(!come.is_empty(), "the server hung up");
        if self.rest.is_empty() {
            let used = split(&mut self.upgraded, come, writer, take)?;
            self.rest.extend_from_slice(&come[used..]);
        } else {
            self.rest.extend_from_slice(come);
            let used = split(&mut self.upgraded, &self.rest, writer, take)?;
            self.rest.drain(..used);
        }
        Ok(())
    }
}

/// Takes what is whole; how much that was.
fn split(
    upgraded: &mut bool,
    bytes: &[u8],
    writer: &Writer,
    take: &mut impl FnMut(&[u8]) -> Result<()>,
) -> Result<usize> {
    let mut used = 0;
    if !*upgraded {
        let Some(end) = bytes.windows(4).position(|four| four == END_OF_HEAD) else {
            return Ok(0);
        };
        ensure!(
            bytes.starts_with(b"HTTP/1.1 101 "),
            "the server refuses: {}",
            String::from_utf8_lossy(&bytes[..end])
        );
        *upgraded = true;
        used = end + END_OF_HEAD.len();
    }
    while let Some((first, payload, length)) = next(&bytes[used..]) {
        match first {
            first if first == FINAL | TEXT => take(payload)?,
            first if first == FINAL | PING => writer.write(&frame(PONG, payload))?,
            first if first == FINAL | CLOSE => bail!("the server closes: {payload:?}"),
            other => bail!("a frame that no server here sends: {other:#x}"),
        }
        used += length;
    }
    Ok(used)
}

/// The first frame: its first byte, its payload, its length altogether.
fn next(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (head, length) = match second {
        126 => (
            4,
            usize::from(u16::from_be_bytes(*bytes[2..].first_chunk()?)),
        ),
        127 => {
            let length = u64::from_be_bytes(*bytes[2..].first_chunk()?);
            (10, usize::try_from(length).ok()?)
        }
        length => (2, usize::from(length)),
    };
    let end = head + length;
    Some((first, bytes.get(head..end)?, end))
}

/// A frame as a client sends it.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 8);
    frame.push(FINAL | opcode);
    match u16::try_from(payload.len()) {
        Ok(length @ ..126) => frame.push(MASKED | length.to_be_bytes()[1]),
        // Nothing longer is sent here.
        length => {
            frame.push(MASKED | 126);
            frame.extend(length.unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    frame.extend(MASK);
    let masked = payload.iter().zip(MASK.iter().cycle());
    frame.extend(masked.map(|(byte, mask)| byte ^ mask));
    frame
}

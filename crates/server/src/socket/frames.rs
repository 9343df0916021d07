//! The frame codec of RFC 6455, server side.

mod encoder;
mod header;
mod reader;

use std::io;

pub(crate) use reader::{ReadLimits, Reader};

const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

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

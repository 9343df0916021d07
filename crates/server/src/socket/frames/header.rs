//! Frame headers and close frames, checked.

use super::{BINARY, CLOSE, CONTINUATION, FINAL, MASKED, PING, PONG, RESERVED, TEXT, WireError};

/// Longest payload of a control frame (RFC 6455, section 5.5).
const MAX_CONTROL_BYTES: usize = 125;

/// The header of a frame.
pub(super) struct Head {
    pub is_final: bool,
    pub opcode: u8,
    pub mask: [u8; 4],
    /// Bytes of the header.
    pub length: usize,
    /// Bytes of the payload that follows.
    pub payload: usize,
}

impl Head {
    pub fn is_control(&self) -> bool {
        matches!(self.opcode, CLOSE | PING | PONG)
    }

    /// Parses a header (section 5.2); `None` while bytes of it are missing.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, WireError> {
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

/// The payload of the reply to a close frame: the same code, if there is one.
///
/// # Errors
/// For a payload that RFC 6455, sections 5.5.1 and 7.4, does not allow, or a code that
/// is not assigned.
pub(super) fn close_reply(payload: &[u8]) -> Result<Vec<u8>, WireError> {
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

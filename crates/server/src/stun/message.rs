//! Binding requests and their responses (RFC 8489, sections 5, 6.3 and 14).

use std::net::{IpAddr, SocketAddr};

use crc::{CRC_32_ISO_HDLC, Crc};

/// A longer datagram is no request: it would not pass every path in one piece (RFC 8489,
/// section 6.1).
pub(super) const MAX_REQUEST: usize = 1_280;
/// The most by which an answer is longer than its request: an IPv6 address in
/// XOR-MAPPED-ADDRESS. Answers have a FINGERPRINT only where the request has one.
#[cfg(test)]
pub(super) const MAX_GROWTH: usize = 24;

const HEADER: usize = 20;
const COOKIE: u32 = 0x2112_A442;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const FINGERPRINT: u16 = 0x8028;

/// Attributes from here on may be ignored.
const COMPREHENSION_OPTIONAL: u16 = 0x8000;
/// The comprehension-required attributes of RFC 8489. A server without authentication
/// ignores those that a request may have.
const KNOWN: [u16; 11] = [
    0x0001, // MAPPED-ADDRESS
    0x0006, // USERNAME
    0x0008, // MESSAGE-INTEGRITY
    ERROR_CODE,
    UNKNOWN_ATTRIBUTES,
    0x0014, // REALM
    0x0015, // NONCE
    0x001C, // MESSAGE-INTEGRITY-SHA256
    0x001D, // PASSWORD-ALGORITHM
    0x001E, // USERHASH
    XOR_MAPPED_ADDRESS,
];

/// Unknown comprehension-required attributes (RFC 8489, section 14.8): class 4, number 20.
const UNKNOWN_ATTRIBUTE: [u8; 4] = [0, 0, 4, 20];

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
/// XORed with the CRC of a FINGERPRINT (RFC 8489, section 14.7).
const FINGERPRINT_XOR: u32 = 0x5354_554E;

/// A well-formed Binding request.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// The magic cookie and the transaction id.
    id: &'a [u8; 16],
    /// The attributes before the FINGERPRINT.
    attributes: &'a [u8],
    has_fingerprint: bool,
}

impl<'a> Request<'a> {
    /// Reads a datagram; `None` for everything but a well-formed Binding request.
    pub fn read(datagram: &'a [u8]) -> Option<Self> {
        let (kind, rest) = datagram.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (id, attributes) = rest.split_first_chunk::<16>()?;
        let is_request = datagram.len() <= MAX_REQUEST
            && u16::from_be_bytes(*kind) == BINDING_REQUEST
            && usize::from(u16::from_be_bytes(*length)) == attributes.len()
            && id.starts_with(&COOKIE.to_be_bytes());
        if !is_request {
            return None;
        }
        let mut left = attributes;
        while !left.is_empty() {
            let (kind, value, after) = attribute(left)?;
            if kind == FINGERPRINT {
                let before = attributes.len() - left.len();
                let expected = fingerprint(&datagram[..HEADER + before]);
                let is_right = after.is_empty() && value == expected;
                return is_right.then_some(Self {
                    id,
                    attributes: &attributes[..before],
                    has_fingerprint: true,
                });
            }
            left = after;
        }
        Some(Self {
            id,
            attributes,
            has_fingerprint: false,
        })
    }

    /// Writes the response to a request from this address: the address itself, or error
    /// 420 with the attributes that the server had to know and does not.
    pub fn answer(&self, from: SocketAddr, response: &mut Vec<u8>) {
        response.clear();
        response.extend([0; 4]);
        response.extend(self.id);
        let kind = if self.unknown().next().is_none() {
            self.put_mapped_address(from, response);
            BINDING_SUCCESS
        } else {
            self.put_unknown(response);
            BINDING_ERROR
        };
        response[..2].copy_from_slice(&kind.to_be_bytes());
        set_length(response, 0);
        if self.has_fingerprint {
            set_length(response, 8);
            let value = fingerprint(response);
            put_head(FINGERPRINT, 4, response);
            response.extend(value);
        }
    }

    fn put_mapped_address(&self, from: SocketAddr, response: &mut Vec<u8>) {
        let port = from.port().to_be_bytes();
        let xor = |(byte, key): (u8, &u8)| byte ^ key;
        let mut put = |family: u8, address: &[u8]| {
            let length = 4 + address.len() as u16;
            put_head(XOR_MAPPED_ADDRESS, length, response);
            response.extend([0, family]);
            response.extend(port.into_iter().zip(self.id).map(xor));
            response.extend(address.iter().copied().zip(self.id).map(xor));
        };
        match from.ip().to_canonical() {
            IpAddr::V4(address) => put(1, &address.octets()),
            IpAddr::V6(address) => put(2, &address.octets()),
        }
    }

    /// Without a reason phrase, which would make the answer longer.
    fn put_unknown(&self, response: &mut Vec<u8>) {
        put_head(ERROR_CODE, 4, response);
        response.extend(UNKNOWN_ATTRIBUTE);
        let length = 2 * self.unknown().count() as u16;
        put_head(UNKNOWN_ATTRIBUTES, length, response);
        response.extend(self.unknown().flat_map(u16::to_be_bytes));
        response.resize(response.len().next_multiple_of(4), 0);
    }

    fn unknown(&self) -> impl Iterator<Item = u16> {
        let mut left = self.attributes;
        let kinds = std::iter::from_fn(move || {
            let (kind, _, after) = attribute(left)?;
            left = after;
            Some(kind)
        });
        kinds.filter(|kind| *kind < COMPREHENSION_OPTIONAL && !KNOWN.contains(kind))
    }
}

/// The first attribute: its type, its value, and what follows its padding.
fn attribute(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let value = rest.get(..length)?;
    let after = rest.get(length.next_multiple_of(4)..)?;
    Some((u16::from_be_bytes(*kind), value, after))
}

fn put_head(kind: u16, length: u16, message: &mut Vec<u8>) {
    message.extend(kind.to_be_bytes());
    message.extend(length.to_be_bytes());
}

/// Writes the length of the attributes into the header; `more` bytes are to follow.
fn set_length(message: &mut [u8], more: usize) {
    let length = (message.len() - HEADER + more) as u16;
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

/// The value of the FINGERPRINT that follows this message. Its header must have the
/// length with the FINGERPRINT.
fn fingerprint(message: &[u8]) -> [u8; 4] {
    (CRC.checksum(message) ^ FINGERPRINT_XOR).to_be_bytes()
}

#[cfg(test)]
mod tests;

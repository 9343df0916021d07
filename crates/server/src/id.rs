//! Identifiers: how they are made, and how a room's are read.

use std::fmt;

use rand::{Rng, RngExt};
use uuid::Uuid;
use visavis_protocol::RoomLink;

/// A participant, as long as it keeps its place in a room.
pub(crate) type ClientId = Uuid;

/// One socket. A participant that resumes has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SocketId(pub u64);

/// Any identifier of a room, in its canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomKey {
    /// The room's UUID.
    Uid(Uuid),
    /// The friendly id, `abc-defg-hij`.
    Code(String),
}

impl RoomKey {
    /// Reads what a client calls a room; capitals and missing dashes are
    /// forgiven. `None` is a text that names no room.
    pub fn parse(text: &str) -> Option<Self> {
        match Uuid::parse_str(text) {
            Ok(uid) => Some(Self::Uid(uid)),
            Err(_) => RoomLink::parse(text).ok().map(|link| Self::Code(link.room)),
        }
    }
}

/// Lets a participant take its place again: which room, and a secret of 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResumeToken {
    pub room: Uuid,
    pub secret: u128,
}

impl ResumeToken {
    pub fn parse(text: &str) -> Option<Self> {
        let (room, secret) = text.split_once('.')?;
        Some(Self {
            room: Uuid::try_parse(room).ok()?,
            secret: u128::from_str_radix(secret, 16).ok()?,
        })
    }
}

impl fmt::Display for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:032x}", self.room.simple(), self.secret)
    }
}

/// A friendly room id: three, four and three lower-case letters, each equally
/// likely (47 bits).
pub(crate) fn room_code(rng: &mut (impl Rng + ?Sized)) -> String {
    let mut letters = |count| -> String {
        (0..count)
            .map(|_| char::from(rng.random_range(b'a'..=b'z')))
            .collect()
    };
    format!("{}-{}-{}", letters(3), letters(4), letters(3))
}

/// LiveKit's alphabet for its ids: base 57, without what looks alike.
const BASE57: &[u8; 57] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// A track's sid: `TR_` and twelve characters.
pub(crate) fn track_sid(rng: &mut (impl Rng + ?Sized)) -> String {
    let tail = (0..12).map(|_| char::from(BASE57[rng.random_range(0..BASE57.len())]));
    "TR_".chars().chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    proptest! {
        #[test]
        fn no_text_makes_the_readers_of_ids_panic(text in ".*") {
            let _ = ResumeToken::parse(&text);
            if let Some(RoomKey::Code(code)) = RoomKey::parse(&text) {
                prop_assert_eq!(RoomKey::parse(&code), Some(RoomKey::Code(code)));
            }
        }
    }

    #[test]
    fn a_hundred_thousand_room_codes_are_unique_and_well_formed() {
        let mut rng = rand::rng();
        let codes: HashSet<String> = (0..100_000).map(|_| room_code(&mut rng)).collect();
        assert_eq!(codes.len(), 100_000);
        for code in codes {
            let parts: Vec<&str> = code.split('-').collect();
            assert_eq!(
                parts.iter().map(|part| part.len()).collect::<Vec<_>>(),
                [3, 4, 3]
            );
            assert!(
                code.bytes().all(|b| b == b'-' || b.is_ascii_lowercase()),
                "{code}"
            );
        }
    }

    #[test]
    fn every_letter_of_a_room_code_is_equally_likely() {
        let mut rng = StdRng::seed_from_u64(7420);
        let mut counts = [0_f64; 26];
        for _ in 0..20_000 {
            for letter in room_code(&mut rng).bytes().filter(u8::is_ascii_lowercase) {
                counts[usize::from(letter - b'a')] += 1.0;
            }
        }
        let expected = counts.iter().sum::<f64>() / 26.0;
        let chi_square: f64 = counts
            .iter()
            .map(|n| (n - expected).powi(2) / expected)
            .sum();
        // 25 degrees of freedom: 52.6 is passed by chance once in a thousand.
        assert!(chi_square < 52.6, "{chi_square}");
    }

    #[test]
    fn a_track_sid_is_livekit_shaped() {
        let sid = track_sid(&mut rand::rng());
        assert_eq!(sid.len(), 15);
        assert!(sid.starts_with("TR_"));
    }

    #[test]
    fn a_resume_token_is_read_back_and_nothing_else_is() {
        let token = ResumeToken {
            room: Uuid::from_u128(7),
            secret: 42,
        };
        assert_eq!(ResumeToken::parse(&token.to_string()), Some(token));
        for text in ["", ".", "x.y", &token.room.to_string(), "\u{1F600}.1"] {
            assert_eq!(ResumeToken::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_room_is_read_from_any_of_its_ids() {
        let uid = Uuid::from_u128(0x1234_5678_9abc_4def_8123_4567_89ab_cdef);
        for (text, key) in [
            ("abc-defg-hij", RoomKey::Code("abc-defg-hij".to_owned())),
            ("ABCDEFGHIJ", RoomKey::Code("abc-defg-hij".to_owned())),
            ("12345678-9ABC-4DEF-8123-456789ABCDEF", RoomKey::Uid(uid)),
        ] {
            assert_eq!(RoomKey::parse(text), Some(key), "{text}");
        }
        assert_eq!(RoomKey::parse("../etc"), None);
    }
}

//! Identifiers: generating them, and parsing those of rooms.

pub(crate) mod ulid;

use std::fmt;

use rand::{Rng, RngExt};
use uuid::Uuid;
use visavis_protocol::RoomLink;

use self::ulid::UlidKind;

/// A participant, for as long as it keeps its place in a room.
pub(crate) type ClientId = Uuid;

/// One socket. A participant that resumes gets another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SocketId(pub u64);

/// An identifier of a room, in its canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomKey {
    /// The room's UUID.
    Uid(Uuid),
    /// The friendly id, `abc-defg-hij`.
    Code(String),
    /// `ro_` and a ULID.
    Ro(String),
    /// `RM_…`: one room instance.
    Sid(String),
    /// The name in tokens and webhooks.
    Name(String),
}

/// The longest name of a room in tokens, as in LiveKit.
const MAX_ROOM_NAME_CHARS: usize = 256;

impl RoomKey {
    /// The identifiers that a text may be, the likeliest first; capitals and missing
    /// dashes are accepted. Empty: the text cannot name a room.
    pub fn readings(text: &str) -> Vec<Self> {
        if let Some(ro) = UlidKind::Room.parse(text) {
            return vec![Self::Ro(ro)];
        }
        let mut readings = Vec::new();
        let plain = !text.is_empty() && !text.contains(char::is_control);
        let name = (plain && text.chars().count() <= MAX_ROOM_NAME_CHARS)
            .then(|| Self::Name(text.to_owned()));
        if let Ok(uid) = Uuid::try_parse(text) {
            readings.push(Self::Uid(uid));
            readings.extend(name);
            return readings;
        }
        if plain && text.starts_with("RM_") {
            readings.push(Self::Sid(text.to_owned()));
        }
        match RoomLink::parse(text) {
            Ok(link) if is_code(&link.room) => readings.push(Self::Code(link.room)),
            // The name itself comes before the one without blanks around it.
            Ok(link) if link.room == text.trim() && link.room != text => {
                readings.extend(name);
                readings.extend(Self::readings(&link.room));
                return readings;
            }
            // A link to a room by another of its names.
            Ok(link) if link.room != text => return Self::readings(&link.room),
            _ => {}
        }
        readings.extend(name);
        readings
    }
}

fn is_code(text: &str) -> bool {
    let mut parts = text.split('-');
    let is = |part: Option<&str>, length| {
        part.is_some_and(|part| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_lowercase())
        })
    };
    is(parts.next(), 3) && is(parts.next(), 4) && is(parts.next(), 3) && parts.next().is_none()
}

/// Lets a participant resume: the room, and a secret of 128 bits.
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

/// An id as LiveKit makes them: a prefix (`RM_`, `PA_`, `TR_`, `EV_`) and twelve
/// characters (70 bits).
pub(crate) fn short_id(prefix: &str, rng: &mut (impl Rng + ?Sized)) -> String {
    let tail = (0..12).map(|_| char::from(BASE57[rng.random_range(0..BASE57.len())]));
    prefix.chars().chain(tail).collect()
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
            for reading in RoomKey::readings(&text) {
                if let RoomKey::Code(code) = &reading {
                    prop_assert!(RoomKey::readings(code).contains(&reading));
                }
            }
        }
    }

    #[test]
    fn s4_02_a_hundred_thousand_room_codes_are_unique_and_well_formed() {
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
    fn s4_19_every_letter_of_a_room_code_is_equally_likely() {
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
    fn a_short_id_is_livekit_shaped() {
        let sid = short_id("TR_", &mut rand::rng());
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
        let ro = "ro_01jd3k5v7x9zabcdefghjkmnpq";
        for (text, key) in [
            ("abc-defg-hij", RoomKey::Code("abc-defg-hij".to_owned())),
            ("ABCDEFGHIJ", RoomKey::Code("abc-defg-hij".to_owned())),
            ("12345678-9ABC-4DEF-8123-456789ABCDEF", RoomKey::Uid(uid)),
            (&ro.to_uppercase(), RoomKey::Ro(ro.to_owned())),
            (
                "RM_abcdefghijkm",
                RoomKey::Sid("RM_abcdefghijkm".to_owned()),
            ),
            (
                "individual-829b8d608f60",
                RoomKey::Name("individual-829b8d608f60".to_owned()),
            ),
        ] {
            assert_eq!(RoomKey::readings(text)[0], key, "{text}");
        }
        let uuid = uid.to_string();
        let named = RoomKey::Name(uuid.clone());
        assert_eq!(RoomKey::readings(&uuid), [RoomKey::Uid(uid), named]);
        let name = |text: &str| RoomKey::Name(text.to_owned());
        assert_eq!(RoomKey::readings(" tea")[..2], [name(" tea"), name("tea")]);
        let longest = "\u{e9}".repeat(256);
        assert_eq!(RoomKey::readings(&longest), [name(&longest)]);
        assert!(!RoomKey::readings(&"x".repeat(257)).contains(&name(&"x".repeat(257))));
        assert!(RoomKey::readings("").is_empty());
        assert!(RoomKey::readings("a\nb").is_empty());
    }
}

//! Seals: what a client keeps of its room, so that a server in memory can restore the
//! room after a restart. Only this server can read or make one.

use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use visavis_protocol::{Metadata, RoomKind};

use crate::clock::Timestamp;
use crate::model::Room;

/// How long a seal is valid.
const VALIDITY: Duration = Duration::from_secs(24 * 3_600);
/// A longer text is no seal.
const MAX_BYTES: usize = 16 * 1024;
/// Bound to each seal: another use of the same key makes no seals.
const PURPOSE: &[u8] = b"visavis-room-seal-1";

/// A 256-bit key that seals rooms.
#[derive(Clone)]
pub struct StateKey(LessSafeKey);

/// The seals of a room: its host's, and that of every other member.
#[derive(Debug, Clone)]
pub(crate) struct Seals {
    pub host: String,
    pub member: String,
}

/// What a seal says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SealedRoom {
    pub uid: Uuid,
    pub code: String,
    pub ro: String,
    pub rtc_name: String,
    pub name: String,
    pub host: Option<Uuid>,
    pub kind: RoomKind,
    pub max_participants: u32,
    pub metadata: Option<Metadata>,
    /// The passcode's argon2 hash.
    pub passcode: Option<String>,
    pub waiting_room: bool,
    pub locked: bool,
    pub empty_timeout: Option<Duration>,
    /// Whether the seal was given to the room's host.
    pub is_host: bool,
    pub sealed_at: Timestamp,
}

impl StateKey {
    /// A key from its 32 bytes.
    ///
    /// # Panics
    /// Never: the length is the algorithm's.
    pub fn new(bytes: [u8; 32]) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes);
        Self(LessSafeKey::new(key.expect("a key of 32 bytes")))
    }

    /// The seals of a room as it is now.
    pub(crate) fn seal(&self, room: &Room, now: Timestamp) -> Option<Seals> {
        let sealed = |is_host| self.encrypt(&SealedRoom::of(room, is_host, now));
        Some(Seals {
            host: sealed(true)?,
            member: sealed(false)?,
        })
    }

    fn encrypt(&self, room: &SealedRoom) -> Option<String> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut text = serde_json::to_vec(room).ok()?;
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(PURPOSE),
                &mut text,
            )
            .ok()?;
        Some(BASE64_URL_SAFE_NO_PAD.encode([&nonce[..], &text].concat()))
    }

    /// Reads a seal; `None`: it is none of this key's, or too old.
    pub(crate) fn open(&self, seal: &str, now: Timestamp) -> Option<SealedRoom> {
        if seal.len() > MAX_BYTES {
            return None;
        }
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(seal).ok()?;
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.0.open_in_place(nonce, Aad::from(PURPOSE), text).ok()?;
        let room: SealedRoom = serde_json::from_slice(text).ok()?;
        (now.since(room.sealed_at) <= VALIDITY).then_some(room)
    }
}

impl FromStr for StateKey {
    type Err = String;

    /// Reads 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a state key is 64 hexadecimal digits".to_owned();
        let mut bytes = [0_u8; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        for (place, byte) in bytes.iter_mut().enumerate() {
            let digits = &text[2 * place..2 * place + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(Self::new(bytes))
    }
}

impl std::fmt::Debug for StateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StateKey")
    }
}

impl SealedRoom {
    fn of(room: &Room, is_host: bool, now: Timestamp) -> Self {
        Self {
            uid: room.uid,
            code: room.code.clone(),
            ro: room.ro.clone(),
            rtc_name: room.rtc_name.clone(),
            name: room.name.clone(),
            host: room.host,
            kind: room.kind,
            max_participants: room.max_participants,
            metadata: room.metadata.clone(),
            passcode: room.passcode.clone(),
            waiting_room: room.waiting_room,
            locked: room.locked,
            empty_timeout: room.empty_timeout,
            is_host,
            sealed_at: now,
        }
    }

    /// The room again, to be stored.
    pub fn restore(self, now: Timestamp) -> Room {
        Room {
            uid: self.uid,
            code: self.code,
            ro: self.ro,
            rtc_name: self.rtc_name,
            name: self.name,
            host: self.host,
            kind: self.kind,
            max_participants: self.max_participants,
            metadata: self.metadata,
            passcode: self.passcode,
            waiting_room: self.waiting_room,
            locked: self.locked,
            empty_timeout: self.empty_timeout,
            ..Room::draft(now)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_763_649_000_000);

    fn room() -> Room {
        Room {
            code: "abc-defg-hij".to_owned(),
            name: "Tea".to_owned(),
            passcode: Some("$argon2id$".to_owned()),
            locked: true,
            max_participants: 4,
            ..Room::draft(NOW)
        }
    }

    #[test]
    fn a_seal_restores_the_room_with_its_passcode_lock_and_limit() {
        let key = StateKey::new([7; 32]);
        let seals = key.seal(&room(), NOW).unwrap();
        let host = key.open(&seals.host, NOW).unwrap();
        let member = key.open(&seals.member, NOW).unwrap();
        assert!(host.is_host && !member.is_host);
        let (uid, restored) = (member.uid, member.restore(NOW));
        assert_eq!(restored.uid, uid);
        assert_eq!(restored.code, "abc-defg-hij");
        assert_eq!(restored.passcode.as_deref(), Some("$argon2id$"));
        assert!(restored.locked && restored.max_participants == 4);
    }

    #[test]
    fn a_state_key_is_read_from_64_hexadecimal_digits_alone() {
        let key: StateKey = "07".repeat(32).parse().unwrap();
        let seal = key.seal(&room(), NOW).unwrap().member;
        assert!(StateKey::new([7; 32]).open(&seal, NOW).is_some());
        for text in [
            "",
            "07",
            &"0g".repeat(32),
            &"+7".repeat(32),
            &"é".repeat(32),
        ] {
            assert!(text.parse::<StateKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_seal_of_another_key_a_changed_one_and_an_old_one_are_refused() {
        let key = StateKey::new([7; 32]);
        let seal = key.seal(&room(), NOW).unwrap().member;
        assert!(StateKey::new([8; 32]).open(&seal, NOW).is_none());
        let last = NOW.after(VALIDITY);
        assert!(key.open(&seal, last).is_some());
        assert!(key.open(&seal, Timestamp(last.0 + 1)).is_none());
        for place in 0..seal.len() {
            let mut changed = seal.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            let opened = key.open(&changed, NOW);
            // The last character carries unused bits.
            assert!(opened.is_none() || place + 1 == seal.len(), "{place}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_the_reader(text in ".{0,200}") {
            prop_assert!(StateKey::new([7; 32]).open(&text, NOW).is_none());
        }
    }
}

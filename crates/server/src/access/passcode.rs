//! Passcodes: how they are kept, and how often they may be guessed.
#![deny(clippy::disallowed_methods)]

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use argon2::password_hash::Error;
use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use uuid::Uuid;

/// The hash to keep of a passcode: argon2id at OWASP's minimum (19 MiB, two
/// passes), which is what the library does by itself. It takes tens of
/// milliseconds: not on a thread that serves others.
///
/// # Errors
/// The passcode is longer than 4 GiB.
pub(crate) fn hash(passcode: &str, salt: [u8; 16]) -> Result<String, Error> {
    let hash = Argon2::default().hash_password_with_salt(passcode.as_bytes(), &salt)?;
    Ok(hash.to_string())
}

/// Whether this is the passcode; takes as long as [`hash`].
pub(crate) fn verify(passcode: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(passcode.as_bytes(), &hash)
            .is_ok()
    })
}

/// How often one may guess a minute, for each room and address.
const TRIES_PER_MINUTE: usize = 10;
const MINUTE: Duration = Duration::from_secs(60);

/// The tries of the last minute. What is over is swept once a minute, so that
/// no more is kept than the connections of two minutes can try.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    tries: HashMap<(Uuid, IpAddr), VecDeque<Instant>>,
    swept: Option<Instant>,
}

impl Attempts {
    /// Counts a try; where it is one too many, for how long none will do.
    pub fn admit(&mut self, now: Instant, room: Uuid, address: IpAddr) -> Result<(), Duration> {
        let age = |then: Instant| now.saturating_duration_since(then);
        if self.swept.is_none_or(|swept| age(swept) >= MINUTE) {
            let recent = |tries: &VecDeque<_>| tries.back().is_some_and(|at| age(*at) < MINUTE);
            self.tries.retain(|_, tries| recent(tries));
            self.swept = Some(now);
        }
        let tries = self.tries.entry((room, address)).or_default();
        while tries.front().is_some_and(|at| age(*at) >= MINUTE) {
            tries.pop_front();
        }
        match tries.front() {
            Some(first) if tries.len() == TRIES_PER_MINUTE => Err(MINUTE - age(*first)),
            _ => {
                tries.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // Only to have an instant to begin with.
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const ROOM: Uuid = Uuid::from_u128(1);

    #[test]
    fn a_passcode_is_kept_as_a_salted_argon2_hash() {
        let kept = hash("open sesame", [1; 16]).unwrap();
        assert!(
            kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{kept}"
        );
        assert!(verify("open sesame", &kept));
        assert_ne!(kept, hash("open sesame", [2; 16]).unwrap());
        for (wrong, hash) in [
            ("open sesam", kept.as_str()),
            ("", &kept),
            ("open sesame", ""),
            ("open sesame", "open sesame"),
            ("open sesame", "$argon2id$v=19$m=19456,t=2,p=1$"),
        ] {
            assert!(!verify(wrong, hash), "{wrong} {hash}");
        }
    }

    #[test]
    fn ten_tries_a_minute_for_each_room_and_address_loopback_included() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut attempts = Attempts::default();
        for second in 0..10 {
            assert_eq!(attempts.admit(at(second), ROOM, HERE), Ok(()));
        }
        assert_eq!(
            attempts.admit(at(10), ROOM, HERE),
            Err(MINUTE - Duration::from_secs(10))
        );
        assert_eq!(attempts.admit(at(10), ROOM, THERE), Ok(()));
        assert_eq!(attempts.admit(at(10), Uuid::from_u128(2), HERE), Ok(()));
        // A refused try costs nothing, and the minute slides.
        assert_eq!(attempts.admit(at(60), ROOM, HERE), Ok(()));
        assert_eq!(
            attempts.admit(at(60), ROOM, HERE),
            Err(Duration::from_secs(1))
        );
        assert_eq!(attempts.admit(at(61), ROOM, HERE), Ok(()));
    }

    proptest! {
        #[test]
        fn no_minute_has_more_than_ten_tries_and_what_is_over_is_forgotten(
            pauses in prop::collection::vec(0_u64..20_000, 1..200)
        ) {
            let mut now = Instant::now();
            let mut attempts = Attempts::default();
            let mut admitted = Vec::new();
            for pause in pauses {
                now += Duration::from_millis(pause);
                match attempts.admit(now, ROOM, HERE) {
                    Ok(()) => admitted.push(now),
                    Err(wait) => {
                        prop_assert!(wait > Duration::ZERO && wait <= MINUTE);
                        now += wait;
                        prop_assert_eq!(attempts.admit(now, ROOM, HERE), Ok(()));
                        admitted.push(now);
                    }
                }
            }
            for eleven in admitted.windows(11) {
                prop_assert!(eleven[10] - eleven[0] >= MINUTE);
            }
            attempts.admit(now + MINUTE, ROOM, THERE).unwrap();
            prop_assert_eq!(attempts.tries.len(), 1);
        }
    }
}

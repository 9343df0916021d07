//! An appointment with a room, a booking or a service session: its participants
//! and their roles.
#![deny(clippy::disallowed_methods)]

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;
use visavis_protocol::{Role, RoomKind};

use crate::clock::Timestamp;
use crate::model::Link;

/// The longest id, in bytes.
const MAX_ID_BYTES: usize = 200;

/// A booking. Fields that a stored document lacks get their default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Booking {
    /// What its room is linked to.
    pub link: Link,
    /// What kind of room it is for.
    pub kind: RoomKind,
    /// Its status.
    pub status: BookingStatus,
    /// The invited participants.
    pub participants: Vec<BookedParticipant>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Default for Booking {
    fn default() -> Self {
        Self {
            link: Link::Booking(String::new()),
            kind: RoomKind::Group,
            status: BookingStatus::Confirmed,
            participants: Vec::new(),
            created_at: Timestamp::default(),
        }
    }
}

/// A booking's status; it only goes forward.
///
/// ```text
/// confirmed ── the first joins ──► in_progress ── the room ends ──► completed
///     └───────────────────── called off, or nobody came ────────────────▲
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BookingStatus {
    /// It will take place.
    Confirmed,
    /// Somebody is there.
    InProgress,
    /// It is over.
    Completed,
}

/// A participant of a booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BookedParticipant {
    /// The user's id: a UUID of ours, or the id in the booking's system.
    #[serde(deserialize_with = "number_or_text")]
    pub user_id: String,
    /// The user's email address.
    #[serde(default)]
    pub email: String,
    /// The display name.
    #[serde(default)]
    pub name: String,
    /// The role in the booking.
    #[serde(default)]
    pub role: BookedRole,
}

/// A role in a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BookedRole {
    /// The practitioner, who hosts the room.
    Practitioner,
    /// Any other participant.
    #[default]
    Participant,
}

/// A change to an earlier status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a booking cannot go from {} to {}", from.as_str(), to.as_str())]
pub struct IllegalChange {
    /// The status, which stays.
    pub from: BookingStatus,
    /// The requested status.
    pub to: BookingStatus,
}

impl BookingStatus {
    /// Whether people may join.
    pub fn is_active(self) -> bool {
        self != Self::Completed
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
        }
    }
}

impl Booking {
    /// Goes forward; to stay is no change, and allowed.
    ///
    /// # Errors
    /// The booking is past that already, and stays as it is.
    pub fn become_status(&mut self, to: BookingStatus) -> Result<(), IllegalChange> {
        let from = self.status;
        if to < from {
            return Err(IllegalChange { from, to });
        }
        self.status = to;
        Ok(())
    }

    /// The practitioner; the first of several.
    pub fn practitioner(&self) -> Option<&BookedParticipant> {
        let mut all = self.participants.iter();
        all.find(|one| one.role == BookedRole::Practitioner)
    }

    /// A participant by user id, or by the identity in a token.
    pub fn participant(&self, who: &str) -> Option<&BookedParticipant> {
        let mut all = self.participants.iter();
        all.find(|one| one.user_id == who || one.identity() == who)
    }
}

impl BookedParticipant {
    /// The identity in tokens and webhooks: `9-user@example.org`.
    pub fn identity(&self) -> String {
        identity(&self.user_id, &self.email)
    }

    /// The role in a room of this kind.
    pub fn role_in(&self, kind: RoomKind) -> Role {
        match (self.role, kind) {
            (BookedRole::Practitioner, _) => Role::Host,
            (BookedRole::Participant, RoomKind::Webinar | RoomKind::Broadcast) => Role::Viewer,
            (BookedRole::Participant, _) => Role::Participant,
        }
    }
}

/// The identity in tokens and webhooks; without an email address the id alone.
pub(crate) fn identity(user_id: &str, email: &str) -> String {
    match email {
        "" => user_id.to_owned(),
        email => format!("{user_id}-{email}"),
    }
}

/// Whether another system may have such an id.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&text.len()) && !text.contains(char::is_control)
}

/// Booking systems number their users, and their bookings.
pub(crate) fn number_or_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<String, D::Error> {
    struct Id;
    impl de::Visitor<'_> for Id {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an id")
        }

        fn visit_u64<E>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
            if !is_id(text) {
                return Err(E::invalid_value(de::Unexpected::Str(text), &self));
            }
            Ok(text.to_owned())
        }
    }
    deserializer.deserialize_any(Id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn booking() -> Booking {
        serde_json::from_value(json!({
            "link": {"kind": "booking", "id": "b1"},
            "kind": "webinar",
            "status": "confirmed",
            "participants": [
                {"user_id": 9, "email": "user@mail", "name": "Ann", "role": "practitioner"},
                {"user_id": "8d4e0f0c-0000-4000-8000-000000000001", "email": "b@mail"},
            ],
            "created_at": 0,
        }))
        .unwrap()
    }

    #[test]
    fn s2_77_a_booking_goes_forward_only() {
        use BookingStatus::{Completed, Confirmed, InProgress};
        let all = [Confirmed, InProgress, Completed];
        for (at, from) in all.into_iter().enumerate() {
            for (then, to) in all.into_iter().enumerate() {
                let mut booking = Booking {
                    status: from,
                    ..booking()
                };
                let result = booking.become_status(to);
                if then >= at {
                    assert_eq!((result, booking.status), (Ok(()), to));
                } else {
                    let refused = Err(IllegalChange { from, to });
                    assert_eq!((result, booking.status), (refused, from));
                }
            }
            assert_eq!(serde_json::to_value(from).unwrap(), from.as_str());
            assert_eq!(from.is_active(), from != Completed);
        }
    }

    #[test]
    fn s2_29_an_identity_is_the_users_id_and_address() {
        let booking = booking();
        assert_eq!(booking.participants[0].identity(), "9-user@mail");
        for who in ["9", "9-user@mail"] {
            assert_eq!(booking.participant(who), Some(&booking.participants[0]));
        }
        for stranger in ["", "-", "8", "9-other@mail", "user@mail"] {
            assert_eq!(booking.participant(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn nobody_is_booked_without_an_id() {
        for user_id in [
            json!(""),
            json!(null),
            json!(-1),
            json!(1.5),
            json!(["9"]),
            json!("9\0"),
        ] {
            let one = json!({"user_id": user_id, "email": "a@mail"});
            assert!(serde_json::from_value::<BookedParticipant>(one).is_err());
        }
    }

    #[test]
    fn a_practitioner_is_host_and_a_participant_watches_a_webinar() {
        let [practitioner, participant] = &booking().participants[..] else {
            panic!("two")
        };
        for (kind, role) in [
            (RoomKind::Individual, Role::Participant),
            (RoomKind::Group, Role::Participant),
            (RoomKind::Open, Role::Participant),
            (RoomKind::Webinar, Role::Viewer),
            (RoomKind::Broadcast, Role::Viewer),
        ] {
            assert_eq!(practitioner.role_in(kind), Role::Host);
            assert_eq!(participant.role_in(kind), role);
        }
    }
}

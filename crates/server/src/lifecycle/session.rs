//! A broadcast: one session is one egress, from its start to its stop. Many
//! follow each other in one room, under one channel.
//!
//! ```text
//!        host joins     egress starts        provider: active   host ends    provider: idle
//! IDLE ───────────► READY ─────────► PUBLISHING ─────────► LIVE ──────► ENDING ─────► STOPPED
//!   │                 │                  │
//!   └─────────────────┴──── cancel ──────┴────► CANCELLED
//! ```
#![deny(clippy::disallowed_methods)]

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// A channel, with at most one unfinished session.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Channel {
    /// `ch_` and a ULID.
    pub channel_id: String,
    /// The user whose channel it is: a UUID of ours, or a token's `sub`.
    pub owner: String,
    /// The display name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One broadcast.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// `se_` and a ULID; never used again.
    pub session_id: String,
    /// `ro_` and a ULID: the room, which outlives the session.
    pub room_id: String,
    /// The channel.
    pub channel_id: String,
    /// Its owner, who hosts it.
    pub user_id: String,
    /// Its status.
    pub status: Status,
    /// The display name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Its egress: `EG_` and twelve characters.
    pub egress: Option<String>,
    /// When its egress started.
    pub started_at: Option<Timestamp>,
    /// When it stopped or was cancelled.
    pub stopped_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Where a session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Created; nobody is there.
    #[default]
    Idle,
    /// The host is in the room.
    Ready,
    /// An egress was started.
    Publishing,
    /// The provider receives it.
    Live,
    /// The host ended it; the provider has not confirmed.
    Ending,
    /// Over.
    Stopped,
    /// Cancelled before it was live.
    Cancelled,
}

/// What moves a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionEvent {
    /// Its host came into the room.
    HostJoined,
    /// Its egress was started: by us, or as a LiveKit server reports.
    EgressStarted,
    /// The provider reports a stream.
    ProviderActive,
    /// The host ends it.
    End,
    /// The provider reports that the stream is idle or gone.
    ProviderIdle,
    /// It is cancelled.
    Cancel,
}

/// A refused transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session that is {} does not allow this", from.as_str())]
pub struct IllegalTransition {
    /// The status, which stays.
    pub from: Status,
    /// The refused event.
    pub event: SessionEvent,
}

impl Status {
    /// Every status, in order.
    pub const ALL: [Self; 7] = [
        Self::Idle,
        Self::Ready,
        Self::Publishing,
        Self::Live,
        Self::Ending,
        Self::Stopped,
        Self::Cancelled,
    ];

    /// The status after an event.
    ///
    /// # Errors
    /// The event does not apply in this status.
    pub fn next(self, event: SessionEvent) -> Result<Self, IllegalTransition> {
        use SessionEvent as E;
        match (self, event) {
            (Self::Idle, E::HostJoined) => Ok(Self::Ready),
            (Self::Ready, E::EgressStarted) => Ok(Self::Publishing),
            (Self::Publishing, E::ProviderActive) => Ok(Self::Live),
            (Self::Live, E::End) => Ok(Self::Ending),
            (Self::Ending, E::ProviderIdle) => Ok(Self::Stopped),
            (Self::Idle | Self::Ready | Self::Publishing, E::Cancel) => Ok(Self::Cancelled),
            (from, event) => Err(IllegalTransition { from, event }),
        }
    }

    /// Whether it is final: its room and its channel may get another session.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Stopped | Self::Cancelled)
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "IDLE",
            Self::Ready => "READY",
            Self::Publishing => "PUBLISHING",
            Self::Live => "LIVE",
            Self::Ending => "ENDING",
            Self::Stopped => "STOPPED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

impl Session {
    /// Moves on, and notes when it started and stopped.
    ///
    /// # Errors
    /// As [`Status::next`]; nothing has changed then.
    pub fn apply(&mut self, event: SessionEvent, now: Timestamp) -> Result<(), IllegalTransition> {
        self.status = self.status.next(event)?;
        match self.status {
            Status::Publishing => self.started_at = Some(now),
            Status::Stopped | Status::Cancelled => self.stopped_at = Some(now),
            _ => {}
        }
        Ok(())
    }

    /// Its room has ended: it ends too, STOPPED if it was live.
    pub fn room_over(&mut self, now: Timestamp) {
        use SessionEvent::{Cancel, End, ProviderIdle};
        // Each is refused where it does not apply.
        for event in [Cancel, End, ProviderIdle] {
            let _ = self.apply(event, now);
        }
    }

    /// The session that follows in the same room while its host is still there:
    /// ready, with an id and an egress of its own.
    pub fn successor(&self, session_id: String, now: Timestamp) -> Self {
        Self {
            session_id,
            status: Status::Ready,
            egress: None,
            started_at: None,
            stopped_at: None,
            created_at: now,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    const EVENTS: [SessionEvent; 6] = [
        SessionEvent::HostJoined,
        SessionEvent::EgressStarted,
        SessionEvent::ProviderActive,
        SessionEvent::End,
        SessionEvent::ProviderIdle,
        SessionEvent::Cancel,
    ];

    fn session() -> Session {
        Session {
            session_id: "se_1".to_owned(),
            room_id: "ro_1".to_owned(),
            channel_id: "ch_1".to_owned(),
            user_id: "9".to_owned(),
            status: Status::Idle,
            name: "Evening news".to_owned(),
            description: "Every day".to_owned(),
            egress: None,
            started_at: None,
            stopped_at: None,
            created_at: Timestamp(1),
        }
    }

    #[test]
    fn s1_29_six_states_follow_each_other_and_every_other_pair_is_refused() {
        let order = [
            SessionEvent::HostJoined,
            SessionEvent::EgressStarted,
            SessionEvent::ProviderActive,
            SessionEvent::End,
            SessionEvent::ProviderIdle,
        ];
        for (at, from) in Status::ALL.into_iter().enumerate() {
            for event in EVENTS.into_iter().filter(|e| *e != SessionEvent::Cancel) {
                let expected = match order.get(at) {
                    Some(next) if *next == event => Ok(Status::ALL[at + 1]),
                    _ => Err(IllegalTransition { from, event }),
                };
                assert_eq!(from.next(event), expected, "{from:?} {event:?}");
            }
        }
    }

    #[test]
    fn s1_30_a_session_is_cancelled_only_before_it_is_live() {
        let event = SessionEvent::Cancel;
        for from in [Status::Idle, Status::Ready, Status::Publishing] {
            assert_eq!(from.next(event), Ok(Status::Cancelled));
        }
        use Status::{Cancelled, Ending, Live, Stopped};
        for from in [Live, Ending, Stopped, Cancelled] {
            assert_eq!(from.next(event), Err(IllegalTransition { from, event }));
        }
    }

    proptest! {
        #[test]
        fn no_sequence_of_events_leads_back_or_out_of_an_end(
            events in prop::collection::vec(select(&EVENTS[..]), 0..40)
        ) {
            let mut session = session();
            for (second, event) in events.into_iter().enumerate() {
                let before = session.clone();
                match session.apply(event, Timestamp::from_secs(second as i64)) {
                    Ok(()) => {
                        prop_assert!(session.status as u8 > before.status as u8);
                        prop_assert!(!before.status.is_terminal());
                    }
                    Err(_) => prop_assert_eq!(&session, &before),
                }
                prop_assert_eq!(session.stopped_at.is_some(), session.status.is_terminal());
                prop_assert!(session.started_at.is_some() || (session.status as u8) < 2
                    || session.status == Status::Cancelled);
            }
        }
    }

    #[test]
    fn s1_24_the_next_session_has_its_own_id_in_the_same_room_and_the_rest_is_copied() {
        let mut over = session();
        over.egress = Some("EG_1".to_owned());
        for event in EVENTS.into_iter().filter(|e| *e != SessionEvent::Cancel) {
            over.apply(event, Timestamp(2)).unwrap();
        }
        let next = over.successor("se_2".to_owned(), Timestamp(3));
        let expected = Session {
            session_id: "se_2".to_owned(),
            status: Status::Ready,
            created_at: Timestamp(3),
            ..session()
        };
        assert_eq!(next, expected);
        assert_eq!(
            over.started_at.zip(over.stopped_at),
            Some((Timestamp(2), Timestamp(2)))
        );
    }

    #[test]
    fn a_session_whose_room_is_over_is_over_too() {
        use Status::{Cancelled, Ending, Idle, Live, Publishing, Ready, Stopped};
        for (from, to) in [
            (Idle, Cancelled),
            (Ready, Cancelled),
            (Publishing, Cancelled),
            (Live, Stopped),
            (Ending, Stopped),
            (Stopped, Stopped),
            (Cancelled, Cancelled),
        ] {
            let mut session = session();
            session.status = from;
            session.room_over(Timestamp(5));
            assert_eq!(session.status, to, "{from:?}");
        }
    }

    #[test]
    fn a_status_is_written_the_same_everywhere() {
        for status in Status::ALL {
            let json = serde_json::to_value(status).unwrap();
            assert_eq!(json, status.as_str());
            assert_eq!(serde_json::from_value::<Status>(json).unwrap(), status);
        }
    }
}

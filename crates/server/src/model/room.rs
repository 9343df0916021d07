//! A room as it is stored, and the times of its life.
//!
//! ```text
//! pending ── opens ──► open ── its time, its host, an operator ──► closed ──► deleted
//!                        └──── emptied out, deleted ──────────────────────────┘
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use visavis_protocol::Metadata;
pub use visavis_protocol::RoomKind;

use crate::clock::Timestamp;

/// From the first media on, an unbounded room has this long to live.
pub const FIRST_RTC_CAP: Duration = Duration::from_secs(6 * 3_600);

/// A room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Room {
    /// The room's own identity.
    pub uid: Uuid,
    /// What people join by: `abc-defg-hij`.
    pub code: String,
    /// `ro_` and a ULID.
    pub ro: String,
    /// The name in tokens and webhooks.
    pub rtc_name: String,
    /// What people call it; may be empty.
    pub name: String,
    /// The tenant.
    pub audience: String,
    /// The user whose room it is; none until somebody was inside.
    pub host: Option<Uuid>,
    /// What it was made for.
    pub link: Option<Link>,
    /// Which template it follows.
    pub kind: RoomKind,
    /// From when on people may come in.
    pub opens_at: Timestamp,
    /// Whether its opening was told.
    pub opened: bool,
    /// Until when, exclusive; `None` = unbounded.
    pub closes_at: Option<Timestamp>,
    /// How long it outlives the last leave; `None` = it stays.
    pub empty_timeout: Option<Duration>,
    /// How long it outlives its host's leave, where that closes it.
    pub departure_timeout: Duration,
    /// How long it waits for anyone but its creator; `None` = for ever.
    pub idle_ttl: Option<Duration>,
    /// What its host's leave does.
    pub on_host_leave: OnHostLeave,
    /// The most that may be inside; 0 = unlimited.
    pub max_participants: u32,
    /// Slots reserved on an SFU backend.
    pub reserve: Option<u32>,
    /// Who forwards its media.
    pub backend: Backend,
    /// Whatever its owner notes on it: any JSON.
    pub tags: Value,
    /// What the creator said of it.
    pub metadata: Option<Metadata>,
    /// LiveKit's free text.
    pub rtc_metadata: String,
    /// The passcode's argon2 hash.
    pub passcode: Option<String>,
    /// Whether the host lets people in one by one.
    pub waiting_room: bool,
    /// Whether nobody new may come in.
    pub locked: bool,
    /// Whether it may be recorded.
    pub recording_enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether anyone but its creator ever came in.
    pub visited: bool,
    /// Since the last leave.
    pub empty_since: Option<Timestamp>,
    /// Since its host left, where that closes it.
    pub host_left_at: Option<Timestamp>,
    /// Its present life.
    pub instance: Option<RoomInstance>,
    /// That and why it was closed.
    pub closed: Option<Closing>,
    /// When it was deleted; from then on it is not found.
    pub deleted_at: Option<Timestamp>,
    /// Counts its changes; the store refuses one that was made of an older one.
    pub version: i64,
}

/// What a room was made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind", content = "id")]
pub enum Link {
    /// A booking's id.
    Booking(String),
    /// A service session's id.
    ServiceSession(String),
    /// A broadcasting channel's id.
    Channel(String),
}

/// Who forwards a room's media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// Nobody: a mesh.
    #[default]
    None,
    /// A Janus SFU.
    Janus,
}

/// What a host's leave does to its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnHostLeave {
    /// Nothing; the host's place waits.
    Keep,
    /// The longest present becomes host.
    #[default]
    Transfer,
    /// The room closes after its departure timeout.
    Close,
}

/// One life of a room, from its first participant (or its host's token) to its
/// end: `room_started` to `room_finished`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomInstance {
    /// `RM_` and twelve characters.
    pub sid: String,
    /// When it began.
    pub started_at: Timestamp,
}

/// That a room was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Closing {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: EndReason,
}

/// Why a room is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its time was over.
    Time,
    /// Its host ended it.
    Ended,
    /// An administrator closed it.
    Closed,
    /// Its host left and did not come back.
    HostLeft,
    /// Nobody was left.
    Empty,
    /// Nobody ever came.
    Idle,
    /// It was deleted.
    Deleted,
}

/// Where a room is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It opens later.
    Pending,
    /// People may come in.
    Open,
    /// It is over, and is remembered.
    Closed,
    /// It is over, and nobody finds it.
    Deleted,
}

/// What is due in a room's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Its opening is to be told.
    Opening,
    /// It ends.
    End(EndReason),
}

impl Room {
    /// Where it is in its life.
    pub fn phase(&self, now: Timestamp) -> Phase {
        if self.deleted_at.is_some() {
            Phase::Deleted
        } else if self.closed.is_some() || self.closes_at.is_some_and(|at| at <= now) {
            Phase::Closed
        } else if now < self.opens_at {
            Phase::Pending
        } else {
            Phase::Open
        }
    }

    /// Whether it is joined by id alone, and not listed.
    pub fn is_private(&self) -> bool {
        let private = self.metadata.as_ref().and_then(|metadata| metadata.private);
        private.unwrap_or(false)
    }

    /// Every identifier of the room.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![self.uid.to_string(), self.code.clone(), self.ro.clone()];
        if self.rtc_name != self.ro {
            names.push(self.rtc_name.clone());
        }
        names
    }

    /// Whether a LiveKit server would know it: it lives, or was made there by
    /// name.
    pub fn is_rtc(&self) -> bool {
        self.instance.is_some() || (self.link.is_none() && self.rtc_name != self.ro)
    }

    /// A room whose end takes it away: emptied out, it is found no more. Those
    /// that belong to something are remembered.
    pub fn is_fleeting(&self) -> bool {
        self.link.is_none()
    }

    /// The next moment at which [`Room::due`] has something to say.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.schedule().map(|(at, _)| at).min()
    }

    /// What is due first, once its moment has come.
    pub(crate) fn due(&self, now: Timestamp) -> Option<Due> {
        let due = self.schedule().filter(|(at, _)| *at <= now);
        due.min_by_key(|(at, _)| *at).map(|(_, due)| due)
    }

    /// Everything that lies ahead: the earliest that applies ends the room.
    fn schedule(&self) -> impl Iterator<Item = (Timestamp, Due)> {
        let over = self.closed.is_some() || self.deleted_at.is_some();
        // One that opens later is not empty before, and nobody can come.
        let empty = self.empty_since.map(|at| at.max(self.opens_at));
        let empty = empty.zip(self.empty_timeout);
        let idle = self.idle_ttl.filter(|_| !self.visited);
        let opening = (!self.opened).then_some((self.opens_at, Due::Opening));
        let ends = [
            (self.closes_at, EndReason::Time),
            (
                self.host_left_at.map(|at| at.after(self.departure_timeout)),
                EndReason::HostLeft,
            ),
            (
                empty.map(|(at, timeout)| at.after(timeout)),
                EndReason::Empty,
            ),
            (
                idle.map(|ttl| self.created_at.max(self.opens_at).after(ttl)),
                EndReason::Idle,
            ),
        ];
        let ends = ends
            .into_iter()
            .filter_map(|(at, reason)| Some((at?, Due::End(reason))));
        opening.into_iter().chain(ends).filter(move |_| !over)
    }
}

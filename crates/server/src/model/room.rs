//! A room as it is stored, and the times at which it changes state.
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

/// A room without an end closes this long after its first media.
pub const FIRST_RTC_CAP: Duration = Duration::from_secs(6 * 3_600);

/// A room. Fields that a stored document lacks get their default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Room {
    /// The room's own identity.
    pub uid: Uuid,
    /// The code that people join with: `abc-defg-hij`.
    pub code: String,
    /// `ro_` and a ULID.
    pub ro: String,
    /// The name in tokens and webhooks.
    pub rtc_name: String,
    /// The display name; may be empty.
    pub name: String,
    /// The tenant.
    pub audience: String,
    /// The user who owns the room; `None` until somebody joined.
    pub host: Option<Uuid>,
    /// What it was created for.
    pub link: Option<Link>,
    /// Which template it follows.
    pub kind: RoomKind,
    /// From when on people can join.
    pub opens_at: Timestamp,
    /// Whether its opening was announced.
    pub opened: bool,
    /// When it closes, exclusive; `None` = unbounded.
    pub closes_at: Option<Timestamp>,
    /// How long it stays open when empty; `None` = unlimited.
    pub empty_timeout: Option<Duration>,
    /// How long it stays open without its host, when the host's leave closes it.
    pub departure_timeout: Duration,
    /// How long it waits for anyone but its creator; `None` = unlimited.
    pub idle_ttl: Option<Duration>,
    /// How long it waits for its first participant, if it has no host; `None` =
    /// unlimited.
    pub unentered_ttl: Option<Duration>,
    /// What happens when its host leaves.
    pub on_host_leave: OnHostLeave,
    /// Participants at most; 0 = unlimited.
    pub max_participants: u32,
    /// Slots reserved on an SFU backend.
    pub reserve: Option<u32>,
    /// Who forwards its media.
    pub backend: Backend,
    /// Any JSON of its owner.
    pub tags: Value,
    /// The creator's metadata.
    pub metadata: Option<Metadata>,
    /// LiveKit's free text.
    pub rtc_metadata: String,
    /// The passcode's argon2 hash.
    pub passcode: Option<String>,
    /// Whether the host lets people in one by one.
    pub waiting_room: bool,
    /// Whether new participants are refused.
    pub locked: bool,
    /// Whether it may be recorded.
    pub recording_enabled: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// Whether anyone but its creator ever joined.
    pub visited: bool,
    /// When the last participant left, while it is empty.
    pub empty_since: Option<Timestamp>,
    /// When its host left, if that closes it.
    pub host_left_at: Option<Timestamp>,
    /// Its current instance.
    #[serde(alias = "incarnation")]
    pub instance: Option<RoomInstance>,
    /// When and why it was closed.
    pub closed: Option<Closing>,
    /// When it was deleted; lookups no longer find it.
    pub deleted_at: Option<Timestamp>,
    /// Number of changes; the store increases it with each.
    pub version: i64,
}

/// What a room was created for.
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

/// What happens to a room when its host leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnHostLeave {
    /// Nothing; the room stays without a host.
    Keep,
    /// The longest present becomes host.
    #[default]
    Transfer,
    /// The room closes after its departure timeout.
    Close,
}

/// One instance of a room, from its first participant (or its host's token) to its
/// end: `room_started` to `room_finished`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoomInstance {
    /// `RM_` and twelve characters.
    pub sid: String,
    /// When it began.
    pub started_at: Timestamp,
}

/// When and why a room was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Closing {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: EndReason,
}

/// Why a room ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its closing time was reached.
    Time,
    /// Its host ended it.
    Ended,
    /// An administrator closed it.
    Closed,
    /// Its host left and did not come back.
    HostLeft,
    /// It was empty for its timeout.
    Empty,
    /// Nobody, or nobody but its creator, joined in time.
    Idle,
    /// It was deleted.
    Deleted,
}

/// The state of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It opens later.
    Pending,
    /// People can join.
    Open,
    /// It ended and is still found.
    Closed,
    /// It ended and is no longer found.
    Deleted,
}

/// What the scheduler has to do for a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Announce its opening.
    Opening,
    /// End it.
    End(EndReason),
}

impl Room {
    /// Its state.
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

    /// Whether it is not listed.
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

    /// Whether a LiveKit server would list it: it has an instance, or was created
    /// by name.
    pub fn is_rtc(&self) -> bool {
        self.instance.is_some() || (self.link.is_none() && self.rtc_name != self.ro)
    }

    /// Whether it is deleted when it ends empty. Rooms with a link are kept.
    pub fn is_fleeting(&self) -> bool {
        self.link.is_none()
    }

    /// When [`Room::due`] next returns something.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.schedule().map(|(at, _)| at).min()
    }

    /// What is due first, if anything is.
    pub(crate) fn due(&self, now: Timestamp) -> Option<Due> {
        let due = self.schedule().filter(|(at, _)| *at <= now);
        due.min_by_key(|(at, _)| *at).map(|(_, due)| due)
    }

    /// Everything that lies ahead; the earliest end applies.
    fn schedule(&self) -> impl Iterator<Item = (Timestamp, Due)> {
        let over = self.closed.is_some() || self.deleted_at.is_some();
        // Before it opens nobody can join, so it does not count as empty.
        let empty = self.empty_since.map(|at| at.max(self.opens_at));
        let empty = empty.zip(self.empty_timeout);
        let idle = self.idle_ttl.filter(|_| !self.visited);
        // The first participant of a room without a host becomes its host.
        let unentered = self.unentered_ttl.filter(|_| self.host.is_none());
        let idle = idle.or(unentered);
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

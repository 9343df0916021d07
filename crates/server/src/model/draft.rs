//! The defaults of a new room.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;
use visavis_protocol::RoomKind;

use super::{Backend, OnHostLeave, Room};
use crate::clock::Timestamp;

/// How long a room that is no broadcast stays open without its host, when the
/// host's leave closes it.
const DEPARTURE_TIMEOUT: Duration = Duration::from_secs(20);

impl Default for Room {
    /// An open room without names and limits.
    fn default() -> Self {
        Self {
            uid: Uuid::nil(),
            code: String::new(),
            ro: String::new(),
            rtc_name: String::new(),
            name: String::new(),
            audience: "default".to_owned(),
            host: None,
            link: None,
            kind: RoomKind::Open,
            opens_at: Timestamp::default(),
            opened: true,
            closes_at: None,
            empty_timeout: None,
            departure_timeout: DEPARTURE_TIMEOUT,
            idle_ttl: None,
            unentered_ttl: None,
            on_host_leave: OnHostLeave::Transfer,
            max_participants: 0,
            reserve: None,
            backend: Backend::None,
            tags: json!({}),
            metadata: None,
            rtc_metadata: String::new(),
            passcode: None,
            waiting_room: false,
            locked: false,
            recording_enabled: false,
            created_at: Timestamp::default(),
            visited: false,
            empty_since: None,
            host_left_at: None,
            instance: None,
            closed: None,
            deleted_at: None,
            version: 0,
        }
    }
}

impl Room {
    /// An open room without limits, from now on. The room service adds its names.
    #[must_use]
    pub fn draft(now: Timestamp) -> Self {
        Self {
            uid: Uuid::new_v4(),
            opens_at: now,
            created_at: now,
            ..Self::default()
        }
    }
}

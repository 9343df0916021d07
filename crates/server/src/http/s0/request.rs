//! Request bodies of S0's dialect and their checks; no I/O.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::body::said;
use super::super::problem::{self, Problem};
use super::super::room_lookup::check_not_over;
use crate::clock::Timestamp;
use crate::model::{Backend, Room, Template};
use crate::refusal::display_name;

/// The end of the year 9999, past which RFC 3339 has no dates: seconds.
const LAST_SECOND: i64 = 253_402_300_799;
/// The longest tenant name.
const LONGEST_AUDIENCE_CHARS: usize = 100;

/// The body of a create request.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRoom {
    /// The tenant: 1 to 100 characters without `/`.
    audience: String,
    /// Open from, and until, exclusive: seconds since 1970; null = unbounded.
    time: (i64, Option<i64>),
    /// The media backend: `none` or `janus`.
    #[schema(value_type = String)]
    backend: Backend,
    /// Slots reserved on the backend.
    reserve: Option<u32>,
    /// Any JSON; default `{}`.
    #[serde(default, deserialize_with = "some")]
    tags: Option<Value>,
}

/// The fields to change; an absent field stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RoomChange {
    /// Open from, and until, exclusive: seconds since 1970. Once bounded, a room
    /// stays so.
    time: Option<(i64, Option<i64>)>,
    /// The media backend: `none` or `janus`.
    #[schema(value_type = Option<String>)]
    backend: Option<Backend>,
    /// Slots reserved on the backend; null = none.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<u32>)]
    reserve: Option<Option<u32>>,
    /// Any JSON.
    #[serde(deserialize_with = "some")]
    tags: Option<Value>,
    /// The display name; also `name`, as in the create request.
    #[serde(alias = "name")]
    title: Option<String>,
    /// The most participants; null or 0 = unlimited. Present participants stay.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<u32>)]
    max_participants: Option<Option<u32>>,
    /// Seconds from the last leave to the room's end; null = it stays.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<u32>)]
    empty_timeout: Option<Option<u32>>,
    /// Whether the room may be recorded.
    recording_enabled: Option<bool>,
}

/// A value that may be null itself.
fn some<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl NewRoom {
    /// The room that it describes.
    pub fn draft(self, now: Timestamp) -> Result<Room, Problem> {
        let mut room = Room::draft(now);
        room.audience = audience(&self.audience)?;
        set_time(&mut room, self.time, now)?;
        room.backend = self.backend;
        room.reserve = self.reserve;
        room.tags = self.tags.unwrap_or(room.tags);
        Ok(room)
    }
}

impl RoomChange {
    /// Changes a room that is not over.
    pub fn write_on(self, room: &mut Room, now: Timestamp) -> Result<(), Problem> {
        check_not_over(room, now)?;
        if let Some(time) = self.time {
            if room.closes_at.is_some() && time.1.is_none() {
                let why = "a bounded room cannot become unbounded";
                return Err(Problem::new(problem::ROOM_TIME_CHANGING_FORBIDDEN, why));
            }
            set_time(room, time, now)?;
        }
        if let Some(backend) = self.backend {
            room.backend = backend;
        }
        if let Some(reserve) = self.reserve {
            room.reserve = reserve;
        }
        if let Some(tags) = self.tags {
            room.tags = tags;
        }
        if let Some(title) = self.title {
            room.name = display_name(&title);
        }
        if let Some(most) = self.max_participants {
            room.max_participants = most.unwrap_or(0);
        }
        if let Some(seconds) = self.empty_timeout {
            room.empty_timeout = seconds.map(|seconds| Duration::from_secs(seconds.into()));
        }
        if let Some(enabled) = self.recording_enabled {
            if enabled && !Template::of(room.kind).recording {
                let why = "rooms of this type cannot be recorded";
                return Err(Problem::invalid_payload(why));
            }
            room.recording_enabled = enabled;
        }
        Ok(())
    }
}

/// Sets the time window. An opening in the future is announced when it comes.
fn set_time(
    room: &mut Room,
    (open, close): (i64, Option<i64>),
    now: Timestamp,
) -> Result<(), Problem> {
    let wrong = |why: &str| Err(Problem::new(problem::INVALID_ROOM_TIME, why));
    let in_range = |second: &i64| (0..=LAST_SECOND).contains(second);
    if !in_range(&open) || !close.iter().all(in_range) {
        return wrong("time must be in seconds, from 1970 to the year 9999");
    }
    if close.is_some_and(|close| close <= open) {
        return wrong("the opening time must be before the closing time");
    }
    // An unchanged time keeps its milliseconds.
    if open != room.opens_at.secs() {
        room.opens_at = Timestamp::from_secs(open);
        room.opened = room.opened && room.opens_at <= now;
    }
    if close != room.closes_at.map(Timestamp::secs) {
        room.closes_at = close.map(Timestamp::from_secs);
    }
    Ok(())
}

fn audience(text: &str) -> Result<String, Problem> {
    let plain = !text.contains('/') && !text.contains(char::is_control);
    if plain && (1..=LONGEST_AUDIENCE_CHARS).contains(&text.trim().chars().count()) {
        return Ok(text.trim().to_owned());
    }
    let why = "audience must be 1 to 100 characters without a slash";
    Err(Problem::invalid_payload(why))
}

#[cfg(test)]
mod tests;

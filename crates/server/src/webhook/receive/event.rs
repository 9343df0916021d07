//! Reads a LiveKit server's `WebhookEvent` in JSON, of this version of its
//! protocol or another. The generated reader refuses a whole event for one
//! unknown enum value, null or fractional time in it; such an event is reduced
//! to the fields that this server uses, without the unreadable ones.
#![deny(clippy::disallowed_methods)]

use livekit_protocol::participant_info::Kind;
use livekit_protocol::{EgressStatus, TrackSource, TrackType, WebhookEvent};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// What is kept of a field.
#[derive(Clone, Copy)]
enum Field {
    Any,
    /// Seconds or nanoseconds; a fraction is dropped.
    Time,
    /// An enum, if its value is known.
    Enum(fn(&Value) -> bool),
    Message(Fields),
    Messages(Fields),
}

/// The fields of a message by their JSON names.
type Fields = &'static [(&'static str, Field)];

const EVENT: Fields = &[
    ("event", Field::Any),
    ("id", Field::Any),
    ("createdAt", Field::Time),
    ("room", Field::Message(ROOM)),
    ("participant", Field::Message(PARTICIPANT)),
    ("track", Field::Message(TRACK)),
    ("egressInfo", Field::Message(EGRESS)),
];

const ROOM: Fields = &[("sid", Field::Any), ("name", Field::Any)];

const PARTICIPANT: Fields = &[
    ("sid", Field::Any),
    ("identity", Field::Any),
    ("name", Field::Any),
    ("metadata", Field::Any),
    ("joinedAt", Field::Time),
    ("kind", Field::Enum(known::<Kind>)),
    ("permission", Field::Message(PERMISSION)),
    ("tracks", Field::Messages(TRACK)),
];

const PERMISSION: Fields = &[
    ("canPublish", Field::Any),
    ("canSubscribe", Field::Any),
    ("canPublishData", Field::Any),
];

const TRACK: Fields = &[
    ("sid", Field::Any),
    ("muted", Field::Any),
    ("type", Field::Enum(known::<TrackType>)),
    ("source", Field::Enum(known::<TrackSource>)),
];

const EGRESS: Fields = &[
    ("egressId", Field::Any),
    ("roomId", Field::Any),
    ("roomName", Field::Any),
    ("status", Field::Enum(known::<EgressStatus>)),
    ("startedAt", Field::Time),
    ("updatedAt", Field::Time),
    ("endedAt", Field::Time),
    ("error", Field::Any),
];

/// `None`: the body is no event.
pub(super) fn read(body: &[u8]) -> Option<WebhookEvent> {
    if let Ok(event) = serde_json::from_slice(body) {
        return Some(event);
    }
    let Value::Object(event) = serde_json::from_slice(body).ok()? else {
        return None;
    };
    serde_json::from_value(Value::Object(reduced(event, EVENT))).ok()
}

fn known<T: DeserializeOwned>(value: &Value) -> bool {
    T::deserialize(value).is_ok()
}

fn reduced(mut message: Map<String, Value>, fields: Fields) -> Map<String, Value> {
    let kept = fields.iter().filter_map(|(name, field)| {
        let value = message
            .remove(*name)
            .or_else(|| message.remove(&snake(name)))?;
        Some(((*name).to_owned(), kept(value, *field)?))
    });
    kept.collect()
}

fn kept(value: Value, field: Field) -> Option<Value> {
    match (field, value) {
        (_, Value::Null) => None,
        (Field::Time, value) => whole(&value),
        (Field::Enum(is_known), value) => is_known(&value).then_some(value),
        (Field::Message(fields), Value::Object(message)) => {
            Some(Value::Object(reduced(message, fields)))
        }
        (Field::Messages(fields), Value::Array(messages)) => {
            let messages = messages.into_iter();
            let kept = messages.filter_map(|message| kept(message, Field::Message(fields)));
            Some(kept.collect())
        }
        (_, value) => Some(value),
    }
}

/// A time without its fraction: an integer as it is, else a number or a text that
/// holds one. An unreadable time counts as absent.
fn whole(value: &Value) -> Option<Value> {
    let text = value.as_str();
    let integer = value.as_i64().or_else(|| text?.parse().ok());
    let number = || value.as_f64().or_else(|| text?.parse().ok());
    // Saturates.
    let integer = integer.or_else(|| number().map(|number| number as i64))?;
    Some(integer.into())
}

/// `createdAt` as the protocol's source spells it: `created_at`.
fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 2);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

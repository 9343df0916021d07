//! Fields of JSON bodies: unknown ones are refused by name, so that a misspelt
//! field is not taken for a change.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::problem::Problem;

/// Parses the body of a create request. `T` denies unknown fields; the fields in
/// `ignored`, which the server sets by itself, are removed first.
pub(super) fn created<T: DeserializeOwned>(body: Value, ignored: &[&str]) -> Result<T, Problem> {
    let mut body = object(body)?;
    body.retain(|name, _| !ignored.contains(&name.as_str()));
    read(body)
}

/// Parses the body of a create request whose unknown fields are ignored: S4's
/// clients send more than S4 names.
pub(super) fn known<T: DeserializeOwned>(body: Value, names: &[&str]) -> Result<T, Problem> {
    let mut body = object(body)?;
    body.retain(|name, _| names.contains(&name.as_str()));
    read(body)
}

/// Parses the body of a change. `T` denies all but the writable fields; members
/// equal to the shown object's change nothing, so that a client may send back the
/// object it got, and neither do the fields in `ignored`, which the server sets.
pub(super) fn changed<T: DeserializeOwned>(
    body: Value,
    shown: &Value,
    ignored: &[&str],
) -> Result<T, Problem> {
    let mut body = object(body)?;
    let changes =
        |name: &str, value: &Value| !ignored.contains(&name) && shown.get(name) != Some(value);
    body.retain(|name, value| changes(name, value));
    read(body)
}

/// An absent body, read as null, has no fields.
fn object(body: Value) -> Result<Map<String, Value>, Problem> {
    match body {
        Value::Object(body) => Ok(body),
        Value::Null => Ok(Map::new()),
        _ => Err(Problem::invalid_payload("the body must be a JSON object")),
    }
}

fn read<T: DeserializeOwned>(body: Map<String, Value>) -> Result<T, Problem> {
    let read = serde_json::from_value(Value::Object(body));
    read.map_err(|error| Problem::invalid_payload(error.to_string()))
}

//! Helpers shared by the snapshot tests.

// Each test binary uses some of them.
#![allow(dead_code)]

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// Serialises a payload.
pub fn raw(value: Value) -> Box<RawValue> {
    to_raw_value(&value).unwrap()
}

/// Compares a message with its snapshot, then checks that parsing and
/// serialising it again yields the same JSON.
macro_rules! check {
    ($name:literal, $type:ident, $message:expr) => {{
        let json = $message.to_json();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        insta::assert_json_snapshot!($name, value);
        assert_eq!($type::parse(&json).unwrap().to_json(), json);
    }};
}

pub const ANN: &str = "0b6f1a3e-5b3f-4a43-9d43-5f2c3a0a6d01";
pub const BOB: &str = "7c0d2f55-93f5-4a0e-8f0e-1e8f4b1f9c02";
pub const ROOM: &str = "abc-defg-hij";

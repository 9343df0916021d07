//! One text: whatever it is, reading it does not panic, and what was read as a
//! message is written as the same message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use visavis_protocol::{ClientMessage, ServerMessage};

fuzz_target!(|text: &str| {
    if let Ok((_, message)) = ClientMessage::read(text) {
        let written = message.to_json();
        let (_, again) = ClientMessage::read(&written).expect("a message of ours");
        // serde_json reads fractions to within their last digit.
        if !matches!(message, ClientMessage::ReportQuality(_)) {
            assert_eq!(again.to_json(), written);
        }
    }
    if let Ok(message) = ServerMessage::parse(text) {
        let written = message.to_json();
        let again = ServerMessage::parse(&written).expect("a message of ours");
        assert_eq!(again.to_json(), written);
    }
});

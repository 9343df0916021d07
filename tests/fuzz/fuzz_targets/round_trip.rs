//! Reads a text as everything that the protocol reads. Nothing panics, and what
//! was read is written so that it is read as the same. Returns how many kinds of
//! message the text is.

use visavis_protocol::limits::{MAX_LINK_BYTES, MAX_PEER_MESSAGE_BYTES};
use visavis_protocol::{ClientMessage, JoinLink, PeerMessage, ServerMessage};

pub fn check(text: &str) -> usize {
    let mut kinds = 0;
    if let Ok((_, message)) = ClientMessage::read(text) {
        kinds += 1;
        let written = message.to_json();
        let (_, again) = ClientMessage::read(&written).expect("a client message");
        // serde_json reads fractions to within their last digit.
        if !matches!(message, ClientMessage::ReportQuality(_)) {
            assert_eq!(again.to_json(), written);
        }
    }
    if let Ok(message) = ServerMessage::parse(text) {
        kinds += 1;
        let written = message.to_json();
        let again = ServerMessage::parse(&written).expect("a server message");
        assert_eq!(again.to_json(), written);
    }
    if let Ok(message) = PeerMessage::parse(text) {
        kinds += 1;
        let written = message.to_json();
        // Defaults that were left out make a message longer.
        if written.len() <= MAX_PEER_MESSAGE_BYTES {
            let again = PeerMessage::parse(&written).expect("a peer message");
            assert_eq!(again.to_json(), written);
        }
    }
    if let Ok(link) = JoinLink::parse(text) {
        kinds += 1;
        let written = link.app_url();
        // Escapes make a link longer.
        if written.len() <= MAX_LINK_BYTES {
            assert_eq!(JoinLink::parse(&written).as_ref(), Ok(&link), "{written}");
        }
    }
    kinds
}

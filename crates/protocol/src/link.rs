//! Room ids and room links as people type or paste them.

use url::Url;

/// A room, and its server when a link names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomLink {
    /// Any id of the room; a room code is in its canonical form `abc-defg-hij`.
    pub room: String,
    /// The server's URL as the link gives it; not validated.
    pub server: Option<String>,
}

/// Why a text is not a room id or a link to a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RoomLinkError {
    /// The text is empty.
    #[error("enter a room's id, for example abc-defg-hij")]
    Empty,
    /// The text is neither a room id nor a link to a room.
    #[error("this is neither a room's id nor a link to a room")]
    NotARoom,
}

/// Longest room id, in bytes. A UUID has 36; a room name in tokens may be longer.
const MAX_ID_BYTES: usize = 128;

impl RoomLink {
    /// Parses `abc-defg-hij` (with or without dashes, spaces or capitals), any
    /// other room id, or `visavis://room/ID?server=URL`.
    ///
    /// # Errors
    /// The text is not a room id or a link to a room.
    pub fn parse(text: &str) -> Result<Self, RoomLinkError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(RoomLinkError::Empty);
        }
        if let Some(link) = text.split_once("://") {
            return (link.0.eq_ignore_ascii_case("visavis"))
                .then(|| Self::from_url(text))
                .flatten()
                .ok_or(RoomLinkError::NotARoom);
        }
        Ok(Self {
            room: id(text).ok_or(RoomLinkError::NotARoom)?,
            server: None,
        })
    }

    fn from_url(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let room = (url.host_str() == Some("room")).then(|| url.path().trim_matches('/'))?;
        let server = url
            .query_pairs()
            .find(|(key, _)| key == "server")
            .map(|(_, value)| value.into_owned());
        Some(Self {
            room: id(room)?,
            server,
        })
    }

    /// Builds the link that invites others to a room.
    pub fn invitation(room: &str, server: &str) -> String {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("server", server)
            .finish();
        format!("visavis://room/{room}?{query}")
    }
}

/// Normalises an id. Ten letters are a room code, however dashes and spaces
/// divide them.
fn id(text: &str) -> Option<String> {
    let letters: String = text
        .chars()
        .filter(|c| !matches!(c, '-' | ' ' | '\u{2013}' | '\u{2011}'))
        .collect();
    if letters.len() == 10 && letters.bytes().all(|b| b.is_ascii_alphabetic()) {
        let letters = letters.to_ascii_lowercase();
        return Some(format!(
            "{}-{}-{}",
            &letters[..3],
            &letters[3..7],
            &letters[7..]
        ));
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    (!text.is_empty() && text.len() <= MAX_ID_BYTES && text.bytes().all(plain))
        .then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_code_parses_in_any_notation() {
        for text in [
            "abc-defg-hij",
            " ABCDEFGHIJ ",
            "abc defg hij",
            "Abc-defghij",
        ] {
            assert_eq!(RoomLink::parse(text).unwrap().room, "abc-defg-hij");
        }
    }

    #[test]
    fn an_invitation_carries_its_server_and_parses_back() {
        let text = RoomLink::invitation("abc-defg-hij", "ws://192.0.2.1:7420");
        let link = RoomLink::parse(&text).unwrap();
        assert_eq!(link.room, "abc-defg-hij");
        assert_eq!(link.server.as_deref(), Some("ws://192.0.2.1:7420"));
    }

    #[test]
    fn a_text_that_is_not_a_room_is_refused() {
        assert_eq!(RoomLink::parse("  "), Err(RoomLinkError::Empty));
        for text in [
            "https://example.org/abc",
            "visavis://lobby/x",
            "visavis://room/",
            "a/b",
            "\u{1F600}",
        ] {
            assert_eq!(
                RoomLink::parse(text),
                Err(RoomLinkError::NotARoom),
                "{text}"
            );
        }
    }
}

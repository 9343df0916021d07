//! A room's id as a person types or pastes it.

use url::Url;

/// A room, and where it is when a link says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomLink {
    /// Any id of the room; friendly ids in their canonical form.
    pub room: String,
    /// The server's URL, from a link.
    pub server: Option<String>,
}

/// Why a text names no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RoomLinkError {
    /// Nothing was typed.
    #[error("enter a room's id, for example abc-defg-hij")]
    Empty,
    /// Neither an id nor a link to a room.
    #[error("this is neither a room's id nor a link to a room")]
    NotARoom,
}

/// The longest id of a room, in bytes: a UUID has 36, other kinds less.
const MAX_ID_BYTES: usize = 128;

impl RoomLink {
    /// Reads `abc-defg-hij` (with or without dashes, blanks or capitals), any
    /// other id, or `visavis://room/ID?server=URL`.
    ///
    /// # Errors
    /// When the text names no room.
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

    /// The link to give to others.
    pub fn invitation(room: &str, server: &str) -> String {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("server", server)
            .finish();
        format!("visavis://room/{room}?{query}")
    }
}

/// An id in its canonical form: ten letters are a friendly id, whatever stands
/// between them.
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
    fn a_friendly_id_is_read_in_any_form() {
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
    fn a_link_carries_its_server_and_is_read_back() {
        let text = RoomLink::invitation("abc-defg-hij", "ws://192.0.2.1:7420");
        let link = RoomLink::parse(&text).unwrap();
        assert_eq!(link.room, "abc-defg-hij");
        assert_eq!(link.server.as_deref(), Some("ws://192.0.2.1:7420"));
    }

    #[test]
    fn what_names_no_room_is_refused() {
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

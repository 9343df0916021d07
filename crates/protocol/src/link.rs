//! Room ids and room links as people type or paste them.

use std::fmt;

use url::{Url, form_urlencoded};

use crate::limits::{MAX_LINK_BYTES, PASSCODE_CHARS};

/// Longest room id, in bytes. A UUID has 36; a room name in tokens may be longer.
const MAX_ID_BYTES: usize = 128;

/// A room, and its server when a link names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomLink {
    /// Any id of the room; a room code is in its canonical form `abc-defg-hij`.
    pub room: String,
    /// The server's URL as the link gives it; not validated.
    pub server: Option<String>,
}

/// What a link opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkTarget {
    /// A room, by any of its ids; a room code is in its canonical form.
    Room(String),
    /// The room of a booking.
    Booking {
        /// The booking's id.
        id: String,
        /// Whether the link opens the lobby of the room instead of joining.
        lobby: bool,
    },
    /// The room of a service session.
    Session(String),
}

/// A link that opens a room, with the secrets for joining it.
///
/// The secrets are in the URL's fragment, which browsers do not send to servers.
/// Secrets in the query are ignored. `Debug` hides them, so that logs do not show
/// them; lists of recent rooms store a [`RoomLink`].
#[derive(Clone, PartialEq, Eq)]
pub struct JoinLink {
    /// What the link opens.
    pub target: LinkTarget,
    /// The server's URL as the link gives it; not validated.
    pub server: Option<String>,
    /// The room's passcode.
    pub passcode: Option<String>,
    /// An access token.
    pub token: Option<String>,
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
    /// The text is longer than [`MAX_LINK_BYTES`].
    #[error("the link exceeds {MAX_LINK_BYTES} bytes")]
    TooLong,
    /// The passcode is longer than [`PASSCODE_CHARS`] allows.
    #[error("the link's passcode exceeds {} characters", PASSCODE_CHARS.end())]
    PasscodeTooLong,
}

impl RoomLink {
    /// Parses `abc-defg-hij` (with or without dashes, spaces or capitals), any
    /// other room id, or a link that [`JoinLink::parse`] accepts and that opens a
    /// room by its id. The link's secrets are dropped.
    ///
    /// # Errors
    /// The text is not a room id or a link to a room.
    pub fn parse(text: &str) -> Result<Self, RoomLinkError> {
        let JoinLink { target, server, .. } = JoinLink::parse(text)?;
        match target {
            LinkTarget::Room(room) => Ok(Self { room, server }),
            LinkTarget::Booking { .. } | LinkTarget::Session(_) => Err(RoomLinkError::NotARoom),
        }
    }

    /// Builds the link that invites others to a room.
    pub fn invitation(room: &str, server: &str) -> String {
        JoinLink {
            server: Some(server.to_owned()),
            ..JoinLink::to(LinkTarget::Room(room.to_owned()))
        }
        .app_url()
    }
}

impl JoinLink {
    /// A link without server and secrets.
    pub fn to(target: LinkTarget) -> Self {
        Self {
            target,
            server: None,
            passcode: None,
            token: None,
        }
    }

    /// Parses a room id or a link:
    ///
    /// - `visavis://room/ID?server=URL#passcode=…&token=…`
    /// - `visavis://room/booking/ID` and `visavis://room/booking/ID/lobby`
    /// - `visavis://room/session/ID`
    /// - `https://HOST/room/…` with the same paths and fragment; HOST is the server
    ///
    /// The query and the fragment are `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// The text is not a room id or a link to a room, or a bound is exceeded.
    pub fn parse(text: &str) -> Result<Self, RoomLinkError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(RoomLinkError::Empty);
        }
        if text.len() > MAX_LINK_BYTES {
            return Err(RoomLinkError::TooLong);
        }
        if text.contains("://") {
            return Self::from_url(text);
        }
        let room = id(text).ok_or(RoomLinkError::NotARoom)?;
        Ok(Self::to(LinkTarget::Room(room)))
    }

    fn from_url(text: &str) -> Result<Self, RoomLinkError> {
        let url = Url::parse(text).map_err(|_| RoomLinkError::NotARoom)?;
        let (path, server) = match url.scheme() {
            "visavis" => {
                let is_room = url.host_str() == Some("room") && url.port().is_none();
                let server = value(url.query(), "server");
                (is_room.then(|| url.path()), server)
            }
            "https" => {
                let server = url.origin().ascii_serialization();
                (url.path().strip_prefix("/room/"), Some(server))
            }
            _ => (None, None),
        };
        let is_anonymous = url.username().is_empty() && url.password().is_none();
        let target = path.filter(|_| is_anonymous).and_then(target);
        let passcode = value(url.fragment(), "passcode");
        if passcode.as_deref().is_some_and(is_too_long) {
            return Err(RoomLinkError::PasscodeTooLong);
        }
        Ok(Self {
            target: target.ok_or(RoomLinkError::NotARoom)?,
            server,
            passcode,
            token: value(url.fragment(), "token"),
        })
    }

    /// The link that opens the app, including the secrets:
    /// `visavis://room/…?server=…#…`.
    pub fn app_url(&self) -> String {
        let mut text = format!("visavis://room/{}", self.path());
        if let Some(server) = &self.server {
            text.push('?');
            text.push_str(&encoded(&[("server", Some(server))]));
        }
        text + &self.fragment()
    }

    /// The link to the server's page that opens the app, including the secrets:
    /// `https://HOST/room/…#…`. None without a server that uses TLS.
    pub fn web_url(&self) -> Option<String> {
        let server = Url::parse(self.server.as_deref()?).ok()?;
        if !matches!(server.scheme(), "https" | "wss") {
            return None;
        }
        let host = server.host_str()?;
        let port = server.port().map(|port| format!(":{port}"));
        let port = port.unwrap_or_default();
        let (path, fragment) = (self.path(), self.fragment());
        Some(format!("https://{host}{port}/room/{path}{fragment}"))
    }

    fn path(&self) -> String {
        match &self.target {
            LinkTarget::Room(id) => id.clone(),
            LinkTarget::Booking { id, lobby: false } => format!("booking/{id}"),
            LinkTarget::Booking { id, lobby: true } => format!("booking/{id}/lobby"),
            LinkTarget::Session(id) => format!("session/{id}"),
        }
    }

    fn fragment(&self) -> String {
        let passcode = self.passcode.as_ref();
        let secrets = encoded(&[("passcode", passcode), ("token", self.token.as_ref())]);
        if secrets.is_empty() {
            secrets
        } else {
            format!("#{secrets}")
        }
    }
}

impl fmt::Debug for JoinLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |secret: &Option<String>| secret.as_ref().map(|_| "hidden");
        f.debug_struct("JoinLink")
            .field("target", &self.target)
            .field("server", &self.server)
            .field("passcode", &hidden(&self.passcode))
            .field("token", &hidden(&self.token))
            .finish()
    }
}

fn target(path: &str) -> Option<LinkTarget> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    Some(match segments[..] {
        [room] => LinkTarget::Room(id(room)?),
        ["booking", booking] => LinkTarget::Booking {
            id: plain(booking)?,
            lobby: false,
        },
        ["booking", booking, "lobby"] => LinkTarget::Booking {
            id: plain(booking)?,
            lobby: true,
        },
        ["session", session] => LinkTarget::Session(plain(session)?),
        _ => return None,
    })
}

/// The first value of a key that is not empty.
fn value(pairs: Option<&str>, key: &str) -> Option<String> {
    form_urlencoded::parse(pairs?.as_bytes())
        .find(|(name, value)| name == key && !value.is_empty())
        .map(|(_, value)| value.into_owned())
}

fn encoded(pairs: &[(&str, Option<&String>)]) -> String {
    let mut pairs_out = form_urlencoded::Serializer::new(String::new());
    for (key, value) in pairs {
        if let Some(value) = value {
            pairs_out.append_pair(key, value);
        }
    }
    pairs_out.finish()
}

fn is_too_long(passcode: &str) -> bool {
    passcode.chars().nth(*PASSCODE_CHARS.end()).is_some()
}

/// Normalises a room id. Ten letters are a room code, however dashes and spaces
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
    plain(text)
}

/// An id as it is, when it has only characters that ids have. A path cannot contain
/// `.` and `..` (RFC 3986, section 5.2.4).
fn plain(text: &str) -> Option<String> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    let fits = !matches!(text, "" | "." | "..") && text.len() <= MAX_ID_BYTES;
    (fits && text.bytes().all(is_plain)).then(|| text.to_owned())
}

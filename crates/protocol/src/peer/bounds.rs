//! Bounds of the messages between peers. Serde checks types, this module lengths.

use crate::limits::{
    MAX_CAPTION_CHARS, MAX_CHAT_ID_BYTES, MAX_CHAT_TEXT_BYTES, MAX_LANGUAGE_TAG_BYTES,
    MAX_NAME_CHARS, MAX_PEER_ID_BYTES, MAX_PEER_MESSAGE_BYTES, MAX_TRACKS,
};
use crate::{ChatBody, ParseError, PeerMessage, TrackSource};

/// Longest RFC 3339 time, in bytes: nanoseconds and an offset take 35.
const MAX_TIME_BYTES: usize = 64;

type Checked = Result<(), ParseError>;

/// Checks the size of the whole message, before it is parsed.
pub(super) fn size(text: &str) -> Checked {
    bytes("message", text, MAX_PEER_MESSAGE_BYTES)
}

/// Checks the texts and lists of a parsed message.
pub(super) fn check(message: &PeerMessage) -> Checked {
    match message {
        PeerMessage::Hello(hello) => chars("name", &hello.name, MAX_NAME_CHARS),
        PeerMessage::UpdateMember(update) => {
            let patch = &update.payload;
            chars(
                "name",
                patch.name.as_deref().unwrap_or_default(),
                MAX_NAME_CHARS,
            )?;
            let tracks = patch.tracks.as_deref().unwrap_or_default();
            one_per_source(tracks.iter().map(|track| track.source))
        }
        PeerMessage::Chat(chat) => {
            bytes("id", &chat.id, MAX_CHAT_ID_BYTES)?;
            let text = ChatBody::read(&chat.payload).text;
            bytes("text", &text, MAX_CHAT_TEXT_BYTES)
        }
        PeerMessage::Demand(demand) => {
            let tracks = &demand.payload.tracks;
            one_per_source(tracks.iter().map(|track| track.source))
        }
        PeerMessage::Suspended(suspended) => {
            one_per_source(suspended.payload.tracks.iter().copied())
        }
        PeerMessage::Rejoined(rejoined) => bytes("id", &rejoined.id, MAX_PEER_ID_BYTES),
        PeerMessage::Relay(relay) => {
            bytes("to", &relay.to, MAX_PEER_ID_BYTES)?;
            bytes(
                "from",
                relay.from.as_deref().unwrap_or_default(),
                MAX_PEER_ID_BYTES,
            )?;
            relay.message().map(|_| ())
        }
        PeerMessage::Caption(caption) => {
            bytes("id", &caption.id, MAX_PEER_ID_BYTES)?;
            chars("text", &caption.text, MAX_CAPTION_CHARS)?;
            bytes("lang", &caption.lang, MAX_LANGUAGE_TAG_BYTES)?;
            bytes("startedAt", &caption.started_at, MAX_TIME_BYTES)
        }
        // Fixed sizes, or descriptions and candidates, which the size of the
        // message bounds.
        PeerMessage::Offer(_)
        | PeerMessage::Answer(_)
        | PeerMessage::IceCandidate(_)
        | PeerMessage::MuteMember(_)
        | PeerMessage::ClockPing(_)
        | PeerMessage::ClockPong(_)
        | PeerMessage::VerifyCommit(_)
        | PeerMessage::VerifyNonce(_)
        | PeerMessage::VerifyReveal(_)
        | PeerMessage::Identity(_) => Ok(()),
    }
}

fn bytes(what: &str, text: &str, most: usize) -> Checked {
    within(text.len() <= most, || {
        format!("{what} exceeds {most} bytes")
    })
}

fn chars(what: &str, text: &str, most: usize) -> Checked {
    within(text.chars().nth(most).is_none(), || {
        format!("{what} exceeds {most} characters")
    })
}

fn one_per_source(sources: impl ExactSizeIterator<Item = TrackSource>) -> Checked {
    within(sources.len() <= MAX_TRACKS, || {
        format!("tracks exceed {MAX_TRACKS} entries")
    })?;
    let mut seen = Vec::with_capacity(MAX_TRACKS);
    for source in sources {
        within(!seen.contains(&source), || {
            "tracks name a source twice".to_owned()
        })?;
        seen.push(source);
    }
    Ok(())
}

fn within(is_within: bool, why: impl FnOnce() -> String) -> Checked {
    if is_within {
        Ok(())
    } else {
        Err(ParseError::Malformed(why()))
    }
}

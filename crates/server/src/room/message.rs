//! What a room says, written once for however many it goes to.

use serde_json::value::RawValue;
use visavis_protocol::{ErrorCode, Feature, Features, RelayKind, ServerMessage, ServerRelay};

use crate::id::ClientId;
use crate::refusal::Refusal;
use crate::socket::Frame;

pub(crate) fn frame(message: &ServerMessage) -> Frame {
    message.to_json().into()
}

/// What one client sends another, whose payload is passed on unread.
pub(crate) fn relayed(
    kind: RelayKind,
    from: ClientId,
    payload: Box<RawValue>,
) -> Result<ServerMessage, Refusal> {
    if !payload.get().starts_with('{') {
        let why = "the payload must be an object";
        return Err(Refusal::new(ErrorCode::BadMessage, why));
    }
    let from = from.to_string();
    let down = ServerRelay { from, payload };
    Ok(match kind {
        RelayKind::Offer => ServerMessage::Offer(down),
        RelayKind::Answer => ServerMessage::Answer(down),
        RelayKind::IceCandidate => ServerMessage::IceCandidate(down),
        RelayKind::Ice => ServerMessage::Ice(down),
    })
}

/// A message to several: for those who asked for a feature in a form of its
/// own, for the others in the plain one, where each has any.
pub(super) struct Broadcast {
    rich: Option<(Feature, Form)>,
    plain: Option<Form>,
}

struct Form {
    message: ServerMessage,
    written: Option<Frame>,
}

impl Form {
    fn new(message: ServerMessage) -> Self {
        Self {
            message,
            written: None,
        }
    }

    fn frame(&mut self) -> Frame {
        let written = self.written.get_or_insert_with(|| frame(&self.message));
        written.clone()
    }
}

impl Broadcast {
    /// For those who asked for the feature alone.
    pub fn extension(feature: Feature, message: ServerMessage) -> Self {
        Self {
            rich: Some((feature, Form::new(message))),
            plain: None,
        }
    }

    /// For those who asked for the feature, and in a plainer form for the others.
    pub fn extended(feature: Feature, rich: ServerMessage, plain: ServerMessage) -> Self {
        Self {
            plain: Some(Form::new(plain)),
            ..Self::extension(feature, rich)
        }
    }

    /// What a member with these features gets.
    pub fn frame_for(&mut self, features: Features) -> Option<Frame> {
        match &mut self.rich {
            Some((feature, form)) if features.has(*feature) => Some(form.frame()),
            _ => self.plain.as_mut().map(Form::frame),
        }
    }
}

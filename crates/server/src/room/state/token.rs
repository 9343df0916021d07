//! Renews the access tokens of members.

use std::time::Instant;

use visavis_protocol::{Feature, RenewedToken, RoomPayload, ServerMessage};

use super::{Effect, RoomState};
use crate::access::token::TokenRenewal;
use crate::id::ClientId;
use crate::room::member::{Attachment, Member};
use crate::room::message::Broadcast;

impl Member {
    /// The renewal of its token. One that is away gets a new one when it resumes.
    fn due_token(&self) -> Option<&TokenRenewal> {
        let is_here = matches!(self.attachment, Attachment::Here(_));
        let gets_some = is_here && self.features().has(Feature::Controls);
        self.token.as_ref().filter(|_| gets_some)
    }
}

impl RoomState {
    /// When the first member gets a new token.
    pub(super) fn next_token_renewal(&self) -> Option<Instant> {
        let due = self.members.iter().filter_map(Member::due_token);
        due.map(|renewal| renewal.at).min()
    }

    /// The members whose tokens are renewed now.
    pub fn due_tokens(&self, now: Instant) -> Vec<(ClientId, TokenRenewal)> {
        let due = self.members.iter().filter_map(|member| {
            let renewal = member.due_token().filter(|renewal| renewal.at <= now)?;
            Some((member.id(), renewal.clone()))
        });
        due.collect()
    }

    /// Sends a member its new token; `None` where the server could not sign one.
    pub fn renew_token(
        &mut self,
        client: ClientId,
        renewed: Option<(RenewedToken, TokenRenewal)>,
    ) -> Option<Effect> {
        let index = self.find(client)?;
        let (payload, next) = renewed.unzip();
        self.members[index].token = next;
        let message = ServerMessage::TokenRenewed(RoomPayload {
            room_id: self.room.code.clone(),
            payload: payload?,
        });
        self.send_to(index, &mut Broadcast::extension(Feature::Controls, message))
    }
}

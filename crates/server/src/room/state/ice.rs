//! Renews the TURN credentials of members.

use std::sync::Arc;
use std::time::Instant;

use visavis_protocol::{Feature, RenewedIceServers, RoomPayload, ServerMessage};

use super::{Effect, Entry, RoomState};
use crate::ice::{ClientIceServers, Expiry};
use crate::id::ClientId;
use crate::room::member::{Attachment, Member};
use crate::room::message::Broadcast;

impl Member {
    /// Its client gets the ICE servers of this entry, and came with its token. One that
    /// resumes brings none.
    pub(super) fn gets_credentials(&mut self, entry: &Entry) {
        self.stun_url.clone_from(&entry.stun_url);
        self.set_expiry(entry.ice_servers.expiry);
        if entry.token.is_some() {
            self.token.clone_from(&entry.token);
        }
    }

    fn set_expiry(&mut self, expiry: Option<Expiry>) {
        let expiry = expiry.filter(|_| self.features().has(Feature::Ice));
        self.ice_renewal = expiry.map(|expiry| expiry.renew_at);
    }

    /// When it gets new credentials. One that is away gets them when it resumes.
    fn next_renewal(&self) -> Option<Instant> {
        let is_here = matches!(self.attachment, Attachment::Here(_));
        self.ice_renewal.filter(|_| is_here)
    }
}

impl RoomState {
    /// When the first member gets new credentials.
    pub(super) fn next_renewal(&self) -> Option<Instant> {
        self.members.iter().filter_map(Member::next_renewal).min()
    }

    /// The members that get new credentials now, each with the URL of the server's own
    /// STUN server.
    pub fn due_renewals(&self, now: Instant) -> Vec<(ClientId, Option<Arc<str>>)> {
        let is_due = |member: &&Member| member.next_renewal().is_some_and(|at| at <= now);
        let due = self.members.iter().filter(is_due);
        due.map(|member| (member.id(), member.stun_url.clone()))
            .collect()
    }

    /// Sends a member the complete list with new credentials.
    pub fn renew_ice_servers(
        &mut self,
        client: ClientId,
        renewed: ClientIceServers,
    ) -> Option<Effect> {
        let index = self.find(client)?;
        self.members[index].set_expiry(renewed.expiry);
        let message = ServerMessage::IceServers(RoomPayload {
            room_id: self.room.code.clone(),
            payload: RenewedIceServers {
                ice_servers: renewed.servers,
                expires_at: renewed.expiry?.at.rfc3339(),
            },
        });
        self.send_to(index, &mut Broadcast::extension(Feature::Ice, message))
    }
}

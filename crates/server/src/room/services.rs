//! What a room's task needs from the rest of the server. The room service
//! implements it; a room knows nothing of stores, caches or buses.

use async_trait::async_trait;
use uuid::Uuid;
use visavis_protocol::{ChatEntry, RenewedToken};

use super::applicant::{Admitted, Applicant};
use crate::access::seal::Seals;
use crate::access::token::TokenRenewal;
use crate::clock::Now;
use crate::cluster::ClusterMessage;
use crate::ice::ClientIceServers;
use crate::id::ClientId;
use crate::model::{Participant, Room};
use crate::refusal::Refusal;
use crate::store::StoreError;

/// A room as it is stored.
#[derive(Debug)]
pub(crate) struct StoredRoom {
    pub room: Room,
    /// The participants that are present on any of our nodes, in the order of joining.
    pub present: Vec<Participant>,
    /// The last chat messages, oldest first.
    pub chat: Vec<ChatEntry>,
}

#[async_trait]
pub(crate) trait RoomServices: Send + Sync {
    /// The time, by the service's clock.
    fn now(&self) -> Now;

    /// STUN and TURN servers, the server's own first, with credentials for this client.
    fn ice_servers(&self, client: ClientId, stun_url: Option<&str>, now: Now) -> ClientIceServers;

    /// A token that replaces a member's; `None` where it cannot be signed.
    fn renew_token(&self, due: &TokenRenewal, now: Now) -> Option<(RenewedToken, TokenRenewal)>;

    /// The seals that members keep, where this server makes any.
    fn seals(&self, room: &Room) -> Option<Seals>;

    /// Reads a room; `None`: there is none.
    async fn load(&self, room: Uuid) -> Result<Option<StoredRoom>, StoreError>;

    /// Admits an applicant: its participant row is committed.
    async fn admit(&self, room: Uuid, applicant: Applicant) -> Result<Admitted, Refusal>;

    /// Moves a participant that proves its resume secret from another node to this one.
    async fn take_over(
        &self,
        room: Uuid,
        proof: u128,
        new_secret: u128,
    ) -> Result<Participant, Refusal>;

    /// Stores that a participant has left.
    async fn record_departure(&self, who: &Participant, was_host: bool) -> Result<(), StoreError>;

    /// Stores what a participant is now; `before` is what was stored last.
    async fn record_change(
        &self,
        before: &Participant,
        who: &Participant,
    ) -> Result<(), StoreError>;

    /// Stores the roles of both participants of a host change. Repeating it changes
    /// nothing.
    async fn record_host_change(
        &self,
        room: Uuid,
        from: ClientId,
        to: ClientId,
    ) -> Result<(), StoreError>;

    /// Stores a chat message.
    async fn append_chat(&self, room: Uuid, entry: &ChatEntry) -> Result<(), StoreError>;

    /// Locks or unlocks a room, and tells its tasks.
    async fn set_locked(&self, room: Uuid, locked: bool) -> Result<(), Refusal>;

    /// Ends a room at its host's command, and tells its tasks.
    async fn end_by_host(&self, room: Uuid) -> Result<(), Refusal>;

    /// Publishes a message to the other nodes that have participants in the room.
    async fn publish(&self, room: Uuid, message: ClusterMessage);

    /// Sends a message to one node; `false`: that node did not receive it.
    async fn send_to_node(&self, node: &str, room: Uuid, message: ClusterMessage) -> bool;

    /// Whether there are other nodes to publish to.
    fn is_clustered(&self) -> bool;

    /// The room's task has ended.
    fn deactivate(&self, room: Uuid);
}

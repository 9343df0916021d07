//! What the task of a room asks of the service (see [`RoomServices`]).

use std::convert::Infallible;

use async_trait::async_trait;
use uuid::Uuid;
use visavis_protocol::limits::CHAT_HISTORY;
use visavis_protocol::{ChatEntry, RenewedToken};

use super::{ChangeError, RoomService};
use crate::access::seal::Seals;
use crate::access::token::TokenRenewal;
use crate::clock::Now;
use crate::cluster::{BusMessage, ClusterMessage};
use crate::ice::ClientIceServers;
use crate::id::{ClientId, RoomKey};
use crate::model::{EndReason, LIVEKIT_NODE, Participant, Room};
use crate::refusal::{Refusal, store_failed};
use crate::room::{Admitted, Applicant, RoomServices, StoredRoom};
use crate::store::{Database, Stay, StoreError};

#[async_trait]
impl RoomServices for RoomService {
    fn now(&self) -> Now {
        self.clock.read()
    }

    fn ice_servers(&self, client: ClientId, stun_url: Option<&str>, now: Now) -> ClientIceServers {
        self.ice.for_client(client, stun_url, now)
    }

    fn renew_token(&self, due: &TokenRenewal, now: Now) -> Option<(RenewedToken, TokenRenewal)> {
        let renewed = self.config.keys.as_ref()?.renew(due, now);
        renewed
            .inspect_err(|error| tracing::error!(%error, "signing a token failed"))
            .ok()
    }

    fn seals(&self, room: &Room) -> Option<Seals> {
        // A room that is stored needs none.
        let key = self.config.state_key.as_ref();
        let key = key.filter(|_| self.config.database == Database::Memory)?;
        key.seal(room, self.clock.now())
    }

    async fn load(&self, room: Uuid) -> Result<Option<StoredRoom>, StoreError> {
        let Some(stored) = self.store.find_room(&RoomKey::Uid(room)).await? else {
            return Ok(None);
        };
        let chat = self.store.recent_chat(room, CHAT_HISTORY).await?;
        let mut present = self.store.participants(room, Stay::Present).await?;
        // No message of ours reaches those that a LiveKit server has inside.
        present.retain(|who| who.node != LIVEKIT_NODE);
        Ok(Some(StoredRoom {
            room: stored,
            present,
            chat,
        }))
    }

    async fn admit(&self, room: Uuid, applicant: Applicant) -> Result<Admitted, Refusal> {
        Self::admit(self, room, applicant).await
    }

    async fn take_over(
        &self,
        room: Uuid,
        proof: u128,
        new_secret: u128,
    ) -> Result<Participant, Refusal> {
        Self::takeover(self, room, proof, new_secret).await
    }

    async fn record_departure(&self, who: &Participant, was_host: bool) -> Result<(), StoreError> {
        self.left(who.clone(), was_host).await
    }

    async fn record_change(
        &self,
        before: &Participant,
        who: &Participant,
    ) -> Result<(), StoreError> {
        self.updated(before, who).await
    }

    async fn record_host_change(
        &self,
        room: Uuid,
        from: ClientId,
        to: ClientId,
    ) -> Result<(), StoreError> {
        self.host_changed(room, from, to).await
    }

    async fn append_chat(&self, room: Uuid, entry: &ChatEntry) -> Result<(), StoreError> {
        self.store.append_chat(room, entry).await
    }

    async fn set_locked(&self, room: Uuid, locked: bool) -> Result<(), Refusal> {
        let lock = self.change(room, |room| {
            room.locked = locked;
            Ok::<_, Infallible>(())
        });
        match lock.await {
            // The members of a room that has ended are told so.
            Ok(_) | Err(ChangeError::Gone) => Ok(()),
            Err(ChangeError::Store(error)) => Err(store_failed(error)),
        }
    }

    async fn end_by_host(&self, room: Uuid) -> Result<(), Refusal> {
        let ended = self.end(room, EndReason::Ended).await;
        ended.map(drop).map_err(store_failed)
    }

    async fn publish(&self, room: Uuid, message: ClusterMessage) {
        if let Some(cluster) = &self.cluster {
            let message = BusMessage::ClusterMessage {
                cluster_message: message,
            };
            cluster.publish_to_room(room, message).await;
        }
    }

    async fn send_to_node(&self, node: &str, room: Uuid, message: ClusterMessage) -> bool {
        match &self.cluster {
            Some(cluster) => cluster.send_to_node(node, room, message).await,
            None => false,
        }
    }

    fn is_clustered(&self) -> bool {
        self.cluster.is_some()
    }

    fn deactivate(&self, room: Uuid) {
        self.forget(room);
    }
}

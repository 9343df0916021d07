//! Coming back on another node than the one that was left.

use uuid::Uuid;
use visavis_protocol::Feature;

use super::RoomService;
use crate::model::{Participant, SecretHash};
use crate::refusal::Refusal;
use crate::refusal::store_failed;
use crate::store::StoreError;

impl RoomService {
    /// Takes over one who proves its place, from the node that had it.
    pub async fn takeover(
        &self,
        room: Uuid,
        proof: u128,
        secret: u128,
    ) -> Result<Participant, Refusal> {
        let taken = self
            .take(room, SecretHash::of(proof), SecretHash::of(secret))
            .await;
        taken.map_err(store_failed)?.ok_or_else(Refusal::void_token)
    }

    async fn take(
        &self,
        room: Uuid,
        proof: SecretHash,
        secret: SecretHash,
    ) -> Result<Option<Participant>, StoreError> {
        let mut tx = self.store.begin().await?;
        let is = |who: &Participant| {
            who.secret == proof && who.features.has(Feature::Resume) && who.node != self.node
        };
        let Some(found) = tx.present(room).await?.into_iter().find(is) else {
            return Ok(None);
        };
        // Of two who come with one token, one is first.
        let locked = tx.lock_present(room, found.client).await?;
        let Some(mut who) = locked.filter(is) else {
            return Ok(None);
        };
        let from = std::mem::replace(&mut who.node, self.node.clone());
        who.secret = secret;
        if !tx.move_participant(&who, &from).await? {
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(who))
    }
}

//! Stores departures and changes of participants.

use uuid::Uuid;
use visavis_protocol::Role;

use super::RoomService;
use crate::id::ClientId;
use crate::model::RoomEvent;
use crate::model::{OnHostLeave, Participant, Room};
use crate::store::{Stay, StoreError, Tx};

impl RoomService {
    /// Stores a departure. Repeating it changes nothing.
    pub async fn left(&self, who: Participant, was_host: bool) -> Result<(), StoreError> {
        // A departure reported by another node carries its time.
        let at = who.left_at.unwrap_or_else(|| self.clock.now());
        let (uid, sid) = (who.room, who.sid.clone());
        let mut tx = self.store.begin().await?;
        let Some(mut room) = tx.lock_room(who.room).await? else {
            return Ok(());
        };
        let present = tx.count_present(who.room).await?.saturating_sub(1);
        let mut was_host = was_host || who.role == Role::Host;
        // This node may have missed that another one made the participant host.
        if !was_host && self.cluster.is_some() && room.on_host_leave == OnHostLeave::Close {
            let row = tx.lock_present(who.room, who.client).await?;
            was_host = row.is_some_and(|row| row.sid == who.sid && row.role == Role::Host);
        }
        if !self.record_departure(&mut tx, &room, present, who).await? {
            return Ok(());
        }
        let mut changed = false;
        if was_host && room.on_host_leave == OnHostLeave::Close && !has_host(&mut tx, &room).await?
        {
            room.host_left_at = Some(at);
            changed = true;
        }
        if present == 0 {
            room.empty_since = Some(at);
            changed = true;
            // Without an empty timeout the instance ends now.
            if room.empty_timeout.is_none()
                && let Some(instance) = room.instance.clone()
            {
                tx.end_instance(&instance.sid, at).await?;
                self.log_event(&mut tx, &room, 0, RoomEvent::Finished)
                    .await?;
                room.instance = None;
            }
        }
        if changed {
            tx.put_room(&mut room).await?;
        }
        tx.commit().await?;
        if changed {
            self.cache.put(&room, self.clock.now()).await;
        }
        if let Some(cluster) = &self.cluster {
            cluster.release(uid, &sid).await;
        }
        self.room_written(&room);
        Ok(())
    }

    /// Stores the end of a stay; returns whether it had not ended before.
    pub(super) async fn record_departure(
        &self,
        tx: &mut Tx,
        room: &Room,
        present: u32,
        who: Participant,
    ) -> Result<bool, StoreError> {
        // A departure reported by another node carries its time.
        let at = who.left_at.unwrap_or_else(|| self.clock.now());
        let mut who = who.gone(at);
        let tracks = std::mem::take(&mut who.tracks);
        if !tx.put_participant(&who).await? {
            return Ok(false);
        }
        for track in &tracks {
            let unpublished = RoomEvent::Unpublished(&who, track);
            self.log_event(tx, room, present + 1, unpublished).await?;
        }
        self.log_event(tx, room, present, RoomEvent::Left(&who))
            .await?;
        Ok(true)
    }

    /// Stores a change of a participant, `before` being its last state.
    pub async fn updated(&self, before: &Participant, who: &Participant) -> Result<(), StoreError> {
        let is_in = |tracks: &[visavis_protocol::Track], sid: &str| {
            tracks.iter().any(|track| track.sid == sid)
        };
        let gone = before
            .tracks
            .iter()
            .filter(|track| !is_in(&who.tracks, &track.sid));
        let new = who
            .tracks
            .iter()
            .filter(|track| !is_in(&before.tracks, &track.sid));
        let happened: Vec<_> = gone
            .map(|track| RoomEvent::Unpublished(who, track))
            .chain(new.map(|track| RoomEvent::Published(who, track)))
            .collect();
        let mut tx = self.store.begin().await?;
        // The room is locked before its participants, as everywhere.
        let room = match happened.is_empty() {
            true => None,
            false => tx.lock_room(who.room).await?,
        };
        // The node of another host may have stored a new role of this participant, and
        // this node may have missed it.
        let mut stored = who.clone();
        if self.cluster.is_some()
            && who.has_role_of(before)
            && let Some(row) = tx.lock_present(who.room, who.client).await?
            && row.sid == who.sid
        {
            stored.copy_role(&row);
        }
        if !tx.put_participant(&stored).await? {
            return Ok(());
        }
        if let Some(room) = room {
            let present = tx.count_present(who.room).await?;
            for what in happened {
                self.log_event(&mut tx, &room, present, what).await?;
            }
        }
        tx.commit().await?;
        self.written();
        Ok(())
    }

    /// Stores the roles of both participants of a host change, on whichever nodes
    /// they are.
    pub async fn host_changed(
        &self,
        room: Uuid,
        from: ClientId,
        to: ClientId,
    ) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        if tx.lock_room(room).await?.is_none() {
            return Ok(());
        }
        for (client, role) in [(from, Role::Participant), (to, Role::Host)] {
            if let Some(mut who) = tx.lock_present(room, client).await? {
                who.set_role(role);
                tx.put_participant(&who).await?;
            }
        }
        tx.commit().await?;
        self.written();
        Ok(())
    }

    /// Participants present in a room.
    pub async fn inside(&self, room: Uuid) -> Result<Vec<Participant>, StoreError> {
        self.store.participants(room, Stay::Present).await
    }
}

/// Whether a participant with the host role is present, on another device for
/// example.
async fn has_host(tx: &mut Tx, room: &Room) -> Result<bool, StoreError> {
    let inside = tx.present(room.uid).await?;
    Ok(inside.iter().any(|who| who.role == Role::Host))
}

//! Channels, and their sessions in rooms that outlive them.

use visavis_protocol::{Role, RoomKind};

use super::RoomService;
use super::create::Purpose;
use super::link::{EMPTY_TIMEOUT, unlisted};
use crate::clock::Timestamp;
use crate::id::RoomKey;
use crate::id::ulid::UlidKind;
use crate::lifecycle::account;
use crate::lifecycle::session::{Channel, IllegalTransition, Session, SessionEvent, Status};
use crate::model::{Link, OnHostLeave, Participant, Phase, Room};
use crate::store::{StoreError, Tx};

/// The most entries of a list.
pub(crate) const MOST_SESSIONS: i64 = 1_000;

/// Why a session is not created or moved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error("there is no such session")]
    Unknown,
    #[error("the channel has a session that has not ended; end or cancel it first")]
    Exists,
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RoomService {
    /// Creates a channel.
    pub async fn create_channel(&self, owner: String, name: String) -> Result<Channel, StoreError> {
        let channel = Channel {
            channel_id: self.ulid(UlidKind::Channel),
            owner,
            name,
            created_at: self.clock.now(),
        };
        let mut tx = self.store.begin().await?;
        tx.insert_channel(&channel).await?;
        tx.commit().await?;
        Ok(channel)
    }

    /// Renames a channel.
    pub async fn rename_channel(&self, channel: &Channel) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        tx.put_channel(channel).await?;
        tx.commit().await
    }

    /// Deletes a channel whose sessions have ended.
    pub async fn delete_channel(&self, channel: &Channel) -> Result<(), SessionError> {
        let mut tx = self.store.begin().await?;
        if !tx.delete_channel(&channel.channel_id).await? {
            return Err(SessionError::Exists);
        }
        Ok(tx.commit().await?)
    }

    /// Creates a session and its room, whose instance starts with the host's token
    /// or the first join. Of concurrent requests for one channel one succeeds.
    pub async fn create_session(&self, channel: &Channel) -> Result<Session, SessionError> {
        let now = self.clock.now();
        let session = Session {
            session_id: self.ulid(UlidKind::Session),
            room_id: self.ulid(UlidKind::Room),
            channel_id: channel.channel_id.clone(),
            user_id: channel.owner.clone(),
            status: Status::Idle,
            name: channel.name.clone(),
            description: String::new(),
            egress: None,
            started_at: None,
            stopped_at: None,
            created_at: now,
        };
        let draft = Room {
            ro: session.room_id.clone(),
            name: session.name.clone(),
            host: Some(account(&session.user_id)),
            link: Some(Link::Channel(session.channel_id.clone())),
            kind: RoomKind::Broadcast,
            on_host_leave: OnHostLeave::Close,
            empty_timeout: Some(EMPTY_TIMEOUT),
            metadata: unlisted(),
            ..Room::draft(now)
        };
        match self.create_for(draft, Purpose::Session(&session)).await {
            Ok(_) => Ok(session),
            Err(StoreError::Taken(_)) => Err(SessionError::Exists),
            Err(StoreError::Dangling(_)) => Err(SessionError::Unknown),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes a session's name or description, not its status.
    pub async fn change_session(
        &self,
        id: &str,
        change: impl FnOnce(&mut Session),
    ) -> Result<Session, SessionError> {
        let mut tx = self.store.begin().await?;
        let session = tx.lock_session(id).await?;
        let mut session = session.ok_or(SessionError::Unknown)?;
        change(&mut session);
        tx.put_session(&session).await?;
        tx.commit().await?;
        Ok(session)
    }

    /// Deletes a session that has ended or can be cancelled.
    pub async fn delete_session(&self, id: &str) -> Result<(), SessionError> {
        let session = self.store.session(id).await?;
        if !session.ok_or(SessionError::Unknown)?.status.is_terminal() {
            self.move_session(id, SessionEvent::Cancel, None).await?;
        }
        let mut tx = self.store.begin().await?;
        tx.delete_session(id).await?;
        Ok(tx.commit().await?)
    }

    /// Applies an event to a session. `egress` = its egress from now on.
    pub async fn move_session(
        &self,
        id: &str,
        event: SessionEvent,
        egress: Option<String>,
    ) -> Result<Session, SessionError> {
        let session = self.store.session(id).await?;
        let session = session.ok_or(SessionError::Unknown)?;
        let room = self.session_room(&session.room_id).await?;
        let mut tx = self.store.begin().await?;
        let room = lock(&mut tx, room).await?;
        let session = tx.lock_session(id).await?.ok_or(SessionError::Unknown)?;
        self.advance(tx, room, session, event, egress).await
    }

    /// The same for the room's unfinished session, if there is one. An event of
    /// another egress does not apply.
    pub async fn move_active_session(
        &self,
        ro: &str,
        event: SessionEvent,
        egress: Option<String>,
    ) -> Result<Option<Session>, SessionError> {
        let room = self.session_room(ro).await?;
        let mut tx = self.store.begin().await?;
        let room = lock(&mut tx, room).await?;
        let session = tx.lock_active_session(ro).await?;
        let its_own = |s: &Session| s.egress.is_none() || egress.is_none() || s.egress == egress;
        let Some(session) = session.filter(its_own) else {
            return Ok(None);
        };
        self.advance(tx, room, session, event, egress)
            .await
            .map(Some)
    }

    /// A session's room, not locked.
    async fn session_room(&self, ro: &str) -> Result<Option<Room>, StoreError> {
        let key = RoomKey::Ro(ro.to_owned());
        let room = self.store.find_room(&key).await?;
        Ok(room.filter(|room| room.deleted_at.is_none()))
    }

    async fn advance(
        &self,
        mut tx: Tx,
        room: Option<Room>,
        mut session: Session,
        event: SessionEvent,
        egress: Option<String>,
    ) -> Result<Session, SessionError> {
        let now = self.clock.now();
        session.apply(event, now)?;
        session.egress = egress.or(session.egress);
        tx.put_session(&session).await?;
        let mut room = room.filter(|room| room.phase(now) == Phase::Open);
        if let Some(room) = &mut room
            && session.status.is_terminal()
        {
            if session.status == Status::Stopped && host_is_in(&mut tx, room, &session).await? {
                let next = session.successor(self.ulid(UlidKind::Session), now);
                tx.insert_session(&next).await?;
            } else {
                self.purpose_gone(&mut tx, room, now).await?;
            }
        }
        tx.commit().await?;
        match &room {
            Some(room) => self.changed(room).await,
            None => self.written(),
        }
        Ok(session)
    }

    /// A participant joined a broadcast's room: the host makes the session READY.
    pub(super) async fn session_joined(
        &self,
        tx: &mut Tx,
        room: &Room,
        who: &Participant,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(mut session) = tx.lock_active_session(&room.ro).await? else {
            return Ok(());
        };
        // Only from IDLE: a later join leaves a live session live.
        if is_host(who, &session) && session.apply(SessionEvent::HostJoined, now).is_ok() {
            tx.put_session(&session).await?;
        }
        Ok(())
    }

    /// A broadcast's room has ended.
    pub(super) async fn session_room_over(
        &self,
        tx: &mut Tx,
        room: &Room,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(mut session) = tx.lock_active_session(&room.ro).await? {
            session.room_over(now);
            tx.put_session(&session).await?;
        }
        Ok(())
    }
}

async fn lock(tx: &mut Tx, room: Option<Room>) -> Result<Option<Room>, StoreError> {
    match room {
        Some(room) => tx.lock_room(room.uid).await,
        None => Ok(None),
    }
}

async fn host_is_in(tx: &mut Tx, room: &Room, session: &Session) -> Result<bool, StoreError> {
    let inside = tx.present(room.uid).await?;
    Ok(inside.iter().any(|who| is_host(who, session)))
}

fn is_host(who: &Participant, session: &Session) -> bool {
    who.role == Role::Host || who.identity == session.user_id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServerConfig;
    use crate::store::{Database, Store};

    #[tokio::test]
    async fn s1_10_s1_11_s1_38_an_id_is_of_one_session_and_a_room_has_many() {
        let store = Store::open(&Database::Memory).await.unwrap();
        let service = RoomService::start(ServerConfig::default(), store)
            .await
            .unwrap();
        let channel = service.create_channel("9".to_owned(), String::new());
        let channel = channel.await.unwrap();
        let session = service.create_session(&channel).await.unwrap();
        let mut again = session.clone();
        again.status = Status::Cancelled;
        let mut next = session.successor(service.ulid(UlidKind::Session), service.clock.now());

        let mut tx = service.store.begin().await.unwrap();
        let taken = tx.insert_session(&again).await;
        assert!(matches!(taken, Err(StoreError::Taken(_))), "{taken:?}");
        // Only one unfinished session a room.
        let taken = tx.insert_session(&next).await;
        assert!(matches!(taken, Err(StoreError::Taken(_))), "{taken:?}");
        next.status = Status::Stopped;
        tx.insert_session(&next).await.unwrap();
        tx.commit().await.unwrap();
        let of_room = service.store.sessions(&session.room_id, "", "", 9).await;
        assert_eq!(of_room.unwrap(), [session, next]);
    }
}

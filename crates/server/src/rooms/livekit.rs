//! Webhooks of a LiveKit server about rooms that it serves: the same rows change
//! as if this server had served them.

use livekit_protocol::participant_info::Kind;
use livekit_protocol::{ParticipantInfo, TrackInfo, TrackSource as Source, WebhookEvent};
use uuid::Uuid;
use visavis_protocol::{Features, Grants, Role, Track, TrackSource};

use super::RoomService;
use super::sessions::SessionError;
use crate::clock::Timestamp;
use crate::id::RoomKey;
use crate::lifecycle::account;
use crate::lifecycle::booking::Booking;
use crate::lifecycle::session::SessionEvent;
use crate::model::RoomEvent;
use crate::model::{
    EndReason, EventLabel, LIVEKIT_NODE, Participant, ParticipantKind, Room, RoomInstance,
    SecretHash,
};
use crate::store::{StoreError, Tx};

impl RoomService {
    /// Applies a LiveKit server's event. Events of unknown rooms, repeated events
    /// and late ones change nothing. Returns whether the room is known.
    pub async fn apply_livekit_webhook(&self, event: &WebhookEvent) -> Result<bool, StoreError> {
        let room = event.room.as_ref().map(|room| room.name.as_str());
        let egress = event.egress_info.as_ref();
        let name = room.or(egress.map(|egress| egress.room_name.as_str()));
        let name = name.unwrap_or_default();
        let instance = event.room.as_ref().map(|room| room.sid.as_str());
        let instance = instance.unwrap_or_default();
        let sid = event.participant.as_ref().map(|who| who.sid.as_str());
        // PostgreSQL stores no NUL, and no name of ours contains one.
        if [name, instance, sid.unwrap_or_default()]
            .concat()
            .contains('\0')
        {
            return Ok(false);
        }
        let Some(room) = self.known(name).await? else {
            return Ok(false);
        };
        let applied = match (event.event.as_str(), &event.participant) {
            ("room_started", _) => self.apply_room_started(room.uid, instance).await,
            ("room_finished", _) => self.apply_room_finished(&room, instance).await,
            ("participant_joined", Some(who)) => {
                self.apply_participant_joined(&room, instance, who).await
            }
            ("participant_left" | "participant_connection_aborted", Some(who)) => {
                self.apply_participant_left(who, event.created_at).await
            }
            ("track_published" | "track_unpublished", Some(who)) => {
                let published = event.event == "track_published";
                self.apply_track(who, event.track.as_ref(), published).await
            }
            ("egress_started", _) => {
                let (moves, label) = (SessionEvent::EgressStarted, EventLabel::EgressStarted);
                self.apply_egress(&room, moves, label, event).await
            }
            ("egress_ended", _) => {
                let (moves, label) = (SessionEvent::ProviderIdle, EventLabel::EgressEnded);
                self.apply_egress(&room, moves, label, event).await
            }
            _ => Ok(()),
        };
        applied.map(|()| true)
    }

    /// An open room by the name in webhooks.
    async fn known(&self, name: &str) -> Result<Option<Room>, StoreError> {
        let key = RoomKey::Name(name.to_owned());
        let room = self.store.find_room(&key).await?;
        Ok(room.filter(|room| room.closed.is_none() && room.deleted_at.is_none()))
    }

    async fn apply_room_started(&self, uid: Uuid, instance: &str) -> Result<(), StoreError> {
        let known = self.is_known_instance(instance).await?;
        let mut tx = self.store.begin().await?;
        let Some(mut room) = lock_open(&mut tx, uid).await? else {
            return Ok(());
        };
        if !known
            && self
                .start_livekit_instance(&mut tx, &mut room, instance)
                .await?
        {
            tx.put_room(&mut room).await?;
            tx.commit().await?;
            self.changed(&room).await;
        }
        Ok(())
    }

    /// The LiveKit server applied its own timeouts, so the room ends here too.
    async fn apply_room_finished(&self, room: &Room, instance: &str) -> Result<(), StoreError> {
        if room.instance.as_ref().is_none_or(|own| own.sid != instance) {
            return Ok(());
        }
        let inside = self.inside(room.uid).await?;
        if inside.iter().any(|who| who.node != LIVEKIT_NODE) {
            return Ok(());
        }
        if room.empty_timeout.is_some() {
            return self.end(room.uid, EndReason::Empty).await.map(drop);
        }
        for who in inside {
            self.left(who, false).await?;
        }
        Ok(())
    }

    async fn apply_participant_joined(
        &self,
        room: &Room,
        instance: &str,
        info: &ParticipantInfo,
    ) -> Result<(), StoreError> {
        let known_instance = self.is_known_instance(instance).await?;
        let booking = match &room.link {
            Some(link) => self.store.booking(link).await?,
            None => None,
        };
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        let Some(mut room) = lock_open(&mut tx, room.uid).await? else {
            return Ok(());
        };
        // A repeated event, or a member of this server.
        if info.sid.is_empty() || tx.stay(&info.sid).await?.is_some() {
            return Ok(());
        }
        if !known_instance {
            self.start_livekit_instance(&mut tx, &mut room, instance)
                .await?;
        }
        let Some(own_instance) = &room.instance else {
            return Ok(());
        };
        let who = stay(&room, &own_instance.sid, info, booking.as_ref(), now);
        room.empty_since = None;
        room.visited = true;
        room.host_left_at = room.host_left_at.filter(|_| who.role != Role::Host);
        tx.put_room(&mut room).await?;
        let present = tx.count_present(room.uid).await?;
        tx.insert_participant(&who).await?;
        let joined = RoomEvent::Joined(&who);
        self.log_event(&mut tx, &room, present + 1, joined).await?;
        self.purpose_joined(&mut tx, &room, &who, now).await?;
        tx.commit().await?;
        self.changed(&room).await;
        Ok(())
    }

    async fn apply_participant_left(
        &self,
        info: &ParticipantInfo,
        at: i64,
    ) -> Result<(), StoreError> {
        let Some(who) = self.livekit_stay(&info.sid).await? else {
            return Ok(());
        };
        let at = match at {
            0 => self.clock.now(),
            at => Timestamp::from_secs(at),
        };
        let at = at.max(who.joined_at);
        self.left(who.gone(at), false).await
    }

    async fn apply_track(
        &self,
        info: &ParticipantInfo,
        track: Option<&TrackInfo>,
        published: bool,
    ) -> Result<(), StoreError> {
        let before = self.livekit_stay(&info.sid).await?;
        let (Some(before), Some(track)) = (before, track.and_then(read_track)) else {
            return Ok(());
        };
        let mut who = before.clone();
        who.tracks.retain(|known| known.sid != track.sid);
        if published {
            who.tracks.push(track);
        }
        self.updated(&before, &who).await
    }

    /// Logs an egress event if it changed the session, and so logs it once.
    async fn apply_egress(
        &self,
        room: &Room,
        moves: SessionEvent,
        label: EventLabel,
        event: &WebhookEvent,
    ) -> Result<(), StoreError> {
        let Some(egress) = &event.egress_info else {
            return Ok(());
        };
        let id = Some(egress.egress_id.clone());
        let moved = self.move_active_session(&room.ro, moves, id).await;
        if !has_moved(moved)? {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        let present = tx.count_present(room.uid).await?;
        let what = RoomEvent::Egress(label, egress);
        self.log_event(&mut tx, room, present, what).await?;
        tx.commit().await?;
        self.written();
        Ok(())
    }

    /// A present participant of a LiveKit server.
    async fn livekit_stay(&self, sid: &str) -> Result<Option<Participant>, StoreError> {
        let mut tx = self.store.begin().await?;
        let who = tx.stay(sid).await?;
        Ok(who.filter(|who| who.node == LIVEKIT_NODE && who.left_at.is_none()))
    }

    async fn is_known_instance(&self, instance: &str) -> Result<bool, StoreError> {
        let key = RoomKey::Sid(instance.to_owned());
        Ok(self.store.find_room(&key).await?.is_some())
    }

    /// Gives a room without an instance this one; returns whether it did.
    async fn start_livekit_instance(
        &self,
        tx: &mut Tx,
        room: &mut Room,
        sid: &str,
    ) -> Result<bool, StoreError> {
        if room.instance.is_some() || sid.is_empty() {
            return Ok(false);
        }
        let now = self.clock.now();
        tx.start_instance(room.uid, sid, now).await?;
        room.instance = Some(RoomInstance {
            sid: sid.to_owned(),
            started_at: now,
        });
        self.log_event(tx, room, 0, RoomEvent::Started).await?;
        Ok(true)
    }
}

async fn lock_open(tx: &mut Tx, uid: Uuid) -> Result<Option<Room>, StoreError> {
    let room = tx.lock_room(uid).await?;
    Ok(room.filter(|room| room.closed.is_none() && room.deleted_at.is_none()))
}

/// Whether a session moved; a refused transition leaves it as it is.
fn has_moved<T>(moved: Result<Option<T>, SessionError>) -> Result<bool, StoreError> {
    match moved {
        Ok(session) => Ok(session.is_some()),
        Err(SessionError::Store(error)) => Err(error),
        Err(_) => Ok(false),
    }
}

fn stay(
    room: &Room,
    instance: &str,
    info: &ParticipantInfo,
    booking: Option<&Booking>,
    now: Timestamp,
) -> Participant {
    let may = info.permission.as_ref();
    let can_publish = may.is_none_or(|may| may.can_publish);
    let booked = booking.and_then(|booking| booking.participant(&info.identity));
    let role = match booked {
        Some(booked) => booked.role_in(room.kind),
        None if room.host == Some(account(&info.identity)) => Role::Host,
        None if can_publish => Role::Participant,
        None => Role::Viewer,
    };
    Participant {
        sid: info.sid.clone(),
        room: room.uid,
        instance: instance.to_owned(),
        client: Uuid::new_v4(),
        identity: info.identity.clone(),
        name: info.name.clone(),
        role,
        kind: match info.kind == Kind::Sip as i32 {
            true => ParticipantKind::Phone,
            false => ParticipantKind::Video,
        },
        joined_at: match info.joined_at {
            0 => now,
            at => Timestamp::from_secs(at),
        },
        left_at: None,
        node: LIVEKIT_NODE.to_owned(),
        features: Features::default(),
        grants: Grants {
            can_publish,
            can_subscribe: may.is_none_or(|may| may.can_subscribe),
            can_publish_data: may.map(|may| may.can_publish_data),
            ..Grants::default()
        },
        tracks: info.tracks.iter().filter_map(read_track).collect(),
        hand_raised: false,
        quality: None,
        metadata: info.metadata.clone(),
        hidden: false,
        secret: SecretHash::default(),
    }
}

fn read_track(info: &TrackInfo) -> Option<Track> {
    let source = match Source::try_from(info.source).ok()? {
        Source::Camera => TrackSource::Camera,
        Source::Microphone => TrackSource::Microphone,
        Source::ScreenShare => TrackSource::ScreenShare,
        Source::ScreenShareAudio => TrackSource::ScreenShareAudio,
        Source::Unknown => return None,
    };
    Some(Track {
        sid: info.sid.clone(),
        source,
        muted: info.muted,
    })
}

//! Letting people in: the row's transaction decides.

use uuid::Uuid;
use visavis_protocol::{Grants, Role};

use super::RoomService;
use super::reconciliation::UncertainCommit;
use crate::clock::Timestamp;
use crate::cluster::{Cluster, Reserved};
use crate::id::short_id;
use crate::model::RoomEvent;
use crate::model::{Participant, Phase, Room, RoomInstance, SecretHash, Template};
use crate::refusal::Refusal;
use crate::refusal::store_failed;
use crate::room::{Admitted, Applicant};
use crate::store::{Stay, StoreError, Tx};

/// Reservations before the transaction alone decides: one that finds the set missing,
/// one that finds the room missing or the set stale, and one that succeeds.
const RESERVE_ATTEMPTS: u32 = 3;

/// The room, with whether it changed: it is stored once.
struct Entered {
    room: Room,
    changed: bool,
}

impl RoomService {
    /// Lets someone into a room: stored, and counted against its limit.
    pub async fn admit(&self, uid: Uuid, applicant: Applicant) -> Result<Admitted, Refusal> {
        let sid = short_id("PA_", &mut rand::rng());
        let Some(cluster) = &self.cluster else {
            return self.admit_with_sid(sid, uid, applicant).await;
        };
        self.reserve(cluster, uid, &sid).await?;
        let admitted = self.admit_with_sid(sid.clone(), uid, applicant).await;
        if admitted.is_err() {
            cluster.release(uid, &sid).await;
        }
        admitted
    }

    /// Reserves a place in Redis, so that joins of a full room ask the database
    /// nothing. The database is authoritative.
    async fn reserve(&self, cluster: &Cluster, uid: Uuid, sid: &str) -> Result<(), Refusal> {
        for _ in 0..RESERVE_ATTEMPTS {
            match cluster.reserve(uid, sid).await {
                Reserved::Yes | Reserved::Down => return Ok(()),
                Reserved::Full => return Err(Refusal::room_full()),
                Reserved::FullUnchecked => {
                    // Without the rows the room counts as full.
                    let rebuilt = self.rebuild_places(cluster, uid, true).await;
                    rebuilt.map_err(|_| Refusal::room_full())?;
                }
                Reserved::NoSet | Reserved::NoRoom => {
                    self.rebuild_places(cluster, uid, false).await?;
                }
            }
        }
        Ok(())
    }

    /// Writes to Redis what [`Cluster::reserve`] needs, as the rows have it.
    async fn rebuild_places(
        &self,
        cluster: &Cluster,
        uid: Uuid,
        replace: bool,
    ) -> Result<(), Refusal> {
        let room = self.find(&uid.to_string()).await?;
        self.cache.put(&room, self.clock.now()).await;
        let inside = self.store.participants(uid, Stay::Present).await;
        let sids: Vec<String> = inside
            .map_err(store_failed)?
            .into_iter()
            .map(|who| who.sid)
            .collect();
        cluster.rebuild(uid, &room.code, &sids, replace).await;
        Ok(())
    }

    async fn admit_with_sid(
        &self,
        sid: String,
        uid: Uuid,
        applicant: Applicant,
    ) -> Result<Admitted, Refusal> {
        let mut tx = self.store.begin().await.map_err(store_failed)?;
        let found = tx.lock_room_and_crowd(uid).await.map_err(store_failed)?;
        let found = found.filter(|(room, ..)| room.deleted_at.is_none());
        let (room, present, last) = found.ok_or_else(Refusal::room_not_found)?;
        let now = self.clock.now();
        check_open(&room, now)?;
        if !self.config.auto_create && room.instance.is_none() {
            return Err(Refusal::room_not_found());
        }
        // The order of joining is told by the time alone, on every node.
        let now = last.map_or(now, |last| now.max(Timestamp(last.0 + 1)));
        applicant.may_enter(&room, present)?;
        let admitted = self.enter(tx, sid, room, present, applicant, now).await;
        let (admitted, changed) = admitted.map_err(store_failed)?;
        if changed {
            self.cache.put(&admitted.room, now).await;
        }
        self.room_written(&admitted.room);
        Ok(admitted)
    }

    /// Comes in, and makes it so.
    pub(super) async fn enter(
        &self,
        mut tx: Tx,
        sid: String,
        room: Room,
        present: u32,
        applicant: Applicant,
        now: Timestamp,
    ) -> Result<(Admitted, bool), StoreError> {
        let mut entered = Entered {
            room,
            changed: false,
        };
        let instance = self.start_instance(&mut tx, &mut entered, now).await?;
        let room = &mut entered.room;
        if room.host.is_none() && !applicant.hidden {
            tx.ensure_user(applicant.user, now).await?;
            room.host = Some(applicant.user);
            entered.changed = true;
        }
        let is_host = room.host == Some(applicant.user) || applicant.role == Role::Host;
        let stale = room.empty_since.is_some()
            || (!room.visited && !is_host)
            || (room.host_left_at.is_some() && is_host);
        if stale {
            room.empty_since = None;
            room.visited |= !is_host;
            room.host_left_at = room.host_left_at.filter(|_| !is_host);
            entered.changed = true;
        }
        if entered.changed {
            tx.put_room(room).await?;
        }
        let (role, grants) = seat(&applicant, room, is_host);
        let who = Participant {
            sid,
            room: room.uid,
            instance,
            client: applicant.client,
            identity: applicant.identity,
            name: applicant.name,
            role,
            kind: applicant.kind,
            joined_at: now,
            left_at: None,
            node: self.node.clone(),
            features: applicant.features,
            grants,
            tracks: Vec::new(),
            hand_raised: false,
            quality: None,
            hidden: applicant.hidden,
            metadata: applicant.metadata,
            secret: SecretHash::of(applicant.secret),
        };
        tx.insert_participant(&who).await?;
        self.log_event(&mut tx, room, present + 1, RoomEvent::Joined(&who))
            .await?;
        self.purpose_joined(&mut tx, room, &who, now).await?;
        let uid = room.uid;
        if let Err(error) = self.commit(tx, uid).await {
            self.reconciliation
                .add(UncertainCommit::Stay(Box::new(who)));
            return Err(error);
        }
        let Entered { room, changed } = entered;
        Ok((Admitted { who, room }, changed))
    }

    /// The sid of the room's life, which begins now if it has none.
    async fn start_instance(
        &self,
        tx: &mut Tx,
        entered: &mut Entered,
        now: Timestamp,
    ) -> Result<String, StoreError> {
        let Entered { room, changed } = entered;
        if let Some(instance) = &room.instance {
            return Ok(instance.sid.clone());
        }
        let sid = short_id("RM_", &mut rand::rng());
        tx.start_instance(room.uid, &sid, now).await?;
        room.instance = Some(RoomInstance {
            sid: sid.clone(),
            started_at: now,
        });
        *changed = true;
        self.log_event(tx, room, 0, RoomEvent::Started).await?;
        Ok(sid)
    }

    /// Begins a room's life before anyone is inside: its host asked for a token.
    pub async fn begin(&self, uid: Uuid) -> Result<Option<Room>, StoreError> {
        let mut tx = self.store.begin().await?;
        let room = tx
            .lock_room(uid)
            .await?
            .filter(|room| room.deleted_at.is_none());
        let Some(room) = room else {
            return Ok(None);
        };
        let mut entered = Entered {
            room,
            changed: false,
        };
        self.start_instance(&mut tx, &mut entered, self.clock.now())
            .await?;
        if entered.changed {
            tx.put_room(&mut entered.room).await?;
            self.commit(tx, uid).await?;
            self.changed(&entered.room).await;
        }
        Ok(Some(entered.room))
    }
}

/// Whether people may come in now.
fn check_open(room: &Room, now: Timestamp) -> Result<(), Refusal> {
    match room.phase(now) {
        Phase::Open => Ok(()),
        Phase::Pending => Err(Refusal::room_not_open(room.opens_at)),
        Phase::Closed => Err(Refusal::room_ended()),
        Phase::Deleted => Err(Refusal::room_not_found()),
    }
}

/// As what someone comes in. An account whose room it is is host by right, and
/// whoever else it belongs to may at least become host.
fn seat(applicant: &Applicant, room: &Room, is_host: bool) -> (Role, Grants) {
    let mut grants = applicant.grants.clone();
    if applicant.hidden {
        // Whatever it sent would show that it is there.
        grants.can_publish = false;
        grants.can_publish_data = Some(false);
        return (applicant.role, grants);
    }
    let role = match applicant.role {
        _ if applicant.has_account() && room.host == Some(applicant.user) => Role::Host,
        Role::Viewer if is_host => Role::Participant,
        role => role,
    };
    if is_host || applicant.speaks {
        return (role, grants);
    }
    Template::of(room.kind).seat(role, grants)
}

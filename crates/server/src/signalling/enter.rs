//! Create, join and resume.

use std::time::Duration;

use uuid::Uuid;
use visavis_protocol::{CreateRoom, Envelope, ErrorCode, JoinRoom, Metadata, Resume, Role};

use super::caller::{Visitor, admission, applicant, creator, token_renewal};
use super::{Session, already_in_room};
use crate::access::principal::may_create;
use crate::access::seal::SealedRoom;
use crate::clock::Timestamp;
use crate::id::ResumeToken;
use crate::model::{Phase, Room, RoomKind, Template};
use crate::refusal::store_failed;
use crate::refusal::{Refusal, description, room_name};
use crate::room::{Admitted, Applicant, Pass};
use crate::room::{Entry, Resumer, RoomInactive};

/// Attempts to join: a room's task may end between the lookup and the join and
/// is then started again.
const WAKE_ATTEMPTS: usize = 3;

/// A room that only its creator ever entered ends after this.
const IDLE_TTL: Duration = Duration::from_secs(24 * 3_600);

impl Session {
    pub(super) async fn create(
        &mut self,
        envelope: &Envelope,
        create: CreateRoom,
    ) -> Result<(), Refusal> {
        if self.place().await.is_some() {
            return Err(already_in_room());
        }
        self.vacate().await;
        let principal = self
            .caller
            .principal(&self.service, create.token.as_deref())?;
        may_create(self.service.config.auth, &principal)?;
        let visitor = Visitor {
            client: self.id,
            display_name: create.display_name.as_deref(),
            features: create.features,
            pass: Pass::HostApproval,
        };
        let applicant = applicant(&principal, creator(&principal), visitor);
        let creations = self.caller.creations.clone();
        let creations = creations.filter(|_| principal.is_anonymous());
        let creation = self.service.count_creation(creations).await?;
        let draft = self.draft(create, applicant.user).await?;
        let made = self.service.create_for_first(draft, &applicant).await;
        let Admitted { who, room } = made.map_err(store_failed)?;
        creation.done(room.uid);
        let handle = self.service.activate_new(room.clone());
        let entry = Entry {
            creator: true,
            token: token_renewal(&principal, self.service.clock.read()),
            ..self.entry(envelope, applicant.secret)
        };
        let entered = handle.enter(Admitted { who, room }, entry, self.outbox.clone());
        // The task is inactive only while the server stops.
        entered
            .await
            .map_err(|RoomInactive| Refusal::server_busy())?;
        self.room = Some(handle);
        Ok(())
    }

    async fn draft(&self, create: CreateRoom, host: Uuid) -> Result<Room, Refusal> {
        let now = self.service.clock.now();
        let kind = create.kind.unwrap_or(RoomKind::Open);
        let most = create.max_participants;
        let opens_at = moment(create.opens_at.as_deref())?.unwrap_or(now);
        let closes_at = moment(create.closes_at.as_deref())?;
        if closes_at.is_some_and(|closes_at| closes_at <= opens_at.max(now)) {
            return Err(bad("a room closes after it opens, and not in the past"));
        }
        let name = room_name(&create.name)?;
        let metadata = create.metadata.map(metadata).transpose()?;
        let passcode = match create.passcode {
            Some(passcode) => Some(self.service.passcodes.keep(passcode).await?),
            None => None,
        };
        Ok(Room {
            name,
            host: Some(host),
            kind,
            max_participants: most.unwrap_or(Template::of(kind).max_participants),
            metadata,
            passcode,
            waiting_room: create.waiting_room,
            opens_at,
            opened: opens_at <= now,
            closes_at,
            empty_timeout: Some(self.service.config.empty_timeout),
            idle_ttl: Some(IDLE_TTL),
            ..Room::draft(now)
        })
    }

    /// The room of this name, restored from a member's seal where a restart lost it.
    async fn find_or_restore(
        &self,
        name: &str,
        sealed: Option<&SealedRoom>,
    ) -> Result<Room, Refusal> {
        match (self.service.find(name).await, sealed) {
            (Err(refusal), Some(sealed)) if refusal.code == ErrorCode::RoomNotFound => {
                self.service.restore(sealed.clone()).await
            }
            (found, _) => found,
        }
    }

    pub(super) async fn join(
        &mut self,
        envelope: &Envelope,
        mut join: JoinRoom,
    ) -> Result<(), Refusal> {
        let principal = self
            .caller
            .principal(&self.service, join.token.as_deref())?;
        let sealed = join.seal.as_deref();
        let sealed = sealed.and_then(|seal| self.service.open_seal(seal, &join.room_id));
        let mut checked = false;
        for _ in 0..WAKE_ATTEMPTS {
            let room = self.find_or_restore(&join.room_id, sealed.as_ref()).await?;
            let here = self.place().await.map(|(room, _)| room.uid());
            if here.is_some_and(|here| here != room.uid) {
                return Err(already_in_room());
            }
            let visitor = Visitor {
                client: self.id,
                display_name: join.display_name.as_deref(),
                features: join.features,
                pass: Pass::None,
            };
            let mut applicant = applicant(&principal, admission(&principal, &room)?, visitor);
            // Made before this row was: its holder was inside before a restart.
            let sealed = sealed
                .as_ref()
                .filter(|sealed| sealed.sealed_at < room.created_at);
            if let Some(sealed) = sealed {
                applicant.pass = Pass::HostApproval;
                if sealed.is_host {
                    applicant.role = Role::Host;
                }
            }
            if here.is_none() {
                self.vacate().await;
                if !checked && sealed.is_none() {
                    self.check_entry(&room, &applicant, join.passcode.take())
                        .await?;
                    checked = true;
                }
            }
            let handle = self.service.activate(&room);
            let entry = Entry {
                token: token_renewal(&principal, self.service.clock.read()),
                ..self.entry(envelope, applicant.secret)
            };
            match handle.join(applicant, entry, self.outbox.clone()).await {
                Err(RoomInactive) => continue,
                Ok(joined) => {
                    self.room = joined.is_ok().then_some(handle);
                    return joined;
                }
            }
        }
        Err(Refusal::server_busy())
    }

    /// Checks that the room is open and the passcode is right. The room's owner
    /// needs no passcode.
    async fn check_entry(
        &self,
        room: &Room,
        applicant: &Applicant,
        passcode: Option<String>,
    ) -> Result<(), Refusal> {
        match room.phase(self.service.clock.now()) {
            Phase::Open => {}
            Phase::Pending => return Err(Refusal::room_not_open(room.opens_at)),
            Phase::Closed => return Err(Refusal::room_ended()),
            Phase::Deleted => return Err(Refusal::room_not_found()),
        }
        if applicant.owns(room) {
            return Ok(());
        }
        let address = self.caller.origin.address;
        let passcodes = &self.service.passcodes;
        tokio::select! {
            checked = passcodes.check(room, address, passcode) => checked,
            // The try leaves the queue; there is nobody to answer.
            () = self.caller.hung_up.cancelled() => Err(Refusal::server_busy()),
        }
    }

    pub(super) async fn resume(
        &mut self,
        envelope: &Envelope,
        resume: Resume,
    ) -> Result<(), Refusal> {
        if self.place().await.is_some() {
            return Err(already_in_room());
        }
        self.vacate().await;
        let token = ResumeToken::parse(&resume.resume_token).ok_or_else(Refusal::void_token)?;
        let void = |refusal: Refusal| match refusal.code {
            ErrorCode::RoomNotFound => Refusal::void_token(),
            _ => refusal,
        };
        let mut attempts = 0;
        let (handle, id) = loop {
            // The room may be inactive here: its members were on another node.
            let handle = match self.service.active_room(token.room) {
                Some(handle) => handle,
                None => {
                    let room = self.service.find(&token.room.to_string()).await;
                    self.service.activate(&room.map_err(void)?)
                }
            };
            let resumer = Resumer {
                entry: self.entry(envelope, rand::random()),
                proof: token.secret,
            };
            match handle.resume(resumer, self.outbox.clone()).await {
                Ok(resumed) => break (handle, resumed?),
                Err(RoomInactive) if attempts < WAKE_ATTEMPTS => attempts += 1,
                Err(RoomInactive) => return Err(Refusal::void_token()),
            }
        };
        self.service.direct_clients.leave(self.id, self.socket);
        self.id = id;
        self.be_reachable();
        self.room = Some(handle);
        Ok(())
    }

    fn entry(&self, envelope: &Envelope, secret: u128) -> Entry {
        Entry {
            socket: self.socket,
            request_id: envelope.request_id.clone(),
            secret,
            ice_servers: self.service.ice.for_client(
                self.id,
                self.caller.stun_url.as_deref(),
                self.service.clock.read(),
            ),
            stun_url: self.caller.stun_url.clone(),
            token: None,
            creator: false,
        }
    }
}

fn moment(text: Option<&str>) -> Result<Option<Timestamp>, Refusal> {
    let read = |text| Timestamp::parse(text).ok_or_else(|| bad("a time is written as in RFC 3339"));
    text.map(read).transpose()
}

fn metadata(metadata: Metadata) -> Result<Metadata, Refusal> {
    Ok(Metadata {
        description: metadata
            .description
            .as_deref()
            .map(description)
            .transpose()?,
        private: metadata.private,
    })
}

fn bad(why: &'static str) -> Refusal {
    Refusal::new(ErrorCode::BadMessage, why)
}

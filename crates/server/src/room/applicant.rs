//! Who asks to join a room, and who was admitted.

use uuid::Uuid;
use visavis_protocol::{ErrorCode, Features, Grants, Role};

use crate::id::ClientId;
use crate::model::{Participant, ParticipantKind, Room};
use crate::refusal::Refusal;

/// One who may come in, if there is a place.
#[derive(Debug, Clone)]
pub(crate) struct Applicant {
    pub client: ClientId,
    /// Whose row the room's host may become.
    pub user: Uuid,
    pub identity: String,
    pub name: String,
    pub role: Role,
    pub kind: ParticipantKind,
    pub grants: Grants,
    /// Whether its token says in so many words that it may send media.
    pub speaks: bool,
    pub pass: Pass,
    /// Whether its token hides it.
    pub hidden: bool,
    pub metadata: String,
    pub features: Features,
    /// Its resume token's secret.
    pub secret: u128,
}

/// What lets someone pass who else would not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Nothing.
    None,
    /// A host approved: the waiting room and the lock do not apply.
    HostApproval,
}

impl Applicant {
    /// Whether the room is, or is about to be, this one's: it asks nobody.
    pub fn owns(&self, room: &Room) -> bool {
        self.role == Role::Host || room.host.is_none_or(|host| host == self.user)
    }

    /// Whether there is a way in, where so many are inside.
    pub fn may_enter(&self, room: &Room, present: u32) -> Result<(), Refusal> {
        let passes = self.pass != Pass::None || self.owns(room);
        if room.locked && !passes {
            return Err(Refusal::new(ErrorCode::RoomLocked, "the room is locked"));
        }
        if room.waiting_room && !passes {
            let why = "the host lets people in one by one";
            return Err(Refusal::new(ErrorCode::WaitingRoom, why));
        }
        match room.max_participants {
            most if most > 0 && present >= most => Err(Refusal::room_full()),
            _ => Ok(()),
        }
    }

    /// Whether its user is an account, and not only this connection.
    pub fn has_account(&self) -> bool {
        self.user != self.client
    }
}

/// One who is in, and the room as it is now.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub who: Participant,
    pub room: Room,
}

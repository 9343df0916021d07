//! How members learn of joins and departures.
//!
//! Clients with feature `members` get one small message per change. In a room of more
//! than [`LARGE_ROOM_MEMBERS`] the changes of viewers wait up to
//! [`MEMBERS_CHANGED_INTERVAL`] and are sent together in `members-changed`. Other clients
//! get the complete list with every change; in a large room their messages wait up to
//! [`PLAIN_MEMBERSHIP_DELAY`].

use std::time::Instant;

use visavis_protocol::limits::{
    LARGE_ROOM_MEMBERS, MEMBERS_CHANGED_INTERVAL, PLAIN_MEMBERSHIP_DELAY,
};
use visavis_protocol::{Feature, MemberJoined, MemberLeft, MembersChanged, Role, ServerMessage};

use super::{Effect, RoomState};
use crate::id::ClientId;
use crate::room::member::{Attachment, Member};
use crate::room::message::{Broadcast, frame};

/// Member objects in one `members-changed`. An object is at most 1.2 KB, so the message
/// stays below 256 KiB.
const JOINED_PER_MESSAGE: usize = 200;
/// Client ids in `left` of one `members-changed`.
const LEFT_PER_MESSAGE: usize = 400;
/// The waiting messages of a client without feature `members` are sent early when they
/// reach this many bytes: sent together, more would fill its outbox.
const PLAIN_BYTES: usize = 512 * 1024;
/// A client id in a JSON list.
const ID_BYTES: usize = 39;

/// Membership changes that were not announced yet.
#[derive(Default)]
pub(super) struct Membership {
    /// Viewers that joined, in join order.
    joined: Vec<PendingJoin>,
    /// Viewers that left. A client applies departures before joins.
    left: Vec<ClientId>,
    members_due: Option<Instant>,
    plain: PlainChanges,
    plain_due: Option<Instant>,
    /// Number of the next change.
    next_change: u64,
}

struct PendingJoin {
    client: ClientId,
    /// Some client has it in a list or a count, so its departure is announced.
    known: bool,
}

/// Changes for clients without feature `members`, in order.
#[derive(Default)]
struct PlainChanges {
    /// The list before the first change.
    list: Vec<ClientId>,
    changes: Vec<Change>,
    bytes: usize,
}

struct Change {
    number: u64,
    client: ClientId,
    kind: ChangeKind,
}

#[derive(Clone, Copy)]
enum ChangeKind {
    /// At this index of the list.
    Joined(usize),
    Left,
}

impl Membership {
    pub fn next_change(&self) -> u64 {
        self.next_change
    }

    fn has_members_changes(&self) -> bool {
        !self.joined.is_empty() || !self.left.is_empty()
    }

    /// When [`RoomState::flush_due`] has something to send.
    pub fn next_deadline(&self) -> Option<Instant> {
        [self.members_due, self.plain_due]
            .into_iter()
            .flatten()
            .min()
    }

    /// Starts the intervals of changes that were added since the last call.
    pub fn start_intervals(&mut self, now: Instant) {
        if self.has_members_changes() {
            self.members_due
                .get_or_insert(now + MEMBERS_CHANGED_INTERVAL);
        }
        if !self.plain.changes.is_empty() {
            self.plain_due.get_or_insert(now + PLAIN_MEMBERSHIP_DELAY);
        }
    }

    /// A client gets a list or a count that contains the pending joins.
    pub fn expose(&mut self) {
        self.joined.iter_mut().for_each(|join| join.known = true);
    }

    fn viewer_joined(&mut self, client: ClientId) {
        let known = false;
        self.joined.push(PendingJoin { client, known });
    }

    /// A viewer whose join was not announced to anyone disappears from the batch.
    fn viewer_left(&mut self, client: ClientId) {
        let pending = self.joined.iter().position(|join| join.client == client);
        let known = pending.is_none_or(|index| self.joined.remove(index).known);
        if known && !self.left.contains(&client) {
            self.left.push(client);
        }
    }

    fn take_joined(&mut self, client: ClientId) -> bool {
        let before = self.joined.len();
        self.joined.retain(|join| join.client != client);
        self.joined.len() < before
    }

    fn take_left(&mut self, client: ClientId) -> bool {
        let before = self.left.len();
        self.left.retain(|left| *left != client);
        self.left.len() < before
    }

    pub fn is_pending(&self, client: ClientId) -> bool {
        self.joined.iter().any(|join| join.client == client)
    }
}

impl RoomState {
    /// Starts the intervals of membership changes; to be called after every input.
    pub fn start_intervals(&mut self, now: Instant) {
        self.membership.start_intervals(now);
    }

    /// Sends the membership changes whose interval is over.
    pub(super) fn flush_due(&mut self, now: Instant) -> Vec<Effect> {
        let is_due = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        let mut effects = Vec::new();
        if is_due(self.membership.members_due) {
            effects.extend(self.flush_members_changed());
        }
        if is_due(self.membership.plain_due) {
            effects.extend(self.flush_plain());
        }
        effects
    }

    /// Whether a member only watches.
    pub(super) fn is_viewer(&self, member: &Member) -> bool {
        let who = &member.who;
        let is_host = who.role == Role::Host || self.host == Some(who.client);
        !who.grants.can_publish && !is_host
    }

    /// Announces a member that was just added to the list.
    pub(super) fn announce_join(&mut self, index: usize) -> Vec<Effect> {
        let client = self.members[index].id();
        if self.members[index].who.hidden {
            self.members[index].first_change = self.membership.next_change;
            return Vec::new();
        }
        // Its list contains this change and those that wait.
        self.members[index].first_change = self.membership.next_change + 1;
        let mut effects = Vec::new();
        if self.members.len() <= LARGE_ROOM_MEMBERS {
            effects.extend(self.flush_all());
            let notice = Broadcast::extended(
                Feature::Members,
                self.member_joined(index),
                self.plain_change(client, ChangeKind::Joined(index), &self.client_ids()),
            );
            effects.extend(self.tell(Some(client), notice));
            self.membership.next_change += 1;
        } else {
            effects.extend(self.queue_plain(client, ChangeKind::Joined(index), index));
            if self.is_viewer(&self.members[index]) {
                self.membership.viewer_joined(client);
            } else {
                if self.membership.take_left(client) {
                    let left = self.member_left(client);
                    effects.extend(self.tell_at_once(Some(client), left));
                }
                let joined = self.member_joined(index);
                effects.extend(self.tell_at_once(Some(client), joined));
            }
        }
        effects
    }

    /// Removes a member from the list and announces it.
    pub(super) fn announce_departure(&mut self, index: usize) -> Vec<Effect> {
        if self.members[index].who.hidden {
            self.members.remove(index);
            return Vec::new();
        }
        let mut effects = Vec::new();
        let is_large = self.members.len() > LARGE_ROOM_MEMBERS;
        let is_viewer = self.is_viewer(&self.members[index]);
        if !is_large {
            effects.extend(self.flush_all());
        }
        let client = self.members.remove(index).id();
        if is_large {
            effects.extend(self.queue_plain(client, ChangeKind::Left, index));
        }
        if !is_large {
            let notice = Broadcast::extended(
                Feature::Members,
                self.member_left(client),
                self.plain_change(client, ChangeKind::Left, &self.client_ids()),
            );
            effects.extend(self.tell(None, notice));
            self.membership.next_change += 1;
        } else if is_viewer {
            self.membership.viewer_left(client);
        } else {
            let left = self.member_left(client);
            effects.extend(self.tell_at_once(None, left));
        }
        effects
    }

    /// What is to be sent instead of `member-updated` while a member's join was not
    /// announced: a viewer's batch contains its current object, and one who is no viewer
    /// any more is announced at once. `None`: its join was announced.
    pub(super) fn update_pending(&mut self, index: usize) -> Option<Vec<Effect>> {
        let member = &self.members[index];
        let client = member.id();
        if !self.membership.is_pending(client) {
            return None;
        }
        if self.is_viewer(member) {
            return Some(Vec::new());
        }
        self.membership.take_joined(client);
        let mut effects = Vec::new();
        if self.membership.take_left(client) {
            let left = self.member_left(client);
            effects.extend(self.tell_at_once(Some(client), left));
        }
        let joined = self.member_joined(index);
        effects.extend(self.tell_at_once(Some(client), joined));
        Some(effects)
    }

    /// Announces a viewer's join to one member before the batch does: the member would
    /// drop an offer from an unknown sender.
    pub(super) fn announce_to(&mut self, from: ClientId, to: usize) -> Option<Effect> {
        let member = &self.members[to];
        let Attachment::Here(socket) = member.attachment else {
            return None;
        };
        if !member.features().has(Feature::Members) {
            return None;
        }
        if !self.membership.is_pending(from) {
            return None;
        }
        self.membership.expose();
        let message = self.member_joined(self.find(from)?);
        let (to, frame) = (socket, frame(&message));
        Some(Effect::Send { to, frame })
    }

    /// Sends a change that waits for no batch. Its count includes the pending joins, so
    /// their departures have to be announced.
    fn tell_at_once(&mut self, except: Option<ClientId>, message: ServerMessage) -> Vec<Effect> {
        self.membership.expose();
        self.tell(except, members_only(message))
    }

    /// Sends the changes that wait for clients without feature `members`. The lists are
    /// those at the time of each change.
    pub(super) fn flush_plain(&mut self) -> Vec<Effect> {
        self.membership.plain_due = None;
        let PlainChanges {
            mut list, changes, ..
        } = std::mem::take(&mut self.membership.plain);
        let mut effects = Vec::new();
        for Change {
            number,
            client,
            kind,
        } in changes
        {
            match kind {
                ChangeKind::Joined(index) => list.insert(index.min(list.len()), client),
                ChangeKind::Left => list.retain(|one| *one != client),
            }
            let frame = frame(&self.plain_change(client, kind, &list));
            for member in &self.members {
                if let Attachment::Here(to) = member.attachment
                    && !member.features().has(Feature::Members)
                    && member.first_change <= number
                {
                    let frame = frame.clone();
                    effects.push(Effect::Send { to, frame });
                }
            }
        }
        effects
    }

    fn flush_members_changed(&mut self) -> Vec<Effect> {
        let membership = &mut self.membership;
        membership.members_due = None;
        let left = std::mem::take(&mut membership.left);
        let joined = std::mem::take(&mut membership.joined);
        let left: Vec<String> = left.iter().map(ClientId::to_string).collect();
        let joined = joined.iter().filter_map(|join| self.find(join.client));
        let joined: Vec<_> = joined
            .map(|index| self.members[index].wire(self.host))
            .collect();
        let mut left = left.chunks(LEFT_PER_MESSAGE);
        let mut joined = joined.chunks(JOINED_PER_MESSAGE);
        let mut effects = Vec::new();
        loop {
            // A client's departure is in no later message than its new join.
            let left = left.next();
            let joined = match left.is_some_and(|left| left.len() == LEFT_PER_MESSAGE) {
                true => None,
                false => joined.next(),
            };
            if left.is_none() && joined.is_none() {
                return effects;
            }
            let changed = MembersChanged {
                room_id: self.room.code.clone(),
                joined: joined.unwrap_or_default().to_vec(),
                left: left.unwrap_or_default().to_vec(),
                count: self.count(),
            };
            let message = ServerMessage::MembersChanged(changed);
            effects.extend(self.tell(None, members_only(message)));
        }
    }

    /// Sends everything that waits.
    fn flush_all(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.membership.has_members_changes() {
            effects.extend(self.flush_members_changed());
        }
        effects.extend(self.flush_plain());
        effects
    }

    /// Adds a change at this index of the list for clients without feature `members`. The
    /// list is already changed.
    fn queue_plain(&mut self, client: ClientId, kind: ChangeKind, index: usize) -> Vec<Effect> {
        let number = self.membership.next_change;
        self.membership.next_change += 1;
        let is_plain =
            |member: &Member| member.is_local() && !member.features().has(Feature::Members);
        if self.membership.plain.changes.is_empty() {
            if !self.members.iter().any(is_plain) {
                return Vec::new();
            }
            let mut before = self.client_ids();
            match kind {
                ChangeKind::Joined(_) => drop(before.remove(index)),
                ChangeKind::Left => before.insert(index, client),
            }
            self.membership.plain.list = before;
        }
        let plain = &mut self.membership.plain;
        plain.bytes += self.members.len() * ID_BYTES;
        plain.changes.push(Change {
            number,
            client,
            kind,
        });
        match plain.bytes > PLAIN_BYTES {
            true => self.flush_plain(),
            false => Vec::new(),
        }
    }

    fn member_joined(&self, index: usize) -> ServerMessage {
        let member = &self.members[index];
        ServerMessage::MemberJoined(MemberJoined {
            room_id: self.room.code.clone(),
            member_id: member.id().to_string(),
            participants: None,
            member: Some(member.wire(self.host)),
            count: Some(self.count()),
        })
    }

    fn member_left(&self, client: ClientId) -> ServerMessage {
        ServerMessage::MemberLeft(MemberLeft {
            room_id: self.room.code.clone(),
            member_id: client.to_string(),
            participants: None,
            count: Some(self.count()),
        })
    }

    fn plain_change(&self, client: ClientId, kind: ChangeKind, list: &[ClientId]) -> ServerMessage {
        let room_id = self.room.code.clone();
        let member_id = client.to_string();
        let participants = Some(list.iter().map(ClientId::to_string).collect());
        match kind {
            ChangeKind::Joined(_) => ServerMessage::MemberJoined(MemberJoined {
                room_id,
                member_id,
                participants,
                ..MemberJoined::default()
            }),
            ChangeKind::Left => ServerMessage::MemberLeft(MemberLeft {
                room_id,
                member_id,
                participants,
                ..MemberLeft::default()
            }),
        }
    }

    fn client_ids(&self) -> Vec<ClientId> {
        self.visible().map(Member::id).collect()
    }

    fn count(&self) -> u32 {
        u32::try_from(self.visible().count()).unwrap_or(u32::MAX)
    }
}

fn members_only(message: ServerMessage) -> Broadcast {
    Broadcast::extension(Feature::Members, message)
}

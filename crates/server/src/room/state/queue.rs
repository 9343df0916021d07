//! Who waits for a place or for a host's approval, on this node and on others.
//!
//! Each node publishes the list of those who wait on it, at every change and again
//! every [`REFRESH`]. A list that is not repeated for [`LEASE`] is dropped: its node
//! has died, or the room has ended there. So a lost message, a new node and a dead
//! one all heal by themselves, and the order is one: by the time of asking.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use visavis_protocol::WaitReason;

use crate::clock::Timestamp;
use crate::cluster::QueuedClient;
use crate::id::ClientId;
use crate::room::applicant::{Applicant, Pass};
use crate::room::state::Entry;

/// How often a list is published again.
pub(super) const REFRESH: Duration = Duration::from_secs(5);
/// How long a list of another node is valid.
pub(super) const LEASE: Duration = Duration::from_secs(15);

/// One who asked to join this node's room, and waits.
pub(super) struct Waiter {
    pub applicant: Applicant,
    pub entry: Entry,
    pub since: Timestamp,
    pub reason: WaitReason,
    /// The position that it was sent last.
    pub sent: Option<(WaitReason, u32)>,
}

struct RemoteQueue {
    waiting: Vec<QueuedClient>,
    until: Instant,
}

/// Those who wait, in the order of asking.
#[derive(Default)]
pub(super) struct Queue {
    local: Vec<Waiter>,
    remote: HashMap<String, RemoteQueue>,
    /// The local part is not published as it is now.
    changed: bool,
    refresh_at: Option<Instant>,
}

impl Waiter {
    pub fn id(&self) -> ClientId {
        self.applicant.client
    }

    fn rank(&self) -> (Timestamp, ClientId) {
        (self.since, self.id())
    }
}

impl Queue {
    /// Those who wait on this node.
    pub fn local(&self) -> &[Waiter] {
        &self.local
    }

    /// The same, to be changed: the other nodes learn of it.
    pub fn local_mut(&mut self) -> &mut Vec<Waiter> {
        self.changed = true;
        &mut self.local
    }

    /// The same, to note what was sent to them: no other node learns of it.
    pub fn local_unpublished(&mut self) -> impl Iterator<Item = &mut Waiter> {
        self.local.iter_mut()
    }

    /// The time of asking for a new one: later than that of all before it on this node,
    /// so that the order is that of asking within a millisecond too.
    pub fn next_rank(&self, now: Timestamp) -> Timestamp {
        let last = self.local.last();
        last.map_or(now, |last| {
            now.max(Timestamp(last.since.0.saturating_add(1)))
        })
    }

    /// Those who wait on other nodes.
    pub fn remote(&self) -> impl Iterator<Item = &QueuedClient> {
        self.remote.values().flat_map(|queue| &queue.waiting)
    }

    /// The node on which this client waits, where it is another one.
    pub fn node_of(&self, client: ClientId) -> Option<&str> {
        let waits = |queue: &RemoteQueue| queue.waiting.iter().any(|one| one.client == client);
        let mut nodes = self.remote.iter();
        nodes
            .find(|(_, queue)| waits(queue))
            .map(|(node, _)| node.as_str())
    }

    pub fn len(&self) -> usize {
        self.local.len() + self.remote().count()
    }

    /// How many wait for the same before this one, on all nodes.
    pub fn ahead(&self, waiter: &Waiter) -> u32 {
        let before = |rank, reason| rank < waiter.rank() && reason == waiter.reason;
        let local = self.local.iter();
        let local = local.filter(|one| before(one.rank(), one.reason)).count();
        let remote = self.remote();
        let remote = remote.filter(|one| before(one.rank(), one.reason)).count();
        u32::try_from(local + remote).unwrap_or(u32::MAX)
    }

    /// The first local one for whom a place may be, unless one on another node is
    /// before it. `passes_lock`: who may enter a room that is locked now.
    pub fn first_local(
        &self,
        passes: impl Fn(&Applicant) -> bool,
        locked: bool,
    ) -> Option<&Waiter> {
        let mut local = self.local.iter();
        let first = local.find(|one| one.reason == WaitReason::Full && passes(&one.applicant))?;
        let before = |remote: &QueuedClient| remote.rank() < first.rank();
        (!self.eligible_remote(locked).any(before)).then_some(first)
    }

    /// Whether one on another node waits for a place.
    pub fn waits_elsewhere(&self, locked: bool) -> bool {
        self.eligible_remote(locked).next().is_some()
    }

    fn eligible_remote(&self, locked: bool) -> impl Iterator<Item = &QueuedClient> {
        let eligible = move |one: &&QueuedClient| {
            one.reason == WaitReason::Full && (!locked || one.passes_lock)
        };
        self.remote().filter(eligible)
    }

    /// Another node published its list. The clients in it that were not known to wait
    /// for approval.
    pub fn apply(
        &mut self,
        now: Instant,
        node: String,
        waiting: Vec<QueuedClient>,
    ) -> Vec<QueuedClient> {
        let known = self
            .remote
            .get(&node)
            .map_or(&[][..], |queue| &queue.waiting);
        let is_new = |one: &&QueuedClient| {
            let same = |known: &QueuedClient| known.client == one.client;
            one.reason == WaitReason::Approval && !known.iter().any(same)
        };
        let new = waiting.iter().filter(is_new).cloned().collect();
        if waiting.is_empty() {
            self.remote.remove(&node);
        } else {
            let until = now + LEASE;
            self.remote.insert(node, RemoteQueue { waiting, until });
        }
        new
    }

    /// When [`Queue::refresh`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let leases = self.remote.values().map(|queue| queue.until);
        leases.chain(self.refresh_at).min()
    }

    /// Drops the lists that were not repeated. The list to publish, where it changed or
    /// is due again.
    pub fn refresh(
        &mut self,
        now: Instant,
        passes_lock: impl Fn(&Applicant) -> bool,
    ) -> Option<Vec<QueuedClient>> {
        self.remote.retain(|_, queue| queue.until > now);
        let due = self.refresh_at.is_some_and(|at| at <= now);
        if !self.changed && !due {
            return None;
        }
        self.changed = false;
        self.refresh_at = (!self.local.is_empty()).then(|| now + REFRESH);
        let queued = |waiter: &Waiter| QueuedClient {
            client: waiter.id(),
            name: waiter.applicant.name.clone(),
            since: waiter.since,
            reason: waiter.reason,
            passes_lock: waiter.applicant.pass != Pass::None || passes_lock(&waiter.applicant),
        };
        Some(self.local.iter().map(queued).collect())
    }
}

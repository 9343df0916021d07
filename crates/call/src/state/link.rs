//! The link to one remote participant: its negotiation, its connection state, and
//! when and how it is repaired.
//!
//! A failed connection gets an ICE restart. One that a restart does not repair, or
//! that cannot be restarted, is replaced. The pause between two attempts grows, and
//! after [`ATTEMPTS_UNTIL_PROBLEM`] attempts the link reports a problem; attempts
//! continue at the longest pause while the participant is in the room.

use std::time::{Duration, Instant};

use visavis_protocol::Grants;

use crate::peer::LinkId;
use crate::state::demand::LinkVideo;
use crate::state::negotiation::{Negotiation, Step};
use crate::state::route::Route;
use crate::view::{LinkProblem, PeerConnectionState};

/// Time in which a new member must offer. After it the existing member offers.
pub(crate) const OFFER_WAIT: Duration = Duration::from_secs(2);
/// Longest connection attempt before the next repair.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Time in which an offer is answered while the connection looks connected.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// Time in which a disconnected connection may recover before ICE is restarted.
const DISCONNECTED_GRACE: Duration = Duration::from_secs(4);
/// Delay before the next offer after a failed negotiation, and while there is no
/// route for one.
const OFFER_RETRY_DELAY: Duration = Duration::from_secs(2);
/// Pause before the second repair; it doubles up to [`MAX_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// ICE restarts in a row before the connection is replaced.
const MAX_ICE_RESTARTS: u32 = 2;
/// Repairs in a row after which the link reports a problem.
const ATTEMPTS_UNTIL_PROBLEM: u32 = 4;

/// A link.
#[derive(Debug)]
pub(crate) struct Link {
    pub id: LinkId,
    pub negotiation: Negotiation,
    /// Whether messages can be sent over the data channel.
    pub channel_open: bool,
    /// What the local user and the remote participant may publish, as the
    /// connection was last told.
    pub grants: (Grants, Grants),
    pub video: LinkVideo,
    connection: PeerConnectionState,
    /// Whether an offer and an answer were exchanged on the current connection.
    negotiated: bool,
    /// When to repair, unless the connection is connected by then.
    check_at: Option<Instant>,
    /// Until when the data channel is not used: its path may be gone.
    suspect_until: Option<Instant>,
    /// Whether the open data channel delivers nothing.
    is_channel_stalled: bool,
    /// Links to the participant whose data channel stalled, this one included.
    stalled_channels: u32,
    /// Repairs since the connection was last connected.
    attempts: u32,
    problem: Option<LinkProblem>,
}

/// The next step of a repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repair {
    /// Offer on the connection in use.
    Offer {
        /// With new ICE credentials.
        ice_restart: bool,
    },
    /// Replace the connection.
    Replace,
    /// Accept the offer of a peer that did not answer ours, which came at the same time.
    AcceptOffer,
}

impl Link {
    /// A link whose first offer of ours is due at `offer_at`.
    pub fn new(id: LinkId, me: &str, member: &str, offer_at: Instant) -> Self {
        Self {
            id,
            // A thousand offers on a link are more than a call makes.
            negotiation: Negotiation::new(me, member, (id.0 as u32).wrapping_mul(1_000)),
            suspect_until: None,
            is_channel_stalled: false,
            stalled_channels: 0,
            channel_open: false,
            grants: Default::default(),
            video: LinkVideo::default(),
            connection: PeerConnectionState::New,
            negotiated: false,
            check_at: Some(offer_at),
            attempts: 0,
            problem: None,
        }
    }

    /// The link that replaces this one; it offers at once.
    pub fn successor(&self, id: LinkId, now: Instant) -> Self {
        Self {
            id,
            negotiation: self.negotiation.successor(),
            suspect_until: None,
            is_channel_stalled: false,
            stalled_channels: self.stalled_channels,
            channel_open: false,
            grants: Default::default(),
            video: LinkVideo::default(),
            connection: PeerConnectionState::New,
            negotiated: false,
            check_at: Some(now),
            // The offer of the new link belongs to this attempt.
            attempts: self.attempts.saturating_sub(1),
            problem: self.problem,
        }
    }

    pub fn connection(&self) -> PeerConnectionState {
        self.connection
    }

    pub fn is_connected(&self) -> bool {
        self.connection == PeerConnectionState::Connected
    }

    /// What is wrong with the link, once repairs did not help.
    pub fn problem(&self) -> Option<LinkProblem> {
        self.problem
    }

    /// Repairs since the connection was last connected.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// When [`Link::due`] is to be asked.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.check_at
    }

    /// When a demand of sizes is due, in either direction.
    pub fn next_demand(&self) -> Option<Instant> {
        let ours = self.video.demand.next_deadline();
        let theirs = self.video.demanded.next_deadline();
        let ours = ours.filter(|_| self.delivers());
        ours.into_iter().chain(theirs).min()
    }

    /// A description of each side is set.
    pub fn negotiated(&mut self) {
        self.negotiated = true;
        // From here ICE reports whether the connection works.
        if self.is_connected() {
            self.check_at = None;
            self.attempts = 0;
        }
    }

    /// A negotiation failed. Schedules the next offer if it is ours to make, and
    /// returns the next step.
    pub fn negotiation_failed(&mut self, now: Instant) -> Step {
        if !self.is_connected() {
            self.problem.get_or_insert(LinkProblem::Negotiation);
        }
        let (again, step) = self.negotiation.failed();
        if again {
            self.check_at = Some(now + OFFER_RETRY_DELAY);
        }
        step
    }

    /// Applies a new connection state and schedules the next repair.
    pub fn connection_changed(&mut self, state: PeerConnectionState, now: Instant) {
        self.connection = state;
        let glare_delay = self.glare_delay();
        match state {
            PeerConnectionState::Connected => {
                self.check_at = None;
                self.suspect_until = None;
                self.attempts = 0;
                self.problem = None;
            }
            PeerConnectionState::Disconnected => {
                self.check_at = Some(now + DISCONNECTED_GRACE + glare_delay);
            }
            PeerConnectionState::Failed | PeerConnectionState::Closed => {
                self.channel_open = false;
                self.check_at = Some(now + backoff(self.attempts) + glare_delay);
            }
            PeerConnectionState::New => {
                // The connection was replaced by one that is not negotiated yet.
                self.channel_open = false;
                self.negotiated = false;
                self.check_at.get_or_insert(now + CONNECT_TIMEOUT);
            }
            PeerConnectionState::Connecting => {
                self.check_at.get_or_insert(now + CONNECT_TIMEOUT);
            }
        }
    }

    /// Repairs at once: the addresses of this machine changed, or signalling that
    /// may have been lost works again.
    pub fn check_now(&mut self, now: Instant) {
        self.check_at = Some(now);
    }

    /// The sockets of this machine may have died: repairs at once, by another way
    /// than the data channel where there is one.
    pub fn network_broke(&mut self, now: Instant) {
        self.suspect_until = Some(now + OFFER_RETRY_DELAY);
        self.check_at = Some(now);
    }

    /// The other side negotiates through a common peer: its path to here is gone, and
    /// with it, most likely, the data channel.
    pub fn negotiates_around(&mut self, now: Instant) {
        self.suspect_until = Some(now + OFFER_RETRY_DELAY);
    }

    /// An address was added, which a repair that is under way does not use.
    pub fn address_added(&mut self, now: Instant) {
        if !self.is_connected() {
            let soon = now + OFFER_RETRY_DELAY;
            self.check_at = Some(self.check_at.map_or(soon, |at| at.min(soon)));
        }
    }

    /// Whether signalling can take the data channel.
    pub fn channel_works(&self, now: Instant) -> bool {
        let is_suspect = self.suspect_until.is_some_and(|until| now < until);
        self.channel_open && !self.is_channel_stalled && !is_suspect && self.attempts < 2
    }

    /// Whether messages over the data channel arrive, as far as is known.
    pub fn delivers(&self) -> bool {
        self.channel_open && !self.is_channel_stalled && self.is_connected()
    }

    /// The data channel of the connected link stalled, or delivers again. A stalled
    /// one takes a new connection, for which both sides need the server.
    pub fn channel_stalled(&mut self, is_stalled: bool, now: Instant) {
        self.is_channel_stalled = is_stalled;
        if is_stalled {
            let pause = backoff(self.stalled_channels) + self.glare_delay();
            self.stalled_channels += 1;
            self.check_at = Some(now + pause);
        } else if self.is_connected() {
            self.check_at = None;
        }
    }

    /// Both sides detect a failure at about the same time. The polite side waits, so
    /// that the offers do not collide.
    fn glare_delay(&self) -> Duration {
        if self.negotiation.is_polite() {
            OFFER_WAIT
        } else {
            Duration::ZERO
        }
    }

    /// An offer was made or received: restarts the connection timeout.
    pub fn expect_connection(&mut self, now: Instant) {
        if !self.is_connected() {
            self.check_at = Some(now + CONNECT_TIMEOUT);
        }
    }

    /// A remote offer that collided with ours was ignored. It is accepted when no answer
    /// to ours comes.
    pub fn offer_ignored(&mut self, now: Instant) {
        self.check_at = Some(now + ANSWER_TIMEOUT);
    }

    /// The repair that is due, if any. Without a route for it, it is postponed. An
    /// offer that a common peer forwards cannot replace the connection, whose DTLS
    /// association is what identifies the two sides then.
    pub fn due(&mut self, now: Instant, route: Option<Route>) -> Option<Repair> {
        if self.check_at.is_none_or(|at| now < at) {
            return None;
        }
        let is_relayed = matches!(route, Some(Route::Relay(_)));
        let must_replace = self.connection == PeerConnectionState::Closed
            || self.is_connected() && self.is_channel_stalled;
        if route.is_none() || must_replace && route != Some(Route::Server) {
            self.check_at = Some(now + OFFER_RETRY_DELAY);
            return None;
        }
        if self.negotiation.has_ignored_offer() {
            self.check_at = Some(now + CONNECT_TIMEOUT);
            return Some(Repair::AcceptOffer);
        }
        self.attempts += 1;
        if self.attempts > ATTEMPTS_UNTIL_PROBLEM {
            self.problem = Some(LinkProblem::Unreachable);
        }
        let timeout = match self.connection {
            PeerConnectionState::Connected => ANSWER_TIMEOUT,
            _ => CONNECT_TIMEOUT.max(backoff(self.attempts)),
        };
        self.check_at = Some(now + timeout);
        let exhausted = self.negotiated && !is_relayed && self.attempts > MAX_ICE_RESTARTS;
        if must_replace || exhausted {
            return Some(Repair::Replace);
        }
        self.negotiation.abandon_offer();
        Some(Repair::Offer {
            ice_restart: self.negotiated,
        })
    }
}

fn backoff(attempts: u32) -> Duration {
    match attempts {
        0 => Duration::ZERO,
        repeated => FIRST_BACKOFF
            .saturating_mul(1 << (repeated - 1).min(8))
            .min(MAX_BACKOFF),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Option<Route> = Some(Route::Server);

    fn connected(now: Instant) -> Link {
        // "z" is greater than "a": impolite, so that no glare delay applies.
        let mut link = Link::new(LinkId(1), "z", "a", now);
        assert_eq!(
            link.due(now, SERVER),
            Some(Repair::Offer { ice_restart: false })
        );
        link.negotiated();
        link.connection_changed(PeerConnectionState::Connected, now);
        assert_eq!(link.next_deadline(), None);
        link
    }

    #[test]
    fn a_connection_that_restarts_do_not_repair_is_replaced_with_growing_pauses() {
        let mut now = Instant::now();
        let mut link = connected(now);
        let mut pauses = Vec::new();
        let mut repairs = Vec::new();
        for _ in 0..7 {
            link.connection_changed(PeerConnectionState::Failed, now);
            let at = link.next_deadline().unwrap();
            pauses.push((at - now).as_secs());
            now = at;
            repairs.push(link.due(now, SERVER).unwrap());
        }
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 30]);
        let restart = Repair::Offer { ice_restart: true };
        assert_eq!(repairs[..2], [restart, restart]);
        assert!(repairs[2..].iter().all(|repair| *repair == Repair::Replace));
        assert_eq!(link.problem(), Some(LinkProblem::Unreachable));
        link.connection_changed(PeerConnectionState::Connected, now);
        assert_eq!(link.problem(), None);
    }

    #[test]
    fn through_a_common_peer_a_connection_is_restarted_and_never_replaced() {
        let mut now = Instant::now();
        let mut link = connected(now);
        let relay = Some(Route::Relay(LinkId(9)));
        for _ in 0..7 {
            link.connection_changed(PeerConnectionState::Failed, now);
            now = link.next_deadline().unwrap();
            let restart = Repair::Offer { ice_restart: true };
            assert_eq!(link.due(now, relay), Some(restart));
        }
        link.connection_changed(PeerConnectionState::Closed, now);
        now = link.next_deadline().unwrap();
        assert_eq!(link.due(now, relay), None);
        now = link.next_deadline().unwrap();
        assert_eq!(link.due(now, SERVER), Some(Repair::Replace));
    }

    #[test]
    fn a_closed_connection_is_replaced_and_keeps_counting() {
        let now = Instant::now();
        let mut link = connected(now);
        link.connection_changed(PeerConnectionState::Closed, now);
        assert_eq!(link.due(now, SERVER), Some(Repair::Replace));
        let mut next = link.successor(LinkId(2), now);
        assert_eq!(
            next.due(now, SERVER),
            Some(Repair::Offer { ice_restart: false })
        );
        next.connection_changed(PeerConnectionState::Closed, now);
        assert!(next.next_deadline().unwrap() > now);
    }

    #[test]
    fn a_link_whose_channel_stalled_is_replaced_through_the_server_with_growing_pauses() {
        let mut now = Instant::now();
        let mut link = connected(now);
        link.channel_open = true;
        link.channel_stalled(true, now);
        assert!(!link.channel_works(now));
        // Media flows: without the server nothing can be better.
        for route in [None, Some(Route::Relay(LinkId(9)))] {
            assert_eq!(link.due(now, route), None);
            now = link.next_deadline().unwrap();
        }
        assert_eq!(link.due(now, SERVER), Some(Repair::Replace));

        let mut next = link.successor(LinkId(2), now);
        next.connection_changed(PeerConnectionState::Connected, now);
        next.channel_stalled(true, now);
        assert_eq!(next.next_deadline(), Some(now + FIRST_BACKOFF));
    }

    #[test]
    fn a_channel_that_delivers_again_is_used_again() {
        let now = Instant::now();
        let mut link = connected(now);
        link.channel_open = true;
        link.channel_stalled(true, now);
        link.channel_stalled(false, now);
        assert!(link.channel_works(now) && link.next_deadline().is_none());
    }

    #[test]
    fn a_repair_waits_for_a_route() {
        let now = Instant::now();
        let mut link = connected(now);
        link.connection_changed(PeerConnectionState::Failed, now);
        assert_eq!(link.due(now, None), None);
        let later = link.next_deadline().unwrap();
        assert!(later > now && link.due(later, SERVER).is_some());
    }
}

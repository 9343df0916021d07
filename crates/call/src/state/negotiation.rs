//! Perfect negotiation (W3C WebRTC, section 10.7) with one peer, as a pure state
//! machine.
//!
//! ```text
//!         offer requested                  offer set
//! Stable ─────────────────► CreatingOffer ───────────► HaveLocalOffer
//!   ▲ ▲ ▲                         │ remote offer, if polite   │  │
//!   │ │ └── answer set ── ApplyingOffer ◄─────────────────────┘  │ remote answer
//!   │ └──────────── answer accepted ── ApplyingAnswer ◄──────────┘
//!   └── failed, from any phase
//! ```

use visavis_protocol::{Description, DescriptionKind};

use crate::peer::PeerCommand;

/// Consecutive failed offers after which only the remote peer offers.
const MAX_CONSECUTIVE_FAILURES: u32 = 3;

/// The phase of a negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No negotiation is in progress.
    Stable,
    /// A local offer is being created.
    CreatingOffer,
    /// A local offer is set and was sent.
    HaveLocalOffer,
    /// The remote answer is being set.
    ApplyingAnswer,
    /// A remote offer is being answered.
    ApplyingOffer,
}

/// The negotiation with one peer.
#[derive(Debug)]
pub(crate) struct Negotiation {
    polite: bool,
    phase: Phase,
    /// An offer was requested during a negotiation; the value is whether it must
    /// restart ICE.
    pending_offer: Option<bool>,
    failures: u32,
    /// The connection has an offer of ours without an answer, also after it was
    /// abandoned.
    unanswered: bool,
    /// The generation of our newest offer, which its answer echoes.
    offer_id: u32,
    /// The generation of the newest remote offer.
    newest_remote: Option<u32>,
    /// The generation of the remote offer that is being answered.
    remote_offer_id: Option<u32>,
    /// A remote offer that came while a description was being set, and whether it
    /// may replace the connection. Only the newest counts.
    waiting_offer: Option<(Description, bool)>,
    /// A remote offer that was ignored because ours was pending, of a peer that does not
    /// number its offers. Such a peer may know no rollback, and never answer ours.
    ignored_offer: Option<(Description, bool)>,
}

/// The next step of a negotiation.
#[derive(Debug)]
pub(crate) enum Step {
    /// Nothing.
    None,
    /// Send a command to the connection.
    Command(PeerCommand),
    /// Send a description to the remote peer.
    Send(Description),
    /// Send a description to the remote peer, then a command to the connection.
    SendAndCommand(Description, PeerCommand),
}

impl Negotiation {
    /// Starts stable. The peer with the smaller client id, compared in lower case,
    /// is polite. Generations of our offers count from `first_offer` on; later links
    /// with the same peer begin higher.
    pub fn new(me: &str, other: &str, first_offer: u32) -> Self {
        let polite = me.to_lowercase() < other.to_lowercase();
        Self {
            polite,
            phase: Phase::Stable,
            pending_offer: None,
            failures: 0,
            unanswered: false,
            offer_id: first_offer,
            newest_remote: None,
            remote_offer_id: None,
            waiting_offer: None,
            ignored_offer: None,
        }
    }

    /// The negotiation of a new connection with the same peer. Generations continue,
    /// so that an answer to an offer of the old connection is not taken for one of
    /// the new.
    pub fn successor(&self) -> Self {
        Self {
            polite: self.polite,
            phase: Phase::Stable,
            pending_offer: None,
            failures: 0,
            unanswered: false,
            offer_id: self.offer_id,
            newest_remote: self.newest_remote,
            remote_offer_id: None,
            waiting_offer: None,
            ignored_offer: None,
        }
    }

    /// Whether the local side rolls back when both offer at once.
    pub fn is_polite(&self) -> bool {
        self.polite
    }

    /// Requests an offer; it is created once the negotiation is stable.
    pub fn request_offer(&mut self, ice_restart: bool) -> Step {
        if self.phase == Phase::Stable {
            self.phase = Phase::CreatingOffer;
            return Step::Command(PeerCommand::MakeOffer { ice_restart });
        }
        self.pending_offer = Some(ice_restart || self.pending_offer == Some(true));
        Step::None
    }

    /// The connection set a local description.
    pub fn local_description(&mut self, mut description: Description) -> Step {
        match (description.kind, self.phase) {
            (DescriptionKind::Offer, Phase::CreatingOffer) => {
                self.phase = Phase::HaveLocalOffer;
                self.unanswered = true;
                self.offer_id = self.offer_id.wrapping_add(1);
                description.offer_id = Some(self.offer_id);
                Step::Send(description)
            }
            (DescriptionKind::Answer, Phase::ApplyingOffer) => {
                description.offer_id = self.remote_offer_id.take();
                match self.become_stable() {
                    Step::Command(command) => Step::SendAndCommand(description, command),
                    _ => Step::Send(description),
                }
            }
            // A local offer that a remote offer replaced; it is rolled back.
            _ => Step::None,
        }
    }

    /// A remote offer arrived. The impolite side ignores it while its own offer is
    /// pending. An offer that is not newer than the last one is ignored too: it took
    /// a slower way, as over a data channel that was interrupted meanwhile.
    pub fn remote_offer(&mut self, offer: Description, may_replace: bool) -> Step {
        let is_old = |newest: u32, id: u32| newest.wrapping_sub(id) < u32::MAX / 2;
        let newest = self.newest_remote.zip(offer.offer_id);
        if newest.is_some_and(|(newest, id)| is_old(newest, id)) {
            return Step::None;
        }
        let collision = matches!(self.phase, Phase::CreatingOffer | Phase::HaveLocalOffer);
        if collision && !self.polite {
            self.ignored_offer = offer.offer_id.is_none().then_some((offer, may_replace));
            return Step::None;
        }
        self.ignored_offer = None;
        if matches!(self.phase, Phase::ApplyingOffer | Phase::ApplyingAnswer) {
            self.waiting_offer = Some((offer, may_replace));
            return Step::None;
        }
        self.newest_remote = offer.offer_id.or(self.newest_remote);
        self.phase = Phase::ApplyingOffer;
        self.remote_offer_id = offer.offer_id;
        let rollback = collision || std::mem::take(&mut self.unanswered);
        Step::Command(PeerCommand::AcceptOffer {
            sdp: offer.sdp,
            rollback,
            may_replace,
        })
    }

    /// A remote answer arrived. It is ignored unless an offer is pending, as after
    /// a rollback, and when it names another offer than the pending one.
    pub fn remote_answer(&mut self, answer: Description) -> Step {
        let is_other = answer.offer_id.is_some_and(|id| id != self.offer_id);
        if self.phase != Phase::HaveLocalOffer || is_other {
            return Step::None;
        }
        self.phase = Phase::ApplyingAnswer;
        Step::Command(PeerCommand::AcceptAnswer { sdp: answer.sdp })
    }

    /// Whether a remote offer was ignored that the peer may still wait with.
    pub fn has_ignored_offer(&self) -> bool {
        self.ignored_offer.is_some()
    }

    /// Accepts the remote offer that was ignored, as the polite side would have: ours
    /// got no answer.
    pub fn accept_ignored_offer(&mut self) -> Step {
        self.abandon_offer();
        if self.phase != Phase::Stable {
            return Step::None;
        }
        match self.ignored_offer.take() {
            Some((offer, may_replace)) => self.remote_offer(offer, may_replace),
            None => Step::None,
        }
    }

    /// The connection set the remote answer.
    pub fn answer_accepted(&mut self) -> Step {
        if self.phase == Phase::ApplyingAnswer {
            self.ignored_offer = None;
            self.become_stable()
        } else {
            Step::None
        }
    }

    /// The connection rejected a description or could not create one. Returns
    /// whether to offer again after a delay, and the next step.
    pub fn failed(&mut self) -> (bool, Step) {
        let ours = matches!(self.phase, Phase::CreatingOffer | Phase::ApplyingAnswer);
        self.phase = Phase::Stable;
        // The connection takes an offer back whose answer it refused.
        self.unanswered = false;
        self.failures += 1;
        let again = ours && self.failures < MAX_CONSECUTIVE_FAILURES;
        match self.waiting_offer.take() {
            Some((offer, may_replace)) => (false, self.remote_offer(offer, may_replace)),
            None => (again, Step::None),
        }
    }

    /// Returns to stable when an offer awaits an answer that may have been lost.
    /// Returns whether there was one.
    pub fn abandon_offer(&mut self) -> bool {
        let lost = matches!(self.phase, Phase::HaveLocalOffer);
        if lost {
            self.phase = Phase::Stable;
        }
        lost
    }

    fn become_stable(&mut self) -> Step {
        self.phase = Phase::Stable;
        self.unanswered = false;
        self.failures = 0;
        if let Some((offer, may_replace)) = self.waiting_offer.take() {
            return self.remote_offer(offer, may_replace);
        }
        self.pending_offer
            .take()
            .map_or(Step::None, |ice_restart| self.request_offer(ice_restart))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer() -> Description {
        Description::new(DescriptionKind::Offer, "o".into())
    }

    fn answer(offer_id: Option<u32>) -> Description {
        Description {
            offer_id,
            ..Description::new(DescriptionKind::Answer, "a".into())
        }
    }

    #[test]
    fn the_polite_side_rolls_back_and_the_impolite_ignores_the_offer() {
        let mut polite = Negotiation::new("A", "b", 0);
        let mut impolite = Negotiation::new("b", "A", 0);
        assert!(polite.is_polite() && !impolite.is_polite());
        for side in [&mut polite, &mut impolite] {
            assert!(matches!(
                side.request_offer(false),
                Step::Command(PeerCommand::MakeOffer { .. })
            ));
            assert!(matches!(side.local_description(offer()), Step::Send(_)));
        }
        assert!(matches!(impolite.remote_offer(offer(), false), Step::None));
        let step = polite.remote_offer(offer(), false);
        assert!(matches!(
            step,
            Step::Command(PeerCommand::AcceptOffer { rollback: true, .. })
        ));
    }

    #[test]
    fn an_offer_of_a_peer_without_rollback_is_accepted_when_ours_gets_no_answer() {
        let mut side = Negotiation::new("b", "a", 0);
        assert!(matches!(side.accept_ignored_offer(), Step::None));
        let _ = side.request_offer(false);
        let _ = side.local_description(offer());
        let numbered = Description {
            offer_id: Some(1),
            ..offer()
        };
        assert!(matches!(side.remote_offer(numbered, false), Step::None));
        assert!(!side.has_ignored_offer(), "our own client rolls back");
        assert!(matches!(side.remote_offer(offer(), false), Step::None));
        assert!(side.has_ignored_offer());
        let step = side.accept_ignored_offer();
        assert!(matches!(
            step,
            Step::Command(PeerCommand::AcceptOffer { rollback: true, .. })
        ));
        assert!(matches!(
            side.local_description(answer(None)),
            Step::Send(_)
        ));
        assert!(!side.has_ignored_offer());
    }

    #[test]
    fn an_ignored_offer_is_void_once_ours_is_answered() {
        let mut side = Negotiation::new("b", "a", 0);
        let _ = side.request_offer(false);
        let _ = side.local_description(offer());
        let _ = side.remote_offer(offer(), false);
        let _ = side.remote_answer(answer(None));
        let _ = side.answer_accepted();
        assert!(!side.has_ignored_offer());
    }

    #[test]
    fn an_offer_replaced_while_it_is_created_is_not_sent() {
        let mut polite = Negotiation::new("a", "b", 0);
        let _ = polite.request_offer(false);
        let _ = polite.remote_offer(offer(), false);
        assert!(matches!(polite.local_description(offer()), Step::None));
        assert!(matches!(
            polite.local_description(answer(None)),
            Step::Send(_)
        ));
        assert_eq!(polite.phase, Phase::Stable);
    }

    #[test]
    fn an_answer_without_a_pending_offer_is_ignored() {
        let mut side = Negotiation::new("a", "b", 0);
        assert!(matches!(side.remote_answer(answer(None)), Step::None));
    }

    #[test]
    fn an_answer_to_an_earlier_offer_is_ignored_and_a_second_one_too() {
        let mut side = Negotiation::new("a", "b", 0);
        let mut ids = Vec::new();
        for _ in 0..2 {
            let _ = side.request_offer(false);
            let Step::Send(sent) = side.local_description(offer()) else {
                panic!("the offer is not sent")
            };
            ids.push(sent.offer_id);
            if ids.len() == 1 {
                assert!(side.abandon_offer());
            }
        }
        assert!(matches!(side.remote_answer(answer(ids[0])), Step::None));
        let step = side.remote_answer(answer(ids[1]));
        assert!(matches!(
            step,
            Step::Command(PeerCommand::AcceptAnswer { .. })
        ));
        assert!(matches!(side.remote_answer(answer(ids[1])), Step::None));
        assert!(matches!(
            side.successor().remote_answer(answer(ids[1])),
            Step::None
        ));
    }

    #[test]
    fn an_offer_that_comes_while_another_is_answered_waits_for_its_turn() {
        let mut side = Negotiation::new("a", "b", 0);
        let numbered = |id| Description {
            offer_id: Some(id),
            ..offer()
        };
        let _ = side.remote_offer(numbered(1), false);
        for id in [2, 3] {
            assert!(matches!(side.remote_offer(numbered(id), false), Step::None));
        }
        let Step::SendAndCommand(sent, PeerCommand::AcceptOffer { .. }) =
            side.local_description(answer(None))
        else {
            panic!("the newest offer is not accepted")
        };
        assert_eq!(sent.offer_id, Some(1));
        let Step::Send(sent) = side.local_description(answer(None)) else {
            panic!("the newest offer is not answered")
        };
        assert_eq!(sent.offer_id, Some(3));
    }

    #[test]
    fn an_offer_that_is_overtaken_by_a_newer_one_is_ignored() {
        let mut side = Negotiation::new("a", "b", 0);
        let numbered = |id| Description {
            offer_id: Some(id),
            ..offer()
        };
        for (id, is_accepted) in [(2, true), (1, false), (2, false), (3, true)] {
            let step = side.remote_offer(numbered(id), false);
            assert_eq!(matches!(step, Step::Command(_)), is_accepted, "{id}");
            let _ = side.local_description(answer(None));
        }
    }

    #[test]
    fn an_abandoned_offer_is_rolled_back_for_a_remote_one() {
        let mut side = Negotiation::new("b", "a", 0);
        let _ = side.request_offer(false);
        let _ = side.local_description(offer());
        assert!(side.abandon_offer());
        let step = side.remote_offer(offer(), false);
        assert!(matches!(
            step,
            Step::Command(PeerCommand::AcceptOffer { rollback: true, .. })
        ));
    }

    #[test]
    fn an_answer_echoes_the_generation_of_its_offer() {
        let mut side = Negotiation::new("a", "b", 0);
        let remote = Description {
            offer_id: Some(7),
            ..offer()
        };
        let _ = side.remote_offer(remote, false);
        let Step::Send(sent) = side.local_description(answer(None)) else {
            panic!("the answer is not sent")
        };
        assert_eq!(sent.offer_id, Some(7));
    }

    #[test]
    fn an_offer_requested_during_a_negotiation_is_created_once_stable() {
        let mut side = Negotiation::new("a", "b", 0);
        let _ = side.request_offer(false);
        let _ = side.local_description(offer());
        assert!(matches!(side.request_offer(true), Step::None));
        let _ = side.remote_answer(answer(None));
        let step = side.answer_accepted();
        assert!(matches!(
            step,
            Step::Command(PeerCommand::MakeOffer { ice_restart: true })
        ));
    }

    #[test]
    fn offers_stop_after_three_consecutive_failures() {
        let mut side = Negotiation::new("a", "b", 0);
        let again: Vec<bool> = (0..3)
            .map(|_| {
                let _ = side.request_offer(false);
                side.failed().0
            })
            .collect();
        assert_eq!(again, [true, true, false]);
    }
}

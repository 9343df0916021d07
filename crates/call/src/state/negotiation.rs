//! Perfect negotiation (W3C WebRTC, section 10.7) with one peer, as a state
//! machine that only decides.
//!
//! ```text
//!            offer wanted                 offer is set
//! Stable ────────────────► Making ─────────────────────► Offered
//!   ▲ ▲ ▲                    │ remote offer, if polite      │ │
//!   │ │ └── answer is set ── Answering ◄────────────────────┘ │ remote answer
//!   │ └──────────────── answer is taken ── Concluding ◄───────┘
//!   └── failed, from anywhere
//! ```

use visavis_protocol::{Description, DescriptionKind};

use crate::peer::PeerCommand;

/// Offers that may fail one after the other before we wait for the other side's.
const FAILURES_IN_A_ROW: u32 = 3;

/// Where the negotiation with one peer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing is under way.
    Stable,
    /// Our offer is being made.
    Making,
    /// Our offer is set, and the other side has it.
    Offered,
    /// The other side's answer is being taken.
    Concluding,
    /// The other side's offer is being answered.
    Answering,
}

/// The negotiation with one peer.
#[derive(Debug)]
pub(crate) struct Negotiation {
    polite: bool,
    phase: Phase,
    /// Another offer is wanted once stable; with new ICE credentials or not.
    wanted: Option<bool>,
    failures: u32,
}

/// What to do next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Nothing.
    Rest,
    /// Tell the connection.
    Command(PeerCommand),
    /// Tell the other side.
    Tell(Description),
    /// Tell the other side, then the connection.
    TellAndCommand(Description, PeerCommand),
}

impl Negotiation {
    /// The smaller client id, in lower case, is polite.
    pub fn new(me: &str, other: &str) -> Self {
        let polite = me.to_lowercase() < other.to_lowercase();
        Self {
            polite,
            phase: Phase::Stable,
            wanted: None,
            failures: 0,
        }
    }

    /// Whether we give way when both offer at once.
    pub fn is_polite(&self) -> bool {
        self.polite
    }

    /// We want to offer.
    pub fn want_offer(&mut self, ice_restart: bool) -> Step {
        if self.phase == Phase::Stable {
            self.phase = Phase::Making;
            return Step::Command(PeerCommand::MakeOffer { ice_restart });
        }
        self.wanted = Some(ice_restart || self.wanted == Some(true));
        Step::Rest
    }

    /// The connection set a description of ours.
    pub fn local_description(&mut self, description: Description) -> Step {
        match (description.kind, self.phase) {
            (DescriptionKind::Offer, Phase::Making) => {
                self.phase = Phase::Offered;
                Step::Tell(description)
            }
            (DescriptionKind::Answer, Phase::Answering) => match self.settle() {
                Step::Command(command) => Step::TellAndCommand(description, command),
                _ => Step::Tell(description),
            },
            // An offer that was overtaken by the other side's and is rolled back.
            _ => Step::Rest,
        }
    }

    /// The other side offers.
    pub fn remote_offer(&mut self, sdp: String) -> Step {
        let collision = matches!(self.phase, Phase::Making | Phase::Offered);
        if collision && !self.polite {
            return Step::Rest;
        }
        self.phase = Phase::Answering;
        Step::Command(PeerCommand::AcceptOffer {
            sdp,
            rollback: collision,
        })
    }

    /// The other side answers. A late answer, to an offer that is no longer
    /// ours, is passed over.
    pub fn remote_answer(&mut self, sdp: String) -> Step {
        if self.phase != Phase::Offered {
            return Step::Rest;
        }
        self.phase = Phase::Concluding;
        Step::Command(PeerCommand::AcceptAnswer { sdp })
    }

    /// The connection took the answer.
    pub fn answer_accepted(&mut self) -> Step {
        if self.phase == Phase::Concluding {
            self.settle()
        } else {
            Step::Rest
        }
    }

    /// The connection refused a description or could not make one. Whether to
    /// offer again, after a pause.
    pub fn failed(&mut self) -> bool {
        let ours = matches!(self.phase, Phase::Making | Phase::Concluding);
        self.phase = Phase::Stable;
        self.failures += 1;
        ours && self.failures < FAILURES_IN_A_ROW
    }

    /// The way to the other side was lost, and with it perhaps our offer.
    pub fn forget_offer(&mut self) -> bool {
        let lost = matches!(self.phase, Phase::Offered);
        if lost {
            self.phase = Phase::Stable;
        }
        lost
    }

    fn settle(&mut self) -> Step {
        self.phase = Phase::Stable;
        self.failures = 0;
        self.wanted
            .take()
            .map_or(Step::Rest, |ice_restart| self.want_offer(ice_restart))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer() -> Description {
        Description::new(DescriptionKind::Offer, "o".into())
    }

    #[test]
    fn the_polite_side_gives_way_and_the_other_does_not() {
        let mut polite = Negotiation::new("A", "b");
        let mut impolite = Negotiation::new("b", "A");
        assert!(polite.is_polite() && !impolite.is_polite());
        for side in [&mut polite, &mut impolite] {
            assert!(matches!(
                side.want_offer(false),
                Step::Command(PeerCommand::MakeOffer { .. })
            ));
            assert!(matches!(side.local_description(offer()), Step::Tell(_)));
        }
        assert!(matches!(impolite.remote_offer("x".into()), Step::Rest));
        let step = polite.remote_offer("x".into());
        assert!(matches!(
            step,
            Step::Command(PeerCommand::AcceptOffer { rollback: true, .. })
        ));
    }

    #[test]
    fn an_offer_that_was_overtaken_while_it_was_made_is_not_sent() {
        let mut polite = Negotiation::new("a", "b");
        let _ = polite.want_offer(false);
        let _ = polite.remote_offer("x".into());
        assert!(matches!(polite.local_description(offer()), Step::Rest));
        let answer = Description::new(DescriptionKind::Answer, "a".into());
        assert!(matches!(polite.local_description(answer), Step::Tell(_)));
        assert_eq!(polite.phase, Phase::Stable);
    }

    #[test]
    fn a_late_answer_is_passed_over() {
        let mut side = Negotiation::new("a", "b");
        assert!(matches!(side.remote_answer("x".into()), Step::Rest));
    }

    #[test]
    fn an_offer_wanted_meanwhile_is_made_once_stable() {
        let mut side = Negotiation::new("a", "b");
        let _ = side.want_offer(false);
        let _ = side.local_description(offer());
        assert!(matches!(side.want_offer(true), Step::Rest));
        let _ = side.remote_answer("x".into());
        let step = side.answer_accepted();
        assert!(matches!(
            step,
            Step::Command(PeerCommand::MakeOffer { ice_restart: true })
        ));
    }

    #[test]
    fn offers_that_keep_failing_are_not_made_for_ever() {
        let mut side = Negotiation::new("a", "b");
        let again: Vec<bool> = (0..3)
            .map(|_| {
                let _ = side.want_offer(false);
                side.failed()
            })
            .collect();
        assert_eq!(again, [true, true, false]);
    }
}

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
    /// is polite.
    pub fn new(me: &str, other: &str) -> Self {
        let polite = me.to_lowercase() < other.to_lowercase();
        Self {
            polite,
            phase: Phase::Stable,
            pending_offer: None,
            failures: 0,
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
    pub fn local_description(&mut self, description: Description) -> Step {
        match (description.kind, self.phase) {
            (DescriptionKind::Offer, Phase::CreatingOffer) => {
                self.phase = Phase::HaveLocalOffer;
                Step::Send(description)
            }
            (DescriptionKind::Answer, Phase::ApplyingOffer) => match self.become_stable() {
                Step::Command(command) => Step::SendAndCommand(description, command),
                _ => Step::Send(description),
            },
            // A local offer that a remote offer replaced; it is rolled back.
            _ => Step::None,
        }
    }

    /// A remote offer arrived. The impolite side ignores it while its own offer is
    /// pending.
    pub fn remote_offer(&mut self, sdp: String) -> Step {
        let collision = matches!(self.phase, Phase::CreatingOffer | Phase::HaveLocalOffer);
        if collision && !self.polite {
            return Step::None;
        }
        self.phase = Phase::ApplyingOffer;
        Step::Command(PeerCommand::AcceptOffer {
            sdp,
            rollback: collision,
        })
    }

    /// A remote answer arrived. It is ignored unless an offer is pending, as after
    /// a rollback.
    pub fn remote_answer(&mut self, sdp: String) -> Step {
        if self.phase != Phase::HaveLocalOffer {
            return Step::None;
        }
        self.phase = Phase::ApplyingAnswer;
        Step::Command(PeerCommand::AcceptAnswer { sdp })
    }

    /// The connection set the remote answer.
    pub fn answer_accepted(&mut self) -> Step {
        if self.phase == Phase::ApplyingAnswer {
            self.become_stable()
        } else {
            Step::None
        }
    }

    /// The connection rejected a description or could not create one. Returns
    /// whether to offer again after a delay.
    pub fn failed(&mut self) -> bool {
        let ours = matches!(self.phase, Phase::CreatingOffer | Phase::ApplyingAnswer);
        self.phase = Phase::Stable;
        self.failures += 1;
        ours && self.failures < MAX_CONSECUTIVE_FAILURES
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
        self.failures = 0;
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

    #[test]
    fn the_polite_side_rolls_back_and_the_impolite_ignores_the_offer() {
        let mut polite = Negotiation::new("A", "b");
        let mut impolite = Negotiation::new("b", "A");
        assert!(polite.is_polite() && !impolite.is_polite());
        for side in [&mut polite, &mut impolite] {
            assert!(matches!(
                side.request_offer(false),
                Step::Command(PeerCommand::MakeOffer { .. })
            ));
            assert!(matches!(side.local_description(offer()), Step::Send(_)));
        }
        assert!(matches!(impolite.remote_offer("x".into()), Step::None));
        let step = polite.remote_offer("x".into());
        assert!(matches!(
            step,
            Step::Command(PeerCommand::AcceptOffer { rollback: true, .. })
        ));
    }

    #[test]
    fn an_offer_replaced_while_it_is_created_is_not_sent() {
        let mut polite = Negotiation::new("a", "b");
        let _ = polite.request_offer(false);
        let _ = polite.remote_offer("x".into());
        assert!(matches!(polite.local_description(offer()), Step::None));
        let answer = Description::new(DescriptionKind::Answer, "a".into());
        assert!(matches!(polite.local_description(answer), Step::Send(_)));
        assert_eq!(polite.phase, Phase::Stable);
    }

    #[test]
    fn an_answer_without_a_pending_offer_is_ignored() {
        let mut side = Negotiation::new("a", "b");
        assert!(matches!(side.remote_answer("x".into()), Step::None));
    }

    #[test]
    fn an_offer_requested_during_a_negotiation_is_created_once_stable() {
        let mut side = Negotiation::new("a", "b");
        let _ = side.request_offer(false);
        let _ = side.local_description(offer());
        assert!(matches!(side.request_offer(true), Step::None));
        let _ = side.remote_answer("x".into());
        let step = side.answer_accepted();
        assert!(matches!(
            step,
            Step::Command(PeerCommand::MakeOffer { ice_restart: true })
        ));
    }

    #[test]
    fn offers_stop_after_three_consecutive_failures() {
        let mut side = Negotiation::new("a", "b");
        let again: Vec<bool> = (0..3)
            .map(|_| {
                let _ = side.request_offer(false);
                side.failed()
            })
            .collect();
        assert_eq!(again, [true, true, false]);
    }
}

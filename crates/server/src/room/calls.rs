//! Who is in a call with whom, as far as the relay can see: an offer went one
//! way and its answer came back.

use std::collections::HashSet;

use visavis_protocol::RelayKind;

use crate::id::ClientId;

/// The pairs in a call, and the offers that wait for an answer.
#[derive(Default)]
pub(super) struct Calls {
    offers: HashSet<(ClientId, ClientId)>,
    pairs: HashSet<(ClientId, ClientId)>,
}

impl Calls {
    /// Notes what was relayed.
    pub fn relayed(&mut self, kind: RelayKind, from: ClientId, to: ClientId) {
        match kind {
            RelayKind::Offer if from != to => {
                self.offers.insert((from, to));
            }
            RelayKind::Answer if self.offers.remove(&(to, from)) => {
                self.pairs.insert((from.min(to), from.max(to)));
            }
            _ => {}
        }
    }

    /// Forgets one who left.
    pub fn left(&mut self, gone: ClientId) {
        self.offers.retain(|(a, b)| *a != gone && *b != gone);
        self.pairs.retain(|(a, b)| *a != gone && *b != gone);
    }

    /// Whether any two are in a call.
    pub fn any(&self) -> bool {
        !self.pairs.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_call_is_an_offer_and_its_answer_until_one_of_the_two_leaves() {
        let [a, b, c] = [1, 2, 3].map(Uuid::from_u128);
        let mut calls = Calls::default();
        calls.relayed(RelayKind::Answer, b, a);
        assert!(!calls.any(), "an answer to nothing");
        calls.relayed(RelayKind::Offer, a, b);
        calls.relayed(RelayKind::Answer, a, b);
        assert!(!calls.any(), "the offerer's own answer");
        calls.relayed(RelayKind::Answer, b, a);
        calls.left(c);
        assert!(calls.any());
        calls.left(a);
        assert!(!calls.any());
    }
}

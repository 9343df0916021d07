//! Who is in a call with whom, as far as the relay can see: an offer went one
//! way and its answer came back, or both say that they are connected.

use std::collections::HashSet;

use visavis_protocol::RelayKind;

use crate::id::ClientId;

/// The pairs in a call, and the offers that wait for an answer.
#[derive(Default)]
pub(super) struct Calls {
    offers: HashSet<(ClientId, ClientId)>,
    pairs: HashSet<(ClientId, ClientId)>,
    /// Who says it is connected to whom.
    reports: HashSet<(ClientId, ClientId)>,
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

    /// Notes to whom someone says it is connected; what it said before is over.
    pub fn reported(&mut self, by: ClientId, connected: Vec<ClientId>) {
        self.reports.retain(|(from, _)| *from != by);
        let connected = connected.into_iter().filter(|peer| *peer != by);
        self.reports.extend(connected.map(|peer| (by, peer)));
    }

    /// Forgets one who left.
    pub fn left(&mut self, gone: ClientId) {
        self.offers.retain(|(a, b)| *a != gone && *b != gone);
        self.pairs.retain(|(a, b)| *a != gone && *b != gone);
        self.reports.retain(|(a, b)| *a != gone && *b != gone);
    }

    /// Whether any two are in a call.
    pub fn any(&self) -> bool {
        let mutual = |(a, b): &(ClientId, ClientId)| self.reports.contains(&(*b, *a));
        !self.pairs.is_empty() || self.reports.iter().any(mutual)
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

    #[test]
    fn an_offer_of_or_to_one_who_left_is_answered_no_more_and_others_are() {
        let [a, b, c, d] = [1, 2, 3, 4].map(Uuid::from_u128);
        for gone in [a, b] {
            let mut calls = Calls::default();
            calls.relayed(RelayKind::Offer, a, b);
            calls.relayed(RelayKind::Offer, c, d);
            calls.left(gone);
            calls.relayed(RelayKind::Answer, b, a);
            assert!(!calls.any());
            calls.relayed(RelayKind::Answer, d, c);
            assert!(calls.any());
        }
    }

    #[test]
    fn two_who_say_they_are_connected_to_each_other_are_in_a_call() {
        let [a, b, c] = [1, 2, 3].map(Uuid::from_u128);
        let mut calls = Calls::default();
        calls.reported(a, vec![a, b]);
        calls.reported(b, vec![c]);
        assert!(!calls.any(), "each of another");
        calls.reported(b, vec![c, a]);
        calls.left(c);
        assert!(calls.any());
        calls.reported(a, Vec::new());
        assert!(!calls.any(), "not any more");
        calls.reported(a, vec![b]);
        calls.left(b);
        assert!(!calls.any());
    }
}

//! Remote candidates until and while the description that they belong to is set.

use std::collections::VecDeque;
use std::net::Ipv6Addr;

use rtc::peer_connection::transport::RTCIceCandidateInit;
use visavis_protocol::IceCandidate;

use super::connection::Connection;
use super::sdp::MediaSection;

/// Candidates buffered for a description that is not set yet. The oldest makes
/// room for a new one.
const PENDING_CAPACITY: usize = 64;

/// Candidates per remote description that are passed on; further ones are dropped.
const MAX_ADDED: usize = 256;

/// The remote candidates of a connection.
#[derive(Debug, Default)]
pub(super) struct RemoteCandidates {
    /// The username fragment of the remote description.
    ufrag: Option<String>,
    /// Candidates of a description that may still come.
    pending: VecDeque<IceCandidate>,
    /// How many were passed on for this description.
    added: usize,
}

impl RemoteCandidates {
    /// Takes a candidate, and returns it if it belongs to the description that is
    /// set. One without a username fragment belongs to whichever is.
    fn take(&mut self, candidate: IceCandidate) -> Option<IceCandidate> {
        let belongs = match (&self.ufrag, username_fragment(&candidate)) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(current), Some(ufrag)) => current == ufrag,
        };
        if !belongs {
            if self.pending.len() == PENDING_CAPACITY {
                self.pending.pop_front();
            }
            self.pending.push_back(candidate);
            return None;
        }
        self.added += 1;
        (self.added <= MAX_ADDED).then_some(candidate)
    }

    /// A description with this username fragment was set. Returns the buffered
    /// candidates that belong to it.
    fn described(&mut self, ufrag: &str) -> Vec<IceCandidate> {
        if self.ufrag.as_deref() != Some(ufrag) {
            self.ufrag = Some(ufrag.to_owned());
            self.added = 0;
        }
        let pending = std::mem::take(&mut self.pending);
        pending
            .into_iter()
            .filter_map(|candidate| self.take(candidate))
            .collect()
    }

    /// The candidates that wait for a description.
    pub(super) fn into_pending(self) -> impl Iterator<Item = IceCandidate> {
        self.pending.into_iter()
    }
}

/// The username fragment of a candidate, from its member or from the extension
/// attribute that browsers write.
fn username_fragment(candidate: &IceCandidate) -> Option<&str> {
    let stated = candidate.username_fragment.as_deref();
    stated.filter(|ufrag| !ufrag.is_empty()).or_else(|| {
        let mut words = candidate.candidate.split(' ');
        words.find(|word| *word == "ufrag")?;
        words.next()
    })
}

/// Whether the address of a candidate is a link-local one of IPv6. Nothing can be
/// sent to it: a candidate does not name the interface (RFC 4007, section 11).
fn is_link_local(candidate: &IceCandidate) -> bool {
    // The connection address is the fifth word (RFC 8839, section 5.1).
    let address = candidate.candidate.split_ascii_whitespace().nth(4);
    let address = address.and_then(|address| address.parse::<Ipv6Addr>().ok());
    address.is_some_and(|address| address.is_unicast_link_local())
}

/// Whether a candidate is for another section than the one that stands for the bundle.
/// Its socket is closed once the sections are bundled (RFC 9143, section 7).
fn is_of_bundled(candidate: &IceCandidate, sections: &[MediaSection]) -> bool {
    let index = match &candidate.sdp_mid {
        Some(mid) => sections.iter().position(|section| section.mid.0 == *mid),
        None => candidate.sdp_m_line_index.map(usize::from),
    };
    let tagged = sections.iter().position(MediaSection::is_used);
    index.is_some_and(|index| {
        let named = sections.get(index);
        named.is_some_and(MediaSection::is_used) && Some(index) != tagged
    })
}

impl Connection {
    /// Adds a remote candidate, or buffers it until its description is set.
    pub(super) async fn add_candidate(&mut self, candidate: IceCandidate) {
        if let Some(candidate) = self.candidates.take(candidate) {
            self.add(candidate).await;
        }
    }

    /// Adds the candidates of the remote description that was set, and those that
    /// waited for it.
    pub(super) async fn add_described_candidates(&mut self, ufrag: &str, described: Vec<String>) {
        let waiting = self.candidates.described(ufrag);
        for candidate in described {
            let candidate = IceCandidate {
                candidate,
                ..Default::default()
            };
            self.add_candidate(candidate).await;
        }
        for candidate in waiting {
            self.add(candidate).await;
        }
    }

    /// Passes a candidate on. webrtc-rs ignores those that it does not understand.
    async fn add(&self, candidate: IceCandidate) {
        if is_link_local(&candidate) || is_of_bundled(&candidate, &self.negotiated.sections) {
            return;
        }
        let candidate = RTCIceCandidateInit {
            candidate: candidate.candidate,
            sdp_mid: candidate.sdp_mid,
            sdp_mline_index: candidate.sdp_m_line_index,
            username_fragment: candidate.username_fragment,
            url: None,
        };
        if let Err(error) = self.peer.add_ice_candidate(candidate).await {
            tracing::debug!(%error, "a candidate is ignored");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sdp::RemoteDescription;
    use super::super::tests::pair::BROWSER_OFFER;
    use super::*;

    fn candidate(text: &str, ufrag: Option<&str>) -> IceCandidate {
        IceCandidate {
            candidate: text.into(),
            username_fragment: ufrag.map(Into::into),
            ..Default::default()
        }
    }

    #[test]
    fn a_candidate_of_another_description_waits_for_it_and_is_not_used_for_this_one() {
        let mut candidates = RemoteCandidates::default();
        assert_eq!(candidates.take(candidate("early", Some("one"))), None);
        assert_eq!(candidates.take(candidate("unnamed", None)), None);
        let due = candidates.described("one");
        assert_eq!(
            due,
            [candidate("early", Some("one")), candidate("unnamed", None)]
        );
        for kept in [
            candidate("now", Some("one")),
            candidate("now", None),
            candidate("now ufrag one", None),
        ] {
            assert_eq!(candidates.take(kept.clone()), Some(kept));
        }
        assert_eq!(candidates.take(candidate("restart", Some("two"))), None);
        assert_eq!(candidates.take(candidate("old ufrag zero", None)), None);
        assert_eq!(candidates.described("one"), []);
        assert_eq!(
            candidates.described("two"),
            [candidate("restart", Some("two"))]
        );
        assert_eq!(candidates.take(candidate("late", Some("one"))), None);
    }

    #[test]
    fn a_link_local_address_of_ipv6_cannot_be_sent_to() {
        let is_link_local = |text: &str| is_link_local(&candidate(text, None));
        assert!(is_link_local(
            "candidate:8 1 TCP 1 fe80::1 9 typ host tcptype passive"
        ));
        for other in [
            "candidate:1 1 UDP 1 2001:db8::1 9 typ host",
            "candidate:1 1 UDP 1 192.0.2.1 9 typ host",
            "candidate:1 1 UDP 1 one.local 9 typ host",
            "",
        ] {
            assert!(!is_link_local(other), "{other}");
        }
    }

    #[test]
    fn candidates_of_bundled_sections_are_not_used() {
        let offer = BROWSER_OFFER.replace("m=audio 9", "m=audio 0");
        let sections = RemoteDescription::parse(offer).unwrap().sections;
        let is_used = |mid: Option<&str>, index| {
            let candidate = IceCandidate {
                sdp_mid: mid.map(Into::into),
                sdp_m_line_index: index,
                ..candidate("candidate:1 1 UDP 1 192.0.2.1 9 typ host", None)
            };
            !is_of_bundled(&candidate, &sections)
        };
        // The first section is rejected, the second one stands for the bundle.
        assert!(is_used(Some("1"), None) && is_used(None, Some(1)));
        assert!(is_used(Some("1"), Some(3)), "the mid goes before the index");
        assert!(!is_used(Some("2"), Some(1)) && !is_used(None, Some(3)));
        for unknown in [(Some("audio"), None), (None, Some(9)), (None, None)] {
            assert!(is_used(unknown.0, unknown.1));
        }
        assert!(is_used(Some("0"), Some(0)), "it may stand for the session");
    }

    #[test]
    fn waiting_and_added_candidates_are_bounded() {
        let mut candidates = RemoteCandidates::default();
        for number in 0..1_000 {
            let _ = candidates.take(candidate(&number.to_string(), Some("one")));
        }
        let due = candidates.described("one");
        assert_eq!(due.len(), PENDING_CAPACITY);
        assert_eq!(due[PENDING_CAPACITY - 1].candidate, "999");
        let more = (0..1_000).filter_map(|_| candidates.take(candidate("x", None)));
        assert_eq!(more.count(), MAX_ADDED - PENDING_CAPACITY);
    }
}

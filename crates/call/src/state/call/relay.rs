//! Negotiation through a common peer, for a pair that lost the server and its own
//! link.

use serde_json::value::RawValue;
use visavis_protocol::{PeerMessage, PeerPayload, PeerRelay, RelayedMessage};

use super::CallState;
use crate::peer::{LinkId, PeerCommand};
use crate::state::{Effect, Now};

impl CallState {
    /// A connected peer that may forward to this participant. Each attempt to repair
    /// the link takes another one, since which of them has a link to it is not known.
    pub(super) fn common_peer(&self, index: usize) -> Option<LinkId> {
        let attempt = self.remotes[index].link.as_ref()?.attempts() as usize;
        let connected = self
            .remotes
            .iter()
            .enumerate()
            .filter_map(|(other, remote)| {
                let link = remote.link.as_ref()?;
                (other != index && link.delivers()).then_some(link.id)
            });
        let connected: Vec<_> = connected.collect();
        connected.get(attempt % connected.len().max(1)).copied()
    }

    /// A message to forward, or one that a common peer forwarded to the local user.
    /// It takes one hop.
    pub(super) fn relayed_by_peer(&mut self, now: Now, index: usize, relay: PeerRelay) {
        let Some(from) = relay.from.clone() else {
            return self.forward(index, relay);
        };
        if relay.to != self.local.id {
            return;
        }
        let Some(sender) = self
            .index_of_member(&from)
            .filter(|sender| *sender != index)
        else {
            return;
        };
        if let Some(link) = &mut self.remotes[sender].link {
            link.negotiates_around(now.instant);
        }
        // A relayed description may not replace the connection: the common peer could
        // put its own fingerprint in.
        match relay.message() {
            Ok(
                RelayedMessage::Offer(PeerPayload { payload })
                | RelayedMessage::Answer(PeerPayload { payload }),
            ) => self.remote_description(now, sender, payload, false),
            Ok(RelayedMessage::IceCandidate(PeerPayload { payload })) => {
                self.remote_candidate(sender, payload);
            }
            Err(error) => tracing::debug!(%error, "an invalid relayed message is ignored"),
        }
    }

    /// Forwards a message, stamped with the member at the other end of the link that
    /// it arrived on.
    fn forward(&mut self, index: usize, relay: PeerRelay) {
        let from = self.remotes[index].member.clone();
        let Some(to) = self.index_of_member(&relay.to).filter(|to| *to != index) else {
            return;
        };
        if let Some(link) = self.remotes[to]
            .link
            .as_ref()
            .filter(|link| link.delivers())
        {
            let message = PeerMessage::Relay(PeerRelay {
                from: Some(from),
                ..relay
            });
            let command = PeerCommand::Send(Box::new(message));
            self.effects.push(Effect::Peer(link.id, command));
        }
    }

    /// Sends a message to a participant through a common peer.
    pub(super) fn send_through(&mut self, via: LinkId, to: String, message: &PeerMessage) {
        // What this program serialised is valid JSON.
        let Ok(payload) = RawValue::from_string(message.to_json()) else {
            return;
        };
        let relay = PeerRelay {
            to,
            from: None,
            payload,
        };
        let command = PeerCommand::Send(Box::new(PeerMessage::Relay(relay)));
        self.effects.push(Effect::Peer(via, command));
    }
}

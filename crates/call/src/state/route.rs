//! The way on which signalling reaches a participant.

use crate::peer::LinkId;

/// A route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Through the server.
    Server,
    /// Over the data channel with the participant.
    Channel,
    /// Over the data channel with a peer that forwards it.
    Relay(LinkId),
}

/// What is known of the ways to a participant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ways {
    /// The room is joined, and the participant's own connection to the server is up.
    pub server: bool,
    /// The link is connected and its data channel is open, and an offer over it was
    /// not left unanswered.
    pub channel: bool,
    /// A connected peer that may have a link to it.
    pub common_peer: Option<LinkId>,
}

impl Route {
    /// The server where it reaches both, else the data channel, else a common peer.
    pub fn choose(ways: Ways) -> Option<Self> {
        match ways {
            Ways { server: true, .. } => Some(Self::Server),
            Ways { channel: true, .. } => Some(Self::Channel),
            Ways { common_peer, .. } => common_peer.map(Self::Relay),
        }
    }
}

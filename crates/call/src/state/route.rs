//! The way on which signalling reaches a participant.

/// A route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Through the server.
    Server,
    /// Over the data channel with the participant.
    Channel,
}

impl Route {
    /// The server while the room is joined, else the data channel.
    pub fn choose(joined: bool, channel_open: bool) -> Option<Self> {
        match (joined, channel_open) {
            (true, _) => Some(Self::Server),
            (false, true) => Some(Self::Channel),
            (false, false) => None,
        }
    }
}

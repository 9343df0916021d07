//! Events of a call.

use visavis_protocol::ErrorCode;

use crate::view::{EndReason, MutedByHost, PeerConnectionState};

/// Events queued for each receiver. A receiver that falls behind loses the oldest
/// and gets their number as an error.
pub const EVENTS_CAPACITY: usize = 256;

/// An event of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum CallEvent {
    /// The local user joined the room.
    Joined {
        /// The room id.
        room: String,
        /// The local user's client id.
        member: String,
        /// Milliseconds since the join request was sent.
        ms: u64,
    },
    /// The room's passcode is needed, or the one that was sent is wrong.
    PasscodeNeeded,
    /// Another member joined.
    MemberJoined {
        /// Client id.
        member: String,
    },
    /// Another member left.
    MemberLeft {
        /// Client id.
        member: String,
    },
    /// The state of a peer connection changed.
    Peer {
        /// Client id.
        member: String,
        /// The new state.
        state: PeerConnectionState,
    },
    /// A session description of one side was refused. Media that was negotiated
    /// before continues.
    NegotiationFailed {
        /// Client id.
        member: String,
        /// One sentence, without SDP.
        reason: String,
    },
    /// The first video frame of a member was decoded.
    FirstFrame {
        /// Client id.
        member: String,
        /// Milliseconds since the local join request was sent, or since the member
        /// joined if that was later.
        ms: u64,
    },
    /// A chat message arrived or was sent.
    Chat {
        /// Client id.
        member: String,
        /// Plain text.
        text: String,
    },
    /// The host muted a source of the local user.
    MutedByHost(MutedByHost),
    /// The server reported an error.
    Error {
        /// The error code.
        code: ErrorCode,
    },
    /// The call ended.
    Ended(EndReason),
}

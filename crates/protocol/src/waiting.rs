//! Waiting: for a host's word, or for a place in a full room.

use serde::{Deserialize, Serialize};

use crate::RequestId;

/// The joiner waits: the reply to `join-room` for those with feature `waiting`,
/// and again, without a request id, whenever the position changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinWaiting {
    /// The request's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The room.
    pub room_id: String,
    /// The place among those who wait for the same reason, from 1.
    pub position: u32,
    /// What for.
    pub reason: WaitReason,
}

/// What one waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitReason {
    /// For someone to leave a full room.
    Full,
    /// For the host to say yes.
    Approval,
}

/// Someone waits for the host's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinRequest {
    /// The room.
    pub room_id: String,
    /// The client id, to admit or deny.
    pub member_id: String,
    /// The name to show; may be empty.
    #[serde(default)]
    pub name: String,
}

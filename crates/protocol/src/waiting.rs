//! The waiting room, and the queue of a full room.

use serde::{Deserialize, Serialize};

use crate::RequestId;

/// The join waits. The reply to `join-room` for clients with feature `waiting`,
/// sent again without a request id whenever the position changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinWaiting {
    /// The request's id, when it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The room.
    pub room_id: String,
    /// The position among the joins that wait for the same reason, from 1.
    pub position: u32,
    /// Why the join waits.
    pub reason: WaitReason,
}

/// Why a join waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum WaitReason {
    /// The room is full; a member has to leave first.
    Full,
    /// A host has to admit the client.
    Approval,
}

/// A client waits to be admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinRequest {
    /// The room.
    pub room_id: String,
    /// The client id to admit or deny.
    pub member_id: String,
    /// The display name; may be empty.
    #[serde(default)]
    pub name: String,
}

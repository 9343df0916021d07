//! One WebSocket below its messages: the frame codec and the send queue.

mod budget;
mod frames;
mod network;
mod outbox;

pub(crate) use budget::{Budget, UNFINISHED_BYTES};
pub(crate) use frames::{Incoming, Outgoing, ReadLimits, Reader, WireError};
pub(crate) use network::network_of;
pub(crate) use outbox::{Frame, Outbox, Queue, Sink, outbox};

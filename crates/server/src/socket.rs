//! One WebSocket below its messages: the frame codec and the send queue.

mod frames;
mod outbox;

pub(crate) use frames::{Incoming, Outgoing, Reader, WireError};
pub(crate) use outbox::{Frame, Outbox, Queue, Sink, outbox};

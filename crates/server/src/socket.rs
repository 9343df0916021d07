//! One WebSocket below its messages: frames on the wire, and the queue of what is
//! to be sent.

mod frames;
mod outbox;

pub(crate) use frames::{Incoming, Outgoing, Reader, WireError};
pub(crate) use outbox::{Frame, Outbox, Queue, Sink, outbox};

//! Sockets below their messages: the open connections, and the frame codec and send
//! queue of WebSockets.

mod budget;
mod connections;
mod frames;
mod outbox;

pub(crate) use budget::{Budget, UNFINISHED_BYTES};
pub(crate) use connections::{Connections, Permit, Refused, Watched};
pub(crate) use frames::{Incoming, Outgoing, ReadLimits, Reader, WireError};
pub(crate) use outbox::{Frame, Outbox, Queue, Sink, outbox};

//! State machines beside the room's own: pure, every transition in one place.

pub(crate) mod booking;
pub(crate) mod session;

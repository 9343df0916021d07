//! How each dialect writes the model.

pub(crate) mod livekit;
pub(crate) mod room;
pub(crate) mod table;

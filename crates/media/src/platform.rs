//! What differs from system to system.

pub(crate) mod camera;
pub(crate) mod sound;

//! What differs from system to system.

pub(crate) mod camera;
pub(crate) mod screen;
pub(crate) mod sound;

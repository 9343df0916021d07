//! Encoders and decoders: the only place where codec libraries are named.

pub mod h264;
pub mod opus;
pub mod vp8;

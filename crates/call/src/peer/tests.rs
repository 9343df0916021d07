//! Peers over real loopback UDP.

mod lossy;
mod media;
mod negotiation;
mod pair;

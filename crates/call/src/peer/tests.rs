//! Tests of two peers over loopback UDP, with real codecs.

mod association;
mod frame_timing;
mod grants;
mod ice;
mod ice_servers;
mod lip_sync;
mod lossy;
mod media;
mod negotiation;
pub(super) mod pair;
mod sections;
mod shaped;
mod sources;
mod statistics;

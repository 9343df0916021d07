//! The room service from outside, with its databases and its neighbours.

mod booked;
mod cluster;
mod faults;
mod livekit;
mod openapi;
mod parts;
mod sdks;
mod slow_store;
mod stores;
mod stun;
mod viewers;

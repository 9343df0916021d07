//! The room service from outside, with its databases and its neighbours.

mod cluster;
mod parts;
mod sdks;

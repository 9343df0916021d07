//! The room service from outside, with its databases and its neighbours.

mod parts;
mod sdks;

//! A seeded model of one direction of a network link, in virtual time.
//!
//! A [`Link`] is a rate limit with a drop-tail queue, followed by a medium that loses,
//! delays, reorders and duplicates packets. It has no clock, thread or socket: time is
//! an argument, counted from the start of the simulation, and the same seed with the
//! same calls gives the same result.

mod link;
mod loss;
mod random;

pub use link::{Arrival, Counters, Link, Profile};
pub use loss::Loss;
pub use random::Random;

//! Sharing through the desktop portal: a portal of the tests' own on a bus of its own,
//! which hands out streams of a real PipeWire.
#![cfg(target_os = "linux")]
// The allowance for tests in clippy.toml does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod fake;
mod producer;
mod senders;
mod session;
mod shares;

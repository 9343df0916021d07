//! Sharing screens and windows of real X servers: each test starts an Xvfb of its own.
#![cfg(target_os = "linux")]
// The allowance for tests in clippy.toml does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod environment;
mod harness;
mod listing;
mod rates;
mod screens;
mod sharp;
mod sources;
mod windows;

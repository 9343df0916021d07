//! Sound through a real sound server: PulseAudio with null sinks, so that no
//! sound card is needed. Each test runs itself again as a child with the
//! server's address in its environment, which is the process's alone.
#![cfg(target_os = "linux")]
// The allowance for tests in clippy.toml does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod changes;
mod echo;
mod formats;
mod harness;
mod latency;
mod whole;

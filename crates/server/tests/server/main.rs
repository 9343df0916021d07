//! The server in process on a free port, and scripted clients.

#![allow(clippy::unwrap_used)]

mod access;
mod api;
mod bookings;
mod broadcast;
mod controls;
mod database_file;
mod extensions;
mod hidden;
mod livekit_webhooks;
#[cfg(unix)]
mod operating;
mod operator;
#[cfg(unix)]
mod program;
mod quality;
mod resume;
mod retention;
mod rooms;
mod s0;
mod s1;
mod s2;
mod s4;
mod seal;
mod security;
mod sse;
mod store_faults;
mod studio;
mod stun;
mod support;
mod system;
mod token_renewal;
mod twirp;
mod unruly;
mod waiting;
mod webhooks;

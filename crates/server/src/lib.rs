//! Rooms and signalling: a server to embed, and the library of `visavis-server`.
//!
//! [`Server::bind`] listens and serves until the [`Server`] is shut down or
//! dropped. The wire is `visavis-protocol`'s.
//!
//! A connection (`ws`) reads messages for its session, which finds the room
//! through the room service; a room is a task that owns its state, which is pure, and
//! answers into its members' outboxes, which never wait.

mod access;
mod cache;
pub mod cli;
mod clock;
mod cluster;
mod config;
mod egress;
mod http;
mod ice;
mod id;
mod lifecycle;
mod metrics;
pub mod model;
mod refusal;
mod render;
mod room;
mod rooms;
mod server;
mod signalling;
mod socket;
pub mod store;
mod stun;
mod tls;
mod webhook;
mod ws;

pub use access::principal::AuthMode;
pub use access::proxy::TrustedProxies;
pub use access::seal::StateKey;
pub use access::site::operator_secret;
pub use access::token::Keys;
pub use clock::Timestamp;
pub use config::{Contradiction, Discovery, HttpLimits, Limits, ServerConfig};
pub use server::{Listener, Server, ServerError};
pub use stun::{InvalidStun, Stun};
pub use tls::{TlsError, TlsFiles};
#[cfg(any(test, fuzzing))]
pub use ws::fuzz;

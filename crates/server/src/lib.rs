//! Rooms and signalling: a server to embed, and the library of `visavis-server`.
//!
//! [`Server::bind`] listens and serves until the [`Server`] is shut down or
//! dropped. The wire is `visavis-protocol`'s.

mod config;
mod http;
mod server;

pub use config::{Limits, ServerConfig};
pub use server::{Server, ServerError};

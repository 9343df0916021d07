//! What the tests of the whole thing share: real processes that end with
//! their test, real browsers, databases, relays and sound servers, the public
//! SDKs that our service is to work with, and the small plain signalling server
//! and client that know no extension.
//!
//! Nothing here links our own crates: the programs are tested from outside,
//! as `cargo xtask test` built them. Only the stores' conformance does.

pub mod acceptance;
pub mod agent;
pub mod chromium;
pub mod display;
pub mod files;
pub mod firefox;
pub mod headless;
pub mod http;
pub mod janus;
pub mod namespaces;
pub mod page;
pub mod plain_client;
pub mod plain_server;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod programs;
pub mod proxy;
pub mod pulse;
pub mod redis;
pub mod server;
pub mod shaper;
pub mod sound;
pub mod turn;
pub mod wait;
pub mod webdriver;
pub mod webhook_sink;
pub mod window;

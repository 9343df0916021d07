//! What the tests of the whole thing share: real processes that end with
//! their test, real browsers, real relays and sound servers, and the small
//! plain signalling server and client that know no extension.
//!
//! Nothing here links our own crates: the programs are tested from outside,
//! as `cargo xtask test` built them.

pub mod chromium;
pub mod display;
pub mod files;
pub mod headless;
pub mod plain_client;
pub mod plain_server;
pub mod process;
pub mod programs;
pub mod proxy;
pub mod pulse;
pub mod server;
pub mod sound;
pub mod turn;
pub mod wait;
pub mod webdriver;
pub mod window;

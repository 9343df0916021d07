//! A script of several clients' messages, played to the whole server but for its
//! sockets; `crates/server/src/ws/script.rs` says how it is written.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| visavis_server::fuzz(script));

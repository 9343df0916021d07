//! A script of packets, played to the frame assembler or the audio jitter buffer;
//! `crates/media/src/fuzzing/packets.rs` says how it is written.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| visavis_media::fuzzing::assembly(input));

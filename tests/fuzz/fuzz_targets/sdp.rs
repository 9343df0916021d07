//! The descriptions of a remote peer.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| visavis_call::fuzzing::sdp(input));

//! RTP packets, with header extensions and as retransmissions.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| visavis_call::fuzzing::rtp(input));

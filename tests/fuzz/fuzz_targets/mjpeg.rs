//! A frame of an MJPEG camera.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| visavis_media::fuzzing::mjpeg(input));

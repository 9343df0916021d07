//! Both picture codecs, on the synthetic scene.

use std::time::{Duration, Instant};

use super::*;
use crate::video::synthetic::Synthetic;
use crate::video::timecode;

const CODECS: [VideoCodec; 2] = [VideoCodec::H264, VideoCodec::Vp8];
const RATE: u32 = 30;

struct Scene {
    scene: Synthetic,
    start: Instant,
    number: u32,
}

impl Scene {
    fn new(width: u32, height: u32) -> Self {
        Self {
            scene: Synthetic::new(width, height, 20.0).unwrap(),
            start: Instant::now(),
            number: 0,
        }
    }

    fn unix_ms(&self) -> u64 {
        1_795_000_000_000 + u64::from(self.number) * 1_000 / u64::from(RATE)
    }

    fn next(&mut self) -> Frame {
        self.number += 1;
        let elapsed = Duration::from_secs(1) * self.number / RATE;
        self.scene
            .draw(elapsed.as_secs_f32(), self.unix_ms(), self.start + elapsed)
    }
}

fn settings(width: u32, height: u32, bits_per_second: u32) -> EncoderSettings {
    EncoderSettings {
        width,
        height,
        frames_per_second: RATE,
        bits_per_second,
    }
}

fn psnr(a: &Frame, b: &Frame) -> f64 {
    let squares: u64 = a
        .y()
        .iter()
        .zip(b.y())
        .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2))
        .sum();
    10.0 * (255.0 * 255.0 * a.y().len() as f64 / (squares as f64).max(1.0)).log10()
}

fn bits_per_second(bytes: usize, frames: u32) -> usize {
    bytes * 8 * RATE as usize / frames as usize
}

#[test]
fn a_call_at_its_usual_rates_looks_well_and_keeps_its_time_code() {
    for codec in CODECS {
        for (width, height, rate) in [(640, 360, 600_000), (320, 180, 240_000)] {
            let mut encoder = video_encoder(codec, settings(width, height, rate)).unwrap();
            let mut decoder = video_decoder(codec).unwrap();
            let mut scene = Scene::new(width, height);
            let (mut bytes, mut quality) = (0, 0.0);
            let frames = 5 * RATE;
            for number in 0..frames {
                let frame = scene.next();
                let picture = encoder.encode(&frame, FrameKind::Reference).unwrap();
                assert_eq!(picture.key_frame, number == 0, "{codec:?} frame {number}");
                bytes += picture.data.len();
                let decoded = decoder
                    .decode(&picture.data, Instant::now())
                    .unwrap()
                    .unwrap();
                assert_eq!(
                    timecode::read(&decoded),
                    Some((scene.unix_ms() & 0xFF_FFFF) as u32),
                    "{codec:?} frame {number}"
                );
                quality += psnr(&frame, &decoded);
            }
            let (rate_kept, quality) =
                (bits_per_second(bytes, frames), quality / f64::from(frames));
            println!("{codec:?} {width}x{height}: {rate_kept} bit/s, {quality:.1} dB");
            assert!(
                quality > 33.0,
                "{codec:?} {width}x{height}: {quality:.1} dB"
            );
            assert!(
                rate_kept < rate as usize * 5 / 4,
                "{codec:?} {width}x{height}: {rate_kept} bit/s"
            );
        }
    }
}

#[test]
fn a_key_frame_comes_when_asked_for_and_starts_a_new_decoder() {
    for codec in CODECS {
        let mut encoder = video_encoder(codec, settings(320, 180, 240_000)).unwrap();
        let mut scene = Scene::new(320, 180);
        for number in 0..20 {
            let picture = encoder
                .encode(&scene.next(), FrameKind::key_or_reference(number == 10))
                .unwrap();
            assert_eq!(
                picture.key_frame,
                number % 10 == 0,
                "{codec:?} frame {number}"
            );
            let mut fresh = video_decoder(codec).unwrap();
            let decoded = fresh.decode(&picture.data, Instant::now());
            assert_eq!(
                matches!(decoded, Ok(Some(_))),
                picture.key_frame,
                "{codec:?} frame {number}"
            );
        }
    }
}

#[test]
fn the_bit_rate_changes_without_a_key_frame() {
    for codec in CODECS {
        let mut encoder = video_encoder(codec, settings(640, 360, 600_000)).unwrap();
        encoder.set_rates(600_000, RATE).unwrap();
        let mut scene = Scene::new(640, 360);
        let mut second = |encoder: &mut Box<dyn VideoEncoder>, first: bool| {
            (0..2 * RATE).fold(0, |bytes, number| {
                let picture = encoder.encode(&scene.next(), FrameKind::Reference).unwrap();
                assert_eq!(picture.key_frame, first && number == 0, "{codec:?}");
                bytes + picture.data.len()
            })
        };
        let high = second(&mut encoder, true);
        encoder.set_rates(150_000, RATE).unwrap();
        second(&mut encoder, false);
        let low = second(&mut encoder, false);
        println!("{codec:?}: {high} then {low} bytes in two seconds");
        assert!(low * 2 < high, "{codec:?}: {high} then {low}");
    }
}

#[test]
fn another_size_is_refused_and_full_high_definition_works() {
    for codec in CODECS {
        let mut encoder = video_encoder(codec, settings(1920, 1080, 3_000_000)).unwrap();
        assert!(
            encoder
                .encode(&Scene::new(320, 180).next(), FrameKind::Reference)
                .is_err()
        );
        let picture = encoder
            .encode(&Scene::new(1920, 1080).next(), FrameKind::Reference)
            .unwrap();
        let decoded = video_decoder(codec)
            .unwrap()
            .decode(&picture.data, Instant::now())
            .unwrap()
            .unwrap();
        assert_eq!((decoded.width(), decoded.height()), (1920, 1080));
    }
}

#[test]
fn a_vp8_picture_that_would_only_cost_memory_is_refused() {
    let mut encoder = video_encoder(VideoCodec::Vp8, settings(320, 180, 240_000)).unwrap();
    let mut data = encoder
        .encode(&Scene::new(320, 180).next(), FrameKind::Reference)
        .unwrap()
        .data
        .to_vec();
    data[6..10].copy_from_slice(&[0xFF, 0x3F, 0xFF, 0x3F]);
    let error = video_decoder(VideoCodec::Vp8)
        .unwrap()
        .decode(&data, Instant::now())
        .unwrap_err();
    assert!(error.reason.contains("16383x16383"), "{error}");
}

#[test]
fn garbage_is_an_error_or_nothing_and_never_a_panic() {
    use proptest::prelude::*;
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(200));
    let garbage = proptest::collection::vec(any::<u8>(), 0..300);
    let started = |mut bytes: Vec<u8>, start: &[u8]| {
        bytes.splice(0..0, start.iter().copied());
        bytes
    };
    runner
        .run(&garbage, |bytes| {
            for codec in CODECS {
                let start: &[u8] = if codec == VideoCodec::H264 {
                    &[0, 0, 0, 1, 0x65]
                } else {
                    &[0x10, 2, 0, 0x9D, 1, 0x2A, 64, 0, 64, 0]
                };
                let mut decoder = video_decoder(codec).unwrap();
                let _ = decoder.decode(&bytes, Instant::now());
                let _ = decoder.decode(&started(bytes.clone(), start), Instant::now());
            }
            Ok(())
        })
        .unwrap();
}

/// The frames that others are predicted from decode alike with and without the rest, and
/// take less than all of the bits.
#[test]
fn discardable_frames_can_be_left_out() {
    for codec in CODECS.into_iter().filter(|codec| can_discard(*codec)) {
        let mut encoder = video_encoder(codec, settings(640, 360, 600_000)).unwrap();
        let mut scene = Scene::new(640, 360);
        let (mut all, mut half) = (video_decoder(codec).unwrap(), video_decoder(codec).unwrap());
        let (mut bytes, mut kept) = (0, 0);
        for number in 0..90 {
            let kind = match number {
                0 => FrameKind::Key,
                _ if number % 2 == 1 => FrameKind::Discardable,
                _ => FrameKind::Reference,
            };
            let picture = encoder.encode(&scene.next(), kind).unwrap();
            assert_eq!(picture.is_discardable, kind == FrameKind::Discardable);
            let now = Instant::now();
            let whole = all.decode(&picture.data, now).unwrap().unwrap();
            if number > 0 {
                bytes += picture.data.len();
            }
            if !picture.is_discardable {
                let thinned = half.decode(&picture.data, now).unwrap().unwrap();
                assert!(whole.data() == thinned.data(), "{codec:?} {number}");
                if number > 0 {
                    kept += picture.data.len();
                }
            }
        }
        let share = kept as f64 / bytes as f64;
        println!("{codec:?}: half of the frames take {share:.2} of the bits");
        assert!((0.35..0.8).contains(&share), "{codec:?} {share}");
    }
}

//! People whose packets cross a network.

mod lip_sync;
mod network;

use bytes::Bytes;

use super::*;
use crate::codec::opus::Encoder;

#[test]
fn the_volume_changes_smoothly_between_silence_and_twice_as_loud() {
    let (receiver, mut speaker_stream) = SpeakerStream::new();
    let (mut encoder, start) = (Encoder::new().unwrap(), Instant::now());
    let (mut sound, mut loudest) = (Vec::new(), [0.0_f32; 3]);
    for number in 0..150_u32 {
        let at = start + Duration::from_millis(20) * number;
        let frame = std::array::from_fn(|n| {
            let time = (number * 960) as f32 + n as f32;
            0.2 * (time * 440.0 * std::f32::consts::TAU / 48_000.0).sin()
        });
        receiver.push(RtpPacket {
            sequence: number as u16,
            timestamp: number * 960,
            marker: false,
            payload: encoder.encode(&frame).unwrap().into(),
            arrived_at: at,
        });
        receiver.set_volume([1.0, 9.0, 0.0][number as usize / 50]);
        for _ in 0..2 {
            let mut mix = [0.0; 480];
            assert!(speaker_stream.mix_into(&mut mix, at));
            sound.extend(mix);
            if number % 50 > 25 {
                let loud = &mut loudest[number as usize / 50];
                *loud = mix.iter().copied().fold(*loud, f32::max);
            }
        }
    }
    let [one, two, none] = loudest;
    assert!(
        (0.18..0.22).contains(&one) && (0.36..0.44).contains(&two),
        "{loudest:?}"
    );
    assert_eq!(none, 0.0);
    // A sine of 440 Hz moves by 0.023 at its steepest at twice its loudness.
    let steps = sound.windows(2).map(|pair| (pair[1] - pair[0]).abs());
    assert!(steps.fold(0.0, f32::max) < 0.03);
}

#[test]
fn the_noise_of_a_room_goes_on_in_a_pause_of_dtx_and_is_not_counted_as_concealment() {
    let (receiver, mut speaker_stream) = SpeakerStream::new();
    let (mut encoder, mut random) = (Encoder::new().unwrap(), 1_u32);
    let start = Instant::now();
    let at = |number: u32| start + Duration::from_millis(20) * number;
    let mut packets: Vec<Vec<u8>> = (0..100)
        .map(|_| {
            let noise = std::array::from_fn(|_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (random >> 8) as f32 / 16_777_216.0 * 0.04 - 0.02
            });
            encoder.encode(&noise).unwrap()
        })
        .collect();
    packets.push(vec![packets[99][0]]);
    let mut levels = Vec::new();
    for number in 0..130_u32 {
        if let Some(packet) = packets.get(number as usize) {
            receiver.push(RtpPacket {
                sequence: number as u16,
                timestamp: number * 960,
                marker: false,
                payload: Bytes::from(packet.clone()),
                arrived_at: at(number),
            });
        }
        let mut mix = [0.0; FRAME_SAMPLES];
        assert!(speaker_stream.mix_into(&mut mix, at(number)));
        levels.push(Level::of(&mix).rms);
    }
    // 500 ms after the last packet it is neither silent nor louder than before.
    let (before, pause) = (levels[90], &levels[110..130]);
    let is_noise = |level: &f32| (before * 0.1..before * 2.0).contains(level);
    assert!(pause.iter().all(is_noise), "{before}: {pause:?}");
    let stats = receiver.stats();
    assert_eq!((stats.concealed_samples, stats.packets_lost), (0, 0));
}

//! Minutes of speech through networks, in virtual time.

use super::*;
use crate::audio::signals::{NEAR, correlation, rms, speech};

/// What a network does, and how much faster the sender's clock runs.
#[derive(Clone, Copy)]
struct Network {
    delay_ms: f64,
    /// Either way, uniform.
    jitter_ms: f64,
    loss: f64,
    drift_ppm: f64,
}

const CLEAN: Network = Network {
    delay_ms: 20.0,
    jitter_ms: 0.5,
    loss: 0.0,
    drift_ppm: 0.0,
};

/// What was heard, and the counts at each minute.
struct Heard {
    sound: Vec<f32>,
    minutes: Vec<AudioReceiveStats>,
    /// Packets that the network lost.
    lost: u64,
}

impl Heard {
    fn last(&self) -> AudioReceiveStats {
        self.minutes[self.minutes.len() - 1]
    }

    /// Mean time in the buffer in milliseconds in this minute.
    fn delay_ms(&self, minute: usize) -> f64 {
        let (from, to) = (self.minutes[minute - 1], self.minutes[minute]);
        (to.jitter_buffer_delay_seconds - from.jitter_buffer_delay_seconds) * 1000.0
            / (to.emitted_samples - from.emitted_samples) as f64
    }

    fn concealed(&self) -> f64 {
        let stats = self.last();
        stats.concealed_samples as f64 / stats.total_samples_played as f64
    }
}

fn random(seed: &mut u32) -> f64 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    f64::from(*seed >> 8) / 16_777_216.0
}

/// Speech, encoded for this loss.
fn packets(expected_loss_percent: u8) -> Vec<bytes::Bytes> {
    let mut encoder = Encoder::new().unwrap();
    encoder.set_expected_loss(expected_loss_percent).unwrap();
    let speech = speech(NEAR, 10);
    let frames = speech.as_chunks::<FRAME_SAMPLES>().0;
    let packet = |frame: &[f32; FRAME_SAMPLES]| encoder.encode(frame).unwrap().into();
    frames.iter().map(packet).collect()
}

/// A voice without pauses.
fn hum() -> Vec<bytes::Bytes> {
    let mut encoder = Encoder::new().unwrap();
    let packet = |number: usize| {
        let frame = std::array::from_fn(|n| {
            let time = (number * FRAME_SAMPLES + n) as f32 / 48_000.0;
            let syllable = 0.6 + 0.4 * (time * std::f32::consts::TAU * 3.0).sin();
            let voice: f32 = (1..10)
                .map(|harmonic| {
                    (time * std::f32::consts::TAU * 150.0 * harmonic as f32).sin() / harmonic as f32
                })
                .sum();
            0.2 * syllable * voice
        });
        encoder.encode(&frame).unwrap().into()
    };
    (0..100).map(packet).collect()
}

/// Plays speech through networks, each for so many minutes.
fn play(phases: &[(Network, usize)]) -> Heard {
    let loss_percent = phases[0].0.loss * 100.0;
    carry(&packets(loss_percent as u8), phases)
}

fn carry(packets: &[bytes::Bytes], phases: &[(Network, usize)]) -> Heard {
    let (receiver, mut speaker_stream) = SpeakerStream::new();
    let (start, mut seed) = (Instant::now(), 11);
    let at = |ms: f64| start + Duration::from_secs_f64(ms / 1000.0);
    let mut under_way: Vec<(f64, u32)> = Vec::new();
    let mut heard = Heard {
        sound: Vec::new(),
        minutes: vec![AudioReceiveStats::default()],
        lost: 0,
    };
    let (mut sent, mut now, mut next_send) = (0_u32, 0.0, 0.0);
    for &(network, minutes) in phases {
        for block in 0..minutes * 6_000 {
            now += 10.0;
            while next_send <= now {
                let late = network.jitter_ms * (2.0 * random(&mut seed) - 1.0);
                if random(&mut seed) >= network.loss {
                    under_way.push((next_send + network.delay_ms + late, sent));
                } else {
                    heard.lost += 1;
                }
                sent += 1;
                next_send += 20.0 / (1.0 + network.drift_ppm * 1e-6);
            }
            under_way.sort_by(|a, b| a.0.total_cmp(&b.0));
            let arrived = under_way.partition_point(|(arrival, _)| *arrival <= now);
            for (arrival, number) in under_way.drain(..arrived) {
                receiver.push(RtpPacket {
                    sequence: number as u16,
                    timestamp: number.wrapping_mul(960),
                    marker: false,
                    payload: packets[number as usize % packets.len()].clone(),
                    arrived_at: at(arrival),
                });
            }
            let mut mix = [0.0; 480];
            assert!(speaker_stream.mix_into(&mut mix, at(now)));
            if heard.minutes.len() == 1 {
                heard.sound.extend(mix);
            }
            if (block + 1) % 6_000 == 0 {
                heard.minutes.push(receiver.stats());
            }
        }
    }
    heard
}

#[test]
fn ten_minutes_of_jitter_loss_and_drift_are_heard_whole_at_a_steady_delay() {
    for drift_ppm in [-100.0, 100.0] {
        let network = Network {
            delay_ms: 50.0,
            jitter_ms: 20.0,
            loss: 0.02,
            drift_ppm,
        };
        let heard = play(&[(network, 10)]);
        let (early, late) = (heard.delay_ms(2), heard.delay_ms(10));
        println!(
            "NETWORK {drift_ppm} ppm: {early:.0} ms in the buffer, then {late:.0}; {:.2} % concealed; {:?}",
            heard.concealed() * 100.0,
            heard.last()
        );
        assert!((early - late).abs() < 10.0 && late < 60.0, "{early} {late}");
        // Of 2 % that are lost, what FEC does not carry.
        assert!(heard.concealed() < 0.022, "{}", heard.concealed());
        let lost = heard.last().packets_lost as f64 / 30_000.0;
        assert!(lost < 0.025, "{lost}");
    }
}

#[test]
fn drift_alone_is_absorbed_by_stretching_without_any_concealment() {
    for drift_ppm in [-100.0, 100.0] {
        let heard = play(&[(Network { drift_ppm, ..CLEAN }, 10)]);
        let stats = heard.last();
        let late = heard.delay_ms(10);
        println!(
            "NETWORK {drift_ppm} ppm, clean: {late:.0} ms, removed {}, inserted {}",
            stats.removed_samples, stats.inserted_samples
        );
        assert_eq!((stats.concealed_samples, stats.packets_lost), (0, 0));
        // 100 ppm of nine minutes are 2,592 samples; the first shorten the delay.
        let (least, most) = if drift_ppm > 0.0 {
            (stats.removed_samples, stats.inserted_samples)
        } else {
            (stats.inserted_samples, stats.removed_samples)
        };
        assert!((1_500..6_000).contains(&least) && most < 2_400, "{stats:?}");
        assert!(late < 40.0, "{late} ms");
    }
}

#[test]
fn on_a_clean_network_the_target_is_at_most_40_ms_and_sound_waits_no_longer() {
    let heard = play(&[(CLEAN, 2)]);
    let stats = heard.last();
    let late = heard.delay_ms(2);
    println!(
        "NETWORK clean: {late:.0} ms, target {} ms",
        stats.target_delay_ms
    );
    assert!(
        stats.target_delay_ms <= 40.0 && late <= 40.0,
        "{late} {stats:?}"
    );
    assert_eq!(stats.concealed_samples, 0);
}

#[test]
fn where_packets_are_lost_sound_waits_for_those_that_carry_them() {
    let lossy = Network { loss: 0.1, ..CLEAN };
    let heard = play(&[(lossy, 3)]);
    let stats = heard.last();
    println!(
        "NETWORK 10 % loss: {:.0} ms, {:.2} % concealed, {:.2} % from FEC",
        heard.delay_ms(3),
        heard.concealed() * 100.0,
        stats.fec_samples as f64 / stats.total_samples_played as f64 * 100.0
    );
    // Of two lost in a row the first cannot be carried: 1 %. One packet in ten carries none.
    assert!(heard.concealed() < 0.03, "{}", heard.concealed());
    assert!(heard.delay_ms(3) < 60.0);
}

/// The share of W3C: `concealedSamples / totalSamplesReceived`.
#[test]
fn without_fec_the_concealed_share_is_the_share_of_the_sound_that_was_lost() {
    // A voice without pauses, by an encoder that expects no loss.
    let lossy = Network { loss: 0.1, ..CLEAN };
    let heard = carry(&hum(), &[(lossy, 3)]);
    let stats = heard.last();
    assert_eq!(stats.total_samples_played, 3 * 60 * 48_000);
    assert_eq!(stats.fec_samples, 0);
    let lost = (heard.lost * 960) as f64 / stats.total_samples_played as f64;
    assert!((0.09..0.11).contains(&lost), "{lost}");
    let concealed = heard.concealed();
    println!("NETWORK without FEC: {lost:.4} lost, {concealed:.4} concealed");
    assert!((concealed - lost).abs() < 0.003, "{concealed} of {lost}");
}

#[test]
fn a_network_that_becomes_worse_is_followed_within_seconds_and_one_that_calms_down_too() {
    let worse = Network {
        jitter_ms: 40.0,
        delay_ms: 60.0,
        ..CLEAN
    };
    let heard = play(&[(CLEAN, 1), (worse, 1), (CLEAN, 1)]);
    let concealed = |minute: usize| {
        heard.minutes[minute].concealed_samples - heard.minutes[minute - 1].concealed_samples
    };
    println!(
        "NETWORK worse: {:.0} ms, {:.0} ms, {:.0} ms; concealed {} {} {}",
        heard.delay_ms(1),
        heard.delay_ms(2),
        heard.delay_ms(3),
        concealed(1),
        concealed(2),
        concealed(3)
    );
    assert_eq!(heard.minutes[1].concealed_samples, 0);
    // Half a second at the most, when it begins.
    assert!(concealed(2) < 24_000, "{}", concealed(2));
    assert!(concealed(3) < 5_000, "{}", concealed(3));
    assert!(heard.minutes[3].target_delay_ms <= 40.0);
    assert!(heard.delay_ms(3) < 45.0, "{}", heard.delay_ms(3));
}

#[test]
fn stretching_makes_no_gap_and_no_click() {
    let fast = Network {
        drift_ppm: 400.0,
        ..CLEAN
    };
    let heard = carry(&hum(), &[(fast, 1)]);
    assert!(heard.last().removed_samples > 480);
    let settled = &heard.sound[48_000..];
    // The voice goes on: no 10 ms are silent.
    let quietest = settled
        .chunks_exact(480)
        .map(|block| Level::of(block).rms)
        .fold(1.0, f32::min);
    assert!(quietest > 0.02, "{quietest}");
    let plain = carry(&hum(), &[(CLEAN, 1)]);
    let steepest = |sound: &[f32]| {
        let steps = sound.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        steps.fold(0.0, f32::max)
    };
    let (stretched, plain) = (steepest(settled), steepest(&plain.sound[48_000..]));
    assert!(stretched < plain * 1.5, "{stretched} against {plain}");
}

/// How alike the loudness of what is said and of what is heard are in 40 s, in steps of
/// 20 ms, where they fit best.
fn envelope_correlation(heard: &Heard) -> f32 {
    const STEP: usize = 960;
    let envelope = |sound: &[f32]| -> Vec<f32> {
        let steps: Vec<f32> = sound.chunks_exact(STEP).map(rms).collect();
        let mean = steps.iter().sum::<f32>() / steps.len() as f32;
        steps.iter().map(|step| step - mean).collect()
    };
    let said: Vec<f32> = speech(NEAR, 10).repeat(6);
    let window = 10 * 48_000..50 * 48_000;
    let said = envelope(&said[window.clone()]);
    let alike = |late: usize| {
        let late = late * STEP / 8;
        let heard = envelope(&heard.sound[window.start + late..window.end + late]);
        correlation(&said, &heard)
    };
    // Up to 240 ms.
    (0..96).map(alike).fold(0.0, f32::max)
}

#[test]
fn loudness_is_kept_on_a_clean_network_and_where_a_tenth_is_lost() {
    let lossy = Network { loss: 0.1, ..CLEAN };
    for (network, least) in [(CLEAN, 0.97), (lossy, 0.93)] {
        let alike = envelope_correlation(&play(&[(network, 1)]));
        println!(
            "NETWORK {} % loss: envelope correlation {alike:.3}",
            network.loss * 100.0
        );
        assert!(alike >= least, "{alike} at {}", network.loss);
    }
}

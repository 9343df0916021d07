//! Speech through rooms and noise.

mod cost;

use crate::audio::signals::{
    FAR, NEAR, Random, Room, correlation, decibels, lag, pink, rms, si_sdr, speech,
};

use super::*;
use crate::audio::FRAME_SAMPLES;

const SECOND: usize = 48_000;

const ECHO: SoundProcessing = SoundProcessing {
    echo_cancellation: true,
    ..SoundProcessing::OFF
};

/// What comes of a microphone's sound while a speaker plays `far`.
fn process(far: &[f32], microphone: &[f32], settings: SoundProcessing) -> Vec<f32> {
    let mut processor = Processor::new();
    let (mut writer, reader) = echo_reference();
    processor.set_reference(reader);
    let mut output = microphone.to_vec();
    let frames = output.as_chunks_mut::<FRAME_SAMPLES>().0;
    for (frame, far) in frames.iter_mut().zip(far.as_chunks::<FRAME_SAMPLES>().0) {
        for block in far.as_chunks::<BLOCK_SAMPLES>().0 {
            writer.push(&block.map(|sample| [sample; 2]), true);
        }
        processor.process(frame, settings, false);
    }
    assert_eq!(processor.take_panics(), 0);
    output
}

fn add(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// A microphone's own noise, −75 dBFS.
fn hiss(samples: usize) -> Vec<f32> {
    let mut random = Random(3);
    (0..samples).map(|_| random.next() * 0.0003).collect()
}

/// How much quieter the echo becomes, in dB, after 12 s of convergence.
fn echo_reduction(room: Room) -> f32 {
    let far = speech(FAR, 24);
    let echo = room.echo(&far);
    let output = process(&far, &add(&echo, &hiss(echo.len())), ECHO);
    let end = 12 * SECOND..24 * SECOND;
    decibels(rms(&echo[end.clone()]) / rms(&output[end]))
}

#[test]
fn the_echo_of_a_room_is_at_least_25_db_quieter_at_any_delay() {
    for delay_ms in [40, 150, 600] {
        let room = Room {
            delay_ms,
            is_nonlinear: false,
            drift_ppm: 0.0,
        };
        let reduction = echo_reduction(room);
        println!("ECHO {delay_ms} ms: {reduction:.1} dB");
        assert!(reduction >= 25.0, "{delay_ms} ms: {reduction:.1} dB");
    }
}

#[test]
fn the_echo_of_an_overdriven_speaker_is_at_least_25_db_quieter() {
    let reduction = echo_reduction(Room {
        delay_ms: 60,
        is_nonlinear: true,
        drift_ppm: 0.0,
    });
    println!("ECHO nonlinear: {reduction:.1} dB");
    assert!(reduction >= 25.0, "{reduction:.1} dB");
}

#[test]
fn the_echo_is_at_least_25_db_quieter_while_the_clocks_of_both_devices_drift_apart() {
    for drift_ppm in [-100.0, 100.0] {
        let reduction = echo_reduction(Room {
            delay_ms: 60,
            is_nonlinear: false,
            drift_ppm,
        });
        println!("ECHO {drift_ppm} ppm: {reduction:.1} dB");
        assert!(reduction >= 25.0, "{drift_ppm} ppm: {reduction:.1} dB");
    }
}

#[test]
fn near_speech_passes_alone_and_is_kept_when_both_speak() {
    let (far, near) = (speech(FAR, 24), speech(NEAR, 24));
    let room = Room {
        delay_ms: 60,
        is_nonlinear: false,
        drift_ppm: 0.0,
    };
    let echo = room.echo(&far);
    let likeness = |far: &[f32], microphone: &[f32]| {
        let output = process(far, microphone, ECHO);
        let end = 12 * SECOND..23 * SECOND;
        let lag = lag(&near[end.clone()], &output[end.start..]);
        let output = &output[end.start + lag..end.end + lag];
        let near = &near[end];
        (correlation(near, output), decibels(rms(output) / rms(near)))
    };
    let silence = vec![0.0; far.len()];
    let alone = likeness(&silence, &add(&near, &hiss(near.len())));
    println!(
        "NEAR alone: correlation {:.3}, level {:.1} dB",
        alone.0, alone.1
    );
    assert!(alone.0 >= 0.95 && alone.1.abs() < 1.0, "{alone:?}");
    // The far end speaks alone for 10 s first.
    let late_near: Vec<f32> = near
        .iter()
        .enumerate()
        .map(|(n, sample)| if n < 10 * SECOND { 0.0 } else { *sample })
        .collect();
    let both = likeness(&far, &add(&late_near, &echo));
    println!(
        "NEAR both: correlation {:.3}, level {:.1} dB",
        both.0, both.1
    );
    assert!(both.0 >= 0.6 && both.1 > -6.0, "{both:?}");
}

#[test]
fn all_stages_together_delay_by_less_than_20_ms() {
    let near = speech(NEAR, 6);
    let silence = vec![0.0; near.len()];
    let delays = [ECHO, SoundProcessing::default()].map(|settings| {
        let output = process(&silence, &add(&near, &hiss(near.len())), settings);
        lag(&near[SECOND..], &output[SECOND..])
    });
    println!("DELAY in samples: echo {}, all {}", delays[0], delays[1]);
    assert!(delays[1] < 960, "{delays:?}");
}

#[test]
fn the_delay_that_is_reported_is_that_of_the_sound() {
    let near = speech(NEAR, 6);
    let noise_only = SoundProcessing {
        noise_suppression: true,
        ..SoundProcessing::OFF
    };
    for settings in [
        SoundProcessing::OFF,
        ECHO,
        noise_only,
        SoundProcessing::default(),
    ] {
        let mut processor = Processor::new();
        let (mut writer, reader) = echo_reference();
        processor.set_reference(reader);
        let mut output = near.clone();
        for frame in output.chunks_exact_mut(FRAME_SAMPLES) {
            (0..2).for_each(|_| writer.push(&[[0.0; 2]; BLOCK_SAMPLES], true));
            processor.process(frame, settings, false);
        }
        let lag = lag(&near[SECOND..], &output[SECOND..]);
        let reported = (processor.delay().as_secs_f64() * 48_000.0) as usize;
        println!("DELAY {lag} samples, reported {reported}");
        assert!(lag.abs_diff(reported) < 144, "{lag}, reported {reported}");
    }
}

#[test]
fn without_a_playout_nothing_is_cancelled_and_no_sample_changes() {
    let near = speech(NEAR, 3);
    let mut processor = Processor::new();
    let mut output = near.clone();
    output
        .chunks_exact_mut(FRAME_SAMPLES)
        .for_each(|frame| processor.process(frame, ECHO, false));
    assert_eq!(output, near);
    // Nor where the playout plays at no device.
    let (mut writer, reader) = echo_reference();
    processor.set_reference(reader);
    for frame in output.chunks_exact_mut(FRAME_SAMPLES) {
        writer.push(&[[0.3; 2]; BLOCK_SAMPLES], false);
        processor.process(frame, ECHO, false);
    }
    assert_eq!(output, near);
}

#[test]
fn music_passes_untouched_with_all_stages_off() {
    let (far, music) = (speech(FAR, 4), pink(4 * SECOND, 0.2));
    assert_eq!(process(&far, &music, SoundProcessing::OFF), music);
}

#[test]
fn noise_10_db_below_speech_is_suppressed_by_at_least_3_db() {
    let clean = speech(NEAR, 20);
    let noise = pink(clean.len(), rms(&clean) * 0.316);
    let noisy = add(&clean, &noise);
    let settings = SoundProcessing {
        noise_suppression: true,
        ..SoundProcessing::OFF
    };
    let output = process(&vec![0.0; clean.len()], &noisy, settings);
    let lag = lag(&clean, &output);
    let (range, aligned) = (2 * SECOND..19 * SECOND, 2 * SECOND + lag..19 * SECOND + lag);
    let before = si_sdr(&clean[range.clone()], &noisy[range.clone()]);
    let after = si_sdr(&clean[range], &output[aligned]);
    println!("NOISE SI-SDR {before:.1} dB, then {after:.1} dB, delay {lag} samples");
    assert!(after >= before + 3.0, "{before:.1} dB, then {after:.1} dB");
}

#[test]
fn gain_brings_quiet_speech_up_and_never_clips() {
    let settings = SoundProcessing {
        auto_gain: true,
        ..SoundProcessing::OFF
    };
    let speech = speech(NEAR, 24);
    let silence = vec![0.0; speech.len()];
    let end = 14 * SECOND..24 * SECOND;
    for (level_db, wanted) in [(-20.0, 8.0..19.0), (0.0, -2.0..9.0), (12.0, -12.0..0.0)] {
        let gain = 10_f32.powf(level_db / 20.0);
        let spoken: Vec<f32> = speech
            .iter()
            .map(|sample| (sample * gain).clamp(-1.0, 1.0))
            .collect();
        let output = process(&silence, &spoken, settings);
        let raised = decibels(rms(&output[end.clone()]) / rms(&spoken[end.clone()]));
        let peak = output
            .iter()
            .fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        println!(
            "GAIN {:.0} dBFS: {raised:+.1} dB, peak {peak:.2}",
            level_db - 23.0
        );
        assert!(wanted.contains(&raised), "{level_db}: {raised:.1} dB");
        assert!(peak <= 1.0, "{peak}");
    }
}

#[test]
fn silence_stays_silent_with_all_stages_on() {
    let silence = vec![0.0; 10 * SECOND];
    let output = process(&silence, &silence, SoundProcessing::default());
    let loudest = output
        .iter()
        .fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    assert!(loudest < 0.0005, "{loudest}");
}

#[test]
fn echo_through_the_whole_chain_is_at_least_35_db_quieter() {
    let far = speech(FAR, 24);
    let room = Room {
        delay_ms: 250,
        is_nonlinear: true,
        drift_ppm: 100.0,
    };
    let echo = room.echo(&far);
    let microphone = add(&echo, &hiss(echo.len()));
    let output = process(&far, &microphone, SoundProcessing::default());
    let end = 12 * SECOND..24 * SECOND;
    let reduction = decibels(rms(&echo[end.clone()]) / rms(&output[end]));
    println!("ECHO whole chain: {reduction:.1} dB");
    assert!(reduction >= 35.0, "{reduction:.1} dB");
}

#[test]
fn stages_are_switched_while_somebody_speaks_without_a_click() {
    let near = speech(NEAR, 12);
    let mut processor = Processor::new();
    let (mut writer, reader) = echo_reference();
    processor.set_reference(reader);
    let mut output = near.clone();
    for (n, frame) in output.chunks_exact_mut(FRAME_SAMPLES).enumerate() {
        let switches = n / 15;
        let settings = SoundProcessing {
            echo_cancellation: switches & 1 != 0,
            noise_suppression: switches & 2 != 0,
            auto_gain: switches & 4 != 0,
        };
        for _ in 0..2 {
            writer.push(&[[0.0; 2]; BLOCK_SAMPLES], true);
        }
        processor.process(frame, settings, false);
    }
    let steepest = |sound: &[f32]| {
        let steps = sound.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        steps.fold(0.0, f32::max)
    };
    // The gain control raises it by 3 dB at first.
    let (switched, plain) = (steepest(&output), steepest(&near));
    println!("SWITCH steepest step {switched:.3}, of the speech {plain:.3}");
    assert!(switched < plain * 1.5, "{switched} against {plain}");
    // Stages delay by up to 15 ms: a gap is silence after 30 ms of speech.
    let blocks = |sound: &[f32]| -> Vec<f32> { sound.chunks_exact(480).map(rms).collect() };
    let (near, output) = (blocks(&near), blocks(&output));
    let gaps = near.windows(3).zip(&output[2..]);
    let gaps = gaps.filter(|(near, output)| near.iter().all(|rms| *rms > 0.05) && **output < 0.005);
    assert_eq!(gaps.count(), 0);
}

#[test]
fn keystrokes_are_suppressed() {
    let clean = speech(NEAR, 20);
    let mut random = Random(5);
    let mut keys: Vec<f32> = (0..clean.len())
        .map(|n| {
            let into = n % 9_600;
            random.next() * (-(into as f32) / 400.0).exp()
        })
        .collect();
    let gain = rms(&clean) * 0.562 / rms(&keys);
    keys.iter_mut().for_each(|sample| *sample *= gain);
    let noisy = add(&clean, &keys);
    let settings = SoundProcessing {
        noise_suppression: true,
        ..SoundProcessing::OFF
    };
    let output = process(&vec![0.0; clean.len()], &noisy, settings);
    let lag = lag(&clean, &output);
    let (range, aligned) = (2 * SECOND..19 * SECOND, 2 * SECOND + lag..19 * SECOND + lag);
    let before = si_sdr(&clean[range.clone()], &noisy[range.clone()]);
    let after = si_sdr(&clean[range], &output[aligned]);
    println!("NOISE keys SI-SDR {before:.1} dB, then {after:.1} dB");
    assert!(after >= before + 3.0, "{before:.1} dB, then {after:.1} dB");
}

#[test]
fn speech_is_voice_and_noise_and_silence_are_not() {
    let share = |sound: &[f32]| {
        let mut activity = VoiceActivity::new();
        let frames = sound.chunks_exact(FRAME_SAMPLES);
        let count = frames.len();
        let active = frames.filter(|frame| activity.hear(frame)).count();
        active as f32 / count as f32
    };
    let speech = speech(NEAR, 12);
    let noisy = add(&speech, &pink(speech.len(), rms(&speech) * 0.316));
    let keys: Vec<f32> = {
        let mut random = Random(5);
        let key = |n: usize| if n % 9_600 < 300 { 0.3 } else { 0.0 };
        (0..12 * SECOND).map(|n| random.next() * key(n)).collect()
    };
    let found = [
        share(&speech),
        share(&noisy),
        share(&pink(12 * SECOND, 0.02)),
        share(&keys),
        share(&vec![0.0; SECOND]),
    ];
    println!("VOICE speech, at 10 dB, pink noise, keys, silence: {found:.2?}");
    assert!(found[0] > 0.85 && found[1] > 0.8, "{found:?}");
    assert!(
        found[2] < 0.05 && found[3] < 0.1 && found[4] == 0.0,
        "{found:?}"
    );
}

#[test]
fn quiet_speech_is_voice_and_loud_noise_is_not() {
    let share = |sound: &[f32]| {
        let mut activity = VoiceActivity::new();
        let frames = sound.chunks_exact(FRAME_SAMPLES);
        let count = frames.len();
        let active = frames.filter(|frame| activity.hear(frame)).count();
        active as f32 / count as f32
    };
    // −48 and −26 dBFS.
    let quiet: Vec<f32> = speech(NEAR, 12)
        .iter()
        .map(|sample| sample * 10_f32.powf(-25.0 / 20.0))
        .collect();
    let mut random = Random(3);
    let white: Vec<f32> = (0..12 * SECOND).map(|_| random.next() * 0.087).collect();
    let found = [
        share(&quiet),
        share(&pink(12 * SECOND, 0.05)),
        share(&white),
    ];
    println!("VOICE quiet speech, loud pink noise, loud white noise: {found:.2?}");
    assert!(found[0] > 0.8, "{found:?}");
    assert!(found[1] < 0.05 && found[2] < 0.05, "{found:?}");
}

#[test]
fn voice_ends_400_ms_into_a_pause_that_is_not_looked_at() {
    let mut activity = VoiceActivity::new();
    for frame in speech(NEAR, 3).chunks_exact(FRAME_SAMPLES) {
        activity.hear(frame);
    }
    let still = (0..100)
        .take_while(|_| activity.pause(BLOCK_SAMPLES))
        .count();
    assert!((1..=40).contains(&still), "{still} blocks of 10 ms");
}

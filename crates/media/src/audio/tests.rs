//! The whole way of the sound, without a device.

use std::f32::consts::TAU;
use std::time::{Duration, Instant};

use crate::audio::goertzel::power;
use crate::audio::{
    AudioCaptureState, AudioReceiver, AudioSender, FRAME_SAMPLES, Playout, PlayoutState,
};
use crate::codec::opus::{Decoder, Encoder, MAX_PACKET_BYTES, packet_samples};
use crate::device::DeviceError;
use crate::packet::{EncodedAudio, RtpPacket};
use crate::queue::Queue;
use crate::source::{AudioSink, AudioSource};

const LIMIT: Duration = Duration::from_secs(60);

/// Polls until `condition` gives something.
fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn encode(sound: &[f32], expected_loss_percent: u8) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new().unwrap();
    encoder.set_expected_loss(expected_loss_percent).unwrap();
    sound
        .as_chunks::<FRAME_SAMPLES>()
        .0
        .iter()
        .map(|frame| encoder.encode(frame).unwrap())
        .collect()
}

#[test]
fn a_tone_comes_through_opus_at_its_frequency_and_loudness() {
    let tone: Vec<f32> = (0..96_000)
        .map(|n| 0.5 * (n as f32 * 440.0 * TAU / 48_000.0).sin())
        .collect();
    let packets = encode(&tone, 0);
    assert!(
        packets
            .iter()
            .all(|packet| packet_samples(packet) == Some(960))
    );
    let (mut decoder, mut sound) = (Decoder::new(), Vec::new());
    for packet in &packets {
        assert_eq!(decoder.decode(packet, &mut sound).unwrap(), 960);
    }
    let settled = &sound[24_000..72_000];
    assert!((power(settled, 440.0) - 0.125).abs() < 0.03 && power(settled, 880.0) < 0.001);
    let bytes: usize = packets.iter().map(Vec::len).sum();
    assert!((4_000..12_000).contains(&bytes), "{bytes} bytes in 2 s");
}

#[test]
fn a_stereo_packet_from_elsewhere_is_decoded_to_mono() {
    let mut encoder = opusic_c::Encoder::new(
        opusic_c::Channels::Stereo,
        opusic_c::SampleRate::Hz48000,
        opusic_c::Application::Audio,
    )
    .unwrap();
    let (mut decoder, mut sound) = (Decoder::new(), Vec::new());
    for frame in 0..50 {
        let stereo: Vec<f32> = (0..960)
            .flat_map(|n| [0.4 * ((frame * 960 + n) as f32 * 440.0 * TAU / 48_000.0).sin(); 2])
            .collect();
        let mut packet = Vec::with_capacity(1_275);
        encoder.encode_float_to_vec(&stereo, &mut packet).unwrap();
        assert_eq!(decoder.decode(&packet, &mut sound).unwrap(), 960);
    }
    assert!(power(&sound[9_600..38_400], 440.0) > 0.05);
}

/// Correlation of the loudness of two sounds, in steps of 10 ms.
fn envelope_correlation(a: &[f32], b: &[f32]) -> f32 {
    let envelope = |sound: &[f32]| -> Vec<f32> {
        sound
            .chunks_exact(480)
            .map(|step| crate::audio::Level::of(step).rms)
            .collect()
    };
    let (a, b) = (envelope(a), envelope(b));
    let count = a.len().min(b.len());
    let mean = |values: &[f32]| values[..count].iter().sum::<f32>() / count as f32;
    let (mean_a, mean_b) = (mean(&a), mean(&b));
    let sum = |x: &[f32], mean_x: f32, y: &[f32], mean_y: f32| {
        (0..count)
            .map(|n| (x[n] - mean_x) * (y[n] - mean_y))
            .sum::<f32>()
    };
    sum(&a, mean_a, &b, mean_b) / (sum(&a, mean_a, &a, mean_a) * sum(&b, mean_b, &b, mean_b)).sqrt()
}

#[test]
fn fec_mends_ten_percent_loss_better_than_concealment() {
    // Like speech: a voiced buzz whose loudness changes at every syllable of 60 ms.
    let mut noise = 1_u32;
    let mut random = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 16) as f32 / 65_536.0
    };
    let mut loudness = 0.0;
    let speech: Vec<f32> = (0..480_000)
        .map(|n| {
            if n % 2_880 == 0 {
                loudness = 0.5 * random().powi(2);
            }
            let turn = n as f32 * 140.0 * TAU / 48_000.0;
            loudness
                * (1..12)
                    .map(|harmonic| (turn * harmonic as f32).sin() / harmonic as f32)
                    .sum::<f32>()
                / 2.0
        })
        .collect();
    let packets = encode(&speech, 10);
    let lost: Vec<bool> = packets.iter().map(|_| random() < 0.1).collect();
    let hear = |fec: bool| {
        let (mut decoder, mut sound) = (Decoder::new(), Vec::new());
        for (n, packet) in packets.iter().enumerate() {
            match (
                lost[n],
                packets
                    .get(n + 1)
                    .filter(|_| fec && lost.get(n + 1) == Some(&false)),
            ) {
                (false, _) => decoder.decode(packet, &mut sound),
                (true, Some(following)) => decoder.recover(following, 960, &mut sound),
                (true, None) => decoder.conceal(960, &mut sound),
            }
            .unwrap();
        }
        // Opus delays by 6.5 ms.
        envelope_correlation(&speech, &sound[312..])
    };
    let (with, without) = (hear(true), hear(false));
    println!("envelope correlation at 10 % loss: {with:.3} with FEC, {without:.3} without");
    assert!(
        with > without + 0.01 && with > 0.9,
        "{with} against {without}"
    );
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_an_opus_packet_or_an_error(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..1_500), samples in 1_usize..48) {
        let (mut decoder, mut sound) = (Decoder::new(), Vec::new());
        if let Ok(decoded) = decoder.decode(&bytes, &mut sound) {
            proptest::prop_assert_eq!(Some(decoded as u32), packet_samples(&bytes));
        }
        let _ = decoder.recover(&bytes, samples * 120, &mut sound);
        proptest::prop_assert!(sound.iter().all(|sample| sample.is_finite()));
    }
}

#[test]
fn an_empty_and_an_endless_packet_are_errors() {
    let (mut decoder, mut sound) = (Decoder::new(), Vec::new());
    for bytes in [vec![], vec![0x78; MAX_PACKET_BYTES + 1]] {
        assert!(
            decoder.decode(&bytes, &mut sound).is_err()
                && decoder.recover(&bytes, 960, &mut sound).is_err()
        );
        assert_eq!(packet_samples(&bytes), None);
    }
}

/// Carries packets to a receiver as a network without faults would.
struct Wire {
    queue: Queue<EncodedAudio>,
    sequence: u16,
}

impl Wire {
    fn new(sender: &AudioSender) -> Self {
        Self {
            queue: sender.subscribe(),
            sequence: 65_500,
        }
    }

    fn carry(&mut self, receiver: &AudioReceiver) {
        while let Some(sound) = self.queue.try_next() {
            receiver.push(RtpPacket {
                sequence: self.sequence,
                timestamp: sound.timestamp,
                marker: false,
                payload: sound.data,
                arrived_at: Instant::now(),
            });
            self.sequence = self.sequence.wrapping_add(1);
        }
    }
}

#[test]
fn two_people_are_mixed_into_a_file_that_can_be_read_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mix.wav");
    let playout = Playout::new();
    playout.set_sink(AudioSink::Wav(path.clone()));
    let mut people: Vec<_> = [440.0, 1_000.0]
        .map(|hertz| {
            let sender = AudioSender::new();
            sender.set_source(AudioSource::Tone(hertz));
            let wire = Wire::new(&sender);
            (sender, wire, playout.add())
        })
        .into();
    // Each reads the file as it would be after the process was killed.
    let heard = |people: &mut [(AudioSender, Wire, AudioReceiver)], loud: &[f32], quiet: f32| {
        wait_for(&format!("{loud:?} in the file, not {quiet}"), || {
            people
                .iter_mut()
                .for_each(|(_, wire, receiver)| wire.carry(receiver));
            let sound = hound::WavReader::open(&path).ok()?.into_samples::<i16>();
            let sound: Vec<_> = sound.map(|n| f32::from(n.unwrap()) / 32_768.0).collect();
            let last = sound.last_chunk::<24_000>()?;
            let is_so = loud.iter().all(|&hertz| power(last, hertz) > 0.004);
            (is_so && power(last, quiet) < 0.0001).then_some(())
        });
    };
    heard(&mut people, &[440.0, 1_000.0], 700.0);
    assert_eq!(playout.state().get(), Some(PlayoutState::Live));
    for (sender, _, receiver) in &people {
        let (sent, stats) = (sender.stats(), receiver.stats());
        assert!(sent.frames_encoded >= stats.packets_received, "{sent:?}");
        assert!(
            stats.packets_lost == 0 && stats.total_energy > 0.001,
            "{stats:?}"
        );
    }
    let (_, wire, receiver) = &mut people[1];
    wait_for("the level of what is played", || {
        wire.carry(receiver);
        ((receiver.level().rms - 0.07).abs() < 0.02).then_some(())
    });
    // Who leaves is heard no more.
    people.pop();
    heard(&mut people, &[440.0], 1_000.0);
    let played = people[0].2.stats().total_samples_played;
    drop(playout);
    let reader = hound::WavReader::open(&path).unwrap();
    assert!(
        u64::from(reader.duration()) >= played,
        "the file is whole when the playout is gone"
    );
}

#[test]
fn one_encoding_serves_all_and_none_is_made_for_nobody_or_when_muted() {
    let sender = AudioSender::new();
    sender.set_source(AudioSource::Tone(440.0));
    let captured = |more: u64| {
        let until = sender.stats().frames_captured + more;
        wait_for("frames", || {
            (sender.stats().frames_captured >= until).then_some(())
        });
    };
    captured(5);
    assert_eq!(sender.stats().frames_encoded, 0);
    let (mut first, mut second) = (sender.subscribe(), sender.subscribe());
    captured(5);
    sender.set_muted(true);
    captured(2);
    while let Some(sound) = first.try_next() {
        assert_eq!(
            second.try_next().map(|other| other.timestamp),
            Some(sound.timestamp)
        );
    }
    let encoded = sender.stats().frames_encoded;
    captured(10);
    assert_eq!(
        (sender.stats().frames_encoded, first.try_next().is_none()),
        (encoded, true)
    );
    assert!(
        sender.level().get().is_some_and(|level| level.rms > 0.05),
        "the level is measured before mute"
    );
    sender.set_muted(false);
    wait_for("sound after mute", || first.try_next());
    drop((first, second));
    captured(2);
    let encoded = sender.stats().frames_encoded;
    captured(5);
    assert_eq!(sender.stats().frames_encoded, encoded);
}

#[test]
fn a_source_that_cannot_be_used_says_why_and_another_takes_its_place() {
    let sender = AudioSender::new();
    let mut queue = sender.subscribe();
    assert_eq!(sender.state().get(), Some(AudioCaptureState::Off));
    sender.set_source(AudioSource::Wav("no such file.wav".into()));
    wait_for("the reason", || {
        matches!(
            sender.state().get(),
            Some(AudioCaptureState::Failed(DeviceError::File { .. }))
        )
        .then_some(())
    });
    sender.set_source(AudioSource::Tone(440.0));
    wait_for("sound", || queue.try_next());
    assert_eq!(sender.state().get(), Some(AudioCaptureState::Live));
    sender.set_source(AudioSource::None);
    wait_for("the end", || {
        (sender.state().get() == Some(AudioCaptureState::Off)).then_some(())
    });
    drop(sender);
    while queue.try_next().is_some() {}
}

#[test]
fn a_sink_that_cannot_be_written_says_why_and_people_are_heard_out_all_the_same() {
    let playout = Playout::new();
    let receiver = playout.add();
    playout.set_sink(AudioSink::Wav("/no such folder/a.wav".into()));
    wait_for("the reason", || {
        matches!(
            playout.state().get(),
            Some(PlayoutState::Failed(DeviceError::File { .. }))
        )
        .then_some(())
    });
    let before = receiver.stats().total_samples_played;
    wait_for("the clock to go on", || {
        (receiver.stats().total_samples_played > before + 4_800).then_some(())
    });
}

#[test]
fn loss_and_garbage_from_the_network_leave_the_sound_going() {
    let playout = Playout::new();
    let receiver = playout.add();
    let sender = AudioSender::new();
    sender.set_expected_loss(20);
    sender.set_source(AudioSource::Tone(440.0));
    let mut queue = sender.subscribe();
    let mut sequence = 1_u16;
    wait_for("two seconds, and the sound mended", || {
        while let Some(sound) = queue.try_next() {
            let packet = RtpPacket {
                sequence,
                timestamp: sound.timestamp,
                marker: false,
                payload: sound.data,
                arrived_at: Instant::now(),
            };
            if !sequence.is_multiple_of(5) {
                receiver.push(packet.clone());
            }
            receiver.push(RtpPacket {
                payload: bytes::Bytes::from_static(b"\x00"),
                sequence: sequence.wrapping_mul(7_919).wrapping_add(20_000),
                ..packet.clone()
            });
            receiver.push(RtpPacket {
                payload: bytes::Bytes::new(),
                ..packet
            });
            sequence += 1;
        }
        let stats = receiver.stats();
        let is_mended =
            stats.packets_lost > 5 && stats.fec_samples > 0 && stats.fec_packets_used > 0;
        assert!(
            stats.fec_packets_used <= stats.fec_packets_received,
            "{stats:?}"
        );
        (sequence > 100 && is_mended && receiver.level().rms > 0.03).then_some(())
    });
}

/// A WAV file of 2 s of noise as loud as speech with syllables, then 3 s of silence.
fn write_speech_and_silence(path: &std::path::Path) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..5 * 48_000 {
        let time = n as f32 / 48_000.0;
        let syllable = (time * 5.0 * TAU).sin().max(0.0);
        let buzz: f32 = (1..12)
            .map(|harmonic| (time * 130.0 * TAU * harmonic as f32).sin() / harmonic as f32)
            .sum();
        let loudness = if n < 2 * 48_000 { 0.3 } else { 0.0 };
        writer
            .write_sample((loudness * syllable * buzz * 16_000.0) as i16)
            .unwrap();
    }
    writer.finalize().unwrap();
}

#[test]
fn with_dtx_a_pause_costs_a_packet_every_400_ms_and_without_it_all_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("speech.wav");
    write_speech_and_silence(&path);
    let count = |dtx: bool| {
        let sender = AudioSender::new();
        sender.set_dtx(dtx);
        sender.set_source(AudioSource::Wav(path.clone()));
        let mut queue = sender.subscribe();
        let mut sent = Vec::new();
        // All of the file: 250 frames.
        wait_for("five seconds", || {
            while let Some(packet) = queue.try_next() {
                sent.push(packet);
            }
            (sender.stats().frames_captured >= 245).then_some(())
        });
        sent
    };
    let all = count(false);
    assert!(all.len() > 235, "{}", all.len());
    let sent = count(true);
    // 100 of the speech, 20 until the encoder pauses, and 2 every 400 ms.
    assert!((100..150).contains(&sent.len()), "{}", sent.len());
    let gaps: Vec<u32> = sent
        .windows(2)
        .map(|pair| pair[1].timestamp.wrapping_sub(pair[0].timestamp) / 48)
        .collect();
    let longest = gaps.iter().max().unwrap();
    assert!((380..=440).contains(longest), "{longest} ms");
    // A receiver hears no loss in the pauses.
    let spoken = sent.iter().take(95);
    assert!(spoken.clone().all(|packet| packet.data.len() > 2));
}

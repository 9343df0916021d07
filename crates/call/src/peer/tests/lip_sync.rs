//! Sound and video of a real pair, at presentation.

use std::time::{Duration, Instant};

use visavis_media::codec::opus::Decoder;
use visavis_media::{AudioSource, VideoCodec};

use super::super::*;
use super::pair::*;
use crate::lip_sync::{INTERVAL, ParticipantSync};

const CLICK: f32 = 0.3;
const CLICKS: usize = 8;
/// From the sound of an Opus packet's beginning to that of its input.
const OPUS_DELAY: Duration = Duration::from_micros(6_500);
/// From the mix to the speaker, as of a Bluetooth headset.
const SPEAKER_DELAY: Duration = Duration::from_millis(150);

/// Writes a click each 500 ms.
fn write_clicks(file: &std::path::Path) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(file, spec).unwrap();
    for n in 0..48_000 {
        let turn = n as f32 * std::f32::consts::TAU / 48.0;
        let loud = if n % 24_000 < 960 { 0.8 } else { 0.0 };
        wav.write_sample((loud * turn.sin() * 32_767.0) as i16)
            .unwrap();
    }
    wav.finalize().unwrap();
}

/// Whether this is a new beginning, 300 ms after the last.
fn is_onset(onsets: &[Instant], at: Instant) -> bool {
    let last = onsets.last();
    last.is_none_or(|last| at.saturating_duration_since(*last) > Duration::from_millis(300))
}

/// Runs the sync of `b` while clicks are heard. By how much its video comes later than its
/// sound, from capture to presentation.
async fn skew_ms(a: &Side, b: &Side, sync: &mut ParticipantSync) -> f64 {
    let sources = [TrackSource::Microphone, TrackSource::Camera];
    let receivers: HashMap<_, _> = sources
        .into_iter()
        .map(|source| (source, b.receiver(source).unwrap()))
        .collect();
    let Receiver::Audio(sound) = receivers[&TrackSource::Microphone].clone() else {
        panic!("no sound")
    };
    let (mut queue, mut decoder) = (a.media.audio.subscribe(), Decoder::new());
    let (mut captured, mut played) = (Vec::new(), Vec::new());
    let (before, mut next) = (b.video().delay, Instant::now());
    let end = Instant::now() + LIMIT;
    while played.len() < CLICKS {
        let now = Instant::now();
        assert!(now < end, "{captured:?} {played:?}");
        if now >= next {
            next = now + INTERVAL;
            sync.update(now, &receivers, &b.handle.reports, Some(SPEAKER_DELAY));
        }
        while let Some(packet) = queue.try_next() {
            let mut samples = Vec::new();
            decoder.decode(&packet.data, &mut samples).unwrap();
            if let Some(n) = samples.iter().position(|sample| sample.abs() > CLICK) {
                let into = Duration::from_secs_f64(n as f64 / 48_000.0);
                let at = packet.captured_at + into - OPUS_DELAY;
                if is_onset(&captured, at) {
                    captured.push(at);
                }
            }
        }
        if sound.level().peak > CLICK && is_onset(&played, now) {
            played.push(now);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let delay = |played: &Instant| {
        let click = captured.iter().rev().find(|captured| *captured < played)?;
        Some((*played - *click).as_secs_f64() * 1_000.0)
    };
    let mut delays: Vec<f64> = played.iter().filter_map(delay).collect();
    delays.sort_by(f64::total_cmp);
    let audio = delays[delays.len() / 2] + SPEAKER_DELAY.as_secs_f64() * 1_000.0;
    let video = b.video().delay.since(&before).percentile(0.5).unwrap();
    eprintln!("sound {audio:.0} ms, video {video} ms from capture to presentation");
    f64::from(video) - audio
}

#[tokio::test]
async fn sound_and_video_of_a_pair_are_presented_within_40_ms_of_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clicks.wav");
    write_clicks(&file);
    let (a, b) = call(VideoCodec::Vp8).await;
    a.media.audio.set_source(AudioSource::Wav(file));
    let Some(Receiver::Audio(sound)) = b.receiver(TrackSource::Microphone) else {
        panic!("no sound")
    };
    wait_until(|| sound.level().peak > CLICK, || "no click".into()).await;
    let mut sync = ParticipantSync::default();
    // Until the delays have settled.
    skew_ms(&a, &b, &mut sync).await;
    let skew = skew_ms(&a, &b, &mut sync).await;
    assert!(skew.abs() <= 40.0, "{skew:.0} ms");
    // The video waits for the sound.
    let Some(Receiver::Video(video)) = b.receiver(TrackSource::Camera) else {
        panic!("no video")
    };
    let delay = video.timing().unwrap().delay;
    assert!(
        delay > SPEAKER_DELAY - Duration::from_millis(30),
        "{delay:?}"
    );
    a.end().await;
    b.end().await;
}

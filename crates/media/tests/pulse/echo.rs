//! The echo of a real speaker in a real microphone.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use visavis_media::audio::{
    AudioCaptureState, AudioSender, Playout, PlayoutState, SoundProcessing,
};
use visavis_media::codec::opus::Decoder;
use visavis_media::{AudioSink, AudioSource, EncodedAudio, Queue};

use crate::harness::*;

const SENTENCE: &str = "The quick brown fox jumps over the lazy dog. She sells sea shells by \
                        the sea shore, and every shell she sells is a real one.";

fn speak(folder: &Path) -> Option<PathBuf> {
    let path = folder.join("speech.wav");
    let spoke = Command::new("espeak-ng")
        .arg("-w")
        .arg(&path)
        .arg(SENTENCE)
        .status();
    spoke.is_ok_and(|status| status.success()).then_some(path)
}

/// Mean power of what a subscriber hears in so much time.
fn power_heard(queue: &mut Queue<EncodedAudio>, time: Duration) -> f64 {
    let (mut decoder, mut sound) = (Decoder::new(), Vec::new());
    while queue.try_next().is_some() {}
    let start = Instant::now();
    while start.elapsed() < time {
        let packet = wait_for("a packet", || queue.try_next());
        decoder.decode(&packet.data, &mut sound).unwrap();
    }
    let energy: f64 = sound.iter().map(|sample| f64::from(sample * sample)).sum();
    energy / sound.len() as f64
}

#[test]
fn a_speaker_that_the_microphone_hears_is_not_sent_back() {
    let name = "echo::a_speaker_that_the_microphone_hears_is_not_sent_back";
    let Some(folder) = folder(name) else { return };
    let _server = start_server(&folder);
    let Some(speech) = speak(&folder) else {
        println!("espeak-ng is not installed: not tested");
        return;
    };
    let looped = "source=spk.monitor sink=micsink latency_msec=40";
    let arguments = looped.split(' ').collect::<Vec<_>>();
    assert!(pactl(
        &[&["load-module", "module-loopback"], &arguments[..]].concat()
    ));
    let (playout, sender) = (Playout::new(), AudioSender::new());
    playout.set_sink(AudioSink::DefaultSpeaker);
    wait_for_playout(&playout, &PlayoutState::Live);
    sender.cancel_echo_of(&playout);
    sender.set_source(AudioSource::DefaultMicrophone);
    wait_for_capture(&sender, &AudioCaptureState::Live);
    let far = Speaker::speaks(&playout, AudioSource::Wav(speech));
    far.sender.set_muted(false);
    let mut queue = sender.subscribe();
    wait_for("the echo", || {
        sender.level().get().filter(|level| level.rms > 0.02)
    });
    let echo = power_heard(&mut queue, Duration::from_secs(10));
    sender.set_processing(SoundProcessing {
        echo_cancellation: true,
        ..SoundProcessing::OFF
    });
    // Until it has converged.
    let mut reduction = 0.0;
    for _ in 0..4 {
        let rest = power_heard(&mut queue, Duration::from_secs(10));
        reduction = 10.0 * (echo / rest).log10();
        println!("ECHO {reduction:.1} dB quieter");
        if reduction > 30.0 {
            break;
        }
    }
    assert!(reduction > 30.0, "{reduction:.1} dB");
    assert_eq!(sender.stats().processing_panics, 0);
    drop(playout);
    far.leave();
}

//! The whole way of the sound, and what becomes of it as devices come and go.

use std::path::Path;
use std::time::Instant;

use visavis_media::audio::{AudioCaptureState, AudioSender, Playout, PlayoutState};
use visavis_media::{AudioSink, AudioSource, DeviceError, DeviceInfo};

use crate::harness::*;

#[test]
fn sound_goes_out_of_a_real_speaker_and_comes_in_at_a_real_microphone() {
    let name = "whole::sound_goes_out_of_a_real_speaker_and_comes_in_at_a_real_microphone";
    let Some(folder) = folder(name) else { return };
    let mut server = start_server(&folder);

    let (microphones, speakers) = visavis_media::audio::device::list();
    let ids = |devices: &[DeviceInfo]| {
        devices
            .iter()
            .map(|device| (device.id.clone(), device.is_default))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids(&microphones),
        [("pulseaudio:mic".to_owned(), true)],
        "monitors are no microphones"
    );
    assert!(
        ids(&speakers).contains(&("pulseaudio:spk".to_owned(), true)),
        "{speakers:?}"
    );

    let playout = Playout::new();
    playout.set_sink(AudioSink::DefaultSpeaker);
    wait_for_playout(&playout, &PlayoutState::Live);
    let speaker = Speaker::new(&playout, 440.0);
    wait_for("the tone to begin", || {
        (speaker.sender.stats().frames_captured > 50).then_some(())
    });
    let ear = Ear::on("spk.monitor");
    let spoken_at = Instant::now();
    speaker.sender.set_muted(false);
    let heard_at = wait_for("the tone at the speaker", || ear.loud_at());
    println!(
        "LATENCY tone source to speaker's monitor, jitter buffer and recorder included: {:?}",
        heard_at - spoken_at
    );
    wait_for("the tone and nothing else", || {
        ear.hears_only(440.0).then_some(())
    });

    let microphone = AudioSender::new();
    let mut queue = microphone.subscribe();
    microphone.set_source(AudioSource::DefaultMicrophone);
    wait_for_capture(&microphone, &AudioCaptureState::Live);
    let song = write_tone(&folder, 1_000.0);
    let paplay = start("paplay", &["--device=micsink", song.to_str().unwrap()]);
    wait_for("the song at the microphone", || {
        microphone.level().get().filter(|level| level.rms > 0.1)
    });
    let sound = listen(&mut queue);
    assert!(
        power(&sound[12_000..], 1_000.0) > 0.05 && power(&sound[12_000..], 1_500.0) < 0.001,
        "{}",
        power(&sound[12_000..], 1_000.0)
    );
    drop(paplay);
    wait_for("silence", || {
        microphone.level().get().filter(|level| level.rms < 0.01)
    });

    // The same tone out of one device and into the other: two devices' latency.
    let loop_out = Playout::new();
    loop_out.set_sink(AudioSink::Speaker("pulseaudio:micsink".into()));
    wait_for_playout(&loop_out, &PlayoutState::Live);
    let other = Speaker::new(&loop_out, 700.0);
    wait_for("the other tone to begin", || {
        (other.sender.stats().frames_captured > 50).then_some(())
    });
    let spoken_at = Instant::now();
    other.sender.set_muted(false);
    wait_for("the tone at the microphone", || {
        microphone.level().get().filter(|level| level.rms > 0.03)
    });
    println!(
        "LATENCY tone source, jitter buffer, speaker, microphone, level: {:?}",
        spoken_at.elapsed()
    );
    assert_eq!(microphone.stats().overrun_samples, 0);
    other.leave();
    drop(loop_out);

    // The speaker test, left then right.
    speaker.sender.set_muted(true);
    wait_for("silence", || (ear.power(0, 440.0) < 1e-6).then_some(()));
    playout.play_test_tone();
    wait_for("the left", || {
        (ear.power(0, 440.0) > 0.01 && ear.power(1, 440.0) < 1e-4).then_some(())
    });
    wait_for("the right", || {
        (ear.power(1, 440.0) > 0.01 && ear.power(0, 440.0) < 1e-4).then_some(())
    });
    wait_for("the end", || (ear.power(1, 440.0) < 1e-6).then_some(()));
    speaker.sender.set_muted(false);

    // Another default: the sound moves there.
    assert!(
        pactl(&["load-module", "module-null-sink", "sink_name=headset"])
            && pactl(&["set-default-sink", "headset"])
    );
    let headset = Ear::on("headset.monitor");
    wait_for("the tone at the new default", || {
        headset.hears_only(440.0).then_some(())
    });

    // The server dies: that is said, people are pulled all the same, and with
    // the next server the devices are there again.
    server.0.kill().unwrap();
    wait_for_playout(&playout, &PlayoutState::Failed(DeviceError::Lost));
    wait_for_capture(&microphone, &AudioCaptureState::Failed(DeviceError::Lost));
    let played = speaker.samples_played();
    wait_for("the clock to go on", || {
        (speaker.samples_played() > played + 24_000).then_some(())
    });
    drop(server);
    let _server = start_server(&folder);
    wait_for_playout(&playout, &PlayoutState::Live);
    wait_for_capture(&microphone, &AudioCaptureState::Live);
    let ear = Ear::on("spk.monitor");
    wait_for("the tone again", || ear.hears_only(440.0).then_some(()));

    drop(playout);
    speaker.leave();
}

#[test]
fn without_a_sound_server_and_a_card_devices_are_absent_and_nothing_is_printed() {
    let Some(_) = std::env::var_os(FOLDER) else {
        let child = in_child(
            "whole::without_a_sound_server_and_a_card_devices_are_absent_and_nothing_is_printed",
        );
        let errors = String::from_utf8_lossy(&child.stderr);
        assert!(!errors.contains("ALSA"), "{errors}");
        return;
    };
    let (playout, sender) = (Playout::new(), AudioSender::new());
    playout.set_sink(AudioSink::DefaultSpeaker);
    sender.set_source(AudioSource::DefaultMicrophone);
    if Path::new("/dev/snd/controlC0").exists() {
        // There is a card: whatever becomes of it, something does.
        wait_for("an answer", || {
            sender
                .state()
                .get()
                .filter(|state| *state != AudioCaptureState::Starting)
        });
        return;
    }
    wait_for_playout(&playout, &PlayoutState::Failed(DeviceError::Absent));
    wait_for_capture(&sender, &AudioCaptureState::Failed(DeviceError::Absent));
    assert_eq!(
        visavis_media::audio::device::list(),
        (Vec::new(), Vec::new())
    );
}

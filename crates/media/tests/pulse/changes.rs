//! Devices and servers that come, go and change places.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use visavis_media::audio::device::list;
use visavis_media::audio::{AudioCaptureState, AudioSender, Playout, PlayoutState};
use visavis_media::{AudioSink, AudioSource, DeviceError};

use crate::harness::*;

/// As often as the desktop looks in ten minutes; the server takes 64 connections
/// in all.
const LOOKS: usize = 300;

/// Of the test itself, of the list, and of a microphone and a speaker.
const FEW: usize = 6;

fn capture(source: AudioSource) -> AudioSender {
    let sender = AudioSender::new();
    sender.set_source(source);
    wait_for_capture(&sender, &AudioCaptureState::Live);
    sender
}

fn lost() -> AudioCaptureState {
    AudioCaptureState::Failed(DeviceError::Lost)
}

#[test]
fn looking_for_devices_again_and_again_keeps_no_connection_to_the_server() {
    let name = "changes::looking_for_devices_again_and_again_keeps_no_connection_to_the_server";
    let Some(folder) = folder(name) else { return };
    let _server = start_server(&folder);
    let threads = || fs::read_dir("/proc/self/task").unwrap().count();
    list();
    let before = threads();
    for _ in 0..LOOKS {
        let (microphones, speakers) = list();
        assert!(!microphones.is_empty() && !speakers.is_empty());
    }
    assert!(connections() <= FEW, "{} connections", connections());
    assert!(threads() <= before + FEW, "{} threads", threads());
    // One that waits for a device tries each second.
    let sender = AudioSender::new();
    sender.set_source(AudioSource::Microphone("pulseaudio:later".into()));
    wait_for_capture(&sender, &AudioCaptureState::Failed(DeviceError::Absent));
    let before = Instant::now();
    wait_for("five attempts", || {
        (before.elapsed() > Duration::from_secs(5)).then_some(())
    });
    assert!(connections() <= FEW, "{} connections", connections());
    add_microphone("later", 48_000, 1, "later");
    wait_for_capture(&sender, &AudioCaptureState::Live);
}

#[test]
fn the_default_microphone_follows_the_systems_default() {
    let name = "changes::the_default_microphone_follows_the_systems_default";
    let Some(folder) = folder(name) else { return };
    let _server = start_server(&folder);
    add_microphone("headset", 44_100, 1, "headset");
    let sender = capture(AudioSource::DefaultMicrophone);
    let mut queue = sender.subscribe();
    let _first = play_tone(&folder, "micsink", 600.0);
    let _second = play_tone(&folder, "headset-far", 900.0);
    wait_for_tone(&mut queue, 600.0);
    assert!(pactl(&["set-default-source", "headset"]));
    wait_for_tone(&mut queue, 900.0);
    assert!(pactl(&["set-default-source", "mic"]));
    wait_for_tone(&mut queue, 600.0);
    assert_eq!(sender.state().get(), Some(AudioCaptureState::Live));
}

/// With the server's own moving of streams, as desktops have it, and without.
#[test]
fn a_chosen_microphone_that_goes_is_lost_and_no_other_is_heard_until_it_is_back() {
    let name =
        "changes::a_chosen_microphone_that_goes_is_lost_and_no_other_is_heard_until_it_is_back";
    let Some(folder) = folder(name) else { return };
    let _server = start_server(&folder);
    for rescued in [false, true] {
        if rescued {
            assert!(pactl(&["load-module", "module-rescue-streams"]));
        }
        add_microphone("headset", 48_000, 1, "headset");
        let sender = capture(AudioSource::Microphone("pulseaudio:headset".into()));
        let mut queue = sender.subscribe();
        let default = play_tone(&folder, "micsink", 600.0);
        let chosen = play_tone(&folder, "headset-far", 900.0);
        wait_for_tone(&mut queue, 900.0);
        drop(chosen);
        unload("headset");
        wait_for_capture(&sender, &lost());
        assert!(
            sender.level().get().is_none(),
            "no level of another microphone"
        );
        while queue.try_next().is_some() {}
        let before = Instant::now();
        wait_for("two attempts", || {
            (before.elapsed() > Duration::from_secs(2)).then_some(())
        });
        assert!(
            queue.try_next().is_none(),
            "nothing of another microphone is sent"
        );
        assert_eq!(sender.state().get(), Some(lost()));
        add_microphone("headset", 48_000, 1, "headset");
        let _chosen = play_tone(&folder, "headset-far", 900.0);
        wait_for_capture(&sender, &AudioCaptureState::Live);
        wait_for_tone(&mut queue, 900.0);
        drop(default);
        drop(sender);
        unload("headset");
        unload("headset-far");
    }
}

#[test]
fn a_chosen_speaker_that_goes_is_lost_and_plays_again_when_it_is_back() {
    let name = "changes::a_chosen_speaker_that_goes_is_lost_and_plays_again_when_it_is_back";
    let Some(folder) = folder(name) else { return };
    let _server = start_server(&folder);
    for rescued in [false, true] {
        if rescued {
            assert!(pactl(&["load-module", "module-rescue-streams"]));
        }
        add_sink("headset", 44_100, 2, "headset");
        let playout = Playout::new();
        playout.set_sink(AudioSink::Speaker("pulseaudio:headset".into()));
        wait_for_playout(&playout, &PlayoutState::Live);
        let speaker = Speaker::new(&playout, 440.0);
        speaker.sender.set_muted(false);
        let ear = Ear::on("headset.monitor");
        wait_for("the tone", || ear.hears_only(440.0).then_some(()));
        let others = Ear::on("spk.monitor");
        unload("headset");
        wait_for_playout(&playout, &PlayoutState::Failed(DeviceError::Lost));
        wait_for("silence at the other speaker", || {
            (others.power(0, 440.0) < 1e-6).then_some(())
        });
        // The call goes on by a clock of its own.
        let played = speaker.samples_played();
        wait_for("the clock to go on", || {
            (speaker.samples_played() > played + 24_000).then_some(())
        });
        add_sink("headset", 44_100, 2, "headset");
        wait_for_playout(&playout, &PlayoutState::Live);
        let ear = Ear::on("headset.monitor");
        wait_for("the tone again", || ear.hears_only(440.0).then_some(()));
        drop(playout);
        speaker.leave();
        unload("headset");
    }
}

#[test]
fn without_its_last_microphone_the_default_is_lost_and_never_a_speakers_monitor() {
    let name =
        "changes::without_its_last_microphone_the_default_is_lost_and_never_a_speakers_monitor";
    let Some(folder) = folder(name) else { return };
    let _server = start_server(&folder);
    assert!(pactl(&["load-module", "module-rescue-streams"]));
    let sender = capture(AudioSource::DefaultMicrophone);
    let mut queue = sender.subscribe();
    let _music = play_tone(&folder, "spk", 600.0);
    unload("mic");
    wait_for_capture(&sender, &lost());
    while queue.try_next().is_some() {}
    let before = Instant::now();
    wait_for("two attempts", || {
        (before.elapsed() > Duration::from_secs(2)).then_some(())
    });
    assert!(
        queue.try_next().is_none(),
        "what the speaker plays is not sent"
    );
    add_microphone("headset", 48_000, 1, "headset");
    let _speech = play_tone(&folder, "headset-far", 900.0);
    wait_for_capture(&sender, &AudioCaptureState::Live);
    wait_for_tone(&mut queue, 900.0);
}

/// Seconds of processor time of this process.
fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    let ticks: f64 = [11, 12]
        .iter()
        .map(|&at| fields[at].parse::<f64>().unwrap())
        .sum();
    ticks / 100.0
}

#[test]
fn a_server_that_is_restarted_is_waited_for_in_peace_and_alsa_does_not_take_its_place() {
    let name = "changes::a_server_that_is_restarted_is_waited_for_in_peace_and_alsa_does_not_take_its_place";
    let Some(folder) = folder(name) else { return };
    // A default of ALSA's that opens without the server, as a card does.
    fs::write(folder.join(".asoundrc"), "pcm.!default { type null }\n").unwrap();
    let mut server = start_server(&folder);
    let sender = capture(AudioSource::DefaultMicrophone);
    let mut queue = sender.subscribe();
    let playout = Playout::new();
    playout.set_sink(AudioSink::DefaultSpeaker);
    wait_for_playout(&playout, &PlayoutState::Live);
    let speaker = Speaker::new(&playout, 440.0);
    speaker.sender.set_muted(false);
    for _ in 0..2 {
        server.0.kill().unwrap();
        server.0.wait().unwrap();
        wait_for_capture(&sender, &lost());
        wait_for_playout(&playout, &PlayoutState::Failed(DeviceError::Lost));
        let (threads, used) = (
            fs::read_dir("/proc/self/task").unwrap().count(),
            processor_seconds(),
        );
        let (played, before) = (speaker.samples_played(), Instant::now());
        wait_for("three seconds of the clock", || {
            (speaker.samples_played() > played + 3 * 48_000).then_some(())
        });
        let used = processor_seconds() - used;
        println!("{used:.2} s of processor time in {:?}", before.elapsed());
        assert!(used < before.elapsed().as_secs_f64() * 0.5, "no busy loop");
        let now = fs::read_dir("/proc/self/task").unwrap().count();
        assert!(now <= threads + 2, "{threads} threads became {now}");
        assert_eq!(sender.state().get(), Some(lost()));
        assert_eq!(
            list(),
            (Vec::new(), Vec::new()),
            "nothing of ALSA's is listed"
        );

        server = start_server(&folder);
        let up = Instant::now();
        wait_for_capture(&sender, &AudioCaptureState::Live);
        wait_for_playout(&playout, &PlayoutState::Live);
        println!("both devices are back after {:?}", up.elapsed());
        assert!(up.elapsed() < Duration::from_secs(10));
        let ear = Ear::on("spk.monitor");
        wait_for("the tone again", || ear.hears_only(440.0).then_some(()));
        let song = play_tone(&folder, "micsink", 900.0);
        wait_for_tone(&mut queue, 900.0);
        drop(song);
    }
    drop(playout);
    speaker.leave();
}

#[test]
fn a_server_that_hangs_is_lost_and_back_when_it_answers_again() {
    let name = "changes::a_server_that_hangs_is_lost_and_back_when_it_answers_again";
    let Some(folder) = folder(name) else { return };
    let server = start_server(&folder);
    let sender = capture(AudioSource::DefaultMicrophone);
    let mut queue = sender.subscribe();
    let playout = Playout::new();
    playout.set_sink(AudioSink::DefaultSpeaker);
    wait_for_playout(&playout, &PlayoutState::Live);
    signal(&server, "STOP");
    wait_for_capture(&sender, &lost());
    wait_for_playout(&playout, &PlayoutState::Failed(DeviceError::Lost));
    let before = Instant::now();
    assert_eq!(list(), (Vec::new(), Vec::new()));
    assert!(
        before.elapsed() < Duration::from_secs(20),
        "the list does not wait for it"
    );
    signal(&server, "CONT");
    wait_for_capture(&sender, &AudioCaptureState::Live);
    wait_for_playout(&playout, &PlayoutState::Live);
    let _song = play_tone(&folder, "micsink", 900.0);
    wait_for_tone(&mut queue, 900.0);
}

fn signal(server: &Ends, name: &str) {
    let pid = server.0.id().to_string();
    let sent = Command::new("kill").args(["-s", name, &pid]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_microphone_that_is_suspended_is_a_fault_and_live_when_it_goes_on() {
    let name = "changes::a_microphone_that_is_suspended_is_a_fault_and_live_when_it_goes_on";
    let Some(folder) = folder(name) else { return };
    let _server = start_server(&folder);
    let failed = |reason: &str| AudioCaptureState::Failed(DeviceError::Failed(reason.into()));
    let sender = capture(AudioSource::DefaultMicrophone);
    let mut queue = sender.subscribe();
    let _song = play_tone(&folder, "micsink", 900.0);
    wait_for_tone(&mut queue, 900.0);
    assert!(pactl(&["suspend-source", "mic", "1"]));
    wait_for_capture(&sender, &failed("it gives no sound"));
    wait_for_capture(&sender, &failed("it does not open"));
    // One that is chosen while it is suspended.
    let other = AudioSender::new();
    other.set_source(AudioSource::Microphone("pulseaudio:mic".into()));
    wait_for_capture(&other, &failed("it does not open"));
    assert!(pactl(&["suspend-source", "mic", "0"]));
    wait_for_capture(&sender, &AudioCaptureState::Live);
    wait_for_capture(&other, &AudioCaptureState::Live);
    wait_for_tone(&mut queue, 900.0);
}

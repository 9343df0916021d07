//! Devices of any rate, number of channels and name.

use visavis_media::audio::device::list;
use visavis_media::audio::{AudioCaptureState, AudioSender, Playout, PlayoutState};
use visavis_media::{AudioSink, AudioSource, DeviceInfo};

use crate::harness::*;

/// Rate, channels, and a name as people give them.
const DEVICES: [(u32, u32, &str); 4] = [
    (8_000, 1, "Casque téléphone 8 kHz"),
    (44_100, 2, "会議室のスピーカー"),
    (48_000, 8, "سماعة الاجتماعات 🎧"),
    (96_000, 2, "Микрофон «Студия»"),
];

fn names(devices: &[DeviceInfo]) -> Vec<&str> {
    devices.iter().map(|device| device.name.as_str()).collect()
}

fn id_of(devices: &[DeviceInfo], name: &str) -> String {
    let found = devices.iter().find(|device| device.name == name);
    found
        .unwrap_or_else(|| panic!("{name} is not in {:?}", names(devices)))
        .id
        .clone()
}

#[test]
fn a_microphone_of_any_rate_channels_and_name_gives_the_tone_that_it_hears() {
    let name = "formats::a_microphone_of_any_rate_channels_and_name_gives_the_tone_that_it_hears";
    let Some(folder) = folder(name) else { return };
    let _server = start_server(&folder);
    for (number, (hertz, channels, name)) in DEVICES.into_iter().enumerate() {
        add_microphone(&format!("m{number}"), hertz, channels, name);
    }
    let sender = AudioSender::new();
    let mut queue = sender.subscribe();
    for (number, (_, _, name)) in DEVICES.into_iter().enumerate() {
        let (microphones, _) = list();
        sender.set_source(AudioSource::Microphone(id_of(&microphones, name)));
        wait_for_capture(&sender, &AudioCaptureState::Live);
        let hertz = 500.0 + 100.0 * number as f32;
        let song = play_tone(&folder, &format!("m{number}-far"), hertz);
        println!("{name}");
        wait_for_tone(&mut queue, hertz);
        drop(song);
    }
    assert_eq!(sender.stats().overrun_samples, 0);
}

#[test]
fn a_speaker_of_any_rate_channels_and_name_plays_the_tone_that_is_sent() {
    let name = "formats::a_speaker_of_any_rate_channels_and_name_plays_the_tone_that_is_sent";
    let Some(folder) = folder(name) else { return };
    let _server = start_server(&folder);
    for (number, (hertz, channels, name)) in DEVICES.into_iter().enumerate() {
        add_sink(&format!("s{number}"), hertz, channels, name);
    }
    let playout = Playout::new();
    let speaker = Speaker::new(&playout, 440.0);
    speaker.sender.set_muted(false);
    for (number, (_, _, name)) in DEVICES.into_iter().enumerate() {
        let (_, speakers) = list();
        playout.set_sink(AudioSink::Speaker(id_of(&speakers, name)));
        wait_for_playout(&playout, &PlayoutState::Live);
        let ear = Ear::on(&format!("s{number}.monitor"));
        println!("{name}");
        // A tone of -20 dBFS: half of its amplitude's square is 0.005.
        wait_for("the tone at its loudness", || {
            let sides = [0, 1].map(|side| ear.power(side, 440.0));
            let loud = sides.iter().all(|power| (0.0025..0.01).contains(power));
            (loud && ear.hears_only(440.0)).then_some(())
        });
    }
    drop(playout);
    speaker.leave();
}

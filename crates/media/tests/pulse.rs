//! Sound through a real sound server: PulseAudio with null sinks, so that no
//! sound card is needed. Each test runs itself again as a child with the
//! server's address in its environment, which is the process's alone.
#![cfg(target_os = "linux")]
// The allowance for tests in clippy.toml does not reach their helper functions.
#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use visavis_media::audio::{AudioCaptureState, AudioSender, Playout, PlayoutState};
use visavis_media::codec::opus::Decoder;
use visavis_media::{
    AudioSink, AudioSource, DeviceError, DeviceInfo, EncodedAudio, Queue, RtpPacket,
};

const LIMIT: Duration = Duration::from_secs(60);

/// Set in the child: the folder that the server lives in.
const FOLDER: &str = "VISAVIS_TEST_PULSE";

/// Runs a test again in a child whose sound server is in a folder of its own.
fn in_child(test: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder.path())
        .env("HOME", folder.path())
        .env("XDG_RUNTIME_DIR", folder.path())
        .env(
            "PULSE_SERVER",
            format!("unix:{}", socket(folder.path()).display()),
        )
        .output()
        .unwrap();
    println!(
        "{}{}",
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr)
    );
    let passed =
        child.status.success() && String::from_utf8_lossy(&child.stdout).contains("1 passed");
    assert!(passed, "{test} failed in its child: see above");
    child
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("pulse/native")
}

/// Polls until `condition` gives something.
fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A child process that ends with its owner, also when a test fails.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(program: &str, arguments: &[&str]) -> Ends {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    Ends(child.unwrap_or_else(|error| {
        panic!("{program}: {error}. `cargo xtask test` installs what the tests need")
    }))
}

fn start_server(folder: &Path) -> Ends {
    let modules = [
        "module-native-protocol-unix auth-anonymous=1",
        "module-null-sink sink_name=spk rate=48000 channels=2",
        "module-null-sink sink_name=micsink rate=48000 channels=1",
        "module-remap-source master=micsink.monitor source_name=mic",
        "module-always-sink",
    ];
    let mut arguments = vec![
        "-n",
        "--daemonize=no",
        "--exit-idle-time=-1",
        "--disallow-exit",
        "--log-level=error",
    ];
    arguments.extend(modules.iter().flat_map(|module| ["-L", module]));
    // A server that was killed leaves its socket behind.
    let _ = std::fs::remove_file(socket(folder));
    let server = start("pulseaudio", &arguments);
    wait_for("the sound server", || socket(folder).exists().then_some(()));
    wait_for("the sinks", || {
        pactl(&["set-default-sink", "spk"]).then_some(())
    });
    wait_for("the sources", || {
        pactl(&["set-default-source", "mic"]).then_some(())
    });
    server
}

fn pactl(arguments: &[&str]) -> bool {
    Command::new("pactl")
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

/// Hears a sink: the last second of stereo, and when a sound first was loud.
struct Ear {
    heard: Arc<Mutex<Heard>>,
    _recorder: Ends,
}

#[derive(Default)]
struct Heard {
    frames: VecDeque<[f32; 2]>,
    loud_at: Option<Instant>,
}

impl Ear {
    fn on(monitor: &str) -> Self {
        let mut recorder = start(
            "parec",
            &[
                "-d",
                monitor,
                "--raw",
                "--format=float32le",
                "--channels=2",
                "--rate=48000",
                "--latency-msec=10",
            ],
        );
        let mut stream = recorder.0.stdout.take().unwrap();
        let heard = Arc::<Mutex<Heard>>::default();
        let ours = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut bytes = [0; 480 * 8];
            while stream.read_exact(&mut bytes).is_ok() {
                let samples: Vec<f32> = bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|&bytes| f32::from_le_bytes(bytes))
                    .collect();
                let mut heard = ours.lock().unwrap();
                if heard.loud_at.is_none() && samples.iter().any(|sample| sample.abs() > 0.03) {
                    heard.loud_at = Some(Instant::now());
                }
                heard.frames.extend(samples.as_chunks::<2>().0);
                let excess = heard.frames.len().saturating_sub(48_000);
                heard.frames.drain(..excess);
            }
        });
        let ear = Self {
            heard,
            _recorder: recorder,
        };
        wait_for("the recorder", || {
            (!ear.heard.lock().unwrap().frames.is_empty()).then_some(())
        });
        ear
    }

    fn loud_at(&self) -> Option<Instant> {
        self.heard.lock().unwrap().loud_at
    }

    /// Power at a frequency in the last 400 ms of one side.
    fn power(&self, side: usize, hertz: f32) -> f32 {
        let heard = self.heard.lock().unwrap();
        let samples: Vec<f32> = heard
            .frames
            .iter()
            .rev()
            .take(19_200)
            .map(|frame| frame[side])
            .collect();
        power(&samples, hertz)
    }

    /// Whether that is (nearly) all that is heard.
    fn hears_only(&self, hertz: f32) -> bool {
        let enough = self.heard.lock().unwrap().frames.len() > 19_200;
        enough
            && [0, 1].iter().all(|&side| {
                self.power(side, hertz) > 0.003 && self.power(side, hertz * 1.5) < 0.0003
            })
    }
}

fn power(samples: &[f32], hertz: f32) -> f32 {
    let turn = hertz * std::f32::consts::TAU / 48_000.0;
    let (re, im) = samples
        .iter()
        .enumerate()
        .fold((0.0, 0.0), |(re, im), (n, sample)| {
            let (sin, cos) = (turn * n as f32).sin_cos();
            (re + sample * cos, im + sample * sin)
        });
    2.0 * (re * re + im * im) / (samples.len().max(1) as f32).powi(2)
}

/// A person who speaks a tone to a playout, over a network without faults.
struct Speaker {
    sender: AudioSender,
    carried: std::thread::JoinHandle<()>,
    stats: Arc<Mutex<u64>>,
}

impl Speaker {
    fn new(playout: &Playout, hertz: f32) -> Self {
        let (sender, receiver) = (AudioSender::new(), playout.add());
        sender.set_muted(true);
        sender.set_source(AudioSource::Tone(hertz));
        let mut queue = sender.subscribe();
        let stats = Arc::<Mutex<u64>>::default();
        let ours = Arc::clone(&stats);
        let carried = std::thread::spawn(move || {
            let mut sequence = 0_u16;
            // The last reference outside is the test's: then the test is over.
            while Arc::strong_count(&ours) > 1 {
                while let Some(sound) = queue.try_next() {
                    receiver.push(rtp(&sound, sequence));
                    sequence = sequence.wrapping_add(1);
                }
                *ours.lock().unwrap() = receiver.stats().total_samples_played;
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Self {
            sender,
            carried,
            stats,
        }
    }

    fn samples_played(&self) -> u64 {
        *self.stats.lock().unwrap()
    }

    fn leave(self) {
        drop(self.stats);
        self.carried.join().unwrap();
    }
}

fn rtp(sound: &EncodedAudio, sequence: u16) -> RtpPacket {
    RtpPacket {
        sequence,
        timestamp: sound.timestamp,
        marker: false,
        payload: sound.data.clone(),
        arrived_at: Instant::now(),
    }
}

fn wait_for_playout(playout: &Playout, wanted: &PlayoutState) {
    wait_for(&format!("{wanted:?}"), || {
        (playout.state().get().as_ref() == Some(wanted)).then_some(())
    });
}

fn wait_for_capture(sender: &AudioSender, wanted: &AudioCaptureState) {
    wait_for(&format!("{wanted:?}"), || {
        (sender.state().get().as_ref() == Some(wanted)).then_some(())
    });
}

/// What a subscriber hears in half a second.
fn listen(queue: &mut Queue<EncodedAudio>) -> Vec<f32> {
    let (mut decoder, mut sound) = (Decoder::new(), Vec::new());
    while sound.len() < 24_000 {
        let packet = wait_for("a packet", || queue.try_next());
        decoder.decode(&packet.data, &mut sound).unwrap();
    }
    sound
}

#[test]
fn sound_goes_out_of_a_real_speaker_and_comes_in_at_a_real_microphone() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        in_child("sound_goes_out_of_a_real_speaker_and_comes_in_at_a_real_microphone");
        return;
    };
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
        let child =
            in_child("without_a_sound_server_and_a_card_devices_are_absent_and_nothing_is_printed");
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

fn write_tone(folder: &Path, hertz: f32) -> PathBuf {
    let path = folder.join("song.wav");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 44_100,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    for n in 0..44_100 * 60 {
        let sample = (n as f32 * hertz * std::f32::consts::TAU / 44_100.0).sin() * 0.5;
        writer
            .write_sample((sample * f32::from(i16::MAX)) as i16)
            .unwrap();
    }
    writer.finalize().unwrap();
    path
}

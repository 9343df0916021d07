//! A sound server of a test's own, and what is heard of it.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use visavis_media::audio::{AudioCaptureState, AudioSender, Playout, PlayoutState};
use visavis_media::codec::opus::Decoder;
use visavis_media::{AudioSource, EncodedAudio, Latest, Queue, RtpPacket};

const LIMIT: Duration = Duration::from_secs(60);

/// Set in the child: the folder that the server lives in.
pub const FOLDER: &str = "VISAVIS_TEST_PULSE";

/// Runs a test again in a child whose sound server is in a folder of its own.
pub fn in_child(test: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--include-ignored"])
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

/// The folder of this child's server. In the parent runs the test again as a
/// child, and gives none.
pub fn folder(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(FOLDER).map(PathBuf::from);
    if folder.is_none() {
        in_child(test);
    }
    folder
}

pub fn socket(folder: &Path) -> PathBuf {
    folder.join("pulse/native")
}

/// Polls until `condition` gives something.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
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
pub struct Ends(pub Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn start(program: &str, arguments: &[&str]) -> Ends {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    Ends(child.unwrap_or_else(|error| {
        panic!("{program}: {error}. `cargo xtask test` installs what the tests need")
    }))
}

pub fn start_server(folder: &Path) -> Ends {
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

pub fn pactl(arguments: &[&str]) -> bool {
    Command::new("pactl")
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

/// A sink without a card, of this rate, number of channels and description.
pub fn add_sink(name: &str, hertz: u32, channels: u32, description: &str) {
    let loaded = pactl(&[
        "load-module",
        "module-null-sink",
        &format!("sink_name={name}"),
        &format!("rate={hertz}"),
        &format!("channels={channels}"),
        &format!("sink_properties=\"device.description='{description}'\""),
    ]);
    assert!(loaded, "the server makes the sink {name}");
}

/// A microphone of this rate and number of channels: what is played to the sink
/// `NAME-far` is heard by it.
pub fn add_microphone(name: &str, hertz: u32, channels: u32, description: &str) {
    let far = format!("{name}-far");
    add_sink(&far, hertz, channels, "far end");
    let loaded = pactl(&[
        "load-module",
        "module-remap-source",
        &format!("master={far}.monitor"),
        &format!("source_name={name}"),
        &format!("rate={hertz}"),
        &format!("channels={channels}"),
        "remix=no",
        &format!("source_properties=\"device.description='{description}'\""),
    ]);
    assert!(loaded, "the server makes the microphone {name}");
}

/// Takes away every module whose arguments name this.
pub fn unload(name: &str) {
    let output = Command::new("pactl")
        .args(["list", "short", "modules"])
        .output();
    let modules = String::from_utf8(output.unwrap().stdout).unwrap();
    let named = |line: &&str| line.split([' ', '\t', '=', '.']).any(|word| word == name);
    let indices: Vec<&str> = modules
        .lines()
        .filter(named)
        .filter_map(|line| line.split('\t').next())
        .collect();
    assert!(!indices.is_empty(), "no module names {name}: {modules}");
    for index in indices.iter().rev() {
        assert!(pactl(&["unload-module", index]));
    }
}

/// Connections to the server.
pub fn connections() -> usize {
    let output = Command::new("pactl")
        .args(["list", "short", "clients"])
        .output();
    String::from_utf8(output.unwrap().stdout)
        .unwrap()
        .lines()
        .count()
}

/// Plays a tone of amplitude 0.5 to a sink, until it is dropped.
pub fn play_tone(folder: &Path, sink: &str, hertz: f32) -> Ends {
    let song = write_tone(folder, hertz);
    start(
        "paplay",
        &[&format!("--device={sink}"), song.to_str().unwrap()],
    )
}

/// Waits until this tone comes from a microphone, at the loudness at which it is
/// played and alone.
pub fn wait_for_tone(queue: &mut Queue<EncodedAudio>, hertz: f32) {
    while queue.try_next().is_some() {}
    wait_for(&format!("a tone of {hertz} Hz at the microphone"), || {
        let sound = listen(queue);
        let settled = &sound[12_000..];
        let (tone, beside) = (power(settled, hertz), power(settled, hertz * 1.5));
        println!("{hertz} Hz: {tone:.4}, beside it {beside:.6}");
        // Half of its amplitude's square is 0.125: between -3 and +3 dB of it.
        ((0.0625..0.25).contains(&tone) && beside < 0.001).then_some(())
    });
}

/// Records a monitor as stereo of 32-bit floats at 48 kHz.
pub fn record(monitor: &str) -> (ChildStdout, Ends) {
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
    (recorder.0.stdout.take().unwrap(), recorder)
}

/// Hears a sink: the last second of stereo, and when a sound first was loud.
pub struct Ear {
    heard: Arc<Mutex<Heard>>,
    _recorder: Ends,
}

#[derive(Default)]
struct Heard {
    frames: VecDeque<[f32; 2]>,
    loud_at: Option<Instant>,
}

impl Ear {
    pub fn on(monitor: &str) -> Self {
        let (mut stream, recorder) = record(monitor);
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

    pub fn loud_at(&self) -> Option<Instant> {
        self.heard.lock().unwrap().loud_at
    }

    /// Power at a frequency in the last 400 ms of one side.
    pub fn power(&self, side: usize, hertz: f32) -> f32 {
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
    pub fn hears_only(&self, hertz: f32) -> bool {
        let enough = self.heard.lock().unwrap().frames.len() > 19_200;
        enough
            && [0, 1].iter().all(|&side| {
                self.power(side, hertz) > 0.003 && self.power(side, hertz * 1.5) < 0.0003
            })
    }
}

pub fn power(samples: &[f32], hertz: f32) -> f32 {
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

/// A person who speaks to a playout, muted at first, over a network without faults.
pub struct Speaker {
    pub sender: AudioSender,
    carried: std::thread::JoinHandle<()>,
    stats: Arc<Mutex<u64>>,
}

impl Speaker {
    pub fn new(playout: &Playout, hertz: f32) -> Self {
        Self::speaks(playout, AudioSource::Tone(hertz))
    }

    pub fn speaks(playout: &Playout, source: AudioSource) -> Self {
        let (sender, receiver) = (AudioSender::new(), playout.add());
        sender.set_muted(true);
        sender.set_source(source);
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

    pub fn samples_played(&self) -> u64 {
        *self.stats.lock().unwrap()
    }

    pub fn leave(self) {
        drop(self.stats);
        self.carried.join().unwrap();
    }
}

pub fn rtp(sound: &EncodedAudio, sequence: u16) -> RtpPacket {
    RtpPacket {
        sequence,
        timestamp: sound.timestamp,
        marker: false,
        payload: sound.data.clone(),
        arrived_at: Instant::now(),
    }
}

pub fn wait_for_playout(playout: &Playout, wanted: &PlayoutState) {
    wait_for_state(&playout.state(), wanted);
}

pub fn wait_for_capture(sender: &AudioSender, wanted: &AudioCaptureState) {
    wait_for_state(&sender.state(), wanted);
}

fn wait_for_state<T: Clone + PartialEq + Debug>(state: &Latest<T>, wanted: &T) {
    let mut last = None;
    wait_for(&format!("{wanted:?}"), || {
        let now = state.get();
        if now != last {
            println!("{now:?}, waiting for {wanted:?}");
            last.clone_from(&now);
        }
        (now.as_ref() == Some(wanted)).then_some(())
    });
}

/// What a subscriber hears in half a second.
pub fn listen(queue: &mut Queue<EncodedAudio>) -> Vec<f32> {
    let (mut decoder, mut sound) = (Decoder::new(), Vec::new());
    while sound.len() < 24_000 {
        let packet = wait_for("a packet", || queue.try_next());
        decoder.decode(&packet.data, &mut sound).unwrap();
    }
    sound
}

pub fn write_tone(folder: &Path, hertz: f32) -> PathBuf {
    let path = folder.join(format!("{hertz}.wav"));
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

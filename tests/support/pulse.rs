//! A PulseAudio daemon of its own: a sound card without hardware. What is
//! played into its microphone's far end is heard by whoever records; what is
//! played to its speaker is heard at the monitor.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::Process;
use crate::programs;
use crate::wait::wait_until;

const START_LIMIT: Duration = Duration::from_secs(20);
const COMMAND_LIMIT: Duration = Duration::from_secs(60);

const MODULES: [&str; 5] = [
    "module-native-protocol-unix auth-anonymous=1",
    "module-null-sink sink_name=speaker rate=48000 channels=2",
    "module-null-sink sink_name=mouth rate=48000 channels=1",
    "module-remap-source master=mouth.monitor source_name=microphone",
    "module-always-sink",
];

/// Where sound can be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In front of the microphone.
    Mouth,
    /// In front of the speaker.
    Ear,
}

impl Place {
    fn monitor(self) -> &'static str {
        match self {
            Self::Mouth => "mouth.monitor",
            Self::Ear => "speaker.monitor",
        }
    }
}

/// A running daemon. Its socket and settings are in a folder of its own.
pub struct SoundCard {
    name: String,
    folder: TempDir,
    daemon: Process,
}

impl SoundCard {
    /// Starts it and waits until its microphone and speaker are the system's.
    ///
    /// # Errors
    /// When it is not installed or does not come up.
    pub async fn start(name: &str) -> Result<Self> {
        // PulseAudio asks for a private runtime folder, which a new temporary one is.
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(programs::installed("pulseaudio")?);
        command
            .args([
                "-n",
                "--daemonize=no",
                "--exit-idle-time=-1",
                "--disallow-exit",
            ])
            .args(["--use-pid-file=no", "--log-target=stderr"])
            .args(MODULES.iter().flat_map(|module| ["-L", module]))
            .envs(home(folder.path()));
        let daemon = Process::start(&format!("{name}'s pulseaudio"), &mut command)?;
        let card = Self {
            name: name.to_owned(),
            folder,
            daemon,
        };
        wait_until("the sound card is there", START_LIMIT, async || {
            Ok(card.pactl(&["set-default-source", "microphone"]).await.ok())
        })
        .await?;
        card.pactl(&["set-default-sink", "speaker"]).await?;
        Ok(card)
    }

    /// What a program needs to use this card.
    pub fn environment(&self) -> [(String, String); 2] {
        home(self.folder.path())
    }

    /// Whether something records from the microphone, and something plays to
    /// the speaker.
    ///
    /// # Errors
    /// When the daemon does not tell.
    pub async fn in_use(&self) -> Result<bool> {
        let recorded = self.pactl(&["list", "short", "source-outputs"]).await?;
        let played = self.pactl(&["list", "short", "sink-inputs"]).await?;
        // A loopback is a stream of the daemon's own.
        let by_program = |streams: &str| streams.contains("protocol-native");
        Ok(by_program(&recorded) && by_program(&played))
    }

    /// Speaks a WAV file into the microphone, to its end.
    ///
    /// # Errors
    /// When the daemon does not take it.
    pub async fn speak(&self, file: &Path) -> Result<()> {
        let mut command = self.command("paplay")?;
        command.arg("--device=mouth").arg(file);
        let mut speaking = Process::start(&format!("{}'s paplay", self.name), &mut command)?;
        let status = speaking.wait(COMMAND_LIMIT).await?;
        ensure!(status.success(), "paplay ended with {status}");
        Ok(())
    }

    /// Speaks a WAV file into the microphone over and over, until this is dropped.
    ///
    /// # Errors
    /// When the player does not start.
    pub fn speak_on(&self, file: &Path) -> Result<Process> {
        // paplay plays a file once.
        let script = r#"while paplay --device=mouth "$1"; do :; done"#;
        let mut command = self.command("sh")?;
        command.args(["-c", script, "sh"]).arg(file);
        Process::start(&format!("{}'s paplay", self.name), &mut command)
    }

    /// Writes what is heard at a place to the standard output of a recorder, as single
    /// samples of 16 bits at 48 kHz, with as little delay as it can.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn listener(&self, place: Place) -> Result<Command> {
        let mut command = self.command("parec")?;
        command
            .arg(format!("--device={}", place.monitor()))
            .args(["--raw", "--format=s16le", "--rate=48000", "--channels=1"])
            .args(["--latency-msec=5", "--process-time-msec=5"]);
        Ok(command)
    }

    /// Records what the speaker plays into a WAV file, until it is stopped.
    ///
    /// # Errors
    /// When the recorder does not start.
    pub fn record(&self, file: &Path) -> Result<Recording> {
        self.record_from("speaker.monitor", file)
    }

    /// Records what the microphone hears, likewise.
    ///
    /// # Errors
    /// When the recorder does not start.
    pub fn record_microphone(&self, file: &Path) -> Result<Recording> {
        self.record_from("microphone", file)
    }

    /// Lets the microphone hear the speaker, so much later and at this volume of
    /// PulseAudio's, in percent.
    ///
    /// # Errors
    /// When the daemon does not do it.
    pub async fn loop_back(&self, milliseconds: u32, percent: u32) -> Result<()> {
        let latency = format!("latency_msec={milliseconds}");
        let module = [
            "load-module",
            "module-loopback",
            "source=speaker.monitor",
            "sink=mouth",
            &latency,
        ];
        self.pactl(&module).await?;
        let inputs = self.pactl(&["list", "short", "sink-inputs"]).await?;
        let input = inputs.split_whitespace().next();
        let input = input.context("the loopback does not play")?;
        let volume = format!("{percent}%");
        self.pactl(&["set-sink-input-volume", input, &volume])
            .await?;
        Ok(())
    }

    fn record_from(&self, device: &str, file: &Path) -> Result<Recording> {
        let mut command = self.command("parec")?;
        command
            .arg(format!("--device={device}"))
            .arg("--file-format=wav")
            .args([
                "--format=s16le",
                "--rate=48000",
                "--channels=1",
                "--latency-msec=20",
            ])
            .arg(file);
        let name = format!("{}'s parec", self.name);
        Process::start(&name, &mut command).map(Recording)
    }

    async fn pactl(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command("pactl")?.args(arguments).output().await?;
        ensure!(
            output.status.success() && self.daemon.pid().is_some(),
            "pactl {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn command(&self, program: &str) -> Result<Command> {
        let mut command = Command::new(programs::installed(program)?);
        command.envs(self.environment()).kill_on_drop(true);
        Ok(command)
    }
}

fn home(folder: &Path) -> [(String, String); 2] {
    ["HOME", "XDG_RUNTIME_DIR"].map(|name| (name.to_owned(), folder.display().to_string()))
}

/// A running recorder.
pub struct Recording(Process);

impl Recording {
    /// Ends it; the file is whole then.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(mut self) -> Result<()> {
        self.0.signal(Signal::SIGTERM)?;
        self.0.wait(COMMAND_LIMIT).await?;
        Ok(())
    }
}

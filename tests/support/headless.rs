//! Our participant without a window, as a process, and what it reports.

use std::borrow::Borrow;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use nix::sys::signal::Signal;
use serde::Deserialize;
use serde_json::Value;

use crate::namespaces;
use crate::process::Process;
use crate::programs;
use crate::wait::wait_until;

/// From the start of the process to the room.
pub const JOIN_LIMIT: Duration = Duration::from_secs(30);
/// From the room to media, on a loaded machine.
pub const MEDIA_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// The small scene that two loaded cores carry.
pub const SMALL: &str = "synthetic:320x180@15";

/// One JSON line.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Inside.
    Joined {
        /// The wire's room id.
        room: String,
        /// Our client id.
        member: String,
    },
    /// The join waits.
    Waiting {
        /// From 1.
        position: u32,
        /// For what.
        reason: String,
    },
    /// The call ended.
    Ended {
        /// Why.
        reason: String,
    },
    /// A peer connection changed.
    Peer {
        /// Client id.
        member: String,
        /// W3C's RTCPeerConnectionState.
        state: String,
    },
    /// The first picture of someone.
    FirstFrame {
        /// Client id.
        member: String,
        /// Since our join was sent, or theirs.
        ms: u64,
    },
    /// A participant begins or ends to speak.
    Speaking {
        /// Client id.
        member: String,
        /// Whether it speaks now.
        speaking: bool,
    },
    /// The host muted a source.
    Muted {
        /// Which.
        source: String,
    },
    /// A second's figures of one peer.
    Stats(Box<Stats>),
    /// Someone said something.
    Chat {
        /// Client id.
        member: String,
        /// What.
        text: String,
    },
    /// Something was refused.
    Error {
        /// The wire's error code.
        code: String,
    },
    /// The last line.
    Summary(Summary),
}

/// The figures of one peer; counts are totals since its beginning.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(missing_docs, reason = "named as on the command's page")]
pub struct Stats {
    pub member: String,
    pub sent_kbps: f64,
    pub received_kbps: f64,
    pub frames_sent: u64,
    pub frames_decoded: u64,
    pub frames_dropped: u64,
    pub width: u32,
    pub height: u32,
    pub screen_frames_decoded: u64,
    pub lost: i64,
    pub jitter_ms: Option<f64>,
    pub round_trip_ms: Option<f64>,
    pub available_kbps: f64,
    pub video_target_kbps: f64,
    pub freezes: u64,
    pub freeze_ms: f64,
    pub concealed_samples: u64,
    pub silent_concealed_samples: u64,
    pub total_samples_received: u64,
    pub delay_ms_p50: Option<f64>,
    pub delay_ms_p95: Option<f64>,
    pub delay_ms_max: Option<f64>,
    pub delay_ms_mean: Option<f64>,
    pub delay_by_stage_ms: Option<DelayByStage>,
    pub clock_offset_ms: Option<f64>,
    pub quality: Value,
    pub candidate_pair: Value,
    pub outbound: Value,
    pub inbound: Value,
    pub audio_energy: f64,
}

/// Means of the video since the line before.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(missing_docs, reason = "named as on the command's page")]
pub struct DelayByStage {
    pub frames: u64,
    pub capture: f64,
    pub encode: f64,
    pub pace: f64,
    pub network: f64,
    pub jitter_buffer: f64,
    pub decode: f64,
    pub total: f64,
}

/// The process's totals.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(missing_docs, reason = "named as on the command's page")]
pub struct Summary {
    pub frames_captured: u64,
    pub frames_encoded: u64,
    pub cpu_seconds: f64,
    pub peak_rss_bytes: u64,
}

/// A running `visavis-headless`.
pub struct Headless {
    process: Process,
    room: String,
    member: String,
}

impl Headless {
    /// Starts it and waits until it is in its room.
    ///
    /// # Errors
    /// When it does not get there.
    pub async fn join(name: &str, server: &str, arguments: &[&str]) -> Result<Self> {
        Self::join_with(name, server, arguments, &[]).await
    }

    /// The same, with environment variables of its own.
    ///
    /// # Errors
    /// When it does not get there.
    pub async fn join_with(
        name: &str,
        server: &str,
        arguments: &[&str],
        environment: &[(String, String)],
    ) -> Result<Self> {
        let process = start(None, name, server, arguments, environment)?;
        Self::joined(process).await
    }

    /// The same, in a network namespace.
    ///
    /// # Errors
    /// When it does not get there.
    pub async fn join_in(
        namespace: &str,
        name: &str,
        server: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        Self::joined(start(Some(namespace), name, server, arguments, &[])?).await
    }

    /// Starts one that may have to wait before it is in its room; see [`Self::joined`].
    ///
    /// # Errors
    /// When it does not start.
    pub fn begin(name: &str, server: &str, arguments: &[&str]) -> Result<Process> {
        start(None, name, server, arguments, &[])
    }

    /// Waits until a process is in its room.
    ///
    /// # Errors
    /// When it does not get there.
    pub async fn joined(mut process: Process) -> Result<Self> {
        let (room, member) = process
            .wait_for_line("joined", JOIN_LIMIT, |line| match parse(line) {
                Some(Event::Joined { room, member }) => Some((room, member)),
                _ => None,
            })
            .await?;
        Ok(Self {
            process,
            room,
            member,
        })
    }

    /// The wire's id of its room.
    pub fn room(&self) -> &str {
        &self.room
    }

    /// Its client id.
    pub fn member(&self) -> &str {
        &self.member
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    /// Gives it a command, as `--control` reads them.
    ///
    /// # Errors
    /// When it had ended before.
    pub async fn obeys(&mut self, command: &Value) -> Result<()> {
        self.process.write_line(&command.to_string()).await
    }

    /// Everything that it reported so far.
    pub fn events(&self) -> Vec<Event> {
        let lines = self.process.stdout();
        lines.iter().filter_map(|line| parse(line)).collect()
    }

    /// What it reported after its first `lines` lines, and how many there are now.
    pub fn events_after(&self, lines: usize) -> (Vec<Event>, usize) {
        let new = self.process.stdout_after(lines);
        let events = new.iter().filter_map(|line| parse(line)).collect();
        (events, lines + new.len())
    }

    /// The newest figures of a peer.
    pub fn stats(&self, member: &str) -> Option<Stats> {
        self.events()
            .into_iter()
            .rev()
            .find_map(|event| match event {
                Event::Stats(stats) if stats.member == member => Some(*stats),
                _ => None,
            })
    }

    /// The newest state of the connection to a peer.
    pub fn peer_state(&self, member: &str) -> Option<String> {
        self.events()
            .into_iter()
            .rev()
            .find_map(|event| match event {
                Event::Peer { member: of, state } if of == member => Some(state),
                _ => None,
            })
    }

    /// Waits until `frames` more pictures of a peer were decoded than now.
    ///
    /// # Errors
    /// When they do not come.
    pub async fn sees(&self, member: &str, frames: u64) -> Result<Stats> {
        let decoded = self.stats(member).map_or(0, |stats| stats.frames_decoded);
        let what = format!("{} sees {frames} pictures of {member}", self.member);
        wait_until(&what, MEDIA_LIMIT, async || {
            let stats = self.stats(member);
            Ok(stats.filter(|stats| stats.frames_decoded >= decoded + frames))
        })
        .await
    }

    /// Waits for an event.
    ///
    /// # Errors
    /// When it does not come in time.
    pub async fn reports<T>(
        &self,
        what: &str,
        limit: Duration,
        find: impl Fn(Event) -> Option<T>,
    ) -> Result<T> {
        wait_until(
            &format!("{} reports {what}", self.member),
            limit,
            async || Ok(self.events().into_iter().find_map(&find)),
        )
        .await
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn is_running(&mut self) -> Result<bool> {
        self.process.is_running()
    }

    /// Stops it with SIGSTOP for this long, as a suspended machine would.
    ///
    /// # Errors
    /// When it had ended before.
    pub async fn stop_for(&self, time: Duration) -> Result<()> {
        self.process.signal(Signal::SIGSTOP)?;
        tokio::time::sleep(time).await;
        self.process.signal(Signal::SIGCONT)
    }

    /// Ends it with SIGKILL, as a crash would.
    ///
    /// # Errors
    /// When it had ended before.
    pub async fn kill(mut self) -> Result<()> {
        self.process.signal(Signal::SIGKILL)?;
        self.process.wait(STOP_LIMIT).await?;
        Ok(())
    }

    /// Waits until it ends by itself; gives its exit status and events.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn ends(mut self) -> Result<(Option<i32>, Vec<Event>)> {
        let status = self.process.wait(STOP_LIMIT).await?;
        self.process.check_log()?;
        Ok((status.code(), self.events()))
    }

    /// Lets it leave with SIGTERM; gives its summary.
    ///
    /// # Errors
    /// When it does not end well, or logged an error in its life.
    pub async fn leave(mut self) -> Result<Summary> {
        self.process.signal(Signal::SIGTERM)?;
        let status = self.process.wait(STOP_LIMIT).await?;
        ensure!(status.success(), "{} ended with {status}", self.member);
        self.process.check_log()?;
        match self.events().pop() {
            Some(Event::Summary(summary)) => Some(summary),
            _ => None,
        }
        .with_context(|| format!("the last line of {} is no summary", self.member))
    }
}

/// Waits until each decoded so many more pictures of each other one, in the
/// size of [`SMALL`] and with a time that could be read.
///
/// # Errors
/// When a direction does not carry them.
pub async fn see_each_other(people: &[impl Borrow<Headless>], frames: u64) -> Result<()> {
    let people = || people.iter().map(Borrow::borrow);
    let directions = people().flat_map(|one| {
        let others = people().filter(|other| other.member != one.member);
        others.map(async |other| -> Result<()> {
            let stats = one.sees(&other.member, frames).await?;
            ensure!((stats.width, stats.height) == (320, 180), "{stats:?}");
            ensure!(stats.delay_ms_p50.is_some(), "{stats:?}");
            Ok(())
        })
    });
    try_join_all(directions).await?;
    Ok(())
}

/// Starts one that is not to get into a room; gives its exit status and events.
///
/// # Errors
/// When it does not end by itself.
pub async fn refused(server: &str, arguments: &[&str]) -> Result<(Option<i32>, Vec<Event>)> {
    let mut process = start(None, "refused", server, arguments, &[])?;
    let status = process.wait(JOIN_LIMIT).await?;
    process.check_log()?;
    let lines = process.stdout();
    let events = lines.iter().filter_map(|line| parse(line)).collect();
    Ok((status.code(), events))
}

fn start(
    namespace: Option<&str>,
    name: &str,
    server: &str,
    arguments: &[&str],
    environment: &[(String, String)],
) -> Result<Process> {
    let mut command = namespaces::command(namespace, &programs::built("visavis-headless")?);
    command
        .args([
            "--server",
            server,
            "--name",
            name,
            "--stats",
            "-",
            "--control",
        ])
        .args(arguments)
        .envs(environment.iter().cloned());
    Process::start_reading(name, &mut command)
}

/// Reads a line.
pub fn parse(line: &str) -> Option<Event> {
    serde_json::from_str(line).ok()
}

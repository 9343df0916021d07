//! Child processes that end with their test, also with one that fails.

use std::fs;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::wait::wait_until;

/// How long a process that is gone may take to hand over its last lines.
const LAST_LINES_LIMIT: Duration = Duration::from_secs(5);

/// Errors in a log that are none: webrtc-rs drops packets that come before it
/// has told of their track, and the first picture is asked for again.
const EXPECTED: [&str; 1] = ["Failed to get track_remote"];

/// What a process wrote, line by line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn all(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn after(&self, lines: usize) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(lines..).unwrap_or_default().to_vec()
    }

    /// Keeps each line, and shows it: a test runner prints what a failed test
    /// wrote, so the processes' words stand beside the failure.
    async fn gather(self, name: String, output: impl AsyncRead + Unpin) {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while matches!(output.read_until(b'\n', &mut line).await, Ok(1..)) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            eprintln!("{name}: {text}");
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(text);
            line.clear();
        }
    }
}

/// A running child. Dropping it kills it and everything that it started.
pub struct Process {
    name: String,
    child: Child,
    /// Apart from the child: waiting for that would close it.
    stdin: Option<ChildStdin>,
    stdout: Lines,
    stderr: Lines,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts a program; `name` stands before its lines in the test's output.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        Self::spawn(name, command.stdin(Stdio::null()))
    }

    /// The same for a program that reads lines.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_reading(name: &str, command: &mut Command) -> Result<Self> {
        Self::spawn(name, command.stdin(Stdio::piped()))
    }

    fn spawn(name: &str, command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env("NO_COLOR", "1")
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let (stdout, stderr) = (Lines::default(), Lines::default());
        let mut readers = Vec::new();
        if let Some(output) = child.stdout.take() {
            readers.push(tokio::spawn(stdout.clone().gather(name.to_owned(), output)));
        }
        if let Some(output) = child.stderr.take() {
            readers.push(tokio::spawn(stderr.clone().gather(name.to_owned(), output)));
        }
        Ok(Self {
            name: name.to_owned(),
            stdin: child.stdin.take(),
            child,
            stdout,
            stderr,
            readers,
        })
    }

    /// Writes a line to the standard input of a program that reads lines.
    ///
    /// # Errors
    /// When it reads none, or does not run any more.
    pub async fn write_line(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut();
        let stdin = stdin.with_context(|| format!("{} reads no lines", self.name))?;
        let line = format!("{line}\n");
        let written = stdin.write_all(line.as_bytes()).await;
        written.with_context(|| format!("{} does not read", self.name))
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// The lines written to the standard output so far.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.all()
    }

    /// Those after the first `lines`.
    pub fn stdout_after(&self, lines: usize) -> Vec<String> {
        self.stdout.after(lines)
    }

    /// The lines written to the standard error so far.
    pub fn stderr(&self) -> Vec<String> {
        self.stderr.all()
    }

    /// Waits for a line, on either output, in which `find` sees what it looks for.
    ///
    /// # Errors
    /// When it does not come in time, or the process ends before.
    pub async fn wait_for_line<T>(
        &mut self,
        what: &str,
        limit: Duration,
        find: impl Fn(&str) -> Option<T>,
    ) -> Result<T> {
        wait_until(&format!("{}: {what}", self.name), limit, async || {
            let ended = self.child.try_wait()?;
            let lines = self.stdout().into_iter().chain(self.stderr());
            let found = lines.into_iter().find_map(|line| find(&line));
            match (found, ended) {
                (None, Some(status)) => bail!("{} ended with {status}", self.name),
                (found, _) => Ok(found),
            }
        })
        .await
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Sends a signal to a process that still runs.
    ///
    /// # Errors
    /// When it does not run any more.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self
            .pid()
            .with_context(|| format!("{} has ended already", self.name))?;
        kill(pid_of(pid), signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Sends a signal to it and to everything that it started.
    ///
    /// # Errors
    /// When it does not run any more.
    pub fn signal_all(&self, signal: Signal) -> Result<()> {
        for pid in descendants(self.pid().unwrap_or_default()) {
            // It may be gone by now: as good.
            let _ = kill(pid_of(pid), signal);
        }
        self.signal(signal)
    }

    /// Ends it and everything that it started with SIGKILL.
    ///
    /// # Errors
    /// When it does not run any more.
    pub async fn crash(&mut self, limit: Duration) -> Result<()> {
        self.signal_all(Signal::SIGKILL)?;
        self.wait(limit).await?;
        Ok(())
    }

    /// Waits for its end, and for its last lines.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let status = timeout(limit, self.child.wait())
            .await
            .with_context(|| format!("{} did not end in {} s", self.name, limit.as_secs()))??;
        for reader in self.readers.drain(..) {
            timeout(LAST_LINES_LIMIT, reader)
                .await
                .with_context(|| format!("something holds the output of {} open", self.name))??;
        }
        Ok(status)
    }

    /// Refuses a log with an ERROR or a panic in it.
    ///
    /// # Errors
    /// When there is one.
    pub fn check_log(&self) -> Result<()> {
        self.check_log_but(&[])
    }

    /// Refuses a log with an ERROR or a panic in it, but for lines that hold one
    /// of these texts: the test brought them about.
    ///
    /// # Errors
    /// When there is one.
    pub fn check_log_but(&self, announced: &[&str]) -> Result<()> {
        let complaint = self
            .stderr()
            .into_iter()
            .filter(|line| line.contains("ERROR") || line.contains("panicked at"))
            .find(|line| {
                let mut expected = EXPECTED.iter().chain(announced);
                !expected.any(|expected| line.contains(expected))
            });
        ensure!(
            complaint.is_none(),
            "{} complained: {}",
            self.name,
            complaint.unwrap_or_default()
        );
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Some(pid) = self.pid() else { return };
        for pid in descendants(pid).into_iter().chain([pid]) {
            // It may be gone by now: as good.
            let _ = kill(pid_of(pid), Signal::SIGKILL);
        }
    }
}

fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed())
}

/// Everything that a process started, and what that started.
fn descendants(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let children = threads
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let mut found = Vec::new();
    for list in children {
        for child in list.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            found.push(child);
            found.extend(descendants(child));
        }
    }
    found
}

//! A Redis of the test's own, on 127.0.0.1, that keeps nothing on disk.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::Process;
use crate::{ports, programs};

const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A Redis, which may be stopped and started again on its port.
pub struct Redis {
    port: u16,
    /// `None` while it is stopped.
    process: Option<Process>,
    folder: TempDir,
}

impl Redis {
    /// Starts it and waits until it accepts connections.
    ///
    /// # Errors
    /// When it is not installed or does not come up.
    pub async fn start() -> Result<Self> {
        let mut redis = Self {
            port: ports::free()?,
            process: None,
            folder: tempfile::tempdir()?,
        };
        redis.restart().await?;
        Ok(redis)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts it again where it was, with nothing in it, after it was stopped
    /// or killed.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "Redis runs already");
        let mut command = Command::new(programs::installed("redis-server")?);
        command
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(self.folder.path());
        let mut process = Process::start("redis", &mut command)?;
        process
            .wait_for_line("ready", START_LIMIT, |line| {
                line.contains("Ready to accept connections").then_some(())
            })
            .await?;
        self.process = Some(process);
        Ok(())
    }

    /// Ends it well, its connections with it.
    ///
    /// # Errors
    /// When it does not run, or does not end.
    pub async fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("Redis does not run")?;
        process.signal(Signal::SIGTERM)?;
        process.wait(STOP_LIMIT).await?;
        Ok(())
    }

    /// Ends it with SIGKILL.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("Redis does not run")?;
        process.crash(STOP_LIMIT).await
    }

    /// Holds it: connections stay, answers do not come.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> Result<()> {
        self.running()?.signal_all(Signal::SIGSTOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> Result<()> {
        self.running()?.signal_all(Signal::SIGCONT)
    }

    /// Asks it something, as `redis-cli` would write the answer.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ask(&self, command: &[&str]) -> Result<String> {
        let port = self.port.to_string();
        let mut client = Command::new(programs::installed("redis-cli")?);
        client.args(["-e", "-p", &port]).args(command);
        programs::output(&mut client).await
    }

    fn running(&self) -> Result<&Process> {
        self.process.as_ref().context("Redis does not run")
    }
}

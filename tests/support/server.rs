//! Our room server, as a process.

use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::process::Command;

use crate::process::Process;
use crate::programs;

const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A running `visavis-server` on a free port of 127.0.0.1.
pub struct RoomServer {
    process: Process,
    address: String,
}

impl RoomServer {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(programs::built("visavis-server")?);
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        let mut process = Process::start("server", &mut command)?;
        let address = process
            .wait_for_line("listening", START_LIMIT, |line| {
                line.strip_prefix("listening on http://").map(str::to_owned)
            })
            .await?;
        Ok(Self { process, address })
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// Asks over HTTP; gives the status and the body.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Result<(u16, Value)> {
        let answer = reqwest::get(format!("http://{}{path}", self.address)).await?;
        let status = answer.status().as_u16();
        let body = answer.text().await?;
        Ok((status, serde_json::from_str(&body).unwrap_or(Value::Null)))
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

    /// Ends it with SIGTERM, as an administrator would.
    ///
    /// # Errors
    /// When it does not end well, or logged an error in its life.
    pub async fn stop(mut self) -> Result<()> {
        self.process.signal(Signal::SIGTERM)?;
        let status = self.process.wait(STOP_LIMIT).await?;
        ensure!(status.success(), "the server ended with {status}");
        self.process.check_log()
    }
}

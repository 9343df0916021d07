//! A server, in a process of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

const START_LIMIT: Duration = Duration::from_secs(20);

/// A running server. Dropping it kills it.
pub struct Program {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its working directory, with its log: a file, as a service has one. What
    /// relative paths in its flags name is new in each run.
    folder: TempDir,
}

impl Program {
    /// Starts one that says where it listens in its first line.
    ///
    /// # Errors
    /// When it does not.
    pub async fn start(command: &mut Command) -> Result<Self> {
        // Beside our programs: a temporary folder may be in memory, and a
        // database there faster than any disk.
        let beside = std::env::current_exe()?;
        let folder = TempDir::new_in(beside.parent().context("a program is in a folder")?)?;
        let mut child = command
            .current_dir(folder.path())
            .env_remove("RUST_LOG")
            .env("NODE_ENV", "production")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("log"))?)
            .kill_on_drop(true)
            .spawn()
            .context("starting the server")?;
        let stdout = child.stdout.take().context("its output is ours")?;
        let mut line = String::new();
        timeout(START_LIMIT, BufReader::new(stdout).read_line(&mut line))
            .await
            .context("the server does not say where it listens")??;
        let log = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        let address = line
            .trim_end()
            .strip_prefix("listening on http://")
            .with_context(|| format!("the server began with {line:?}\n{}", log()))?
            .parse()?;
        Ok(Self {
            child,
            address,
            folder,
        })
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it has ended.
    pub fn pid(&self) -> Result<u32> {
        self.child.id().context("the server ended")
    }

    /// Refuses a log with an ERROR or a panic in it.
    ///
    /// # Errors
    /// When there is one.
    pub fn check_log(&self) -> Result<()> {
        let log = fs::read_to_string(self.folder.path().join("log"))?;
        let complaint = log
            .lines()
            .find(|line| line.contains("ERROR") || line.contains("panicked at"));
        ensure!(complaint.is_none(), "the server complained: {complaint:?}");
        Ok(())
    }
}

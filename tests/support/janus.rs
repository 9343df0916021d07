//! Janus with its echo test, on an address of this machine that is not loopback:
//! on loopback it gathers no candidates.

use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::process::Command;

use crate::http::client;
use crate::ports;
use crate::process::Process;
use crate::programs;
use crate::wait::wait_until;

const START_LIMIT: Duration = Duration::from_secs(30);

/// A running Janus. Dropping it ends it.
pub struct Janus {
    _process: Process,
    _folder: TempDir,
    url: String,
}

impl Janus {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// When it is not installed or does not come up.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = ports::free()?;
        let general = "general: { session_timeout = 0 }\n\
                       media: { rtp_port_range = \"20000-60000\" }\n";
        let http = format!(
            "general: {{ base_path = \"/janus\" http = true port = {port} ip = \"127.0.0.1\" }}\n"
        );
        std::fs::write(folder.path().join("janus.jcfg"), general)?;
        std::fs::write(folder.path().join("janus.transport.http.jcfg"), http)?;
        let mut command = Command::new(programs::installed("janus")?);
        command
            .args(["--disable-colors", "--debug-level", "3", "--configs-folder"])
            .arg(folder.path());
        let process = Process::start("janus", &mut command)?;
        let url = format!("http://127.0.0.1:{port}/janus");
        let question = format!("{url}/info");
        wait_until("Janus answers", START_LIMIT, async || {
            Ok(client().get(&question).send().await.ok())
        })
        .await
        .context("Janus")?;
        Ok(Self {
            _process: process,
            _folder: folder,
            url,
        })
    }

    /// Its HTTP interface.
    pub fn url(&self) -> &str {
        &self.url
    }
}

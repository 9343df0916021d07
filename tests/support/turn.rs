//! Debian's coturn on 127.0.0.1.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;
use tokio::net::UdpSocket;
use tokio::process::Command;
use tokio::time::timeout;

use crate::process::Process;
use crate::programs;
use crate::wait::wait_until;

const START_LIMIT: Duration = Duration::from_secs(20);
const ANSWER_LIMIT: Duration = Duration::from_millis(200);

/// A STUN binding request (RFC 8489, section 5) with a fixed transaction id.
const BINDING_REQUEST: [u8; 20] = *b"\x00\x01\x00\x00\x21\x12\xa4\x42visavis-test";

/// How clients prove themselves.
#[derive(Debug, Clone, Copy)]
pub enum Credentials<'a> {
    /// One user: its name and password.
    User(&'a str, &'a str),
    /// Whoever has time-limited credentials made with this secret.
    Secret(&'a str),
}

/// A running relay.
pub struct TurnServer {
    process: Process,
    address: SocketAddr,
    folder: TempDir,
}

impl TurnServer {
    /// Starts it on a free port and waits until it answers.
    ///
    /// # Errors
    /// When it is not installed or does not come up.
    pub async fn start(credentials: Credentials<'_>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // coturn cannot choose a port itself: it gets one that is free now.
        let address = UdpSocket::bind("127.0.0.1:0").await?.local_addr()?;
        Ok(Self {
            process: launch(address, &folder, credentials).await?,
            address,
            folder,
        })
    }

    /// Kills it and starts it on the same port: every allocation is lost.
    ///
    /// # Errors
    /// When it does not end or does not come up.
    pub async fn restart(&mut self, credentials: Credentials<'_>) -> Result<()> {
        self.process.crash(START_LIMIT).await?;
        self.process = launch(self.address, &self.folder, credentials).await?;
        Ok(())
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("turn:{}", self.address)
    }

    /// How many allocations clients were given since its start.
    pub fn allocations(&self) -> usize {
        let log = self.process.stdout();
        let given = |line: &&String| line.contains("ALLOCATE processed, success");
        log.iter().filter(given).count()
    }
}

/// Starts coturn and waits until it answers.
async fn launch(
    address: SocketAddr,
    folder: &TempDir,
    credentials: Credentials<'_>,
) -> Result<Process> {
    let mut command = Command::new(programs::installed("turnserver")?);
    command
        .current_dir(folder.path())
        .args([
            "-n",
            "--log-file=stdout",
            "--no-tls",
            "--no-dtls",
            "--no-cli",
            "--verbose",
        ])
        .args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1"])
        .args(["--allow-loopback-peers", "--realm=visavis.test"])
        .arg(format!("--listening-port={}", address.port()))
        .arg(format!(
            "--userdb={}",
            folder.path().join("users").display()
        ))
        .arg(format!("--pidfile={}", folder.path().join("pid").display()));
    match credentials {
        Credentials::User(name, password) => command
            .arg("--lt-cred-mech")
            .arg(format!("--user={name}:{password}")),
        Credentials::Secret(secret) => command
            .arg("--use-auth-secret")
            .arg(format!("--static-auth-secret={secret}")),
    };
    let mut process = Process::start("coturn", &mut command)?;
    wait_until("coturn answers", START_LIMIT, async || {
        anyhow::ensure!(process.is_running()?, "coturn ended");
        Ok(answers(address).await.ok())
    })
    .await?;
    Ok(process)
}

async fn answers(address: SocketAddr) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.send_to(&BINDING_REQUEST, address).await?;
    timeout(ANSWER_LIMIT, socket.recv(&mut [0; 512])).await??;
    Ok(())
}

//! Our room server, as a process: one, or several nodes of one service.

use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::http::Http;
use crate::namespaces::{self, Namespaces};
use crate::process::Process;
use crate::programs;

const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How a server is started.
#[derive(Debug, Clone, Copy)]
pub struct Launch<'a> {
    /// Stands before its lines in the test's output.
    pub name: &'a str,
    /// Flags; without `--listen` it gets a free port of 127.0.0.1.
    pub arguments: &'a [&'a str],
    /// The environment, beside our own.
    pub environment: &'a [(&'a str, &'a str)],
    /// The network namespace; none: this machine's.
    pub namespace: Option<&'a str>,
}

impl Default for Launch<'_> {
    fn default() -> Self {
        Self {
            name: "server",
            arguments: &[],
            environment: &[],
            namespace: None,
        }
    }
}

/// A running `visavis-server`.
pub struct RoomServer {
    process: Process,
    address: String,
    http: Http,
}

impl RoomServer {
    /// Starts it on a free port of 127.0.0.1 and waits until it listens.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(arguments: &[&str]) -> Result<Self> {
        Self::launch(Launch {
            arguments,
            ..Launch::default()
        })
        .await
    }

    /// Starts it on the address of machine 0 and waits until it listens.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start_on(machines: &Namespaces, arguments: &[&str]) -> Result<Self> {
        let listen = format!("{}:7420", namespaces::address(0));
        Self::launch(Launch {
            arguments: &[&["--listen", listen.as_str()], arguments].concat(),
            namespace: Some(machines.name(0)),
            ..Launch::default()
        })
        .await
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn launch(launch: Launch<'_>) -> Result<Self> {
        let program = programs::built("visavis-server")?;
        let mut command = namespaces::command(launch.namespace, &program);
        if !launch.arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command
            .args(launch.arguments)
            .envs(launch.environment.iter().copied());
        let mut process = Process::start(launch.name, &mut command)?;
        let address = process
            .wait_for_line("listening", START_LIMIT, |line| {
                let (_, address) = line.strip_prefix("listening on http")?.split_once("://")?;
                Some(address.to_owned())
            })
            .await?;
        Ok(Self {
            process,
            http: Http::new(format!("http://{address}")),
            address,
        })
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// A client of its REST side, without credentials.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// Its process: its id, its lines, signals to it.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Asks over HTTP; gives the status and the body.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Result<(u16, Value)> {
        let answer = self.http.get(path).await?;
        Ok((answer.status, answer.json))
    }

    /// Lets time pass on a server that was started with `--clock manual`.
    ///
    /// # Errors
    /// When it was not.
    pub async fn advance_clock(&self, seconds: u64) -> Result<()> {
        let question = json!({"seconds": seconds});
        let answer = self.http.post("/debug/clock/advance", &question).await?;
        ensure!(
            (200..300).contains(&answer.status),
            "the clock stays where it is: {} {}",
            answer.status,
            answer.text
        );
        Ok(())
    }

    /// Ends it with SIGKILL, as a crash would.
    ///
    /// # Errors
    /// When it had ended before.
    pub async fn kill(mut self) -> Result<()> {
        self.process.crash(STOP_LIMIT).await
    }

    /// Ends it with SIGTERM, as an administrator would.
    ///
    /// # Errors
    /// When it does not end well, or logged an error in its life.
    pub async fn stop(self) -> Result<()> {
        self.stop_after(&[]).await
    }

    /// Ends it with SIGTERM after a fault of which it was to complain: errors in
    /// its log that hold one of these texts are none.
    ///
    /// # Errors
    /// When it does not end well, or logged another error in its life.
    pub async fn stop_after(mut self, announced: &[&str]) -> Result<()> {
        self.process.signal(Signal::SIGTERM)?;
        let status = self.process.wait(STOP_LIMIT).await?;
        ensure!(status.success(), "the server ended with {status}");
        self.process.check_log_but(announced)
    }
}

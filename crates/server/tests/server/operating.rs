//! What those who run the service use: its flags, its commands, its figures,
//! and TLS.

mod commands;
mod figures;
mod settings;
mod tls;

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{KEY, LIMIT, SECRET};

pub const KEYS: [(&str, &str); 2] = [("LIVEKIT_API_KEY", KEY), ("LIVEKIT_API_SECRET", SECRET)];

/// The program, with nothing of our own environment that it reads.
pub fn program(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis-server"));
    command
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A running server.
pub struct Program {
    child: Child,
    pub address: SocketAddr,
    /// What it logs: nobody may let it wait until there is room for more.
    log: JoinHandle<String>,
}

impl Program {
    /// Ends it; what it logged.
    pub async fn log(mut self) -> String {
        self.child.start_kill().unwrap();
        timeout(LIMIT, self.log)
            .await
            .expect("ended in time")
            .unwrap()
    }
}

/// Starts it on a free port, and waits until it says where it listens.
pub async fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Program {
    start_on("127.0.0.1:0", arguments, environment).await
}

/// Starts it on this address, and waits until it says where it listens.
pub async fn start_on(listen: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Program {
    let mut command = program(&[&["--listen", listen], arguments].concat(), environment);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(LIMIT, lines.next_line())
        .await
        .expect("said in time");
    let line = line.unwrap().expect("a line");
    let (_, address) = line.split_once("://").expect(&line);
    let address = address.parse().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let log = tokio::spawn(async move {
        let mut log = String::new();
        stderr.read_to_string(&mut log).await.unwrap();
        log
    });
    Program {
        child,
        address,
        log,
    }
}

/// Runs it to its end: its status, and what it said on stdout and stderr.
pub async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
    let output = program(arguments, environment).output();
    let output = timeout(LIMIT, output)
        .await
        .expect("ended in time")
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

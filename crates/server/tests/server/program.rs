//! The program itself.

use std::net::SocketAddr;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::support::{Client, LIMIT, http};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis-server"));
    command.args(arguments).kill_on_drop(true);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts it on a free port, and waits until it says where it listens.
async fn start() -> (Child, SocketAddr) {
    let mut child = program(&["--listen", "127.0.0.1:0"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(LIMIT, lines.next_line())
        .await
        .expect("said in time");
    let line = line.unwrap().expect("a line");
    let address = line.strip_prefix("listening on http://").expect(&line);
    (child, address.parse().unwrap())
}

#[tokio::test]
async fn it_says_where_it_listens_and_stops_cleanly_when_told_to() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (mut child, address) = start().await;
        let mut client = Client::connect(address).await;
        assert_eq!(http(address, "GET", "/healthz", "", "").await.0, 200);
        let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap());
        kill(pid, signal).unwrap();
        assert_eq!(client.closed().await, Some(1001));
        let status = timeout(LIMIT, child.wait()).await.expect("stopped in time");
        assert_eq!(status.unwrap().code(), Some(0), "{signal}");
    }
}

#[tokio::test]
async fn bad_arguments_are_status_2() {
    for arguments in [
        &["--nonsense"][..],
        &["--listen", "here"],
        &["--empty-timeout", "soon"],
        &["--ice-server", "http://127.0.0.1"],
        &["--ice-server", "turn:127.0.0.1,user"],
        &["--stun", "rooms.example.org"],
    ] {
        let output = timeout(LIMIT, program(arguments).output())
            .await
            .expect("ended in time");
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty());
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_in_one_line() {
    let (_child, address) = start().await;
    let output = program(&["--listen", &address.to_string()]).output();
    let output = timeout(LIMIT, output)
        .await
        .expect("ended in time")
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    let line = format!("visavis-server: {address} is in use by another program");
    assert!(
        text.starts_with(&line) && text.lines().count() == 1,
        "{text}"
    );
}

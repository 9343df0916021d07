//! `cargo xtask bench`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::build::{Profile, programs, root};
use crate::process::exec;
use crate::{packages, page};

/// Measures calls between participants. Each participant is a process.
///
/// # Errors
/// When a system package is missing or the build fails.
pub fn call(arguments: &[OsString]) -> Result<ExitCode> {
    packages::ensure(&[packages::BUILD])?;
    let names = ["bench-call", "visavis-headless", "visavis-server"];
    let [bench, ..] = programs(names, Profile::Release)?;
    exec(benchmark(bench).args(arguments))
}

/// Measures the server under many clients, and a plain signalling relay for
/// comparison.
///
/// # Errors
/// When a system package is missing or the build fails.
pub fn server(clients: usize, flags: &[OsString]) -> Result<ExitCode> {
    packages::ensure(&[packages::BUILD])?;
    page::install(&root().join("tests/bench/relay"))?;
    let [bench, _] = programs(["bench-server", "visavis-server"], Profile::Release)?;
    exec(benchmark(bench).arg(clients.to_string()).args(flags))
}

/// Starts a benchmark with `CARGO_MANIFEST_DIR` set, as `cargo run` would. The
/// benchmark finds its pages and the relay in that folder.
fn benchmark(program: PathBuf) -> Command {
    let mut bench = Command::new(program);
    bench.env("CARGO_MANIFEST_DIR", root().join("tests"));
    bench
}

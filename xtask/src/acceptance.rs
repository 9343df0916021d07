//! The public SDKs and tools that the tests hold the room service against, as
//! the lock files in `tests/acceptance` pin them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::build::{root, target};
use crate::page;
use crate::process::{heading, run};

/// Installs what is not there as the lock files say: npm's beside its lock file,
/// Python's in an environment of its own below the builds.
///
/// # Errors
/// When something is not to be had.
pub fn install() -> Result<()> {
    let folder = root().join("tests").join("acceptance");
    page::install(&folder.join("node"))?;
    python(&folder.join("python").join("requirements.txt"))
}

fn python(lock: &Path) -> Result<()> {
    let environment = target()?.join("python");
    // A copy of the lock file, left by the last installation that succeeded.
    let stamp = environment.join("requirements.txt");
    let wanted = fs::read(lock)?;
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    heading("Installing the tests' packages for Python");
    run(
        Command::new(if cfg!(windows) { "python" } else { "python3" })
            .args(["-m", "venv", "--clear"])
            .arg(&environment),
    )?;
    let programs = environment.join(if cfg!(windows) { "Scripts" } else { "bin" });
    run(Command::new(programs.join("pip"))
        .args(["install", "--quiet", "--requirement"])
        .arg(lock))?;
    fs::write(stamp, wanted)?;
    Ok(())
}

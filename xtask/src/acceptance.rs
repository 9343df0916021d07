//! The public SDKs and tools that the tests run against the server, in the
//! versions that the lock files in `tests/acceptance` pin.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::build::{root, target};
use crate::page;
use crate::process::{heading, run};

/// Installs the pinned packages that are missing: npm packages beside their lock
/// file, Python packages in a virtual environment in the target directory.
///
/// # Errors
/// When a package cannot be installed.
pub fn install() -> Result<()> {
    let folder = root().join("tests").join("acceptance");
    page::install(&folder.join("node"))?;
    install_python(&folder.join("python").join("requirements.txt"))
}

/// Recreates the virtual environment when the lock file has changed.
fn install_python(lock: &Path) -> Result<()> {
    let environment = target()?.join("python");
    // A copy of the lock file, written after a successful installation.
    let stamp = environment.join("requirements.txt");
    let required = fs::read(lock)?;
    if fs::read(&stamp).is_ok_and(|installed| installed == required) {
        return Ok(());
    }
    heading("Installing the Python packages of the tests");
    run(
        Command::new(if cfg!(windows) { "python" } else { "python3" })
            .args(["-m", "venv", "--clear"])
            .arg(&environment),
    )?;
    let programs = environment.join(if cfg!(windows) { "Scripts" } else { "bin" });
    run(Command::new(programs.join("pip"))
        .args(["install", "--quiet", "--requirement"])
        .arg(lock))?;
    fs::write(stamp, required)?;
    Ok(())
}

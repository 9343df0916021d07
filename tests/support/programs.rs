//! Where the programs are.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// Where Debian keeps programs that are not in everybody's `PATH`.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// One of our own programs, of the build that this one is of.
///
/// # Errors
/// When it was not built.
pub fn built(name: &str) -> Result<PathBuf> {
    let this = env::current_exe().context("where this program is")?;
    let folder = this.parent().context("a program is in a folder")?;
    // A test stands in `deps` of its profile's folder, a benchmark beside our programs.
    let profile = if folder.ends_with("deps") {
        folder.parent()
    } else {
        Some(folder)
    };
    let program = profile.unwrap_or(folder).join(name);
    if !program.is_file() {
        bail!(
            "{} is not there; `cargo xtask test` builds our programs before it runs their tests",
            program.display()
        );
    }
    Ok(program)
}

/// A program of the system.
///
/// # Errors
/// When it is not installed.
pub fn installed(name: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(SYSTEM_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .with_context(|| {
            format!("{name} is not installed; `cargo xtask test` installs what the tests need")
        })
}

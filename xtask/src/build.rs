//! Cargo, always with one selection of packages and features.
//!
//! Cargo unites the features of a dependency over the packages that a command
//! selects: `-p visavis-headless` wants other features of serde than the
//! workspace does, and with them nearly every dependency is compiled a second
//! time. So every command here selects the workspace and narrows by target:
//! `--workspace --bin visavis-headless` compiles what that program needs, with
//! the features the workspace agreed on, and shares it with every other command.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Context, Result};

use crate::process::{heading, run};

/// A cargo profile as the command line has it.
#[derive(Clone, Copy)]
pub enum Profile {
    Dev,
    Release,
}

/// The top of the checkout that this was started in: cargo says it to what it
/// runs. What this was compiled in may be another one that shares its builds.
pub fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let xtask = std::env::var_os("CARGO_MANIFEST_DIR");
        let xtask = PathBuf::from(xtask.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()));
        xtask.parent().unwrap_or(&xtask).to_owned()
    });
    &ROOT
}

/// Where builds go: `CARGO_TARGET_DIR`, by default under the user's cache
/// folder, so that a checkout stays small and a fresh one builds fast.
///
/// # Errors
/// When the environment names no home.
pub fn target() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("CARGO_TARGET_DIR") {
        return Ok(std::path::absolute(folder)?);
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| Some(std::env::home_dir()?.join(".cache")))
        .context("no home folder: set CARGO_TARGET_DIR")?;
    Ok(cache.join("visavis").join("build"))
}

/// `cargo` at the top of the checkout.
///
/// # Errors
/// See [`target`].
pub fn cargo(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new("cargo");
    command
        .args(arguments)
        .current_dir(root())
        .env("CARGO_TARGET_DIR", target()?);
    Ok(command)
}

/// Builds these programs and says where they are.
///
/// # Errors
/// When the build fails.
pub fn programs<const N: usize>(names: [&str; N], profile: Profile) -> Result<[PathBuf; N]> {
    heading(&format!("Building {}", names.join(", ")));
    let mut command = cargo(&["build", "--workspace"])?;
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => {
            command.arg("--release");
            "release"
        }
    };
    for name in names {
        command.args(["--bin", name]);
    }
    run(&mut command)?;
    let folder = target()?.join(folder);
    Ok(names.map(|name| folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))))
}

//! Cargo commands. All of them select the same packages and features.
//!
//! Cargo unifies the features of a dependency over the packages that a command
//! selects. `-p visavis-headless` enables other features of serde than the
//! workspace does, so nearly every dependency is compiled a second time.
//! Therefore every command here selects the workspace and narrows by target:
//! `--workspace --bin visavis-headless` compiles what that program needs with the
//! features of the workspace, and every other command reuses it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Context, Result};

use crate::process::{heading, run};

/// A cargo profile.
#[derive(Clone, Copy)]
pub enum Profile {
    Dev,
    Release,
}

/// The root of the checkout in which this was started. Cargo sets
/// `CARGO_MANIFEST_DIR` for the programs it runs; the compiled-in value may belong
/// to another checkout with the same target directory.
pub fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let xtask = std::env::var_os("CARGO_MANIFEST_DIR");
        let xtask = PathBuf::from(xtask.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()));
        xtask.parent().unwrap_or(&xtask).to_owned()
    });
    &ROOT
}

/// The target directory: `CARGO_TARGET_DIR`, by default a folder in the user's
/// cache. There it outlives a checkout, and a fresh clone reuses its builds.
///
/// # Errors
/// When the user's home folder is unknown.
pub fn target() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("CARGO_TARGET_DIR") {
        return Ok(std::path::absolute(folder)?);
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| Some(std::env::home_dir()?.join(".cache")))
        .context("the home folder is unknown; set CARGO_TARGET_DIR")?;
    Ok(cache.join("visavis").join("build"))
}

/// `cargo` in the root of the checkout.
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

/// Builds these programs and returns their paths.
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

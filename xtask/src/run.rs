//! `cargo xtask run`: installs, builds and starts the application.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::build::{Profile, programs, root};
use crate::models;
use crate::packages;
use crate::page;
use crate::process::exec;

/// Duration of the demo call, in seconds.
const DEMO_SECONDS: &str = "20";

/// Starts the application, or a demo call in the terminal if there is no display.
///
/// # Errors
/// When a system package is missing or the build fails.
pub fn run(arguments: &[OsString]) -> Result<ExitCode> {
    if has_display() {
        packages::ensure(&[packages::BUILD, packages::WINDOW])?;
        page::build()?;
        if let Err(error) = models::ensure() {
            eprintln!("Virtual backgrounds are off: {error:#}");
        }
        let [visavis] = programs(["visavis"], Profile::Dev)?;
        exec(Command::new(visavis).args(arguments))
    } else {
        eprintln!(
            "No display: neither DISPLAY nor WAYLAND_DISPLAY is set.\n\
             Starting a demo call of three participants for {DEMO_SECONDS} seconds instead."
        );
        if !arguments.is_empty() {
            eprintln!("The arguments are ignored: they apply to the window only.");
        }
        packages::ensure(&[packages::BUILD])?;
        let [headless] = programs(["visavis-headless"], Profile::Dev)?;
        exec(
            Command::new(headless)
                .args(["demo", "--seconds", DEMO_SECONDS, "--snapshots"])
                .arg(root().join("out").join("demo")),
        )
    }
}

/// Whether a window can be shown. Assumed on Windows and macOS.
fn has_display() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}

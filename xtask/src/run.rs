//! `cargo xtask run`: from a fresh clone to a running application.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::build::{Profile, programs, root};
use crate::packages;
use crate::page;
use crate::process::hand_over;

/// How long the demonstration lasts, in seconds.
const DEMONSTRATION_SECONDS: &str = "20";

/// Starts the application, or the demonstration where no window can be shown.
///
/// # Errors
/// When something that is needed is missing, or the build fails.
pub fn run(arguments: &[OsString]) -> Result<ExitCode> {
    if has_display() {
        packages::ensure(&[packages::BUILD, packages::WINDOW])?;
        page::build()?;
        let [visavis] = programs(["visavis"], Profile::Dev)?;
        hand_over(Command::new(visavis).args(arguments))
    } else {
        eprintln!(
            "There is no display (neither DISPLAY nor WAYLAND_DISPLAY is set), so no window is built.\n\
             Instead three participants call each other here for {DEMONSTRATION_SECONDS} seconds."
        );
        if !arguments.is_empty() {
            eprintln!("The arguments are the window's; they are left out.");
        }
        packages::ensure(&[packages::BUILD])?;
        let [headless] = programs(["visavis-headless"], Profile::Dev)?;
        hand_over(
            Command::new(headless)
                .args(["demo", "--seconds", DEMONSTRATION_SECONDS, "--snapshots"])
                .arg(root().join("out").join("demo")),
        )
    }
}

/// Windows and macOS always have one.
fn has_display() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}

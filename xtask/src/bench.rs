//! `cargo xtask bench`.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::build::{Profile, programs};
use crate::packages;
use crate::process::hand_over;

/// Measures calls between participants, one process each.
///
/// # Errors
/// When something that is needed is missing, or the build fails.
pub fn call(arguments: &[OsString]) -> Result<ExitCode> {
    packages::ensure(&[packages::BUILD])?;
    let names = ["bench-call", "visavis-headless", "visavis-server"];
    let [bench, ..] = programs(names, Profile::Release)?;
    hand_over(Command::new(bench).args(arguments))
}

//! `cargo xtask test`: everything that can say no, the quickest first.
//!
//! Every cargo command selects the same packages and features (see
//! [`crate::build`]), here with feature `ts`, so that the check of the page's
//! types shares its build with all other tests.

use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Result;

use crate::build::cargo;
use crate::process::{heading, output, run};
use crate::{acceptance, forgotten, kernel, packages, page, requirements, rules, types};

/// The feature that derives the page's types.
const FEATURES: &str = "--features=visavis/ts";
/// The test runner that this was written with.
const NEXTEST: &str = "cargo-nextest@0.9.143";
/// Tells the camera test where its kernel is.
const KERNEL: &str = "VISAVIS_TEST_KERNEL";

/// Checks and tests everything but the camera.
///
/// # Errors
/// At the first step that fails.
pub fn everything() -> Result<ExitCode> {
    let started = Instant::now();
    prepare()?;

    heading("Checking the formatting");
    run(&mut cargo(&["fmt", "--all", "--check"])?)?;
    rules::check()?;
    forgotten::check()?;
    requirements::check()?;
    page::check()?;
    page::build()?;
    page::test()?;

    heading("Linting");
    run(cargo(&["clippy", "--workspace", "--all-targets", FEATURES])?.args(["--", "-Dwarnings"]))?;
    build_programs()?;
    types::check()?;

    heading("Testing the examples in the documentation");
    run(&mut cargo(&["test", "--doc", "--workspace", FEATURES])?)?;
    heading("Testing");
    let all_but_exports = format!("not {}", types::EXPORTS);
    run(nextest()?.args(["-E", &all_but_exports]))?;

    let minutes = started.elapsed().as_secs_f64() / 60.0;
    eprintln!("\nEverything passed, in {minutes:.1} minutes.");
    Ok(ExitCode::SUCCESS)
}

/// Runs the tests that the filters name, without the checks.
///
/// # Errors
/// When one of them fails.
pub fn some(filters: &[OsString]) -> Result<ExitCode> {
    prepare()?;
    page::build()?;
    build_programs()?;
    heading("Testing");
    run(nextest()?.args(filters))?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the camera test, in a virtual machine with a camera driver.
///
/// # Errors
/// When it fails.
pub fn camera() -> Result<ExitCode> {
    prepare()?;
    packages::ensure(&[packages::CAMERA])?;
    let kernel = kernel::unpacked()?;
    page::build()?;
    build_programs()?;
    heading("Testing the camera");
    run(nextest()?
        .args(["--features=visavis-tests/camera", "-E", "binary(camera)"])
        .env(KERNEL, kernel))?;
    Ok(ExitCode::SUCCESS)
}

/// The test runner over the whole workspace.
///
/// # Errors
/// See [`crate::build::target`].
pub fn nextest() -> Result<Command> {
    let mut command = cargo(&["nextest", "run", "--workspace", "--all-targets", FEATURES])?;
    // ts-rs would write into the crates' folders.
    command.env(types::EXPORT_FOLDER, types::scratch()?);
    Ok(command)
}

fn prepare() -> Result<()> {
    packages::ensure(&[packages::BUILD, packages::WINDOW, packages::TESTS])?;
    if output(&mut cargo(&["nextest", "--version"])?).is_err() {
        heading("Installing the test runner (takes a few minutes, once)");
        run(cargo(&["install", "--locked", NEXTEST])?.env_remove("CARGO_TARGET_DIR"))?;
    }
    acceptance::install()
}

/// The programs that the tests start.
fn build_programs() -> Result<()> {
    heading("Building the programs that the tests start");
    run(&mut cargo(&["build", "--workspace", "--bins", FEATURES])?)
}

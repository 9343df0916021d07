//! `cargo xtask test`: all checks and tests, the quickest first.
//!
//! Every cargo command selects the same packages and features (see
//! [`crate::build`]). Here that includes feature `ts`, so that the check of the
//! page's types shares its build with all other tests.

use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Result;

use crate::build::cargo;
use crate::process::{heading, output, run};
use crate::{acceptance, kernel, models, orphan_files, packages, page, requirements, rules, types};

/// The feature that exports the page's types.
const FEATURES: &str = "--features=visavis/ts";
/// The version of the test runner that is installed where none is.
const NEXTEST: &str = "cargo-nextest@0.9.143";
/// The environment variable with the folder of the camera test's kernel.
const KERNEL: &str = "VISAVIS_TEST_KERNEL";

/// Runs all checks, and all tests except the camera test and those marked with
/// `#[ignore]`.
///
/// # Errors
/// At the first step that fails.
pub fn all() -> Result<ExitCode> {
    let started = Instant::now();
    prepare()?;

    heading("Checking formatting");
    run(&mut cargo(&["fmt", "--all", "--check"])?)?;
    rules::check()?;
    orphan_files::check()?;
    requirements::check()?;
    page::check()?;
    page::build()?;
    page::test()?;

    heading("Running clippy");
    run(cargo(&["clippy", "--workspace", "--all-targets", FEATURES])?.args(["--", "-Dwarnings"]))?;
    build_programs()?;
    types::check()?;

    heading("Running documentation tests");
    run(&mut cargo(&["test", "--doc", "--workspace", FEATURES])?)?;
    heading("Running tests");
    let without_exports = format!("not {}", types::EXPORTS);
    run(nextest()?.args(["-E", &without_exports]))?;

    let minutes = started.elapsed().as_secs_f64() / 60.0;
    eprintln!("\nAll checks and tests passed in {minutes:.1} minutes.");
    Ok(ExitCode::SUCCESS)
}

/// Runs the tests that match the filters, without the checks.
///
/// # Errors
/// When one of them fails.
pub fn filtered(filters: &[OsString]) -> Result<ExitCode> {
    prepare()?;
    page::build()?;
    build_programs()?;
    heading("Running tests");
    run(nextest()?.args(filters))?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the tests marked with `#[ignore]` that match the filters, without the checks.
///
/// # Errors
/// When one of them fails or none matches.
pub fn long(filters: &[OsString]) -> Result<ExitCode> {
    let ignored = ["--run-ignored", "only"].map(OsString::from);
    filtered(&[&ignored, filters].concat())
}

/// Runs the camera test in a virtual machine with a camera driver.
///
/// # Errors
/// When it fails.
pub fn camera() -> Result<ExitCode> {
    prepare()?;
    packages::ensure(&[packages::CAMERA])?;
    let kernel = kernel::ensure()?;
    page::build()?;
    build_programs()?;
    heading("Running the camera test");
    run(nextest()?
        .args(["--features=visavis-tests/camera", "-E", "binary(camera)"])
        .env(KERNEL, kernel))?;
    Ok(ExitCode::SUCCESS)
}

/// The test runner, for all tests of the workspace.
///
/// # Errors
/// See [`crate::build::target`].
pub fn nextest() -> Result<Command> {
    let mut command = cargo(&["nextest", "run", "--workspace", "--all-targets", FEATURES])?;
    // ts-rs would write into the crates' folders.
    command.env(types::EXPORT_FOLDER, types::scratch()?);
    Ok(command)
}

/// Installs what builds and tests need.
fn prepare() -> Result<()> {
    packages::ensure(&[packages::BUILD, packages::WINDOW, packages::TESTS])?;
    if output(&mut cargo(&["nextest", "--version"])?).is_err() {
        heading("Installing the test runner (once; takes a few minutes)");
        run(cargo(&["install", "--locked", NEXTEST])?.env_remove("CARGO_TARGET_DIR"))?;
    }
    models::ensure()?;
    acceptance::install()
}

/// The programs that the tests start.
fn build_programs() -> Result<()> {
    heading("Building the programs that the tests start");
    run(&mut cargo(&["build", "--workspace", "--bins", FEATURES])?)
}

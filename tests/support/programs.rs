//! Where the programs are, and what they answer.

use std::env;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

/// Where Debian keeps programs that are not in everybody's `PATH`.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/sbin", "/sbin"];

const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// One of our own programs, of the build that this one is of.
///
/// # Errors
/// When it was not built.
pub fn built(name: &str) -> Result<PathBuf> {
    let program = profile()?.join(name);
    if !program.is_file() {
        bail!(
            "{} is not there; `cargo xtask test` builds our programs before it runs their tests",
            program.display()
        );
    }
    Ok(program)
}

/// Where the sources of these tests are: cargo and nextest say it to what they
/// start. What they were compiled from may be another checkout that shares its builds.
///
/// # Errors
/// When neither started this.
pub fn sources() -> Result<PathBuf> {
    let folder = env::var_os("CARGO_MANIFEST_DIR");
    Ok(folder.context("CARGO_MANIFEST_DIR is not set")?.into())
}

/// Where builds go, and what else is made once for many tests.
///
/// # Errors
/// When this program is not in it.
pub fn target() -> Result<PathBuf> {
    let profile = profile()?;
    let target = profile.parent().context("a profile's folder is in one")?;
    Ok(target.to_owned())
}

/// The folder of our programs.
fn profile() -> Result<PathBuf> {
    let this = env::current_exe().context("where this program is")?;
    let folder = this.parent().context("a program is in a folder")?;
    // A test stands in `deps` of its profile's folder, a benchmark beside our programs.
    let profile = if folder.ends_with("deps") {
        folder.parent()
    } else {
        Some(folder)
    };
    Ok(profile.unwrap_or(folder).to_owned())
}

/// What a program writes to its standard output, once it has ended well.
///
/// # Errors
/// When it fails, with what it complained of, or does not end in time.
pub async fn output(command: &mut Command) -> Result<String> {
    answer(command, "").await
}

/// The same, of a program that reads its standard input.
///
/// # Errors
/// When it fails, with what it complained of, or does not end in time.
pub async fn answer(command: &mut Command, input: &str) -> Result<String> {
    let name = command.as_std().get_program().display().to_string();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let mut stdin = child.stdin.take().context("it has an input")?;
    // It may end without having read all.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = timeout(ANSWER_LIMIT, child.wait_with_output())
        .await
        .with_context(|| format!("{name} does not end"))??;
    ensure!(
        output.status.success(),
        "{name} failed ({}): {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// A program of the system.
///
/// # Errors
/// When it is not installed.
pub fn installed(name: &str) -> Result<PathBuf> {
    installed_as(&[name])
}

/// A program that systems name differently; the first name is that of Debian.
///
/// # Errors
/// When it is not installed.
pub fn installed_as(names: &[&str]) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(SYSTEM_FOLDERS.iter().map(PathBuf::from))
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|program| program.is_file())
        .with_context(|| {
            let name = names.first().copied().unwrap_or_default();
            format!("{name} is not installed; `cargo xtask test` installs what the tests need")
        })
}

//! Child processes. A command is printed before it runs, unless only its output is
//! read.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

/// Prints the title of the next step.
pub fn heading(text: &str) {
    eprintln!("\n==> {text}");
}

/// Runs the command with inherited standard input and output.
///
/// # Errors
/// When it cannot start or fails.
pub fn run(command: &mut Command) -> Result<()> {
    let line = command_line(command);
    eprintln!("$ {line}");
    let status = command.status().with_context(|| line.clone())?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs the command and returns its standard output.
///
/// # Errors
/// When it cannot start or fails.
pub fn output(command: &mut Command) -> Result<String> {
    let line = command_line(command);
    let output = command.output().with_context(|| line.clone())?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` failed ({}): {}", output.status, message.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Replaces this process with the command on Unix, so that signals reach the
/// command and its exit status reaches our parent. Elsewhere runs it as a child.
///
/// # Errors
/// When it cannot start.
pub fn exec(command: &mut Command) -> Result<ExitCode> {
    let line = command_line(command);
    eprintln!("$ {line}");
    #[cfg(unix)]
    {
        let error = std::os::unix::process::CommandExt::exec(command);
        Err(error).context(line)
    }
    #[cfg(not(unix))]
    {
        let status = command.status().context(line)?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
    }
}

/// The path of a program in one of the folders of `PATH`.
pub fn find(program: &str) -> Option<PathBuf> {
    let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(&file))
        .find(|path| path.is_file())
}

/// The command with its arguments, for messages.
fn command_line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line = program.display().to_string();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

//! Starting other programs, in the open: every command is shown.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

/// Says what comes next.
pub fn heading(text: &str) {
    eprintln!("\n==> {text}");
}

/// Runs the command with our own input and output.
///
/// # Errors
/// When it cannot start or fails.
pub fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    eprintln!("$ {line}");
    let status = command.status().with_context(|| line.clone())?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// What the command writes to its standard output.
///
/// # Errors
/// When it cannot start or fails.
pub fn output(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let output = command.output().with_context(|| line.clone())?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` failed ({}): {}", output.status, why.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Becomes the command where the system can, so that signals reach it and its
/// exit status reaches whoever started us.
///
/// # Errors
/// When it cannot start.
pub fn hand_over(command: &mut Command) -> Result<ExitCode> {
    let line = shown(command);
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

/// Where a program is found on the search path.
pub fn find(program: &str) -> Option<PathBuf> {
    let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(&file))
        .find(|path| path.is_file())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line = program.display().to_string();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

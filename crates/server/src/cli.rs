//! The command line: flags and subcommands.

mod args;
mod doctor;
mod log;
mod remote;
mod rooms;
mod serve;
mod settings;
mod token;
mod values;
mod webhook_test;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory, FromArgMatches};

use args::{Args, Task};

/// Every subcommand takes the server's own flags, before or after its name.
/// `--admin` also exists on `token`; there the server's flag must come first.
fn command() -> Command {
    let mut command = Args::command().mut_args(|arg| match arg.get_id().as_str() {
        "help" | "version" | "admin" => arg,
        _ => arg.global(true),
    });
    let admin = command
        .get_arguments()
        .find(|arg| arg.get_id() == "admin")
        .cloned();
    for task in ["doctor", "rooms", "webhook-test"] {
        command = command.mut_subcommand(task, |task| task.args(admin.clone()));
    }
    command
}

/// Parses and runs the command line. Exit codes: 0 = success, 1 = failure, 2 =
/// invalid arguments.
pub async fn run() -> ExitCode {
    let mut command = command();
    let matches = command.get_matches_mut();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let wanted = args.settings.config().unwrap_or_else(|why| {
        command.error(ErrorKind::ArgumentConflict, why).exit();
    });
    let done = match args.task {
        None => serve::serve(wanted, args.log_format).await,
        Some(task) => {
            log::to_stderr(args.log_format, "warn");
            match task {
                Task::Doctor(asked) => doctor::doctor(wanted, asked).await,
                Task::Rooms(asked) => rooms::rooms(wanted, asked).await,
                Task::Token(asked) => token::token(&wanted, &asked),
                Task::WebhookTest => webhook_test::webhook_test(wanted).await,
            }
        }
    };
    match done {
        Ok(status) => status,
        Err(error) => {
            eprintln!("visavis-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_flags_conflict() {
        super::command().debug_assert();
    }
}

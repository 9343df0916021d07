//! The program: its flags, and what it does besides serving.

mod args;
mod doctor;
mod log;
mod remote;
mod rooms;
mod serve;
mod settings;
mod token;
mod webhook_test;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory, FromArgMatches};

use args::{Args, Task};

/// Every subcommand takes the server's own flags, before it or after. One name
/// is a token's too: there it stands before the subcommand.
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

/// Reads the command line and does what it says; the program's status: 0 when
/// all is well, 1 when it is not, 2 when the command line makes no sense.
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
    fn the_flags_do_not_get_into_each_others_way() {
        super::command().debug_assert();
    }
}

//! The project's own commands: `cargo xtask run | test | bench | types | requirements`.

mod acceptance;
mod bench;
mod build;
mod forgotten;
mod kernel;
mod packages;
mod page;
mod process;
mod requirements;
mod rules;
mod run;
mod test;
mod types;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, starts and tests Visavis")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Start the application; without a display, the demonstration in the terminal
    Run {
        /// Passed on to the application
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Check and test everything; with filters, only the tests they name
    Test {
        /// Only the camera test, which boots a virtual machine with a camera driver
        #[arg(long, conflicts_with = "filters")]
        camera: bool,
        /// Passed on to `cargo nextest run`
        #[arg(last = true)]
        filters: Vec<OsString>,
    },
    /// Measure
    Bench {
        /// What to measure
        #[command(subcommand)]
        subject: Subject,
    },
    /// Write the page's types anew from the Rust types
    Types,
    /// Write docs/requirements.md anew from the requirements and their tests
    Requirements,
}

#[derive(Subcommand)]
enum Subject {
    /// Calls of 2, 3 and 4: processor, memory, delay, freezes
    Call {
        /// Passed on to the benchmark
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// The room service under many clients: connections, delays, memory, processor
    Server {
        /// How many, in rooms of four
        #[arg(long, default_value_t = 10_000)]
        clients: usize,
        /// Passed on to the server, whose working directory is a new one
        #[arg(last = true)]
        flags: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Run { arguments } => run::run(&arguments),
        Task::Test { camera: true, .. } => test::camera(),
        Task::Test { filters, .. } if !filters.is_empty() => test::some(&filters),
        Task::Test { .. } => test::everything(),
        Task::Bench {
            subject: Subject::Call { arguments },
        } => bench::call(&arguments),
        Task::Bench {
            subject: Subject::Server { clients, flags },
        } => bench::server(clients, &flags),
        Task::Types => types::renew(),
        Task::Requirements => requirements::renew(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

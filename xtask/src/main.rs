//! Development commands: `cargo xtask run | test | bench | models | types | requirements`.

mod acceptance;
mod bench;
mod build;
mod kernel;
mod models;
mod orphan_files;
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
    /// Start the application; without a display, a demo call in the terminal
    Run {
        /// Passed on to the application
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Run all checks and tests; with filters, only the tests that match
    Test {
        /// Run only the camera test, which boots a virtual machine with a camera driver
        #[arg(long, conflicts_with = "filters")]
        camera: bool,
        /// Run only the tests marked `#[ignore = "long: …"]`, which take too long for
        /// every run
        #[arg(long, conflicts_with = "camera")]
        long: bool,
        /// Passed on to `cargo nextest run`
        #[arg(last = true)]
        filters: Vec<OsString>,
    },
    /// Run a benchmark
    Bench {
        /// What the benchmark measures
        #[command(subcommand)]
        subject: Subject,
    },
    /// Fetch the model of virtual backgrounds into models/, for bundles and tests
    Models,
    /// Regenerate the page's TypeScript types from the Rust types
    Types,
    /// Regenerate docs/requirements.md from the requirements and their tests
    Requirements,
}

#[derive(Subcommand)]
enum Subject {
    /// Calls of our participants beside the same calls of Chromium's
    Mesh {
        /// Scenes (cost, delay, rate, shaped, first-picture, crowd, mouth-to-ear; by
        /// default all), --rounds N, --seconds N
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// The server under many clients: connections, latency, memory, CPU
    Server {
        /// Number of clients, in rooms of four
        #[arg(long, default_value_t = 10_000)]
        clients: usize,
        /// Passed on to the server, which runs in a temporary working directory
        #[arg(last = true)]
        flags: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Run { arguments } => run::run(&arguments),
        Task::Test { camera: true, .. } => test::camera(),
        Task::Test {
            long: true,
            filters,
            ..
        } => test::long(&filters),
        Task::Test { filters, .. } if !filters.is_empty() => test::filtered(&filters),
        Task::Test { .. } => test::all(),
        Task::Bench {
            subject: Subject::Mesh { arguments },
        } => bench::mesh(&arguments),
        Task::Bench {
            subject: Subject::Server { clients, flags },
        } => bench::server(clients, &flags),
        Task::Models => models::ensure().map(|()| ExitCode::SUCCESS),
        Task::Types => types::regenerate(),
        Task::Requirements => requirements::regenerate(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_long_tests_can_be_filtered_and_exclude_the_camera_test() {
        let parse = |arguments: &str| Arguments::try_parse_from(arguments.split(' '));
        let long = parse("xtask test --long -- NAME").unwrap().task;
        assert!(matches!(long, Task::Test { long: true, filters, .. } if filters == ["NAME"]),);
        assert!(parse("xtask test --long --camera").is_err());
    }
}

//! A participant without a window: for bots, measurements and tests.

mod arguments;
mod demo;
mod participant;
mod process;
mod report;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::arguments::{Arguments, Task};

/// Warnings; the libraries' own about ordinary starts of a connection are none,
/// nor what PulseAudio's client calls an error: that it was closed.
const QUIET: &str = "warn,rtc_dtls=error,rtc_ice=error,pulseaudio=off";

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(QUIET));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let runtime = tokio::runtime::Runtime::new()?;
    let code = runtime.block_on(async {
        match arguments.task {
            Some(Task::Demo(demo)) => demo::run(&demo).await,
            None => participant::run(arguments.participant).await,
        }
    });
    // What still runs is a blocked device thread at worst; it need not be waited for.
    runtime.shutdown_background();
    code
}

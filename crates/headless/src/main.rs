//! A participant without a window: for bots, measurements and tests.

mod arguments;
mod control;
mod demo;
mod participant;
mod process;
mod report;
mod speaking;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::arguments::{Arguments, Task};

/// The default log filter. The DTLS and ICE libraries warn while an ordinary
/// connection starts, and the PulseAudio client logs its close as an error. The
/// driver logs each check that a socket cannot send, as from a loopback address to
/// another machine.
const QUIET: &str = "warn,rtc_dtls=error,rtc_ice=error,webrtc::peer_connection::driver=off,\
                     pulseaudio=off";

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
    // Does not wait for device threads, which may be blocked in a driver.
    runtime.shutdown_background();
    code
}

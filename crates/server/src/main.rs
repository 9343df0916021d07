//! `visavis-server`: the room service as a program of its own.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    visavis_server::cli::run().await
}

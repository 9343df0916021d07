//! Serving, until told to stop.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;

use super::args::LogFormat;
use super::log;
use crate::{Server, ServerConfig};

/// Waits for SIGTERM or SIGINT. They are listened for from the call on.
#[cfg(unix)]
fn stop_asked() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Waits for Ctrl-C. It is listened for from the call on.
#[cfg(windows)]
fn stop_asked() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}

/// Serves until told to stop.
pub(super) async fn serve(config: ServerConfig, format: LogFormat) -> anyhow::Result<ExitCode> {
    log::to_stderr(format, "info");
    // Each client is a descriptor, and systems begin with 1,024 of them.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "as many clients as descriptors are allowed now");
    }
    let stop = stop_asked().context("cannot listen for signals")?;
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let server = Server::bind(config).await?;
    // Whoever waits for this line may have gone; the server serves all the same.
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on {scheme}://{}", server.local_addr())
        .and_then(|()| stdout.flush())
        .unwrap_or_else(|error| tracing::warn!(%error, "could not say where it listens"));

    stop.await;
    tracing::info!("stopping");
    server.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

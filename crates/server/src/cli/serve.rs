//! Serves until a stop signal.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;

use super::args::LogFormat;
use super::log;
use crate::config::ServerConfig;
use crate::server::Server;

/// Waits for SIGTERM or SIGINT. The handlers are installed by the call itself.
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

/// Waits for Ctrl-C. The handler is installed by the call itself.
#[cfg(windows)]
fn stop_asked() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}

/// Serves until a stop signal.
pub(super) async fn serve(config: ServerConfig, format: LogFormat) -> anyhow::Result<ExitCode> {
    log::to_stderr(format, "info");
    // Each client takes a file descriptor; the default soft limit is often 1,024.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let stop = stop_asked().context("cannot listen for signals")?;
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let server = Server::bind(config).await?;
    // The reader of stdout may be gone; the server serves all the same.
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on {scheme}://{}", server.local_addr())
        .and_then(|()| stdout.flush())
        .unwrap_or_else(|error| tracing::warn!(%error, "could not say where it listens"));

    stop.await;
    tracing::info!("stopping");
    server.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

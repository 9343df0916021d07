//! `visavis-server`: the room service as a program of its own.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use tracing_subscriber::EnvFilter;
use visavis_protocol::IceServer;
use visavis_server::{Server, ServerConfig};

/// The Visavis room service.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7420")]
    listen: SocketAddr,
    /// How long an empty room is kept after the last one left
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    empty_timeout: u64,
    /// A STUN or TURN server to tell the clients; may be repeated
    #[arg(long, value_name = "URL[,USER,CREDENTIAL]", value_parser = ice_server)]
    ice_server: Vec<IceServer>,
    /// The secret shared with the TURN servers (coturn: use-auth-secret)
    #[arg(
        long,
        value_name = "SECRET",
        env = "VISAVIS_TURN_SECRET",
        hide_env_values = true
    )]
    turn_secret: Option<String>,
}

fn ice_server(text: &str) -> Result<IceServer, String> {
    let mut parts = text.splitn(3, ',').map(str::to_owned);
    let url = parts.next().unwrap_or_default();
    let scheme = url.split(':').next().unwrap_or_default();
    if !matches!(scheme, "stun" | "stuns" | "turn" | "turns") || scheme.len() + 1 >= url.len() {
        return Err("the URL must begin with stun:, stuns:, turn: or turns:".to_owned());
    }
    let (username, credential) = (parts.next(), parts.next());
    if username.is_some() != credential.is_some() {
        return Err("a user needs a credential: URL,USER,CREDENTIAL".to_owned());
    }
    Ok(IceServer {
        urls: vec![url],
        username,
        credential,
    })
}

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

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("visavis-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    let stop = stop_asked().context("cannot listen for signals")?;
    let server = Server::bind(ServerConfig {
        listen: args.listen,
        empty_timeout: Duration::from_secs(args.empty_timeout),
        ice_servers: args.ice_server,
        turn_secret: args.turn_secret,
        ..ServerConfig::default()
    })
    .await?;
    // Whoever waits for this line may have gone; the server serves all the same.
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on http://{}", server.local_addr())
        .and_then(|()| stdout.flush())
        .unwrap_or_else(|error| tracing::warn!(%error, "could not say where it listens"));

    stop.await;
    tracing::info!("stopping");
    server.shutdown().await;
    Ok(())
}

//! `cargo xtask bench server`: thousands of clients in rooms of four on one
//! server over loopback, from this one process; beside it the same with a plain
//! relay on Node's `ws` package, and how the two compare.
//!
//! Connecting goes as fast as the server lets it; entering, chat and signalling
//! come at a fixed rate, whatever the server answers, the same for both.

#[path = "server/client.rs"]
mod client;
#[path = "server/crowd.rs"]
mod crowd;
#[path = "machine.rs"]
mod machine;
#[path = "server/pace.rs"]
mod pace;
#[path = "server/program.rs"]
mod program;
#[path = "server/record.rs"]
mod record;
#[path = "server/run.rs"]
mod run;
#[path = "server/scenes.rs"]
mod scenes;
#[path = "server/table.rs"]
mod table;
#[path = "usage.rs"]
mod usage;

use anyhow::{Context, Result};
use tokio::process::Command;
use tokio::task::LocalSet;
use visavis_tests::programs;

use crate::program::Program;
use crate::run::Figures;
use crate::table::Sides;

/// Beyond a descriptor for each client.
const OTHER_DESCRIPTORS: u64 = 200;

// One thread: the servers need the rest of the machine.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let clients: usize = match arguments.next() {
        Some(text) => text
            .parse()
            .context("usage: bench-server [CLIENTS] [FLAG]…")?,
        None => 10_000,
    };
    let flags: Vec<String> = arguments.collect();
    raise_descriptor_limit(clients)?;

    let relay = programs::sources()?.join("bench/relay/relay.mjs");
    let ours = async || {
        let mut command = Command::new(programs::built("visavis-server")?);
        command.args(["--listen", "127.0.0.1:0"]).args(&flags);
        figures("Visavis", &mut command, clients).await
    };
    let theirs = async || {
        let mut command = Command::new(programs::installed("node")?);
        figures("the relay", command.arg(&relay), clients).await
    };
    // Each is first once and last once, so that neither has the warmer machine.
    let mut sides = Sides::default();
    sides.ours.push(ours().await?);
    sides.theirs.push(theirs().await?);
    sides.theirs.push(theirs().await?);
    sides.ours.push(ours().await?);
    table::print(&sides, clients, &flags).await?;
    let broadcast = scene(&flags, scenes::broadcast).await?;
    table::print_broadcast(&broadcast);
    let churn = scene(&flags, scenes::churn).await?;
    table::print_churn(&churn);
    Ok(())
}

/// Runs a scene against a new server of ours.
async fn scene<T>(flags: &[String], scene: impl AsyncFnOnce(&Program) -> Result<T>) -> Result<T> {
    let mut command = Command::new(programs::built("visavis-server")?);
    command.args(["--listen", "127.0.0.1:0"]).args(flags);
    let program = Program::start(&mut command).await?;
    let done = LocalSet::new().run_until(scene(&program)).await?;
    program.check_log()?;
    Ok(done)
}

async fn figures(side: &str, command: &mut Command, clients: usize) -> Result<Figures> {
    let run = async {
        let program = Program::start(command).await?;
        let figures = LocalSet::new()
            .run_until(run::run(&program, clients))
            .await?;
        program.check_log()?;
        anyhow::Ok(figures)
    };
    let figures = run.await.with_context(|| side.to_owned())?;
    table::tell(side, &figures);
    Ok(figures)
}

/// As many descriptors as the system allows this process; the servers, which it
/// starts, have them too.
fn raise_descriptor_limit(clients: usize) -> Result<()> {
    let most = rlimit::increase_nofile_limit(u64::MAX).context("raising the limit")?;
    anyhow::ensure!(
        clients as u64 + OTHER_DESCRIPTORS <= most,
        "{clients} clients need more than the {most} descriptors that this system allows a process"
    );
    Ok(())
}

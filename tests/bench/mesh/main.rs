//! `cargo xtask bench mesh`: calls of our participants and of Chromium's, alternating in
//! one run, with the same pictures and sound on both sides; one process, with all that it
//! starts, for each participant. `docs/performance.md` describes the scenes.
//!
//! CPU time and memory are read from the system for each process and its descendants.

mod call;
mod camera;
mod clip;
mod interpolation;
mod luma;
#[path = "../machine.rs"]
mod machine;
mod ours;
mod person;
mod plan;
mod scenes;
mod statistics;
mod table;
mod theirs;
mod timecode;
mod timeline;
#[path = "../usage.rs"]
mod usage;

use anyhow::Result;
use tokio::process::Command;
use visavis_tests::programs;

use crate::plan::Plan;
use crate::scenes::Clips;

#[tokio::main]
async fn main() -> Result<()> {
    let plan = Plan::parse(std::env::args().skip(1))?;
    let clips = Clips::prepare().await?;
    let mut sections = Vec::new();
    for scene in &plan.scenes {
        sections.extend(scenes::run(scene, &plan, &clips).await?);
        // A long run that is broken off leaves what it has found so far.
        eprintln!("{}", table::table(&sections));
    }
    println!("{}.", machine().await);
    println!();
    print!("{}", table::table(&sections));
    Ok(())
}

/// The machine and the browser.
async fn machine() -> String {
    let machine = machine::machine();
    let Ok(chromium) = programs::installed("chromium") else {
        return machine;
    };
    match programs::output(Command::new(chromium).arg("--version")).await {
        Ok(version) => format!("{machine}; {}", version.trim()),
        Err(_) => machine,
    }
}

//! Video calls in a room.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

use clap::Parser;
use visavis_shell::arguments::Arguments;
use visavis_shell::{logging, window};

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    logging::start();
    window::run(arguments)
}

//! The figures, for people.

use anyhow::Result;
use tokio::process::Command;
use visavis_tests::programs;

use crate::crowd::{HANDSHAKES, ROOM_SIZE};
use crate::machine::machine;
use crate::record::Delays;
use crate::run::{
    CHATS_PER_SECOND, ENTRIES_PER_SECOND, Figures, IDLE, OFFER_BYTES, OFFERS_PER_SECOND, Spent,
};
use crate::scenes;

/// The runs of both.
#[derive(Default)]
pub struct Sides {
    pub ours: Vec<Figures>,
    pub theirs: Vec<Figures>,
}

/// One run in a line, for whoever watches.
pub fn tell(side: &str, run: &Figures) {
    let delay = |of: &Delays| {
        let at = |share| quantile(share, of.iter());
        format!("{:.2}/{:.2}", at(0.5), at(0.99))
    };
    eprintln!(
        "{side}: {:.0} connections/s; p50/p99 in ms: create {}, join {}, chat {}, offer {}; \
        CPU s: {:.2}, {:.2}, {:.2}; {:.0} MiB",
        run.connections_per_second,
        delay(&run.created),
        delay(&run.joined),
        delay(&run.chat_completed),
        delay(&run.offered),
        run.entering.server,
        run.chatting.server,
        run.offering.server,
        run.end_mib,
    );
}

/// # Errors
/// When a program does not tell its version.
pub async fn print(sides: &Sides, clients: usize, flags: &[String]) -> Result<()> {
    let ours = version(Command::new(programs::built("visavis-server")?)).await?;
    let node = version(Command::new(programs::installed("node")?)).await?;
    println!();
    println!(
        "{clients} clients in {} rooms of {ROOM_SIZE}, {} runs of each side, on {}.",
        clients / ROOM_SIZE,
        sides.ours.len(),
        machine()
    );
    println!(
        "{ours} ({}) and a plain relay on Node.js {node} with ws.",
        match flags {
            [] => "as it comes".to_owned(),
            flags => flags.join(" "),
        }
    );
    println!(
        "Connecting: {HANDSHAKES} handshakes at a time. Then, whatever is answered: \
        {ENTRIES_PER_SECOND} entries (creating or joining a room), \
        {CHATS_PER_SECOND} chat messages, \
        {OFFERS_PER_SECOND} offers of {OFFER_BYTES} bytes a second."
    );
    println!("Delays are of all runs together, the other figures means of the runs.");
    println!();
    println!("| figure | Visavis | relay | ratio |");
    println!("|---|---|---|---|");
    let row = |name: &str, places: usize, of: &dyn Fn(&[Figures]) -> f64| {
        let (ours, theirs) = (of(&sides.ours), of(&sides.theirs));
        // A ratio to what rounds to nothing says nothing.
        let ratio = match theirs {
            0.01.. => format!("{:.2}", ours / theirs),
            _ => "-".to_owned(),
        };
        println!("| {name} | {ours:.places$} | {theirs:.places$} | {ratio} |");
    };
    let delays = |name: &str, of: fn(&Figures) -> &Delays| {
        for (share, percentile) in [(0.5, "p50"), (0.99, "p99")] {
            let name = format!("{name}, {percentile} ms");
            row(&name, 2, &|side| quantile(share, side.iter().flat_map(of)));
        }
    };
    let figure = |name: &str, places, of: fn(&Figures) -> f64| {
        row(name, places, &|side| {
            side.iter().map(of).sum::<f64>() / side.len() as f64
        });
    };
    let each = |name: &str, of: fn(&Figures) -> f64| {
        row(name, 2, &|side| {
            let mib = side.iter().map(of).sum::<f64>() / side.len() as f64;
            mib * 1_024.0 / clients as f64
        });
    };
    figure("connections/s", 0, |run| run.connections_per_second);
    delays("creating a room", |run| &run.created);
    delays("joining a room", |run| &run.joined);
    delays("chat, the last of the four", |run| &run.chat_completed);
    delays("chat, each delivery", |run| &run.chat_delivered);
    delays("offer", |run| &run.offered);
    figure("memory alone, MiB", 1, |run| run.alone_mib);
    figure("memory at the end, MiB", 1, |run| run.end_mib);
    each("memory a connection, KiB", |run| {
        run.connected_mib - run.alone_mib
    });
    each("the same at the end, in rooms, KiB", |run| {
        run.end_mib - run.alone_mib
    });
    figure("CPU s connecting", 2, |run| run.connecting.server);
    figure("CPU s entering", 2, |run| run.entering.server);
    figure("CPU s chatting", 2, |run| run.chatting.server);
    figure("CPU s offering", 2, |run| run.offering.server);
    let idle = format!("CPU s idling for {} s", IDLE.as_secs());
    figure(&idle, 2, |run| run.idling.server);
    // How far the generator was from being what is measured.
    let busy = |spent: Spent| spent.generator / spent.seconds * 100.0;
    row("the generator, % of a core connecting", 0, &|side| {
        side.iter()
            .map(|run| busy(run.connecting))
            .fold(0.0, f64::max)
    });
    row(
        "the generator, % of a core at most afterwards",
        0,
        &|side| {
            side.iter()
                .flat_map(|run| [run.entering, run.chatting, run.offering])
                .map(busy)
                .fold(0.0, f64::max)
        },
    );
    Ok(())
}

/// The broadcast that fills.
pub fn print_broadcast(run: &scenes::Broadcast) {
    println!();
    println!(
        "A broadcast that {} viewers join, {} a second, with feature `members`: {:.1} MB received \
        by all clients together, {:.1} s until the last was inside, {:.2} CPU s, joins p50 {:.2} \
        and p99 {:.2} ms; every connection stayed.",
        scenes::VIEWERS,
        scenes::VIEWERS_PER_SECOND,
        run.megabytes,
        run.seconds,
        run.server_cpu_seconds,
        quantile(0.5, run.joined.iter()),
        quantile(0.99, run.joined.iter()),
    );
}

/// The rooms whose members come and go.
pub fn print_churn(run: &scenes::Churn) {
    println!(
        "{} rooms of {}, with one more that joins and leaves in each, {} changes a second for {} s: \
        {} changes, {:.2} CPU s, joins p50 {:.2} and p99 {:.2} ms.",
        scenes::ROOMS,
        scenes::STAYING,
        scenes::CHANGES_PER_SECOND,
        scenes::CHURN.as_secs(),
        run.changes,
        run.server_cpu_seconds,
        quantile(0.5, run.joined.iter()),
        quantile(0.99, run.joined.iter()),
    );
}

/// The smallest that so large a share does not exceed.
fn quantile<'a>(share: f64, delays: impl Iterator<Item = &'a f64>) -> f64 {
    let mut delays: Vec<f64> = delays.copied().collect();
    delays.sort_by(f64::total_cmp);
    let place = (delays.len() as f64 * share).ceil() as usize;
    delays
        .get(place.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}

async fn version(mut program: Command) -> Result<String> {
    let output = program.arg("--version").output().await?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

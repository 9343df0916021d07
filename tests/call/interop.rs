//! Calls with peers that we did not write, in either role: who sends the first
//! offer, mute, camera, ICE restart, tracks that come later.

mod peer;
mod scene;
mod table;

use anyhow::{Result, ensure};
use visavis_tests::namespaces::in_a_network_of_its_own;

use peer::Kind;
use scene::{Outcome, Row};

/// Runs a row with its steps once, and expects what the peer can do at all.
fn passes(kind: Kind, codec: &'static str, we_offer: bool) -> Result<()> {
    let row = Row {
        kind,
        codec,
        we_offer,
        seconds: 0,
    };
    in_a_network_of_its_own(async move |own_network| {
        for (step, outcome) in Box::pin(scene::run(row, own_network)).await {
            eprintln!("{row}: {step}: {outcome:?}");
            if let Outcome::Failed(error) = outcome {
                ensure!(false, "{row}: {step}: {error}");
            }
        }
        Ok(())
    })
}

#[test]
fn firefox_calls_us() -> Result<()> {
    passes(Kind::Firefox, "vp8", false)
}

#[test]
fn we_call_firefox() -> Result<()> {
    passes(Kind::Firefox, "vp8", true)
}

#[test]
fn chromium_calls_us_and_restarts_and_adds_tracks() -> Result<()> {
    passes(Kind::Chromium, "vp8", false)
}

#[test]
fn aiortc_calls_us() -> Result<()> {
    passes(Kind::Aiortc, "vp8", false)
}

#[test]
fn we_call_gstreamer() -> Result<()> {
    passes(Kind::Gstreamer("max-bundle"), "h264", true)
}

#[test]
fn janus_echoes_us() -> Result<()> {
    passes(Kind::Janus, "vp8", true)
}

/// Every peer, role and codec for 30 s; writes `docs/interop.md`.
#[test]
#[ignore = "long: every peer, role and codec for 30 s"]
fn the_table_of_interoperability() -> Result<()> {
    in_a_network_of_its_own(async |own_network| {
        ensure!(
            own_network,
            "the table takes root, for ICE restarts of ours"
        );
        let mut lines = Vec::new();
        for row in Row::all() {
            let outcomes = Box::pin(scene::run(row, own_network)).await;
            eprintln!("{row}: {outcomes:?}");
            lines.push((row, outcomes));
            table::write(&lines)?;
        }
        table::check(&lines)
    })
}

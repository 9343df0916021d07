//! `docs/interop.md`.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, ensure};
use visavis_tests::programs;

use crate::interop::scene::{Outcome, Row, Step};

const HEAD: &str = "\
# Interoperability

Written by the test `the_table_of_interoperability`: `cargo xtask test --long
the_table_of_interoperability`, as root on Linux. Each row is a call of 30 seconds
with cameras at 320x180 and 15 frames a second and with Opus, and a second call in
which both cameras come late. *offers* and *answers* say what the peer does with the
first offer. A step passes when sound and frames arrive that were sent after it; *mute*
and *off* also when nothing arrives in between.

";

/// Fails if a step failed, and names all that did.
pub fn check(lines: &[(Row, Vec<(Step, Outcome)>)]) -> Result<()> {
    let outcomes = lines
        .iter()
        .flat_map(|(row, outcomes)| outcomes.iter().map(move |outcome| (row, outcome)));
    let failures: Vec<String> = outcomes
        .filter_map(|(row, (step, outcome))| match outcome {
            Outcome::Failed(error) => Some(format!("{row}: {step}: {error}")),
            _ => None,
        })
        .collect();
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// Writes the page.
pub fn write(lines: &[(Row, Vec<(Step, Outcome)>)]) -> Result<()> {
    let mut text = HEAD.to_owned();
    write!(text, "| peer |")?;
    for step in Step::ALL {
        write!(text, " {step} |")?;
    }
    writeln!(text, "\n|---|{}", "---|".repeat(Step::ALL.len()))?;
    let mut reasons = Vec::new();
    for (row, outcomes) in lines {
        write!(text, "| {row} |")?;
        for (_, outcome) in outcomes {
            match outcome {
                Outcome::Passed => write!(text, " yes |")?,
                Outcome::Skipped => write!(text, " not run |")?,
                Outcome::Failed(_) => write!(text, " **no** |")?,
                Outcome::Impossible(why) => {
                    let place = reasons.iter().position(|reason| reason == why);
                    let place = place.unwrap_or_else(|| {
                        reasons.push(*why);
                        reasons.len() - 1
                    });
                    write!(text, " – ({}) |", place + 1)?;
                }
            }
        }
        writeln!(text)?;
    }
    writeln!(text)?;
    for (place, reason) in reasons.iter().enumerate() {
        writeln!(text, "{}. {reason}", place + 1)?;
    }
    let tests = programs::sources()?;
    let docs = tests.parent().context("no docs")?.join("docs");
    fs::write(docs.join("interop.md"), text)?;
    Ok(())
}

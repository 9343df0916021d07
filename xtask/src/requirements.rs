//! `docs/requirements.md`: every requirement, the tests whose names carry its id,
//! and the state that follows from them.

mod rows;
mod sources;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};

use crate::build::root;
use crate::process::heading;
use rows::{Owner, Row, Section};
use sources::Test;

/// Whether a requirement without a test fails the checks.
const STRICT: bool = true;

/// Requirements that depend on features not built yet: recording, egress, dial-in
/// by phone, breakout rooms, captions and backgrounds.
#[rustfmt::skip]
const LATER: &[&str] = &[
    "S0-20", "S0-21", "S0-22", "S0-23",
    "S1-19", "S1-26", "S1-35",
    "S2-05", "S2-14", "S2-15", "S2-16", "S2-17", "S2-18", "S2-23", "S2-41", "S2-42",
    "S2-68", "S2-69", "S2-70", "S2-71",
    "S3-54",
];

const INTRODUCTION: &str = "\
# Requirements

What the program and its room service must do, and the tests that show it; made by
`cargo xtask requirements` from the rows in `xtask/src/requirements/rows.txt` and
from the names of the tests: one that shows S4-28 is named `s4_28_…`, in the page
`S4-28 …`. Owner: R the room service, C the client, B both.

- done: a test shows it, of a row of both the service's side
- later: it waits for recording, streaming out, dial-in by phone, breakout rooms,
  captions or backgrounds
- client: the client's alone
- open: no test shows it yet
";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Done,
    Later,
    Client,
    Open,
}

impl State {
    const ALL: [Self; 4] = [Self::Done, Self::Later, Self::Client, Self::Open];

    fn of(row: &Row, tests: &[Test]) -> Self {
        if LATER.contains(&row.id) {
            Self::Later
        } else if row.owner == Owner::Client {
            Self::Client
        } else if tests.iter().any(Test::is_on_the_server_side) {
            Self::Done
        } else {
            Self::Open
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Later => "later",
            Self::Client => "client",
            Self::Open => "open",
        }
    }
}

/// Checks that the table is current and that no requirement lacks its test.
///
/// # Errors
/// When the table is not current, or a requirement has no test.
pub fn check() -> Result<()> {
    heading("Checking that each requirement has a test");
    let sections = rows::all()?;
    let tests = sources::all(root())?;
    let current = std::fs::read_to_string(page())?;
    ensure!(
        current == table(&sections, &tests)?,
        "{} is out of date; `cargo xtask requirements` regenerates it",
        page().display()
    );
    let open: Vec<_> = sections
        .iter()
        .flat_map(|section| &section.rows)
        .filter(|row| State::of(row, tests_for(&tests, row)) == State::Open)
        .map(|row| row.id)
        .collect();
    if !open.is_empty() {
        let open = format!("{} without a test: {}", open.len(), open.join(" "));
        ensure!(!STRICT, "{open}");
        eprintln!("{open}");
    }
    Ok(())
}

/// Regenerates the table.
///
/// # Errors
/// When the name of a test carries an id that no requirement has.
pub fn regenerate() -> Result<ExitCode> {
    let table = table(&rows::all()?, &sources::all(root())?)?;
    std::fs::write(page(), table)?;
    Ok(ExitCode::SUCCESS)
}

fn page() -> PathBuf {
    root().join("docs").join("requirements.md")
}

/// The tests of each requirement's id.
type Tests = BTreeMap<String, Vec<Test>>;

fn tests_for<'a>(tests: &'a Tests, row: &Row) -> &'a [Test] {
    tests.get(row.id).map_or(&[], Vec::as_slice)
}

fn table(sections: &[Section], tests: &Tests) -> Result<String> {
    let rows = || sections.iter().flat_map(|section| &section.rows);
    for (id, tests) in tests {
        let test = tests.first().map_or("", |test| &test.name);
        if !rows().any(|row| row.id == id) {
            bail!("test `{test}` names requirement {id}, which does not exist");
        }
    }
    let mut text = format!("{INTRODUCTION}\n{}: ", rows().count());
    let counts = State::ALL.map(|state| {
        let rows = rows().filter(|row| State::of(row, tests_for(tests, row)) == state);
        format!("{} {}", rows.count(), state.name())
    });
    writeln!(text, "{}.", counts.join(", "))?;
    for section in sections {
        writeln!(text, "\n## {}\n", section.title)?;
        writeln!(text, "| row | what | owner | tests | state |")?;
        writeln!(text, "|---|---|---|---|---|")?;
        for row in &section.rows {
            let tests = tests_for(tests, row);
            let links: Vec<_> = tests.iter().map(Test::link).collect();
            writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                row.id,
                row.text,
                row.owner.letter(),
                links.join("<br>"),
                State::of(row, tests).name()
            )?;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &'static str, owner: Owner) -> Row {
        Row {
            id,
            owner,
            text: "It works",
        }
    }

    fn test(name: &str, file: &str) -> Test {
        Test {
            name: name.to_owned(),
            file: file.to_owned(),
        }
    }

    #[test]
    fn there_are_236_rows_and_they_include_the_later_ones() {
        let sections = rows::all().unwrap();
        let ids: Vec<_> = sections.iter().flat_map(|section| &section.rows).collect();
        assert_eq!(ids.len(), 236);
        for later in LATER {
            assert!(ids.iter().any(|row| row.id == *later), "{later}");
        }
    }

    #[test]
    fn a_row_is_done_when_the_server_has_a_test() {
        let server = [test("s4_28_four", "tests/service/join.rs")];
        let client = [test("S3-47 two people", "ui/tests/call.test.ts")];
        let of = |id, owner, tests: &[Test]| State::of(&row(id, owner), tests);
        assert_eq!(of("S4-28", Owner::Server, &server), State::Done);
        assert_eq!(of("S3-47", Owner::Both, &client), State::Open);
        assert_eq!(of("S2-43", Owner::Client, &client), State::Client);
        assert_eq!(of("S2-41", Owner::Server, &server), State::Later);
        assert_eq!(of("S2-70", Owner::Client, &[]), State::Later);
    }

    #[test]
    fn the_table_links_each_test_and_a_test_with_an_unknown_id_is_refused() {
        let sections = [Section {
            title: "S4",
            rows: vec![row("S4-28", Owner::Server)],
        }];
        let join = test("s4_28_four", "tests/service/join.rs");
        let tests = Tests::from([("S4-28".to_owned(), vec![join.clone()])]);
        let line = "| S4-28 | It works | R | [`s4_28_four`](../tests/service/join.rs) | done |\n";
        let table_of = |tests| table(&sections, &tests);
        assert!(table_of(tests).unwrap().ends_with(line));
        let stray = Tests::from([("S4-31".to_owned(), vec![join])]);
        assert!(table_of(stray).is_err());
    }
}

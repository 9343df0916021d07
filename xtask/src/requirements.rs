//! `docs/requirements.md`: every requirement, the tests whose names carry its id,
//! and the state that follows from them.

mod rows;
mod sources;
mod state;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};

use crate::build::root;
use crate::process::heading;
use rows::{Owner, Row, Section};
use sources::{APPLICATION, CLIENT, SERVER, Test};
use state::State;

/// Checks that the table is current and that no test of the server's part of a
/// requirement is missing. Missing tests of the client's part are only printed: the
/// table lists them, so a test that disappears changes it.
///
/// # Errors
/// When the table is out of date, or the server's part of a requirement has no test.
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
    let without = |lacks_test: fn(State, Owner) -> bool| -> Vec<_> {
        let rows = sections.iter().flat_map(|section| &section.rows);
        rows.filter(|row| lacks_test(State::of(row, tests_for(&tests, row)), row.owner))
            .map(|row| row.id)
            .collect()
    };
    let client = without(State::lacks_client_test);
    if !client.is_empty() {
        let ids = client.join(" ");
        eprintln!("{} without a test of the client: {ids}", client.len());
    }
    let server = without(State::lacks_server_test);
    if !server.is_empty() {
        let ids = server.join(" ");
        bail!("{} without a test of the server: {ids}", server.len());
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

/// The text above the table.
fn introduction() -> String {
    let list = |folders: &[&str]| {
        let folders = folders.iter().map(|folder| format!("`{folder}`"));
        folders.collect::<Vec<_>>().join(", ")
    };
    format!(
        "\
# Requirements

What the application and the server must do, and the tests that check it. Generated
by `cargo xtask requirements` from `xtask/src/requirements/rows.txt` and the names of
the tests: a test of S4-28 is named `s4_28_…` in Rust and `S4-28 …` in the page.

Owners: R the server, C the client, B both. A test counts by its folder:

- for the server: {server}
- for the client: {client}
- for the application, the part of the client with a window: {application}

A test below folders of both lists counts for both sides. The states:

- done: R with a test of the server, C with a test of the application, B with a test
  of the server and a test of the client
- half: B with a test of one side; the state names the side without one
- later: depends on recording, egress, dial-in by phone, breakout rooms, captions or
  backgrounds, which are not built yet; tests do not change this state
- open: none of the tests above

`cargo xtask test` fails when an R or B row has no test of the server, or when this
page is out of date.
",
        server = list(SERVER),
        client = list(CLIENT),
        application = list(APPLICATION)
    )
}

/// The whole page.
fn table(sections: &[Section], tests: &Tests) -> Result<String> {
    let rows = || sections.iter().flat_map(|section| &section.rows);
    for (id, tests) in tests {
        let test = tests.first().map_or("", |test| &test.name);
        if !rows().any(|row| row.id == id) {
            bail!("test `{test}` names requirement {id}, which does not exist");
        }
    }
    let mut text = introduction();
    let count = |states: &[State]| {
        let state = |row| State::of(row, tests_for(tests, row));
        rows().filter(|row| states.contains(&state(row))).count()
    };
    writeln!(
        text,
        "\n{} rows: {} done, {} half, {} later, {} open.",
        rows().count(),
        count(&[State::Done]),
        count(&[State::NoServerTest, State::NoClientTest]),
        count(&[State::Later]),
        count(&[State::Open])
    )?;
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
        for later in state::LATER {
            assert!(ids.iter().any(|row| row.id == *later), "{later}");
        }
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

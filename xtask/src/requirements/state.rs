//! The state of a requirement, derived from the places of its tests.

use super::rows::{Owner, Row};
use super::sources::{APPLICATION, CLIENT, SERVER, Test};

/// Requirements that depend on features not built yet: recording, egress, dial-in
/// by phone, breakout rooms, captions and backgrounds.
#[rustfmt::skip]
pub const LATER: &[&str] = &[
    "S0-20", "S0-21", "S0-22", "S0-23",
    "S1-19", "S1-26", "S1-35",
    "S2-05", "S2-14", "S2-15", "S2-16", "S2-17", "S2-18", "S2-23", "S2-41", "S2-42",
    "S2-68", "S2-69", "S2-70", "S2-71",
    "S3-54",
];

/// Whether the tests of a requirement cover every side that must meet it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Done,
    /// The server must meet it too and has no test of it.
    NoServerTest,
    /// The client must meet it too and has no test of it.
    NoClientTest,
    Later,
    Open,
}

impl State {
    /// The state of a row with these tests.
    pub fn of(row: &Row, tests: &[Test]) -> Self {
        if LATER.contains(&row.id) {
            return Self::Later;
        }
        let tested = |folders| tests.iter().any(|test| test.is_in(folders));
        match row.owner {
            Owner::Server if tested(SERVER) => Self::Done,
            Owner::Client if tested(APPLICATION) => Self::Done,
            Owner::Server | Owner::Client => Self::Open,
            Owner::Both => match (tested(SERVER), tested(CLIENT)) {
                (true, true) => Self::Done,
                (true, false) => Self::NoClientTest,
                (false, true) => Self::NoServerTest,
                (false, false) => Self::Open,
            },
        }
    }

    /// The last column of the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NoServerTest => "half: no server test",
            Self::NoClientTest => "half: no client test",
            Self::Later => "later",
            Self::Open => "open",
        }
    }

    /// Whether the server's part of a row in this state is without a test.
    pub fn lacks_server_test(self, owner: Owner) -> bool {
        match self {
            Self::Open => owner != Owner::Client,
            Self::NoServerTest => true,
            Self::Done | Self::NoClientTest | Self::Later => false,
        }
    }

    /// Whether the client's part of a row in this state is without a test.
    pub fn lacks_client_test(self, owner: Owner) -> bool {
        match self {
            Self::Open => owner != Owner::Server,
            Self::NoClientTest => true,
            Self::Done | Self::NoServerTest | Self::Later => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(id: &'static str, owner: Owner, files: &[&str]) -> State {
        let text = "It works";
        let test = |file: &&str| Test {
            name: "S4-28 works".to_owned(),
            file: (*file).to_owned(),
        };
        let tests: Vec<_> = files.iter().map(test).collect();
        State::of(&Row { id, owner, text }, &tests)
    }

    #[test]
    fn a_server_row_is_done_with_a_server_test_and_open_without() {
        let of = |files: &[&str]| state("S4-28", Owner::Server, files);
        assert_eq!(of(&["crates/server/tests/server/s4.rs"]), State::Done);
        assert_eq!(of(&["tests/service/stores.rs"]), State::Done);
        assert_eq!(of(&["ui/tests/call.test.ts"]), State::Open);
        assert_eq!(of(&[]), State::Open);
    }

    #[test]
    fn a_client_row_is_done_with_a_test_of_the_application_and_open_without() {
        let of = |files: &[&str]| state("S2-43", Owner::Client, files);
        assert_eq!(of(&["ui/tests/call.test.ts"]), State::Done);
        assert_eq!(of(&["src-tauri/src/link.rs"]), State::Done);
        assert_eq!(of(&["tests/desktop/windows.rs"]), State::Done);
        assert_eq!(of(&["crates/server/tests/server/s2.rs"]), State::Open);
        assert_eq!(of(&[]), State::Open);
    }

    #[test]
    fn a_row_of_both_is_done_only_with_a_test_of_each_side() {
        let of = |files: &[&str]| state("S3-47", Owner::Both, files);
        let server = "crates/server/tests/server/rooms.rs";
        let client = "crates/call/src/state/call.rs";
        assert_eq!(of(&[server, client]), State::Done);
        assert_eq!(of(&[server]), State::NoClientTest);
        assert_eq!(of(&[client]), State::NoServerTest);
        assert_eq!(of(&[]), State::Open);
        let end_to_end = "tests/call/mesh.rs";
        assert_eq!(of(&[end_to_end]), State::Done);
    }

    #[test]
    fn a_later_row_stays_later_whatever_tests_there_are() {
        let server = "tests/service/livekit.rs";
        assert_eq!(state("S2-41", Owner::Server, &[server]), State::Later);
        assert_eq!(state("S2-70", Owner::Client, &[]), State::Later);
    }

    #[test]
    fn an_open_row_lacks_the_tests_of_its_owners() {
        let open = |owner| {
            (
                State::Open.lacks_server_test(owner),
                State::Open.lacks_client_test(owner),
            )
        };
        assert_eq!(open(Owner::Server), (true, false));
        assert_eq!(open(Owner::Client), (false, true));
        assert_eq!(open(Owner::Both), (true, true));
    }
}

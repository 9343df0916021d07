//! What the clients did, what they were told of it, and what they must not have
//! been told.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// What the rooms are made for.
pub const MOST_INSIDE: usize = 4;

/// Whether a room was deleted, as far as its clients know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fate {
    #[default]
    Kept,
    /// It was asked for, and not acknowledged.
    Perhaps,
    Deleted,
}

/// A room whose making was acknowledged.
#[derive(Debug, Clone, Default)]
pub struct Made {
    pub fate: Fate,
    /// The names that it may have: the last acknowledged one, and those that were
    /// asked for since.
    pub names: Vec<String>,
}

#[derive(Default)]
pub struct Book {
    pub rooms: HashMap<String, Made>,
    /// Client and room of each acknowledged join.
    pub joins: Vec<(String, String)>,
    /// Room and id of each chat message that came back to its sender.
    pub chats: Vec<(String, String)>,
    pub counts: BTreeMap<String, u64>,
    pub wrong: Vec<String>,
    pub slowest: BTreeMap<&'static str, Duration>,
    stage: Vec<String>,
    nodes: Vec<Option<(String, String)>>,
}

#[derive(Default)]
pub struct Tally {
    book: Mutex<Book>,
    over: AtomicBool,
}

impl Tally {
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// A node that clients are sent to: where its sockets are, and its REST side.
    pub fn open_node(&self, socket: String, base: String) {
        self.book().nodes.push(Some((socket, base)));
    }

    /// Nobody is sent there any more.
    pub fn close_node(&self, number: usize) {
        self.book().nodes[number] = None;
    }

    fn node(&self, turn: usize) -> Result<(String, String)> {
        let book = self.book();
        let open: Vec<_> = book.nodes.iter().flatten().collect();
        let node = open.get(turn % open.len().max(1)).context("no node")?;
        Ok((*node).clone())
    }

    pub fn node_for(&self, turn: usize) -> Result<String> {
        Ok(self.node(turn)?.0)
    }

    pub fn base_for(&self, turn: usize) -> Result<String> {
        Ok(self.node(turn)?.1)
    }

    /// The room that a person goes to.
    pub fn stage(&self, person: usize) -> String {
        let book = self.book();
        book.stage[person % book.stage.len()].clone()
    }

    /// People go to this room now; the one where they went before.
    pub fn set_stage(&self, slot: usize, room: String) -> Option<String> {
        let mut book = self.book();
        if slot == book.stage.len() {
            book.stage.push(room);
            return None;
        }
        Some(std::mem::replace(&mut book.stage[slot], room))
    }

    pub fn fate(&self, room: &str) -> Fate {
        let book = self.book();
        book.rooms
            .get(room)
            .map(|made| made.fate)
            .unwrap_or_default()
    }

    pub fn joined(&self, client: &str, room: &str) {
        self.book().joins.push((client.to_owned(), room.to_owned()));
    }

    pub fn chatted(&self, room: &str, id: &str) {
        self.book().chats.push((room.to_owned(), id.to_owned()));
    }

    pub fn count(&self, what: &str) {
        *self.book().counts.entry(what.to_owned()).or_default() += 1;
    }

    pub fn counted(&self, what: &str) -> u64 {
        self.book().counts.get(what).copied().unwrap_or_default()
    }

    pub fn refused(&self, what: &str, how: &str) {
        self.count(&format!("{what} refused: {how}"));
    }

    pub fn wrong(&self, what: String) {
        self.book().wrong.push(what.chars().take(300).collect());
    }

    /// Prints the figures, and complains where something was wrong.
    pub fn tell(&self, what: &str) -> Result<()> {
        let book = self.book();
        eprintln!("== {what}: {:#?}", book.counts);
        eprintln!("== {what}: slowest answers {:?}", book.slowest);
        let all = (book.rooms.len(), book.joins.len(), book.chats.len());
        eprintln!("== {what}: (rooms, joins, chats) acknowledged {all:?}");
        let wrong = book.wrong.len();
        let some = &book.wrong[..wrong.min(20)];
        ensure!(wrong == 0, "{wrong} wrong answers: {some:#?}");
        Ok(())
    }

    pub fn answered(&self, what: &'static str, after: Duration) {
        let mut book = self.book();
        let slowest = book.slowest.entry(what).or_default();
        *slowest = after.max(*slowest);
    }
}

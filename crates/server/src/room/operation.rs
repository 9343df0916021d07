//! The store operations of one room. At most one is under way; the room's task
//! polls it beside its inbox, so a slow store delays only what depends on it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;
use visavis_protocol::{ChatEntry, Envelope, Role};

use super::applicant::{Admitted, Applicant};
use super::handle::Reply;
use super::services::{RoomServices, StoredRoom};
use super::state::{ChatMessage, Entry, HostCommand, Resumer};
use crate::id::{ClientId, SocketId};
use crate::model::Participant;
use crate::refusal::{Refusal, store_failed};
use crate::store::StoreError;

/// How long a failed write waits before the next attempt.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// Requests that wait for the store. A further one is refused with `server-busy`.
const MAX_REQUESTS: usize = 1_024;
/// Writes that wait for the store. Past it the oldest change of a participant is
/// dropped: newer ones contain it. Departures are never dropped.
const MAX_WRITES: usize = 1_024;

/// A write whose result nobody waits for. It is repeated until it is stored.
#[derive(Debug)]
pub(super) enum Write {
    Departure {
        who: Box<Participant>,
        was_host: bool,
    },
    Change {
        before: Box<Participant>,
        who: Box<Participant>,
    },
    /// One host made another in its place: the roles of both.
    HostChange { from: ClientId, to: ClientId },
}

/// An operation whose result somebody waits for. It is tried once.
pub(super) enum Request {
    /// Admit a client that asked to join, in the place of a participant, if any.
    Join(Box<Applicant>, Entry, Reply<()>, Option<Box<Replaced>>),
    /// Admit the first of the queue, or one that a host approved.
    AdmitWaiting(Box<Applicant>),
    /// Take over a participant from another node.
    TakeOver(Resumer, Reply<ClientId>),
    /// Store a member's chat message.
    Chat(ChatMessage),
    /// Store a chat message of an administrator.
    ServerChat(ChatEntry, Option<ClientId>, Reply<()>),
    /// Carry out a host's command.
    Command {
        command: HostCommand,
        by: SocketId,
        envelope: Envelope,
    },
    /// Read the room, who is inside, and the chat.
    CatchUp,
}

/// A participant whose kept place is taken over.
pub(super) struct Replaced {
    pub who: Participant,
    pub was_host: bool,
}

/// What became of a request to join.
pub(super) struct Joined {
    pub applicant: Applicant,
    pub entry: Entry,
    pub reply: Reply<()>,
    /// The participant whose departure was stored first.
    pub replaced: Option<ClientId>,
    pub admitted: Result<Admitted, Refusal>,
}

/// The result of an operation.
pub(super) enum Outcome {
    Written(Write, Result<(), StoreError>),
    Joined(Box<Joined>),
    AdmittedWaiting(ClientId, Result<Box<Admitted>, Refusal>),
    TookOver(Entry, Reply<ClientId>, Result<Box<Participant>, Refusal>),
    ChatSaved(ChatMessage, Result<(), Refusal>),
    ServerChatSaved(ChatEntry, Option<ClientId>, Reply<()>, Result<(), Refusal>),
    Commanded(SocketId, Envelope, Result<(), Refusal>),
    CaughtUp(Result<Option<Box<StoredRoom>>, Refusal>),
}

pub(super) type Operation = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What waits for the store, oldest first. Writes go before requests, except while
/// a failed write waits for its next attempt.
#[derive(Default)]
pub(super) struct Operations {
    writes: VecDeque<Write>,
    requests: VecDeque<Request>,
    /// When the rows are to be read, before anything else.
    catch_up_at: Option<Instant>,
    retry_at: Option<Instant>,
}

/// What to start next.
pub(super) enum Next {
    Write(Write),
    Request(Box<Request>),
}

impl Operations {
    pub fn push_write(&mut self, write: Write) {
        if self.writes.len() >= MAX_WRITES {
            let is_change = |write: &Write| matches!(write, Write::Change { .. });
            if let Some(index) = self.writes.iter().position(is_change)
                && let Some(Write::Change { before, who }) = self.writes.remove(index)
            {
                self.extend_next_change(index, &who.sid, before);
            }
        }
        self.writes.push_back(write);
    }

    /// The next change of a participant, from `index` on, is also the one that was
    /// dropped: it starts from what was stored before both.
    fn extend_next_change(&mut self, index: usize, sid: &str, stored: Box<Participant>) {
        for write in self.writes.range_mut(index..) {
            if let Write::Change { before, who } = write
                && who.sid == sid
            {
                *before = stored;
                return;
            }
        }
    }

    /// Applies the role changes that are not stored yet to rows that were read.
    pub fn apply_pending_roles(&self, rows: &mut [Participant]) {
        for write in &self.writes {
            match write {
                Write::Departure { .. } => {}
                Write::Change { before, who } => {
                    if !who.has_role_of(before)
                        && let Some(row) = rows.iter_mut().find(|row| row.sid == who.sid)
                    {
                        row.copy_role(who);
                    }
                }
                Write::HostChange { from, to } => {
                    for (client, role) in [(from, Role::Participant), (to, Role::Host)] {
                        if let Some(row) = rows.iter_mut().find(|row| row.client == *client) {
                            row.set_role(role);
                        }
                    }
                }
            }
        }
    }

    /// Adds a request; where too many wait, it comes back.
    pub fn push(&mut self, request: Request) -> Result<(), Box<Request>> {
        if self.requests.len() >= MAX_REQUESTS {
            return Err(Box::new(request));
        }
        self.requests.push_back(request);
        Ok(())
    }

    /// The rows are to be read before anything else, once however often it is asked for.
    pub fn request_catch_up(&mut self, now: Instant) {
        self.catch_up_at = Some(now);
    }

    /// The rows could not be read: they are read again after [`RETRY`].
    pub fn retry_catch_up(&mut self, now: Instant) {
        self.catch_up_at.get_or_insert(now + RETRY);
    }

    /// The server stops: what waits for its next attempt is tried once more, now.
    pub fn expedite(&mut self) {
        self.retry_at = None;
        self.catch_up_at = None;
    }

    /// Adds a request before all others.
    pub fn push_first(&mut self, request: Request) {
        self.requests.push_front(request);
    }

    /// A write failed: it is first in turn again, after [`RETRY`].
    pub fn retry(&mut self, write: Write, now: Instant) {
        self.writes.push_front(write);
        self.retry_at = Some(now + RETRY);
    }

    /// When something that failed is due again. The deadline stays whatever happens
    /// meanwhile.
    pub fn retry_at(&self) -> Option<Instant> {
        [self.retry_at, self.catch_up_at]
            .into_iter()
            .flatten()
            .min()
    }

    pub fn next(&mut self, now: Instant) -> Option<Next> {
        if self.catch_up_at.is_some_and(|at| at <= now) {
            self.catch_up_at = None;
            return Some(Next::Request(Box::new(Request::CatchUp)));
        }
        self.retry_at = self.retry_at.filter(|at| *at > now);
        if self.retry_at.is_none()
            && let Some(write) = self.writes.pop_front()
        {
            return Some(Next::Write(write));
        }
        let request = self.requests.pop_front()?;
        Some(Next::Request(Box::new(request)))
    }

    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.requests.is_empty() && self.catch_up_at.is_none()
    }
}

impl Next {
    /// Starts it. It makes progress only while it is polled.
    pub fn start(self, services: Arc<dyn RoomServices>, room: Uuid) -> Operation {
        match self {
            Self::Write(write) => Box::pin(async move {
                let done = match &write {
                    Write::Departure { who, was_host } => {
                        services.record_departure(who, *was_host).await
                    }
                    Write::Change { before, who } => services.record_change(before, who).await,
                    Write::HostChange { from, to } => {
                        services.record_host_change(room, *from, *to).await
                    }
                };
                Outcome::Written(write, done)
            }),
            Self::Request(request) => Box::pin(run(services, room, *request)),
        }
    }
}

async fn run(services: Arc<dyn RoomServices>, room: Uuid, request: Request) -> Outcome {
    match request {
        Request::Join(applicant, entry, reply, replaces) => {
            let mut joined = Box::new(Joined {
                applicant: *applicant,
                entry,
                reply,
                replaced: None,
                admitted: Err(Refusal::server_busy()),
            });
            if let Some(replaces) = replaces {
                let gone = services.record_departure(&replaces.who, replaces.was_host);
                if let Err(error) = gone.await {
                    joined.admitted = Err(store_failed(error));
                    return Outcome::Joined(joined);
                }
                joined.replaced = Some(replaces.who.client);
            }
            joined.admitted = services.admit(room, joined.applicant.clone()).await;
            Outcome::Joined(joined)
        }
        Request::AdmitWaiting(applicant) => {
            let client = applicant.client;
            let admitted = services.admit(room, *applicant).await;
            Outcome::AdmittedWaiting(client, admitted.map(Box::new))
        }
        Request::TakeOver(Resumer { entry, proof }, reply) => {
            let taken = services.take_over(room, proof, entry.secret).await;
            Outcome::TookOver(entry, reply, taken.map(Box::new))
        }
        Request::Chat(chat) => {
            let saved = services.append_chat(room, &chat.entry).await;
            Outcome::ChatSaved(chat, saved.map_err(store_failed))
        }
        Request::ServerChat(entry, to, reply) => {
            let saved = services.append_chat(room, &entry).await;
            Outcome::ServerChatSaved(entry, to, reply, saved.map_err(store_failed))
        }
        Request::Command {
            command,
            by,
            envelope,
        } => {
            let done = match command {
                HostCommand::Lock(locked) => services.set_locked(room, locked).await,
                HostCommand::End => services.end_by_host(room).await,
            };
            Outcome::Commanded(by, envelope, done)
        }
        Request::CatchUp => {
            let stored = services.load(room).await.map_err(store_failed);
            Outcome::CaughtUp(stored.map(|stored| stored.map(Box::new)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn departure(client: u128) -> Write {
        Write::Departure {
            who: Box::new(Participant::someone(Uuid::from_u128(client))),
            was_host: false,
        }
    }

    fn change(client: u128) -> Write {
        let who = Box::new(Participant::someone(Uuid::from_u128(client)));
        Write::Change {
            before: who.clone(),
            who,
        }
    }

    fn client(next: Option<Next>) -> Option<u128> {
        match next? {
            Next::Write(Write::Departure { who, .. } | Write::Change { who, .. }) => {
                Some(who.client.as_u128())
            }
            Next::Write(Write::HostChange { .. }) | Next::Request(_) => None,
        }
    }

    #[test]
    fn a_failed_write_is_repeated_first_at_its_own_deadline_and_requests_pass_it() {
        let start = Instant::now();
        let mut operations = Operations::default();
        operations.push_write(departure(1));
        operations.push_write(change(2));
        let Some(Next::Write(failed)) = operations.next(start) else {
            panic!("writes go first");
        };
        operations.retry(failed, start);
        assert!(operations.push(Request::CatchUp).is_ok());
        let later = start + RETRY / 2;
        assert!(matches!(operations.next(later), Some(Next::Request(_))));
        assert!(operations.next(later).is_none());
        // What happens meanwhile does not move the deadline.
        operations.push_write(change(3));
        assert_eq!(operations.retry_at(), Some(start + RETRY));
        let due = start + RETRY;
        assert_eq!(client(operations.next(due)), Some(1));
        assert_eq!(client(operations.next(due)), Some(2));
        assert_eq!(client(operations.next(due)), Some(3));
        assert!(operations.is_empty());
    }

    #[test]
    fn roles_that_are_not_stored_yet_win_over_the_rows_that_were_read() {
        let someone = |number| Participant {
            sid: format!("PA_{number}"),
            ..Participant::someone(Uuid::from_u128(number))
        };
        let mut rows = [someone(1), someone(2), someone(3)];
        rows[0].role = Role::Host;
        rows[1].role = Role::Viewer;
        let viewer = Participant {
            role: Role::Viewer,
            ..someone(3)
        };
        let renamed = Participant {
            name: "Bo".to_owned(),
            ..someone(1)
        };
        let mut operations = Operations::default();
        operations.push_write(Write::HostChange {
            from: rows[0].client,
            to: rows[1].client,
        });
        for (before, who) in [(someone(3), viewer), (someone(1), renamed)] {
            operations.push_write(Write::Change {
                before: Box::new(before),
                who: Box::new(who),
            });
        }
        operations.apply_pending_roles(&mut rows);
        let roles = rows.map(|row| row.role);
        assert_eq!(roles, [Role::Participant, Role::Host, Role::Viewer]);
    }

    #[test]
    fn a_dropped_change_is_part_of_the_next_one_of_that_participant() {
        let state = |name: &str| {
            Box::new(Participant {
                name: name.to_owned(),
                ..Participant::someone(Uuid::from_u128(1))
            })
        };
        let mut operations = Operations::default();
        for (before, who) in [("a", "b"), ("b", "c")] {
            let (before, who) = (state(before), state(who));
            operations.push_write(Write::Change { before, who });
        }
        for _ in 2..=MAX_WRITES {
            operations.push_write(departure(2));
        }
        let Some(Next::Write(Write::Change { before, who })) = operations.next(Instant::now())
        else {
            panic!("the change that is left");
        };
        assert_eq!((&*before.name, &*who.name), ("a", "c"));
    }

    #[test]
    fn rows_that_could_not_be_read_are_read_again_and_a_stop_tries_writes_once_more() {
        let start = Instant::now();
        let mut operations = Operations::default();
        operations.retry_catch_up(start);
        assert!(operations.next(start).is_none() && !operations.is_empty());
        let due = operations.retry_at();
        assert_eq!(due, Some(start + RETRY));
        assert!(matches!(
            operations.next(start + RETRY),
            Some(Next::Request(_))
        ));

        operations.retry(departure(1), start);
        assert!(operations.next(start).is_none());
        operations.expedite();
        assert_eq!(client(operations.next(start)), Some(1));
    }

    #[test]
    fn a_full_queue_drops_changes_but_never_departures_and_refuses_requests() {
        let mut operations = Operations::default();
        operations.push_write(departure(0));
        for number in 1..=MAX_WRITES as u128 {
            operations.push_write(change(number));
        }
        let now = Instant::now();
        assert_eq!(client(operations.next(now)), Some(0));
        assert_eq!(
            client(operations.next(now)),
            Some(2),
            "the oldest change went"
        );
        for _ in 0..MAX_REQUESTS {
            assert!(operations.push(Request::CatchUp).is_ok());
        }
        assert!(operations.push(Request::CatchUp).is_err());
    }
}

//! When what was sent came back.

use std::time::Instant;

use anyhow::{Result, bail};
use serde::Deserialize;

/// Milliseconds, each of one message.
pub type Delays = Vec<f64>;

/// As much of any message of a server as matters here.
#[derive(Deserialize)]
struct Heard<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: Option<&'a str>,
    #[serde(borrow)]
    room: Option<Room<'a>>,
    payload: Option<Payload>,
}

#[derive(Deserialize)]
struct Room<'a> {
    id: &'a str,
}

#[derive(Deserialize)]
struct Payload {
    /// Which message this is: its place in [`Record::flights`].
    stamp: usize,
}

/// A chat message or an offer on its way.
struct Flight {
    sent: Instant,
    to_come: usize,
}

/// What is known of a client.
#[derive(Default, Clone)]
pub struct Known {
    pub id: String,
    /// The room that it created.
    pub room: Option<String>,
    /// When it asked for its room; none once it is inside.
    asked: Option<Instant>,
}

/// What all clients sent and heard.
pub struct Record {
    pub clients: Vec<Known>,
    flights: Vec<Flight>,
    /// Answers and deliveries still to come.
    pub to_come: usize,
    /// Request to answer.
    pub created: Delays,
    pub joined: Delays,
    /// Sending to each delivery, and to the last of a message's.
    pub delivered: Delays,
    pub completed: Delays,
}

impl Record {
    pub fn new(clients: usize) -> Self {
        Self {
            clients: vec![Known::default(); clients],
            flights: Vec::new(),
            to_come: clients,
            created: Delays::new(),
            joined: Delays::new(),
            delivered: Delays::new(),
            completed: Delays::new(),
        }
    }

    /// A client asks for its room now.
    pub fn asks(&mut self, client: usize) {
        self.clients[client].asked = Some(Instant::now());
        self.to_come += 1;
    }

    /// A message to so many is sent now; its stamp.
    pub fn sends(&mut self, receivers: usize) -> usize {
        self.flights.push(Flight {
            sent: Instant::now(),
            to_come: receivers,
        });
        self.to_come += receivers;
        self.flights.len() - 1
    }

    /// A client hears a message.
    ///
    /// # Errors
    /// When it is one that does not belong here, an error above all.
    pub fn hears(&mut self, client: usize, text: &[u8]) -> Result<()> {
        let now = Instant::now();
        let message: Heard = match serde_json::from_slice(text) {
            Ok(message) => message,
            Err(why) => bail!("{why}: {}", String::from_utf8_lossy(text)),
        };
        match (message.kind, message.id, message.room, message.payload) {
            ("client-id", Some(id), ..) => self.clients[client].id = id.to_owned(),
            ("room-created", _, Some(room), _) => {
                self.clients[client].room = Some(room.id.to_owned());
                let delay = self.inside(client, now)?;
                self.created.push(delay);
            }
            ("room-joined", ..) => {
                let delay = self.inside(client, now)?;
                self.joined.push(delay);
            }
            ("chat" | "offer", _, _, Some(Payload { stamp })) => self.arrives(stamp, now)?,
            ("member-joined", ..) => return Ok(()),
            _ => bail!("unexpected: {}", String::from_utf8_lossy(text)),
        }
        self.to_come = self.to_come.saturating_sub(1);
        Ok(())
    }

    /// Forgets the deliveries: others are counted next.
    pub fn take_deliveries(&mut self) -> (Delays, Delays) {
        self.flights.clear();
        (
            std::mem::take(&mut self.delivered),
            std::mem::take(&mut self.completed),
        )
    }

    fn inside(&mut self, client: usize, now: Instant) -> Result<f64> {
        match self.clients[client].asked.take() {
            Some(asked) => Ok(milliseconds(asked, now)),
            None => bail!("client {client} got a room that it did not ask for"),
        }
    }

    fn arrives(&mut self, stamp: usize, now: Instant) -> Result<()> {
        let flight = self.flights.get_mut(stamp);
        let Some(flight) = flight.filter(|flight| flight.to_come > 0) else {
            bail!("message {stamp} came more often than it was sent");
        };
        flight.to_come -= 1;
        let (delay, last) = (milliseconds(flight.sent, now), flight.to_come == 0);
        self.delivered.push(delay);
        if last {
            self.completed.push(delay);
        }
        Ok(())
    }
}

fn milliseconds(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1_000.0
}

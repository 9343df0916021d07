//! What is counted, for Prometheus. Counting is an addition to an atomic; what
//! the store knows is asked when somebody looks.

mod kinds;
mod scrape;

use std::borrow::Cow;
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use visavis_protocol::{ClientMessage, ErrorCode};

use crate::clock::Timestamp;
use crate::model::{Room, RoomEvent};
use crate::refusal::Refusal;

pub(crate) use scrape::scrape;

/// One label, whose values are few and known.
type Label = [(&'static str, Cow<'static, str>); 1];

/// What became of an attempt to deliver a webhook.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Delivered {
    /// Its receiver has it.
    Taken,
    /// It is tried again.
    Failed,
    /// It was too old.
    GivenUp,
}

/// One server's counters.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    connections: Gauge,
    joins: Family<Label, Counter>,
    join_seconds: Histogram,
    /// By [`kinds::place`].
    messages: Vec<Counter>,
    events: Family<Label, Counter>,
    room_seconds: Histogram,
    stay_seconds: Histogram,
    deliveries: Family<Label, Counter>,
    scraped: scrape::Gauges,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let scraped = scrape::Gauges::register(&mut registry);
        let ours = registry.sub_registry_with_prefix("visavis");
        let connections = Gauge::default();
        let joins = Family::default();
        let join_seconds = Histogram::new(exponential_buckets(0.000_5, 2.0, 14));
        let messages = Family::<Label, Counter>::default();
        let events = Family::default();
        // From ten seconds to eleven hours.
        let lives = || Histogram::new(exponential_buckets(10.0, 2.0, 13));
        let (room_seconds, stay_seconds) = (lives(), lives());
        let deliveries = Family::default();
        ours.register("connections", "Open sockets", connections.clone());
        ours.register("joins", "Attempts to enter a room", joins.clone());
        ours.register_with_unit(
            "join_duration",
            "From the request to enter to its answer",
            Unit::Seconds,
            join_seconds.clone(),
        );
        ours.register("messages", "Messages of clients", messages.clone());
        ours.register("events", "What happened to rooms", events.clone());
        ours.register_with_unit(
            "room_duration",
            "Lives of rooms that ended",
            Unit::Seconds,
            room_seconds.clone(),
        );
        ours.register_with_unit(
            "stay_duration",
            "Stays of participants who left",
            Unit::Seconds,
            stay_seconds.clone(),
        );
        ours.register(
            "webhook_deliveries",
            "Attempts to deliver a webhook",
            deliveries.clone(),
        );
        let of_kind = |kind: &&'static str| {
            let label = [("type", Cow::Borrowed(*kind))];
            messages.get_or_create_owned(&label)
        };
        Self {
            messages: kinds::NAMES.iter().map(of_kind).collect(),
            scraped,
            registry,
            connections,
            joins,
            join_seconds,
            events,
            room_seconds,
            stay_seconds,
            deliveries,
        }
    }
}

impl Metrics {
    /// A socket is open until this is dropped.
    pub fn connected(&self) -> Connected {
        self.connections.inc();
        Connected(self.connections.clone())
    }

    /// A client says something.
    pub fn received(&self, message: &ClientMessage) -> Incoming {
        if let Some(counter) = self.messages.get(kinds::place(message)) {
            counter.inc();
        }
        let enters = matches!(
            message,
            ClientMessage::CreateRoom(_) | ClientMessage::JoinRoom(_)
        );
        Incoming(enters.then(Instant::now))
    }

    /// That has been dealt with.
    pub fn answered(&self, Incoming(since): Incoming, outcome: &Result<(), Refusal>) {
        let Some(since) = since else {
            return;
        };
        let outcome = match outcome {
            Ok(()) => Cow::Borrowed("joined"),
            Err(refusal) => Cow::Owned(name(refusal.code)),
        };
        self.joins.get_or_create(&[("outcome", outcome)]).inc();
        self.join_seconds.observe(since.elapsed().as_secs_f64());
    }

    /// Something happened to a room.
    pub fn happened(&self, room: &Room, what: RoomEvent<'_>, at: Timestamp) {
        let label = [("label", Cow::Borrowed(what.label().as_str()))];
        self.events.get_or_create(&label).inc();
        match what {
            RoomEvent::Finished => {
                if let Some(instance) = &room.instance {
                    let lived = at.since(instance.started_at);
                    self.room_seconds.observe(lived.as_secs_f64());
                }
            }
            RoomEvent::Left(who) => {
                let stayed = at.since(who.joined_at);
                self.stay_seconds.observe(stayed.as_secs_f64());
            }
            _ => {}
        }
    }

    /// A webhook was tried, or given up.
    pub fn delivered(&self, what: Delivered) {
        let outcome = match what {
            Delivered::Taken => "taken",
            Delivered::Failed => "failed",
            Delivered::GivenUp => "given-up",
        };
        let label = [("outcome", Cow::Borrowed(outcome))];
        self.deliveries.get_or_create(&label).inc();
    }
}

/// Since when a client waits to come in, if that is what it asked for.
#[derive(Debug)]
pub(crate) struct Incoming(Option<Instant>);

/// An open socket.
#[derive(Debug)]
pub(crate) struct Connected(Gauge);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// As it is on the wire.
fn name(code: ErrorCode) -> String {
    let name = serde_json::to_value(code).ok();
    let name = name.as_ref().and_then(|name| name.as_str());
    name.unwrap_or("internal").to_owned()
}

//! What is asked when somebody looks, and the page that they see.

use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::Metrics;
use crate::clock::Timestamp;
use crate::store::{self, SessionStatistics, Store, StoreError};

type SessionLabels = [(&'static str, String); 2];

/// What is only known at the moment of looking.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    rooms: Gauge,
    rooms_active: Gauge,
    participants: Gauge,
    webhooks_queued: Gauge,
    store_errors: Gauge,
    memory: Gauge,
    sessions: Sessions,
}

/// Of each session that is not over; it bears the session's id and state.
#[derive(Debug, Default)]
struct Sessions {
    participants: Family<SessionLabels, Gauge>,
    joins: Family<SessionLabels, Gauge>,
    seconds: Family<SessionLabels, Gauge>,
}

impl Gauges {
    pub fn register(registry: &mut Registry) -> Self {
        let all = Self::default();
        registry.register_with_unit(
            "process_resident_memory",
            "Memory of this process",
            Unit::Bytes,
            all.memory.clone(),
        );
        let ours = registry.sub_registry_with_prefix("visavis");
        for (name, help, gauge) in [
            ("rooms", "Stored rooms that are not over", &all.rooms),
            (
                "rooms_active",
                "Rooms active on this node",
                &all.rooms_active,
            ),
            (
                "participants",
                "Participants connected to this node",
                &all.participants,
            ),
            (
                "webhooks_queued",
                "Webhooks that wait for delivery",
                &all.webhooks_queued,
            ),
            (
                "store_errors",
                "Failures of the database since the start",
                &all.store_errors,
            ),
        ] {
            ours.register(name, help, gauge.clone());
        }
        let Sessions {
            participants,
            joins,
            seconds,
        } = &all.sessions;
        for (name, help, family) in [
            (
                "session_participants",
                "Participants in a session's room",
                participants,
            ),
            (
                "session_joins",
                "Joins since the session was created",
                joins,
            ),
            (
                "session_seconds",
                "Seconds since the session was created",
                seconds,
            ),
        ] {
            ours.register(name, help, family.clone());
        }
        all
    }

    async fn read(&self, store: &Store, node: &str, now: Timestamp) -> Result<(), StoreError> {
        self.rooms.set(store.stored_rooms().await?);
        self.participants.set(store.present_at(node).await?);
        self.webhooks_queued.set(store.queued_webhooks().await?);
        self.sessions.set(&store.session_figures().await?, now);
        Ok(())
    }
}

impl Sessions {
    fn set(&self, sessions: &[SessionStatistics], now: Timestamp) {
        for family in [&self.participants, &self.joins, &self.seconds] {
            // Those that are over would stay for ever.
            family.clear();
        }
        for session in sessions {
            let labels = [
                ("session", session.id.clone()),
                ("status", session.status.clone()),
            ];
            let age = now.since(session.created_at).as_secs();
            self.participants
                .get_or_create(&labels)
                .set(session.present);
            self.joins.get_or_create(&labels).set(session.joined);
            let age = i64::try_from(age).unwrap_or(i64::MAX);
            self.seconds.get_or_create(&labels).set(age);
        }
    }
}

/// The page that Prometheus reads. Where the database does not answer, its figures
/// stay what they were.
pub(crate) async fn scrape(
    metrics: &Metrics,
    store: &Store,
    node: &str,
    active_rooms: usize,
    now: Timestamp,
) -> Result<String, fmt::Error> {
    let gauges = &metrics.scraped;
    if let Err(error) = gauges.read(store, node, now).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "the database's figures cannot be read");
    }
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    gauges.rooms_active.set(number(active_rooms as u64));
    gauges.store_errors.set(number(store::failures()));
    if let Some(bytes) = resident_memory() {
        gauges.memory.set(bytes);
    }
    let mut page = String::new();
    encode(&mut page, &metrics.registry)?;
    Ok(page)
}

/// In bytes; only Linux tells it in a file.
fn resident_memory() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

//! Probes: short clusters of packets at a higher rate, which show at once whether the
//! link carries it.

use std::time::{Duration, Instant};

use super::history::{Acknowledged, ProbeId};

/// Bounds of the length of a cluster, in seconds.
const DURATIONS: (f64, f64) = (0.015, 0.04);
/// Length as a multiple of the jitter: a shorter cluster would measure that.
const JITTERS: f64 = 4.0;
/// Least number of packets in a cluster.
const PACKETS: usize = 5;
/// Bounds of the packets' size, with all headers.
const PACKET_BYTES: (f64, f64) = (200.0, 1_200.0);
/// Share of a cluster that must arrive for a result.
const ENOUGH: f64 = 0.8;
/// A cluster that arrives this much faster than it was sent was held up on the way.
const MAX_SPEED_UP: f64 = 2.0;
/// A cluster that arrives slower than this share of its sending filled the link.
const SATURATED_BELOW: f64 = 0.9;
/// What is used then of the rate of arrival, so that the queue empties.
const USED_OF_SATURATED: f64 = 0.95;
/// A result above this share of what was tried calls for a higher try.
const GO_ON_FROM: f64 = 0.7;
/// After this time, nothing more is expected of a cluster.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The first rates tried, as multiples of the first target.
const FIRST: [f64; 2] = [3.0, 6.0];
/// Every later one, as a multiple of the estimate.
const STEP: f64 = 2.0;
/// Tries of the first probes while no feedback comes.
const FIRST_TRIES: u32 = 5;
/// Interval of the first probes without feedback: the peer may not be ready.
const FIRST_INTERVAL: Duration = Duration::from_secs(5);
/// The same once feedback comes, while too many of their packets are lost for a result.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Until the first drop, at most for so long, the rate is probed often: a first result may
/// be far too low where the delay varies.
const START: Duration = Duration::from_secs(20);
const START_INTERVAL: Duration = Duration::from_secs(2);
/// Interval while the source limits the rate.
const LIMITED_INTERVAL: Duration = Duration::from_secs(5);
/// Interval after a drop, while the rate is far below the one before.
const RECOVERY_INTERVAL: Duration = Duration::from_secs(2);
/// A drop below this share of the rate before calls for recovery; the usual decrease
/// does not.
const LARGE_DROP: f64 = 0.66;
/// Recovery ends at this share.
const RECOVERED: f64 = 0.85;
/// A rate that a probe raised by more than this factor must last for so long. If it drops
/// before, others use the link, and the rate is not sought again.
const LARGE_RAISE: f64 = 1.2;
const SUSTAINED: Duration = Duration::from_secs(2);
/// For so long after a drop, then at the longer interval, and then no more: the rate
/// before is no longer to be had.
const RECOVERY: Duration = Duration::from_secs(30);
const LONG_RECOVERY_INTERVAL: Duration = Duration::from_secs(10);
const LONG_RECOVERY: Duration = Duration::from_secs(120);
/// Without growth for this time, a source that offers a little less than the target is
/// probed. Its rate is too high to count as limiting and too low for the rate to grow.
const STAGNATION: Duration = Duration::from_secs(15);
/// A source that uses the target this far makes the rate grow without probes.
const FULL_USE: f64 = 0.9;
/// A standing queue, in seconds, into which no probe is sent.
const MAX_QUEUE: f64 = 0.05;
/// For so long, beside the round-trip time, the queue of a probe shows in the delay of
/// the media behind it.
const AFTERMATH: Duration = Duration::from_millis(400);

/// A cluster to send: at least so many bytes in at least so many packets, evenly at this
/// rate. Media counts; what is missing is padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Probe {
    /// Marks its packets.
    pub id: ProbeId,
    /// The rate of sending.
    pub bits_per_second: u64,
    /// Number of packets.
    pub packets: usize,
    /// Size of each with all headers.
    pub packet_bytes: usize,
}

/// A cluster that was handed out.
#[derive(Debug)]
struct Cluster {
    probe: Probe,
    started: Instant,
    arrived: Option<Arrived>,
    has_result: bool,
}

/// What arrived of a cluster.
#[derive(Debug, Clone, Copy)]
struct Arrived {
    packets: usize,
    bytes: usize,
    first_sent: Instant,
    last_sent: (Instant, usize),
    first_arrived: (i64, usize),
    last_arrived: i64,
}

/// What decides whether to probe.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProbeConditions {
    /// The estimate in bits per second.
    pub(super) rate: f64,
    pub(super) max: f64,
    /// What is sent.
    pub(super) sent: f64,
    pub(super) is_application_limited: bool,
    /// No queue grows.
    pub(super) is_calm: bool,
    /// Seconds of standing queue.
    pub(super) queue: f64,
    /// Mean change of the delay between two groups of packets, in seconds.
    pub(super) jitter: f64,
    pub(super) has_feedback: bool,
}

/// Decides when to probe, and reads the results.
#[derive(Debug)]
pub(super) struct Probes {
    first_rate: f64,
    next_id: u32,
    to_send: Vec<Probe>,
    clusters: Vec<Cluster>,
    first_tries: u32,
    has_result: bool,
    /// When feedback first came; none after the first drop.
    starting: Option<Instant>,
    last_at: Option<Instant>,
    /// The rate to try next, because the last one was carried.
    go_on: Option<f64>,
    /// The rate before a drop and the time of the drop.
    before_drop: Option<(f64, Instant)>,
    /// The drop was large.
    is_recovering: bool,
    /// When a result last raised the rate by much.
    raised_at: Option<Instant>,
    /// The rate and time of the last growth.
    grown: (f64, Instant),
    has_max_risen: bool,
}

impl Probes {
    pub(super) fn new(now: Instant, first_rate: f64) -> Self {
        Self {
            first_rate,
            next_id: 0,
            to_send: Vec::new(),
            clusters: Vec::new(),
            first_tries: 0,
            has_result: false,
            starting: Some(now),
            last_at: None,
            go_on: None,
            before_drop: None,
            is_recovering: false,
            raised_at: None,
            grown: (first_rate, now),
            has_max_risen: false,
        }
    }

    /// The next probe to send.
    pub(super) fn take(&mut self) -> Option<Probe> {
        (!self.to_send.is_empty()).then(|| self.to_send.remove(0))
    }

    /// The rate dropped from this one.
    pub(super) fn dropped(&mut self, now: Instant, from: f64) {
        self.go_on = None;
        self.starting = None;
        let was_raised = self
            .raised_at
            .is_some_and(|at| now.saturating_duration_since(at) < SUSTAINED);
        if was_raised {
            // A short cluster passes where others send, but the rate does not.
            self.before_drop = None;
            self.is_recovering = false;
            return;
        }
        // Further decreases belong to the same drop.
        match &mut self.before_drop {
            Some((rate, _)) if *rate >= from => {}
            before => *before = Some((from, now)),
        }
    }

    /// A result raised the rate.
    pub(super) fn raised(&mut self, now: Instant, from: f64, to: f64) {
        if to > LARGE_RAISE * from {
            self.raised_at = Some(now);
        }
    }

    pub(super) fn max_rose(&mut self) {
        self.has_max_risen = true;
    }

    /// Whether the packets of a probe may still be on their way.
    pub(super) fn is_recent(&self, now: Instant, round_trip: Duration) -> bool {
        self.last_at
            .is_some_and(|at| now.saturating_duration_since(at) < round_trip + AFTERMATH)
    }

    /// Takes in a packet that arrived.
    pub(super) fn acknowledged(&mut self, packet: &Acknowledged) {
        let Some(id) = packet.probe else {
            return;
        };
        let arrived_at = packet.arrived_at;
        let mut clusters = self.clusters.iter_mut();
        let Some(cluster) = clusters.find(|cluster| cluster.probe.id == id) else {
            return;
        };
        let arrived = cluster.arrived.get_or_insert(Arrived {
            packets: 0,
            bytes: 0,
            first_sent: packet.sent_at,
            last_sent: (packet.sent_at, packet.bytes),
            first_arrived: (arrived_at, packet.bytes),
            last_arrived: arrived_at,
        });
        arrived.packets += 1;
        arrived.bytes += packet.bytes;
        arrived.first_sent = arrived.first_sent.min(packet.sent_at);
        if packet.sent_at >= arrived.last_sent.0 {
            arrived.last_sent = (packet.sent_at, packet.bytes);
        }
        if arrived_at < arrived.first_arrived.0 {
            arrived.first_arrived = (arrived_at, packet.bytes);
        }
        arrived.last_arrived = arrived.last_arrived.max(arrived_at);
    }

    /// The highest new result, in bits per second.
    pub(super) fn result(&mut self) -> Option<f64> {
        let mut best: Option<f64> = None;
        for cluster in &mut self.clusters {
            let Some(rate) = cluster.rate().filter(|_| !cluster.has_result) else {
                continue;
            };
            cluster.has_result = true;
            self.has_result = true;
            best = Some(best.map_or(rate, |other| other.max(rate)));
            let tried = cluster.probe.bits_per_second as f64;
            if rate >= GO_ON_FROM * tried {
                self.go_on = Some(self.go_on.map_or(rate, |other| other.max(rate)));
            }
        }
        best
    }

    /// Makes the probes that are due.
    pub(super) fn update(&mut self, now: Instant, conditions: ProbeConditions) {
        self.clusters
            .retain(|cluster| now.saturating_duration_since(cluster.started) < TIMEOUT);
        let ProbeConditions { rate, max, .. } = conditions;
        if rate > 1.05 * self.grown.0 || rate < self.grown.0 {
            self.grown = (rate, now);
        }
        if let Some((before, at)) = self.before_drop {
            let share = rate / before.min(max);
            self.is_recovering = share < LARGE_DROP || self.is_recovering && share < RECOVERED;
            if share >= RECOVERED || now.saturating_duration_since(at) > LONG_RECOVERY {
                self.before_drop = None;
            }
        }
        let is_waiting = self.clusters.iter().any(|cluster| !cluster.has_result);
        let is_due = |interval| {
            self.last_at
                .is_none_or(|at| now.saturating_duration_since(at) >= interval)
        };
        let first_interval = if conditions.has_feedback {
            FIRST_RETRY
        } else {
            FIRST_INTERVAL
        };
        if !self.has_result && self.first_tries < FIRST_TRIES && is_due(first_interval) {
            self.first_tries += 1;
            let rates = FIRST.map(|factor| factor * self.first_rate);
            self.start(now, conditions, &rates);
            return;
        }
        if !conditions.has_feedback {
            self.starting = self.starting.map(|_| now);
            return;
        }
        self.starting
            .take_if(|at| now.saturating_duration_since(*at) > START);
        if rate >= max || !conditions.is_calm || conditions.queue > MAX_QUEUE {
            self.go_on = None;
            return;
        }
        if is_waiting {
            return;
        }
        let next = if let Some(carried) = self.go_on.take() {
            Some(carried.max(rate) * STEP)
        } else if std::mem::take(&mut self.has_max_risen) {
            Some(rate * STEP)
        } else if let Some((before, at)) = self.before_drop.filter(|_| self.is_recovering)
            && is_due(recovery_interval(now.saturating_duration_since(at)))
        {
            Some((rate * STEP).min(before))
        } else if let Some(interval) = self.interval(conditions)
            && is_due(interval)
        {
            Some(rate * STEP)
        } else {
            let has_stagnated = now.saturating_duration_since(self.grown.1) >= STAGNATION
                && is_due(STAGNATION)
                && conditions.sent < FULL_USE * rate;
            has_stagnated.then_some(rate * STEP)
        };
        if let Some(next) = next {
            self.start(now, conditions, &[next]);
        }
    }

    /// The interval of probes where nothing calls for one.
    fn interval(&self, conditions: ProbeConditions) -> Option<Duration> {
        if self.starting.is_some() {
            Some(START_INTERVAL)
        } else {
            conditions
                .is_application_limited
                .then_some(LIMITED_INTERVAL)
        }
    }

    fn start(&mut self, now: Instant, conditions: ProbeConditions, rates: &[f64]) {
        let duration = (JITTERS * conditions.jitter).clamp(DURATIONS.0, DURATIONS.1);
        self.last_at = Some(now);
        self.to_send.clear();
        let mut previous = 0;
        for rate in rates {
            let rate = rate.min(conditions.max);
            let bits_per_second = rate as u64;
            if bits_per_second == previous {
                continue;
            }
            previous = bits_per_second;
            let bytes = rate * duration / 8.0;
            let packets = PACKETS.max((bytes / PACKET_BYTES.1).ceil() as usize);
            let packet_bytes = bytes / packets as f64;
            let probe = Probe {
                id: ProbeId(self.next_id),
                bits_per_second,
                packets,
                packet_bytes: packet_bytes.clamp(PACKET_BYTES.0, PACKET_BYTES.1) as usize,
            };
            self.next_id = self.next_id.wrapping_add(1);
            self.to_send.push(probe);
            self.clusters.push(Cluster {
                probe,
                started: now,
                arrived: None,
                has_result: false,
            });
        }
    }
}

/// How often to seek the former rate, this long after a drop.
fn recovery_interval(since: Duration) -> Duration {
    if since < RECOVERY {
        RECOVERY_INTERVAL
    } else {
        LONG_RECOVERY_INTERVAL
    }
}

impl Cluster {
    /// The rate that the link carried, once enough has arrived.
    fn rate(&self) -> Option<f64> {
        let arrived = self.arrived?;
        let wanted = (self.probe.packets * self.probe.packet_bytes) as f64;
        if (arrived.packets as f64) < ENOUGH * self.probe.packets as f64
            || (arrived.bytes as f64) < ENOUGH * wanted
        {
            return None;
        }
        let (last_sent, last_bytes) = arrived.last_sent;
        let sending = last_sent
            .saturating_duration_since(arrived.first_sent)
            .as_secs_f64();
        let (first_arrived, first_bytes) = arrived.first_arrived;
        let arriving = (arrived.last_arrived - first_arrived) as f64 / 1e6;
        if sending <= 0.0 || arriving <= 0.0 || sending > 1.0 || arriving > 1.0 {
            return None;
        }
        let sent = (arrived.bytes - last_bytes) as f64 * 8.0 / sending;
        let received = (arrived.bytes - first_bytes) as f64 * 8.0 / arriving;
        if received > MAX_SPEED_UP * sent {
            return None;
        }
        let is_saturated = received < SATURATED_BELOW * sent;
        Some(if is_saturated {
            USED_OF_SATURATED * received
        } else {
            sent.min(received)
        })
    }
}

#[cfg(test)]
mod tests;

//! One direction of a link.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::loss::LossState;
use crate::{Loss, Random};

/// The properties of a link. They may change while it runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Profile {
    /// Bits per second that leave the queue; `None` is without limit, so that nothing
    /// queues. The least is 1 bit/s.
    pub rate: Option<f64>,
    /// Bytes that the queue holds beside the packet in transmission. A packet beyond
    /// is dropped.
    pub queue_bytes: usize,
    /// Time from the end of the queue to the receiver.
    pub delay: Duration,
    /// Deviation from the delay in either direction, uniformly distributed. It never
    /// changes the order of packets.
    pub jitter: Duration,
    /// Loss after the queue.
    pub loss: Loss,
    /// Probability that a packet is held back by [`reordering_delay`](Self::reordering_delay)
    /// and may be overtaken.
    pub reordering: f64,
    /// How long such a packet is held back.
    pub reordering_delay: Duration,
    /// Probability that a packet arrives twice.
    pub duplication: f64,
    /// Whether the link is cut: every packet that leaves the queue is lost.
    pub is_partitioned: bool,
}

impl Profile {
    /// A perfect link.
    pub const PERFECT: Self = Self {
        rate: None,
        queue_bytes: usize::MAX,
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        loss: Loss::None,
        reordering: 0.0,
        reordering_delay: Duration::ZERO,
        duplication: 0.0,
        is_partitioned: false,
    };
}

impl Default for Profile {
    fn default() -> Self {
        Self::PERFECT
    }
}

/// A packet at the receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival<T> {
    /// When it arrived.
    pub at: Duration,
    /// The packet.
    pub packet: T,
}

/// What happened to the packets of a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets given to the link.
    pub sent: u64,
    /// Dropped because the queue was full.
    pub dropped: u64,
    /// Lost after the queue.
    pub lost: u64,
    /// Arrivals, duplicates included.
    pub delivered: u64,
}

/// One direction of a link. Calls must be made in the order of time.
#[derive(Debug)]
pub struct Link<T> {
    profile: Profile,
    random: Random,
    loss: LossState,
    queue: VecDeque<(usize, T)>,
    queued_bytes: usize,
    /// When the first packet of the queue is transmitted completely.
    head_done: Duration,
    /// Packets behind the queue, by arrival time and order of sending.
    in_flight: BTreeMap<(Duration, u64), T>,
    next_number: u64,
    /// The latest arrival of a packet that keeps the order.
    latest_arrival: Duration,
    counters: Counters,
}

impl<T: Clone> Link<T> {
    /// An empty link.
    pub fn new(profile: Profile, seed: u64) -> Self {
        Self {
            profile,
            random: Random::new(seed),
            loss: LossState::default(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            head_done: Duration::ZERO,
            in_flight: BTreeMap::new(),
            next_number: 0,
            latest_arrival: Duration::ZERO,
            counters: Counters::default(),
        }
    }

    /// The current properties.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Changes the properties. What is queued leaves at the new rate; what has left
    /// the queue arrives as before.
    pub fn set_profile(&mut self, now: Duration, profile: Profile) {
        self.advance(now);
        if let Some((bytes, _)) = self.queue.front() {
            let total = self.transmission(*bytes).as_secs_f64();
            let left = self.head_done.saturating_sub(now).as_secs_f64();
            let share_left = if total > 0.0 { left / total } else { 0.0 };
            let bytes = *bytes;
            self.profile = profile;
            self.head_done = now + self.transmission(bytes).mul_f64(share_left);
        }
        self.profile = profile;
        self.advance(now);
    }

    /// Sends a packet. It is dropped if the queue is full.
    pub fn send(&mut self, now: Duration, bytes: usize, packet: T) {
        self.advance(now);
        self.counters.sent += 1;
        let waiting = match self.queue.front() {
            Some((first, _)) => self.queued_bytes - first + bytes,
            None => 0,
        };
        if waiting > self.profile.queue_bytes {
            self.counters.dropped += 1;
            return;
        }
        if self.queue.is_empty() {
            self.head_done = now + self.transmission(bytes);
        }
        self.queue.push_back((bytes, packet));
        self.queued_bytes += bytes;
        self.advance(now);
    }

    /// When the next packet leaves the queue or arrives, given no further sends: the
    /// next time at which [`receive`](Self::receive) may have something new.
    pub fn next_event(&self) -> Option<Duration> {
        let leaves = self.queue.front().map(|_| self.head_done);
        let arrives = self.in_flight.keys().next().map(|(at, _)| *at);
        leaves.into_iter().chain(arrives).min()
    }

    /// The next packet that has arrived by now.
    pub fn receive(&mut self, now: Duration) -> Option<Arrival<T>> {
        self.advance(now);
        let first = self.in_flight.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        self.counters.delivered += 1;
        Some(Arrival {
            at: first.key().0,
            packet: first.remove(),
        })
    }

    /// How long a packet sent now would wait before its transmission.
    pub fn queue_delay(&mut self, now: Duration) -> Duration {
        self.advance(now);
        let Some((first, _)) = self.queue.front() else {
            return Duration::ZERO;
        };
        let behind = self.transmission(self.queued_bytes - first);
        self.head_done.saturating_sub(now) + behind
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn transmission(&self, bytes: usize) -> Duration {
        match self.profile.rate {
            Some(rate) => Duration::from_secs_f64(bytes as f64 * 8.0 / rate.max(1.0)),
            None => Duration::ZERO,
        }
    }

    /// Moves what was transmitted by now out of the queue.
    fn advance(&mut self, now: Duration) {
        while self.head_done <= now
            && let Some((bytes, packet)) = self.queue.pop_front()
        {
            self.queued_bytes -= bytes;
            let left_at = self.head_done;
            if let Some((next, _)) = self.queue.front() {
                self.head_done = left_at + self.transmission(*next);
            }
            self.leave(left_at, packet);
        }
    }

    /// A packet leaves the queue towards the receiver.
    fn leave(&mut self, left_at: Duration, packet: T) {
        let profile = self.profile;
        let is_lost = self.loss.loses(profile.loss, &mut self.random);
        let spread = profile.jitter.mul_f64(2.0 * self.random.unit());
        let is_held_back = self.random.chance(profile.reordering);
        let is_doubled = self.random.chance(profile.duplication);
        if is_lost || profile.is_partitioned {
            self.counters.lost += 1;
            return;
        }
        let delay = (profile.delay + spread).saturating_sub(profile.jitter);
        let mut at = left_at + delay;
        if is_held_back {
            at += profile.reordering_delay;
        } else {
            at = at.max(self.latest_arrival);
            self.latest_arrival = at;
        }
        if is_doubled {
            self.arrive(at, packet.clone());
        }
        self.arrive(at, packet);
    }

    fn arrive(&mut self, at: Duration, packet: T) {
        self.in_flight.insert((at, self.next_number), packet);
        self.next_number += 1;
    }
}

#[cfg(test)]
mod tests;

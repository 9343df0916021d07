//! A bound by loss that tells random loss from congestion.
//!
//! Two hypotheses are compared on the losses of the last seconds. Either packets are lost
//! at random, whatever the rate; then sending less repairs nothing. Or the link carries a
//! certain rate and loses what is above; then the loss grows with the rate. The hypotheses
//! mix: a share of packets is lost at random, and of the rest what exceeds the capacity.
//! The most likely pair of share and capacity is sought.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets are counted by the time of sending, in slots of this length.
const SLOT: Duration = Duration::from_millis(250);
/// A slot is complete when a packet sent this much after its end was reported: until
/// then, reordered packets may arrive.
const SETTLE: Duration = Duration::from_millis(100);
/// Least packets in an observation; slots with fewer are joined.
const LEAST_PACKETS: u32 = 20;
/// Slots that can be open: 10 s, the age of the history.
const MAX_SLOTS: usize = 48;
/// Observations remembered.
const MAX_OBSERVATIONS: usize = 20;
/// Weight of each observation against the next newer one: with it, the last 2.5 s have
/// nearly two thirds of the weight.
const AGEING: f64 = 0.9;

/// Below this loss nothing is bounded: audio and repaired video bear it.
const HARMLESS: f64 = 0.03;
/// Random loss up to this share needs no evidence. Wireless links have it.
const EXPECTED_RANDOM: f64 = 0.12;
/// Log-likelihood that a share above costs, for each unit.
const RANDOM_COST: f64 = 10.0;
/// Log-likelihood that a capacity costs: without evidence nothing is bounded.
const CAPACITY_COST: f64 = 1.5;
/// Losses come in bursts: so many count as one.
const BURST: f64 = 4.0;
/// Shares of random loss that are tried.
const SHARES: [f64; 13] = [
    0.001, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.13, 0.17, 0.22, 0.3, 0.4, 0.55,
];
/// Capacities tried: from the lowest, in steps of this factor, to the highest rate sent.
const CAPACITY_STEP: f64 = 1.06;
const MAX_CAPACITIES: usize = 40;
/// Lowest capacity tried, as a share of what arrived.
const LOWEST_CAPACITY: f64 = 0.9;

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    number: u64,
    sent_bytes: usize,
    received: u32,
    lost: u32,
}

/// The losses at one rate.
#[derive(Debug, Clone, Copy)]
struct Observation {
    rate: f64,
    packets: f64,
    lost: f64,
}

/// Losses, and what they mean.
#[derive(Debug)]
pub(super) struct LossBound {
    started: Instant,
    slots: VecDeque<Slot>,
    /// Complete slots with too few packets, and their number.
    joined: (Slot, u32),
    /// The newest last.
    observations: VecDeque<Observation>,
    bound: Option<f64>,
    random: f64,
}

impl LossBound {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            started: now,
            slots: VecDeque::new(),
            joined: (Slot::default(), 0),
            observations: VecDeque::new(),
            bound: None,
            random: 0.0,
        }
    }

    pub(super) fn sent(&mut self, now: Instant, bytes: usize) {
        let number = self.slot_number(now);
        match self.slots.back_mut() {
            Some(slot) if slot.number >= number => slot.sent_bytes += bytes,
            _ => {
                if self.slots.len() == MAX_SLOTS {
                    self.slots.pop_front();
                }
                self.slots.push_back(Slot {
                    number,
                    sent_bytes: bytes,
                    ..Slot::default()
                });
            }
        }
    }

    pub(super) fn lost(&mut self, sent_at: Instant) {
        if let Some(slot) = self.slot(sent_at) {
            slot.lost += 1;
        }
    }

    pub(super) fn received(&mut self, sent_at: Instant, was_lost: bool) {
        if let Some(slot) = self.slot(sent_at) {
            slot.received += 1;
            slot.lost -= u32::from(was_lost && slot.lost > 0);
        }
    }

    /// Completes slots, now that packets sent up to this time were reported. `delivered`
    /// is the acknowledged rate.
    pub(super) fn update(&mut self, newest_reported: Instant, delivered: Option<f64>) {
        let mut has_new = false;
        while let Some(slot) = self.slots.front()
            && newest_reported >= self.started + SLOT * (slot.number as u32 + 1) + SETTLE
        {
            has_new |= self.complete(*slot);
            self.slots.pop_front();
        }
        if has_new {
            (self.random, self.bound) = self.most_likely(delivered);
        }
    }

    /// The capacity in bits per second, if loss shows one.
    pub(super) fn bound(&self) -> Option<f64> {
        self.bound
    }

    /// Share of packets lost at random, as far as it needs no evidence: what is sent is
    /// more than what arrives by this share, also on a link that is not full.
    pub(super) fn random(&self) -> f64 {
        self.random.min(EXPECTED_RANDOM)
    }

    /// Share of packets lost lately, 0 to 1.
    pub(super) fn loss(&self) -> f64 {
        let newest = || self.observations.iter().rev().take(4);
        let packets: f64 = newest().map(|one| one.packets).sum();
        let lost: f64 = newest().map(|one| one.lost).sum();
        if packets > 0.0 { lost / packets } else { 0.0 }
    }

    fn slot_number(&self, at: Instant) -> u64 {
        let elapsed = at.saturating_duration_since(self.started).as_millis();
        (elapsed / SLOT.as_millis()) as u64
    }

    fn slot(&mut self, sent_at: Instant) -> Option<&mut Slot> {
        let number = self.slot_number(sent_at);
        let at = self
            .slots
            .binary_search_by_key(&number, |slot| slot.number)
            .ok()?;
        self.slots.get_mut(at)
    }

    /// Returns whether this made an observation.
    fn complete(&mut self, slot: Slot) -> bool {
        let (joined, count) = &mut self.joined;
        joined.sent_bytes += slot.sent_bytes;
        joined.received += slot.received;
        joined.lost += slot.lost;
        *count += 1;
        let packets = joined.received + joined.lost;
        if packets < LEAST_PACKETS {
            return false;
        }
        let duration = SLOT.as_secs_f64() * f64::from(*count);
        self.observations.push_back(Observation {
            rate: joined.sent_bytes as f64 * 8.0 / duration,
            packets: f64::from(packets),
            lost: f64::from(joined.lost),
        });
        if self.observations.len() > MAX_OBSERVATIONS {
            self.observations.pop_front();
        }
        self.joined = (Slot::default(), 0);
        true
    }

    /// The share of random loss and the capacity of the most likely hypothesis.
    fn most_likely(&self, delivered: Option<f64>) -> (f64, Option<f64>) {
        let loss = self.loss();
        if loss < HARMLESS {
            return (loss, None);
        }
        let mut best = (f64::NEG_INFINITY, 0.0, None);
        for share in SHARES {
            let likelihood = self.likelihood(share, f64::INFINITY);
            if likelihood > best.0 {
                best = (likelihood, share, None);
            }
        }
        let rates = self.observations.iter().map(|one| one.rate);
        let highest = rates.fold(0.0, f64::max);
        let mut capacity = LOWEST_CAPACITY * delivered.unwrap_or(highest).min(highest);
        for _ in 0..MAX_CAPACITIES {
            if capacity <= 0.0 || capacity >= highest {
                break;
            }
            for share in SHARES {
                let likelihood = self.likelihood(share, capacity) - CAPACITY_COST;
                if likelihood > best.0 {
                    best = (likelihood, share, Some(capacity));
                }
            }
            capacity *= CAPACITY_STEP;
        }
        (best.1.min(loss), best.2)
    }

    /// Logarithm of the likelihood of the losses, given a share of random loss and a
    /// capacity, and of the share itself.
    fn likelihood(&self, share: f64, capacity: f64) -> f64 {
        let mut weight = 1.0 / BURST;
        let mut sum = -RANDOM_COST * (share - EXPECTED_RANDOM).max(0.0);
        for one in self.observations.iter().rev() {
            let excess = (1.0 - capacity / one.rate).max(0.0);
            let expected = (share + (1.0 - share) * excess).clamp(0.001, 0.999);
            let received = one.packets - one.lost;
            sum += weight * (one.lost * expected.ln() + received * (1.0 - expected).ln());
            weight *= AGEING;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends at these rates for 250 ms each, with 100 packets/s at least, and loses what
    /// `loss` says for the rate. Returns the bound after each.
    fn bounds(rates: &[f64], loss: impl Fn(f64) -> f64) -> Vec<Option<f64>> {
        let start = Instant::now();
        let mut bound = LossBound::new(start);
        let mut delivered = 0.0;
        let mut debt = 0.0;
        let steps = rates.iter().enumerate().map(|(number, rate)| {
            for packet in 0..25 {
                let at = start + SLOT * number as u32 + Duration::from_millis(packet * 10);
                bound.sent(at, (rate / 800.0) as usize);
                debt += loss(*rate);
                if debt >= 1.0 {
                    debt -= 1.0;
                    bound.lost(at);
                } else {
                    bound.received(at, false);
                }
            }
            delivered = rate * (1.0 - loss(*rate));
            bound.update(start + SLOT * (number as u32 + 1) + SETTLE, Some(delivered));
            bound.bound()
        });
        steps.collect()
    }

    #[test]
    fn random_loss_bounds_nothing() {
        for share in [0.02, 0.05, 0.1] {
            let rates: Vec<_> = (0..40)
                .map(|number| 1e6 + 5e4 * f64::from(number % 5))
                .collect();
            let bounds = bounds(&rates, |_| share);
            assert!(bounds.iter().all(Option::is_none), "{share}: {bounds:?}");
        }
    }

    #[test]
    fn loss_above_a_rate_is_a_capacity() {
        let rates: Vec<_> = (0..12)
            .map(|number| 0.8e6 + 1e5 * f64::from(number))
            .collect();
        let bounds = bounds(&rates, |rate| (1.0 - 1e6 / rate).max(0.0));
        let last = bounds.last().unwrap().unwrap();
        assert!((0.85e6..1.1e6).contains(&last), "{bounds:?}");
    }

    #[test]
    fn heavy_loss_is_a_capacity_until_a_lower_rate_shows_that_it_is_random() {
        let rates: Vec<_> = [2e6; 4].into_iter().chain([1.2e6; 12]).collect();
        let bounds = bounds(&rates, |_| 0.35);
        assert!(bounds[..4].iter().any(Option::is_some), "{bounds:?}");
        assert_eq!(bounds.last(), Some(&None), "{bounds:?}");
    }

    #[test]
    fn the_bound_ends_with_the_loss() {
        let rates: Vec<_> = [2e6; 8].into_iter().chain([0.5e6; 12]).collect();
        let bounds = bounds(&rates, |rate| if rate > 1e6 { 0.5 } else { 0.0 });
        assert!(bounds[7].is_some());
        assert_eq!(bounds.last(), Some(&None));
    }
}

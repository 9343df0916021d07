//! Bandwidth estimation for one peer: how many bits per second its link carries.
//!
//! The estimator gets what was sent and what the peer reports, and returns a target bit
//! rate and probes to send. With transport-wide feedback it works by delay, loss and
//! probes (draft-ietf-rmcat-gcc-02, extended); for other peers by receiver reports and
//! REMB. `docs/media.md` describes the mechanism.
//!
//! It is pure: time is an argument, and it has no clock, thread or randomness. Nothing a
//! peer sends costs more than its own size.

mod arrival;
mod feedback;
mod history;
mod loss;
mod pacer;
mod probe;
mod queue_delay;
mod rate_control;
mod reports;
mod retransmissions;
mod sending;
#[cfg(test)]
mod tests;
mod throughput;
mod trendline;

use std::time::{Duration, Instant};

pub(crate) use feedback::{PacketStatus, TransportFeedback};
pub(crate) use history::{ProbeId, SentPacket};
pub(crate) use pacer::{Paced, Pacer, Priority};
pub(crate) use probe::Probe;
pub(crate) use retransmissions::Retransmissions;

use arrival::ArrivalGroups;
use history::History;
use loss::LossBound;
use probe::{ProbeConditions, Probes};
use queue_delay::QueueDelay;
use rate_control::{Conditions, RateControl};
use reports::ReportControl;
use sending::Sending;
use throughput::Throughput;
use trendline::{Trendline, Usage};

/// How often [`BandwidthEstimator::elapsed`] must be called.
pub(crate) const UPDATE_INTERVAL: Duration = Duration::from_millis(50);

/// Lowest target: audio and a trickle of video.
pub(crate) const MIN_TARGET: u64 = 40_000;
/// Highest target.
pub(crate) const MAX_TARGET: u64 = 1_000_000_000;
/// Target before anything is known.
pub(crate) const START_TARGET: u64 = 300_000;

/// Round-trip time before one is known.
pub(crate) const ASSUMED_ROUND_TRIP: Duration = Duration::from_millis(100);
/// How long a round-trip time from a report is preferred to one from feedback, which
/// contains the receiver's feedback interval.
const ROUND_TRIP_VALIDITY: Duration = Duration::from_secs(10);

/// Without feedback for this time and three round-trip times, the link is taken as cut.
/// Receivers send it at least four times a second.
const FEEDBACK_TIMEOUT: Duration = Duration::from_secs(1);
/// The same for receiver reports, which come each second, with an interval that varies.
const REPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// Factor of the rate while feedback is missing, and how often it is applied.
const SILENCE_FACTOR: f64 = 0.7;
const SILENCE_INTERVAL: Duration = Duration::from_millis(500);
/// After feedback has been missing for so long, receiver reports count again.
const FEEDBACK_VALIDITY: Duration = Duration::from_secs(10);

/// A standing queue, in seconds, that is drained after overuse.
const DRAINED_QUEUE: f64 = 0.04;
/// What each second of queue takes from the rate while it drains: a queue of half a
/// second is gone after one.
const DRAIN_PER_SECOND: f64 = 1.0;
/// Least share of the rate while a queue drains.
const LEAST_DRAIN: f64 = 0.4;
/// The same after a sudden drop, which leaves a long queue. Hardly more than sound is sent
/// for a moment: what is in the queue is shown meanwhile, and later frames would be late
/// by all of it.
const SUDDEN_DRAIN_PER_SECOND: f64 = 2.0;
const LEAST_SUDDEN_DRAIN: f64 = 0.1;
/// What is in flight on an empty link beside a round trip, as time: receivers report so
/// often.
const FEEDBACK_INTERVAL: f64 = 0.1;
/// Once a drain has lasted for so long, it does not lower the rate itself any more: what
/// is acknowledged then is what the drain lets through, not the capacity, and a flow
/// that shares the link would give way again and again.
const SETTLED_DRAIN: Duration = Duration::from_millis(600);
/// The newest packets alone count where they came slower than this share of the rate.
const SUDDEN_DROP: f64 = 0.7;
/// Longest drain. A queue that stays is filled by others, or the route became longer.
const MAX_DRAIN: Duration = Duration::from_secs(3);

/// What limits the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum BandwidthState {
    /// No feedback has come.
    #[default]
    Unknown,
    /// The target grows or stays at its maximum.
    Growing,
    /// Less is sent than the target allows, so that it does not grow by itself.
    ApplicationLimited,
    /// A queue is filling or draining.
    Congested,
    /// Loss shows a capacity below what delay allows.
    Lossy,
    /// Feedback has stopped.
    Silent,
}

/// What is known about the link to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Estimate {
    /// Bits per second to send, with all headers.
    pub target: u64,
    /// Bits per second that the link carries: the target, or more while it is lowered to
    /// drain a queue.
    pub capacity: u64,
    /// Bits per second of audio that are sent, part of the target.
    pub audio: u64,
    /// Share of packets lost, 0 to 1.
    pub loss: f64,
    /// The round-trip time.
    pub round_trip: Option<Duration>,
    /// What limits the target.
    pub state: BandwidthState,
}

/// The estimator of one peer.
#[derive(Debug)]
pub(crate) struct BandwidthEstimator {
    max: f64,
    history: History,
    sending: Sending,
    throughput: Throughput,
    groups: ArrivalGroups,
    trendline: Trendline,
    queue: QueueDelay,
    control: RateControl,
    loss: LossBound,
    probes: Probes,
    reports: ReportControl,
    reported_round_trip: Option<(Duration, Instant)>,
    feedback_round_trip: Option<(Duration, Instant)>,
    started: Option<Instant>,
    feedback_at: Option<Instant>,
    /// When the rate was last lowered because feedback is missing.
    silent_at: Option<Instant>,
    drain: Option<Drain>,
}

/// A standing queue drains.
#[derive(Debug, Clone, Copy)]
struct Drain {
    started: Instant,
    /// The link carries far less than it did a moment before.
    is_sudden: bool,
}

impl BandwidthEstimator {
    /// An estimator whose target is at most `max` bits per second.
    pub(crate) fn new(now: Instant, max: u64) -> Self {
        let max = max.clamp(MIN_TARGET, MAX_TARGET) as f64;
        let start = (START_TARGET as f64).min(max);
        Self {
            max,
            history: History::default(),
            sending: Sending::new(now),
            throughput: Throughput::default(),
            groups: ArrivalGroups::default(),
            trendline: Trendline::default(),
            queue: QueueDelay::new(now),
            control: RateControl::new(start),
            loss: LossBound::new(now),
            probes: Probes::new(now, start),
            reports: ReportControl::new(start),
            reported_round_trip: None,
            feedback_round_trip: None,
            started: None,
            feedback_at: None,
            silent_at: None,
            drain: None,
        }
    }

    /// Changes the highest target: what all sources together can use.
    pub(crate) fn set_max(&mut self, now: Instant, max: u64) {
        let max = max.clamp(MIN_TARGET, MAX_TARGET) as f64;
        if max > self.max {
            self.probes.max_rose();
        }
        self.max = max;
        self.update(now);
    }

    /// A packet is sent.
    pub(crate) fn sent(&mut self, now: Instant, packet: SentPacket) {
        self.started.get_or_insert(now);
        self.history.sent(now, packet);
        self.loss.sent(now, packet.bytes);
        self.sending.sent(now, packet.bytes, packet.is_audio);
    }

    /// A packet without a transport-wide sequence number is sent.
    pub(crate) fn sent_unnumbered(&mut self, now: Instant, bytes: usize, is_audio: bool) {
        self.started.get_or_insert(now);
        self.sending.sent(now, bytes, is_audio);
    }

    /// Transport-wide feedback arrives.
    pub(crate) fn feedback(&mut self, now: Instant, feedback: &TransportFeedback) {
        let report = self.history.report(now, feedback);
        if report.received.is_empty() && report.lost.is_empty() {
            return;
        }
        self.feedback_at = Some(now);
        self.silent_at = None;
        let newest_sent = report.received.iter().map(|packet| packet.sent_at).max();
        if let Some(sent_at) = newest_sent {
            self.measure_round_trip(now, sent_at);
        }
        for sent_at in &report.lost {
            self.loss.lost(*sent_at);
        }
        for packet in &report.received {
            self.loss.received(packet.sent_at, packet.was_lost);
            self.throughput.add(packet);
            self.probes.acknowledged(packet);
            self.queue.add(packet.sent_at, packet.arrived_at);
            if let Some(change) = self.groups.add(packet.sent_at, packet.arrived_at) {
                self.trendline.add(change);
            }
        }
        let newest_reported = report.lost.into_iter().chain(newest_sent).max();
        self.control_rate(now, newest_reported.unwrap_or(now));
        self.update(now);
    }

    /// A report block about one of our streams arrives.
    pub(crate) fn receiver_report(
        &mut self,
        now: Instant,
        loss: f64,
        round_trip: Option<Duration>,
    ) {
        if let Some(round_trip) = round_trip {
            self.reported_round_trip = Some((round_trip, now));
        }
        let loss = if loss.is_nan() {
            0.0
        } else {
            loss.clamp(0.0, 1.0)
        };
        if !self.has_feedback(now) {
            let round_trip = self.round_trip(now).unwrap_or(ASSUMED_ROUND_TRIP);
            self.sending.update(now, self.reports.rate(now));
            self.silent_at = None;
            self.reports
                .report(now, loss, round_trip, self.sending.is_limited());
            self.update(now);
        }
    }

    /// A REMB arrives.
    pub(crate) fn remb(&mut self, now: Instant, bits_per_second: u64) {
        self.reports.remb(now, bits_per_second as f64);
        self.update(now);
    }

    /// Time has passed. Must be called each [`UPDATE_INTERVAL`].
    pub(crate) fn elapsed(&mut self, now: Instant) {
        self.notice_silence(now);
        self.update(now);
    }

    /// The next probe to send.
    pub(crate) fn take_probe(&mut self) -> Option<Probe> {
        self.probes.take()
    }

    /// What is known now.
    pub(crate) fn estimate(&self, now: Instant) -> Estimate {
        let has_feedback = self.has_feedback(now);
        Estimate {
            target: self.target(now) as u64,
            capacity: self.capacity(now) as u64,
            audio: self.sending.audio_rate() as u64,
            loss: if has_feedback {
                self.loss.loss()
            } else {
                self.reports.loss()
            },
            round_trip: self.round_trip(now),
            state: self.state(now),
        }
    }

    fn state(&self, now: Instant) -> BandwidthState {
        if self.feedback_at.is_none() && self.reports.reported_at().is_none() {
            BandwidthState::Unknown
        } else if self.silent_at.is_some() {
            BandwidthState::Silent
        } else if self.is_draining() || self.trendline.usage() == Usage::Over {
            BandwidthState::Congested
        } else if self.has_feedback(now)
            && self
                .loss
                .bound()
                .is_some_and(|bound| bound < self.control.rate())
        {
            BandwidthState::Lossy
        } else if self.sending.is_limited() {
            BandwidthState::ApplicationLimited
        } else {
            BandwidthState::Growing
        }
    }

    /// Whether transport-wide feedback drives the estimate.
    fn has_feedback(&self, now: Instant) -> bool {
        match (self.feedback_at, self.reports.reported_at()) {
            (None, _) => false,
            (Some(_), None) => true,
            // Reports alone go on coming: the peer has turned feedback off.
            (Some(feedback_at), Some(_)) => {
                now.saturating_duration_since(feedback_at) < FEEDBACK_VALIDITY
                    || self.history.unreported_since().is_none()
            }
        }
    }

    fn target(&self, now: Instant) -> f64 {
        let mut target = self.capacity(now);
        if self.has_feedback(now)
            && let Some(drain) = self.drain
        {
            let (queue, per_second, least) = if drain.is_sudden {
                let queue = self.backlog(now);
                (queue, SUDDEN_DRAIN_PER_SECOND, LEAST_SUDDEN_DRAIN)
            } else {
                (self.queue.standing(), DRAIN_PER_SECOND, LEAST_DRAIN)
            };
            target *= (1.0 - per_second * (queue - DRAINED_QUEUE)).clamp(least, 1.0);
        }
        target.max(MIN_TARGET as f64)
    }

    fn capacity(&self, now: Instant) -> f64 {
        let capacity = if self.has_feedback(now) {
            let rate = self.control.rate();
            self.loss.bound().map_or(rate, |bound| bound.min(rate))
        } else {
            self.reports.rate(now)
        };
        capacity.clamp(MIN_TARGET as f64, self.max)
    }

    /// Seconds of queue by what is in flight. The delay of the packets that arrived shows
    /// the queue of the past: less than that of now while it grows, more while it drains.
    fn backlog(&self, now: Instant) -> f64 {
        let Some(rate) = self.throughput.newest_rate() else {
            return 0.0;
        };
        let in_flight = self.history.in_flight() as f64 * 8.0 / rate.max(MIN_TARGET as f64);
        let round_trip = self.round_trip(now).unwrap_or(ASSUMED_ROUND_TRIP);
        in_flight - round_trip.as_secs_f64() - FEEDBACK_INTERVAL
    }

    fn round_trip(&self, now: Instant) -> Option<Duration> {
        match (self.reported_round_trip, self.feedback_round_trip) {
            (Some((reported, at)), _)
                if now.saturating_duration_since(at) < ROUND_TRIP_VALIDITY =>
            {
                Some(reported)
            }
            (_, Some((measured, _))) => Some(measured),
            (reported, None) => reported.map(|(reported, _)| reported),
        }
    }

    /// The least of the last seconds: feedback is sent some time after the arrival.
    fn measure_round_trip(&mut self, now: Instant, sent_at: Instant) {
        let measured = now.saturating_duration_since(sent_at);
        match self.feedback_round_trip {
            Some((least, at))
                if measured > least && now.saturating_duration_since(at) < ROUND_TRIP_VALIDITY => {}
            _ => self.feedback_round_trip = Some((measured, now)),
        }
    }

    fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    /// Updates the rate by delay, loss and probes.
    fn control_rate(&mut self, now: Instant, newest_reported: Instant) {
        // What is lost at random passed the bottleneck or would have.
        let passed = 1.0 - self.loss.random();
        let acknowledged = self.throughput.rate().map(|rate| rate / passed);
        let round_trip = self.round_trip(now).unwrap_or(ASSUMED_ROUND_TRIP);
        let mut usage = self.trendline.usage();
        // A probe above the capacity fills a queue that is gone at once. Taken for
        // overuse, it would lower the rate to what the source happened to send.
        if usage == Usage::Over
            && self.queue.standing() < DRAINED_QUEUE
            && self.probes.is_recent(now, round_trip)
        {
            usage = Usage::Under;
        }
        let has_settled =
            |drain: Drain| now.saturating_duration_since(drain.started) > SETTLED_DRAIN;
        if self.drain.is_some_and(has_settled) {
            usage = Usage::Under;
        }
        let newest = self.throughput.newest_rate().map(|rate| rate / passed);
        let sudden = match (usage, acknowledged, newest) {
            (Usage::Over, Some(rate), Some(newest)) if newest < SUDDEN_DROP * rate => Some(newest),
            _ => None,
        };
        let conditions = Conditions {
            usage,
            acknowledged: sudden.or(acknowledged),
            round_trip,
            is_application_limited: self.sending.is_limited(),
            loss_bound: self.loss.bound(),
        };
        let before = self.control.rate();
        if self.control.update(now, conditions) {
            self.probes.dropped(now, before);
        }
        self.drain(now, usage, sudden.is_some());
        self.loss.update(newest_reported, self.throughput.rate());
        if let Some(result) = self.probes.result()
            && usage != Usage::Over
        {
            let before = self.control.rate();
            let result = result.min(self.loss.bound().unwrap_or(f64::MAX));
            if self.control.probed(result) {
                self.probes.raised(now, before, result);
            }
        }
        self.control.clamp(MIN_TARGET as f64, self.max);
    }

    /// Starts and ends the drain of a standing queue.
    fn drain(&mut self, now: Instant, usage: Usage, is_sudden: bool) {
        let has_queue = self.queue.standing() > DRAINED_QUEUE;
        match &mut self.drain {
            None if usage == Usage::Over && has_queue => {
                self.drain = Some(Drain {
                    started: now,
                    is_sudden,
                });
            }
            Some(_) if !has_queue => self.drain = None,
            Some(drain) if now.saturating_duration_since(drain.started) > MAX_DRAIN => {
                self.queue.rebase();
                self.drain = None;
            }
            // The newest packets show a drop later than the delay.
            Some(drain) => drain.is_sudden |= is_sudden,
            None => {}
        }
    }

    /// Lowers the rate while nothing comes back for what is sent.
    fn notice_silence(&mut self, now: Instant) {
        let since = if self.has_feedback(now) {
            let timeout = FEEDBACK_TIMEOUT.max(3 * self.round_trip(now).unwrap_or_default());
            self.history.unreported_since().map(|sent_at| {
                let heard = self.feedback_at.map_or(sent_at, |at| at.max(sent_at));
                heard + timeout
            })
        } else {
            let heard = self
                .reports
                .reported_at()
                .max(self.started)
                .max(self.feedback_at);
            heard
                .filter(|_| self.sending.rate() > 0.0)
                .map(|heard| heard + REPORT_TIMEOUT)
        };
        if since.is_none_or(|since| now < since) {
            return;
        }
        let is_due = self
            .silent_at
            .is_none_or(|at| now.saturating_duration_since(at) >= SILENCE_INTERVAL);
        if is_due {
            self.silent_at = Some(now);
            self.probes.dropped(now, self.control.rate());
            self.control.back_off(SILENCE_FACTOR);
            self.reports.back_off(SILENCE_FACTOR);
        }
    }

    fn update(&mut self, now: Instant) {
        self.control.clamp(MIN_TARGET as f64, self.max);
        self.reports.clamp(MIN_TARGET as f64, self.max);
        let target = self.target(now);
        self.sending.update(now, target);
        let conditions = ProbeConditions {
            rate: self.control.rate(),
            max: self.max,
            sent: self.sending.rate(),
            is_application_limited: self.sending.is_limited(),
            is_calm: self.trendline.usage() != Usage::Over
                && !self.is_draining()
                && self.silent_at.is_none()
                && self.loss.bound().is_none(),
            queue: self.queue.standing(),
            jitter: self.trendline.jitter(),
            has_feedback: self.feedback_at.is_some(),
        };
        self.probes.update(now, conditions);
    }
}

//! Estimators and pacers on simulated links, in virtual time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use visavis_media::queue::ENCODED_VIDEO_CAPACITY;
use visavis_network_simulator::{Link, Profile, Random};

use super::super::*;

pub(super) const TICK: Duration = Duration::from_millis(1);
/// At 30 frames/s.
const FRAME: Duration = Duration::from_micros(33_333);
const AUDIO: Duration = Duration::from_millis(20);
const AUDIO_BYTES: usize = 120;
const PACKET_BYTES: usize = 1_200;
/// Interval of feedback: that of webrtc-rs. libwebrtc sends it each 50 to 250 ms.
const FEEDBACK: Duration = Duration::from_millis(100);

/// What a sender has to send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    /// Share of the target that the video uses.
    pub(super) share: f64,
    /// The most video, in bits per second.
    pub(super) max: f64,
    pub(super) has_audio: bool,
    pub(super) has_video: bool,
    pub(super) frame_interval: Duration,
    /// One frame in so many is a key frame, five times as large as the others.
    pub(super) key_frames: Option<u32>,
}

pub(super) const FULL: Source = Source {
    share: 0.95,
    max: 20e6,
    has_audio: true,
    has_video: true,
    frame_interval: FRAME,
    key_frames: None,
};

#[derive(Debug, Clone, Copy)]
struct Packet {
    flow: usize,
    sequence: u16,
    bytes: usize,
    is_media: bool,
}

/// A sender and its receiver.
pub(super) struct Flow {
    pub(super) estimator: BandwidthEstimator,
    pub(super) source: Source,
    pacer: Pacer<(usize, bool)>,
    /// Sizes of the frames that wait for room in the pacer.
    waiting: VecDeque<usize>,
    sequence: u16,
    next_frame: Duration,
    frames: u32,
    next_audio: Duration,
    /// Arrivals since the last feedback.
    arrived: Vec<(u64, Duration)>,
    newest: Option<u64>,
    reported: Option<u64>,
    next_feedback: Duration,
    pub(super) feedback_interval: Duration,
    /// Share of feedback that is lost before it is sent.
    pub(super) feedback_loss: f64,
    pub(super) has_feedback: bool,
    pub(super) repeats_feedback: bool,
    /// Bytes of media that arrived, by second.
    pub(super) received: Vec<usize>,
    /// Bytes that were sent, by second.
    pub(super) sent: Vec<usize>,
    /// Frames that were dropped.
    pub(super) dropped_frames: u32,
}

/// Flows that share a link.
pub(super) struct Network {
    start: Instant,
    pub(super) now: Duration,
    uplink: Link<Packet>,
    downlink: Link<(usize, TransportFeedback)>,
    pub(super) flows: Vec<Flow>,
    random: Random,
    /// Receiver's clock at the start.
    pub(super) clock: Duration,
    /// Targets by flow and second.
    pub(super) targets: Vec<Vec<u64>>,
    pub(super) queue: Vec<Duration>,
}

/// A link with this rate, one-way delay and a queue of so many milliseconds.
pub(super) fn link(rate: f64, delay_ms: u64, queue_ms: u64) -> Profile {
    Profile {
        rate: Some(rate),
        queue_bytes: (rate / 8.0 * queue_ms as f64 / 1_000.0) as usize,
        delay: Duration::from_millis(delay_ms),
        ..Profile::default()
    }
}

impl Network {
    pub(super) fn new(profile: Profile, seed: u64) -> Self {
        let back = Profile {
            rate: None,
            delay: profile.delay,
            jitter: profile.jitter,
            loss: profile.loss,
            ..Profile::default()
        };
        Self {
            start: Instant::now(),
            now: Duration::ZERO,
            uplink: Link::new(profile, seed),
            downlink: Link::new(back, seed + 1),
            flows: Vec::new(),
            random: Random::new(seed + 2),
            // The reference time wraps after some seconds.
            clock: Duration::from_millis(64 * ((1 << 24) - 100)),
            targets: Vec::new(),
            queue: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, source: Source, max: u64, first_sequence: u16) -> usize {
        let now = self.start + self.now;
        self.flows.push(Flow {
            estimator: BandwidthEstimator::new(now, max),
            source,
            pacer: Pacer::new(START_TARGET),
            waiting: VecDeque::new(),
            sequence: first_sequence,
            next_frame: self.now,
            frames: 0,
            next_audio: self.now,
            arrived: Vec::new(),
            newest: None,
            reported: None,
            next_feedback: self.now,
            feedback_interval: FEEDBACK,
            feedback_loss: 0.0,
            has_feedback: true,
            repeats_feedback: false,
            received: Vec::new(),
            sent: Vec::new(),
            dropped_frames: 0,
        });
        self.targets.push(Vec::new());
        self.flows.len() - 1
    }

    pub(super) fn set_link(&mut self, profile: Profile) {
        self.uplink.set_profile(self.now, profile);
    }

    pub(super) fn run(&mut self, seconds: f64) {
        let end = self.now + Duration::from_secs_f64(seconds);
        while self.now < end {
            self.tick();
            self.now += TICK;
        }
    }

    pub(super) fn target(&self, flow: usize) -> u64 {
        self.flows[flow]
            .estimator
            .estimate(self.start + self.now)
            .target
    }

    pub(super) fn estimate(&self, flow: usize) -> Estimate {
        self.flows[flow].estimator.estimate(self.start + self.now)
    }

    pub(super) fn instant(&self) -> Instant {
        self.start + self.now
    }

    /// Mean rate of media that arrived in these seconds.
    pub(super) fn received(&self, flow: usize, seconds: std::ops::Range<usize>) -> f64 {
        let count = seconds.len() as f64;
        let received = &self.flows[flow].received;
        let bytes: usize = seconds.filter_map(|second| received.get(second)).sum();
        bytes as f64 * 8.0 / count
    }

    /// Mean rate of everything that was sent in these seconds.
    pub(super) fn sent(&self, flow: usize, seconds: std::ops::Range<usize>) -> f64 {
        let count = seconds.len() as f64;
        let sent = &self.flows[flow].sent;
        let bytes: usize = seconds.filter_map(|second| sent.get(second)).sum();
        bytes as f64 * 8.0 / count
    }

    /// Largest queue delay in these seconds.
    pub(super) fn queue(&self, seconds: std::ops::Range<usize>) -> Duration {
        let queue = &self.queue;
        let delays = seconds.filter_map(|second| queue.get(second)).copied();
        delays.max().unwrap_or_default()
    }

    fn tick(&mut self) {
        let (now, second) = (self.now, self.now.as_secs() as usize);
        let instant = self.start + now;
        for number in 0..self.flows.len() {
            let flow = &mut self.flows[number];
            flow.produce(now, instant);
            flow.fill_pacer();
            flow.received.resize(second + 1, 0);
            flow.sent.resize(second + 1, 0);
            let padding = std::cell::Cell::new(0);
            let wanted = |bytes| {
                padding.set(bytes);
                Some(bytes)
            };
            while let Some(paced) = flow.pacer.poll(instant, wanted) {
                let (bytes, is_audio, is_media, probe) = match paced {
                    Paced::Packet((bytes, is_audio), probe) => (bytes, is_audio, true, probe),
                    Paced::Padding(probe) => (padding.get(), false, false, Some(probe)),
                };
                let sequence = flow.sequence;
                flow.sequence = sequence.wrapping_add(1);
                flow.estimator.sent(
                    instant,
                    SentPacket {
                        sequence,
                        bytes,
                        probe,
                        is_audio,
                    },
                );
                flow.sent[second] += bytes;
                let packet = Packet {
                    flow: number,
                    sequence,
                    bytes,
                    is_media,
                };
                self.uplink.send(now, bytes, packet);
            }
        }
        self.queue.resize(second + 1, Duration::ZERO);
        self.queue[second] = self.queue[second].max(self.uplink.queue_delay(now));
        while let Some(arrival) = self.uplink.receive(now) {
            let packet = arrival.packet;
            let flow = &mut self.flows[packet.flow];
            flow.arrive(packet.sequence, arrival.at);
            if packet.is_media {
                flow.received[second] += packet.bytes;
            }
        }
        for number in 0..self.flows.len() {
            let flow = &mut self.flows[number];
            if now < flow.next_feedback {
                continue;
            }
            flow.next_feedback = now + flow.feedback_interval;
            let Some(feedback) = flow.report(self.clock) else {
                continue;
            };
            let is_lost = self.random.chance(flow.feedback_loss);
            if is_lost || !flow.has_feedback {
                continue;
            }
            if flow.repeats_feedback {
                self.downlink.send(now, 60, (number, feedback.clone()));
            }
            self.downlink.send(now, 60, (number, feedback));
        }
        while let Some(arrival) = self.downlink.receive(now) {
            let (number, feedback) = arrival.packet;
            self.flows[number].estimator.feedback(instant, &feedback);
        }
        for number in 0..self.flows.len() {
            let flow = &mut self.flows[number];
            if now.as_millis() % UPDATE_INTERVAL.as_millis() == 0 {
                flow.estimator.elapsed(instant);
            }
            let estimate = flow.estimator.estimate(instant);
            let is_draining = estimate.target < estimate.capacity;
            flow.pacer.set_target(estimate.target, is_draining);
            while let Some(probe) = flow.estimator.take_probe() {
                flow.pacer.probe(probe);
            }
            let targets = &mut self.targets[number];
            targets.resize(second + 1, 0);
            targets[second] = estimate.target;
        }
    }
}

impl Flow {
    fn produce(&mut self, now: Duration, instant: Instant) {
        if now >= self.next_audio {
            self.next_audio += AUDIO;
            if self.source.has_audio {
                self.pacer
                    .push(Priority::Audio, AUDIO_BYTES, (AUDIO_BYTES, true));
            }
        }
        if now < self.next_frame {
            return;
        }
        self.next_frame += self.source.frame_interval;
        self.frames += 1;
        if !self.source.has_video {
            return;
        }
        let target = self.estimator.estimate(instant).target as f64;
        let rate = (target * self.source.share - 48_000.0).clamp(30_000.0, self.source.max);
        let mut bytes = (rate * self.source.frame_interval.as_secs_f64() / 8.0) as usize;
        if let Some(every) = self.source.key_frames {
            // The mean stays.
            bytes = bytes * every as usize / (every as usize + 4);
            if self.frames.is_multiple_of(every) {
                bytes *= 5;
            }
        }
        if self.waiting.len() == ENCODED_VIDEO_CAPACITY {
            // The simulated encoder's frames are all alike: the next may be a key frame.
            self.dropped_frames += self.waiting.len() as u32;
            self.waiting.clear();
        }
        self.waiting.push_back(bytes);
    }

    /// Moves frames to the pacer while it has room.
    fn fill_pacer(&mut self) {
        while self.pacer.has_room()
            && let Some(mut bytes) = self.waiting.pop_front()
        {
            while bytes > 0 {
                let packet = bytes.min(PACKET_BYTES);
                self.pacer.push(Priority::Video, packet, (packet, false));
                bytes -= packet;
            }
        }
    }

    fn arrive(&mut self, sequence: u16, at: Duration) {
        let unwrapped = match self.newest {
            None => u64::from(sequence) + (1 << 20),
            Some(newest) => {
                let ahead = sequence.wrapping_sub(newest as u16) as i16;
                newest.saturating_add_signed(i64::from(ahead))
            }
        };
        self.newest = self.newest.max(Some(unwrapped));
        self.arrived.push((unwrapped, at));
    }

    /// Feedback as real receivers make it: what came since the last, or below it where a
    /// packet was late.
    fn report(&mut self, clock: Duration) -> Option<TransportFeedback> {
        let mut arrived: VecDeque<_> = std::mem::take(&mut self.arrived).into();
        arrived.make_contiguous().sort();
        arrived.make_contiguous();
        let (lowest, _) = *arrived.front()?;
        let base = self
            .reported
            .map_or(lowest, |reported| lowest.min(reported));
        let ticks = |at: Duration| ((clock + at).as_micros() / 250) as i64;
        let first = arrived.iter().map(|(_, at)| *at).min()?;
        let reference = (clock + first).as_millis() as u64 / 64;
        let mut last = (reference * 64 * 4) as i64;
        let mut statuses = Vec::new();
        let mut next = base;
        for (sequence, at) in &arrived {
            if *sequence < next {
                // A duplicate.
                continue;
            }
            if *sequence > next {
                statuses.push(PacketStatus::Missing((*sequence - next) as u16));
            }
            statuses.push(PacketStatus::Received((ticks(*at) - last) as i16));
            last = ticks(*at);
            next = sequence + 1;
        }
        self.reported = self.reported.max(Some(next));
        Some(TransportFeedback {
            base_sequence: base as u16,
            reference_time: (reference % (1 << 24)) as u32,
            statuses,
        })
    }
}

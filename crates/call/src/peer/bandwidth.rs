//! Bandwidth estimation and pacing of one connection, next to the network.
//!
//! Everything that is sent passes here last: media, retransmissions and RTCP. The
//! interceptor spreads it over time, numbers it for transport-wide feedback, sends
//! probes, and reads what the peer reports. It alone owns the estimator and the pacer.

mod padding;
mod reports;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rtc::interceptor::{
    Attribute, AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket,
};
use rtc::rtp;
use rtc::rtp::extension::transport_cc_extension::TransportCcExtension;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use rtc::shared::marshal::{Marshal, MarshalSize};
use tokio::sync::watch;

use super::counters::OutboundCounters;
use super::frame_timing::{RESERVED_BYTES, TimingIds};
use super::send::MAX_PAYLOAD_BYTES;
use crate::rtp::Ssrc;
use crate::state::bandwidth::{
    ASSUMED_ROUND_TRIP, BandwidthEstimator, Estimate, Paced, Pacer, Priority, ProbeId,
    Retransmissions, START_TARGET, SentPacket, UPDATE_INTERVAL,
};
use padding::Padding;

/// The header extension with the transport-wide sequence number.
const TRANSPORT_CC_URI: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// Bytes of a packet on the network beside RTP: SRTP tag (10), UDP (8) and IPv4 (20).
const OVERHEAD_BYTES: usize = 38;

/// Shortest interval of the published estimates.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(100);
/// The same while the target stays. The loss and the round-trip time are statistics.
const LONGEST_PUBLISH_INTERVAL: Duration = Duration::from_secs(1);

/// A target that falls to this share is published at once: a queue grows.
const LARGE_FALL: f64 = 0.8;

/// Highest target before the size of the video is known.
const FIRST_MAX: u64 = 2_500_000;

/// What the other tasks of a peer share with its estimator.
#[derive(Debug)]
pub(super) struct Bandwidth {
    estimate: watch::Sender<Estimate>,
    /// Whether packets reach the peer.
    is_connected: AtomicBool,
    /// The most that all sources together can use, in bits per second.
    max: AtomicU64,
    /// Whether the queue of the pacer has room for a frame.
    has_room: watch::Sender<bool>,
}

impl Default for Bandwidth {
    fn default() -> Self {
        Self {
            estimate: watch::Sender::new(Estimate {
                target: START_TARGET,
                ..Estimate::default()
            }),
            is_connected: AtomicBool::new(false),
            max: AtomicU64::new(FIRST_MAX),
            has_room: watch::Sender::new(true),
        }
    }
}

impl Bandwidth {
    /// The newest estimate, at most ten times a second.
    pub(super) fn estimates(&self) -> watch::Receiver<Estimate> {
        self.estimate.subscribe()
    }

    pub(super) fn estimate(&self) -> Estimate {
        *self.estimate.borrow()
    }

    pub(super) fn set_connected(&self, is_connected: bool) {
        self.is_connected.store(is_connected, Ordering::Relaxed);
    }

    pub(super) fn set_max(&self, max: u64) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// Whether the queue of the pacer has room for a frame.
    pub(super) fn has_room(&self) -> watch::Receiver<bool> {
        self.has_room.subscribe()
    }
}

/// The place of the estimator in the interceptors of a connection.
pub(super) struct BandwidthInterceptor {
    shared: Arc<Bandwidth>,
    /// Our streams of sound.
    audio: Vec<Ssrc>,
    /// Counters of our streams.
    counters: HashMap<Ssrc, Arc<OutboundCounters>>,
    /// Identifiers of the header extension, by stream.
    extensions: HashMap<Ssrc, u8>,
    /// Those of the times of a frame.
    timing: HashMap<Ssrc, TimingIds>,
    padding: Padding,
    estimator: BandwidthEstimator,
    pacer: Pacer<TaggedPacket>,
    retransmissions: Retransmissions,
    max: u64,
    next_sequence: u16,
    next_update: Option<Instant>,
    published_at: Option<Instant>,
    /// Whether packets reached the peer at the last update.
    was_connected: bool,
    incoming: VecDeque<TaggedPacket>,
    /// RTCP, which does not wait.
    control: VecDeque<TaggedPacket>,
}

impl BandwidthInterceptor {
    pub(super) fn new(
        shared: Arc<Bandwidth>,
        audio: Vec<Ssrc>,
        counters: HashMap<Ssrc, Arc<OutboundCounters>>,
    ) -> Self {
        Self {
            shared,
            audio,
            counters,
            extensions: HashMap::new(),
            timing: HashMap::new(),
            padding: Padding::default(),
            estimator: BandwidthEstimator::new(Instant::now(), FIRST_MAX),
            pacer: Pacer::new(START_TARGET),
            retransmissions: Retransmissions::default(),
            max: FIRST_MAX,
            next_sequence: rand::random(),
            next_update: None,
            published_at: None,
            was_connected: false,
            incoming: VecDeque::new(),
            control: VecDeque::new(),
        }
    }

    fn is_audio(&self, ssrc: u32) -> bool {
        self.audio.contains(&Ssrc(ssrc))
    }

    /// Lets time pass. Before the connection is up, nothing is estimated or probed.
    fn update(&mut self, now: Instant) {
        let is_connected = self.shared.is_connected.load(Ordering::Relaxed);
        self.next_update = is_connected.then(|| now + UPDATE_INTERVAL);
        if !is_connected {
            return;
        }
        if !std::mem::replace(&mut self.was_connected, true) {
            self.estimator = BandwidthEstimator::new(now, self.max);
        }
        let max = self.shared.max.load(Ordering::Relaxed);
        if max != std::mem::replace(&mut self.max, max) {
            self.estimator.set_max(now, max);
        }
        self.estimator.elapsed(now);
        self.estimated(now);
    }

    /// Takes over what the estimator found.
    fn estimated(&mut self, now: Instant) {
        let estimate = self.estimator.estimate(now);
        let is_draining = estimate.target < estimate.capacity;
        self.pacer.set_target(estimate.target, is_draining);
        while let Some(probe) = self.estimator.take_probe() {
            self.pacer.probe(probe);
        }
        self.publish_room();
        let before = self.shared.estimate();
        let interval = if differs(&before, &estimate) {
            PUBLISH_INTERVAL
        } else {
            LONGEST_PUBLISH_INTERVAL
        };
        let has_fallen = estimate.target as f64 <= LARGE_FALL * before.target as f64;
        let is_due = self
            .published_at
            .is_none_or(|at| has_fallen || now.saturating_duration_since(at) >= interval);
        if is_due {
            self.published_at = Some(now);
            self.shared.estimate.send_replace(estimate);
        }
    }

    fn publish_room(&self) {
        let has_room = self.pacer.has_room();
        self.shared
            .has_room
            .send_if_modified(|before| std::mem::replace(before, has_room) != has_room);
    }

    /// Numbers a packet and tells the estimator.
    fn send(
        &mut self,
        now: Instant,
        mut packet: TaggedPacket,
        probe: Option<ProbeId>,
    ) -> TaggedPacket {
        let Packet::Rtp(rtp) = &mut packet.message.packet else {
            return packet;
        };
        self.padding.sent(rtp);
        if let Some(counters) = self.counters.get(&Ssrc(rtp.header.ssrc)) {
            counters.left_the_pacer(now.saturating_duration_since(packet.now));
            if rtp.header.marker
                && rtp.payload.len() + RESERVED_BYTES <= MAX_PAYLOAD_BYTES
                && let Some(ids) = self.timing.get(&Ssrc(rtp.header.ssrc))
                && let Some(frame) = counters.frame_left(rtp.header.timestamp)
            {
                ids.write(&mut rtp.header, &frame, now);
            }
        }
        let is_audio = self.is_audio(rtp.header.ssrc);
        let sequence = self.next_sequence;
        let is_numbered = self
            .extensions
            .get(&Ssrc(rtp.header.ssrc))
            .is_some_and(|id| number(&mut rtp.header, *id, sequence));
        let bytes = rtp.marshal_size() + OVERHEAD_BYTES;
        if is_numbered {
            self.next_sequence = sequence.wrapping_add(1);
            let sent = SentPacket {
                sequence,
                bytes,
                probe,
                is_audio,
            };
            self.estimator.sent(now, sent);
        } else {
            self.estimator.sent_unnumbered(now, bytes, is_audio);
        }
        packet
    }
}

/// Whether the difference matters to the encoder.
fn differs(before: &Estimate, now: &Estimate) -> bool {
    let by_percent = |before: u64, now: u64, percent| before.abs_diff(now) * 100 > before * percent;
    before.state != now.state
        || by_percent(before.target, now.target, 1)
        || by_percent(before.audio, now.audio, 10)
}

/// Writes the transport-wide sequence number into the header.
fn number(header: &mut rtp::header::Header, id: u8, transport_sequence: u16) -> bool {
    let extension = TransportCcExtension { transport_sequence };
    let bytes = extension.marshal().map(|bytes| bytes.freeze());
    bytes.is_ok_and(|bytes| header.set_extension(id, bytes).is_ok())
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for BandwidthInterceptor {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            let now = Instant::now();
            for packet in packets {
                reports::read(&mut self.estimator, now, packet.as_ref());
            }
            if self.was_connected {
                self.estimated(now);
            }
        }
        self.incoming.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.incoming.pop_front()
    }

    fn handle_write(&mut self, mut packet: TaggedPacket) -> Result<(), Error> {
        // From here on it waits in the pacer.
        packet.now = Instant::now();
        let Packet::Rtp(rtp) = &packet.message.packet else {
            self.control.push_back(packet);
            return Ok(());
        };
        let is_repeated = packet.message.has(&Attribute::Retransmission);
        let priority = if self.is_audio(rtp.header.ssrc) {
            Priority::Audio
        } else if is_repeated {
            Priority::Retransmission
        } else {
            Priority::Video
        };
        let bytes = rtp.marshal_size() + OVERHEAD_BYTES;
        if priority == Priority::Retransmission {
            let requested = self.padding.original_of(rtp);
            let counters = self.counters.get(&self.padding.media_of(requested.0));
            if counters.is_some_and(|counters| counters.is_before_key_frame(requested.1)) {
                return Ok(());
            }
            let estimate = self.estimator.estimate(packet.now);
            let round_trip = estimate.round_trip.unwrap_or(ASSUMED_ROUND_TRIP);
            let target = estimate.target;
            let retransmissions = &mut self.retransmissions;
            if !retransmissions.admit(packet.now, requested, bytes, round_trip, target) {
                return Ok(());
            }
        }
        if !self.pacer.push(priority, bytes, packet) {
            tracing::debug!("the queue of the pacer is full: a packet was dropped");
        }
        self.publish_room();
        if self.next_update.is_none() {
            self.next_update = Some(Instant::now());
        }
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        if let Some(packet) = self.control.pop_front() {
            return Some(packet);
        }
        let now = Instant::now();
        let chosen = Cell::new(None);
        let offer = |wanted: usize| {
            let choice = self.padding.choose(wanted.saturating_sub(OVERHEAD_BYTES))?;
            chosen.set(Some(choice));
            Some(choice.bytes + OVERHEAD_BYTES)
        };
        let paced = self.pacer.poll(now, offer)?;
        self.publish_room();
        match paced {
            Paced::Packet(packet, probe) => Some(self.send(now, packet, probe)),
            Paced::Padding(probe) => {
                let packet = self.padding.make(chosen.get()?)?;
                let packet = TaggedPacket {
                    now,
                    transport: Default::default(),
                    message: AttributedPacket::new(Packet::Rtp(packet)),
                };
                Some(self.send(now, packet, Some(probe)))
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self.next_update.is_some_and(|at| now >= at) {
            self.update(now);
        }
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        let pacer = self.pacer.next_deadline();
        self.next_update.into_iter().chain(pacer).min()
    }
}

impl Interceptor for BandwidthInterceptor {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        let mut extensions = info.rtp_header_extensions.iter();
        let extension = extensions.find(|extension| extension.uri == TRANSPORT_CC_URI);
        let id = extension.and_then(|extension| u8::try_from(extension.id).ok());
        let timing = TimingIds::find(|uri| {
            let mut extensions = info.rtp_header_extensions.iter();
            let extension = extensions.find(|extension| extension.uri == uri)?;
            u8::try_from(extension.id).ok()
        });
        match timing {
            Some(ids) => self.timing.insert(Ssrc(info.ssrc), ids),
            None => self.timing.remove(&Ssrc(info.ssrc)),
        };
        let ssrcs = [Some(info.ssrc), info.ssrc_rtx];
        for ssrc in ssrcs.into_iter().flatten().map(Ssrc) {
            match id.filter(|id| *id != 0) {
                Some(id) => self.extensions.insert(ssrc, id),
                None => self.extensions.remove(&ssrc),
            };
        }
        self.padding.bind(info);
        self.next_update.get_or_insert_with(Instant::now);
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        let ssrcs = [Some(info.ssrc), info.ssrc_rtx];
        for ssrc in ssrcs.into_iter().flatten() {
            self.extensions.remove(&Ssrc(ssrc));
        }
        self.timing.remove(&Ssrc(info.ssrc));
        self.padding.unbind(info);
    }

    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}

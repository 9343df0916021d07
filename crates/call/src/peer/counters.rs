//! Counters of the tracks of one peer, sent and received. They outlive a connection.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rtc::rtcp::reception_report::ReceptionReport;
use visavis_media::EncodedVideo;
use visavis_protocol::TrackSource;

use super::frame_timing::FrameTimes;
use super::sdp::{MediaKind, kind_of};
use crate::rtp::SequenceNumber;
use crate::statistics::{InboundTrack, OutboundTrack};

/// Frames in the pacer of which the times are kept: those of two seconds at 60 frames
/// a second.
const MAX_IN_PACER: usize = 120;

/// A count that several tasks raise.
#[derive(Debug, Default)]
struct Count(AtomicU64);

impl Count {
    fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    /// Adds a time, in nanoseconds.
    fn add_time(&self, time: Duration) {
        self.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn time(&self) -> Duration {
        Duration::from_nanos(self.get())
    }
}

/// What the other side asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// Generic NACK (RFC 4585, section 6.2.1).
    Nack,
    /// Picture loss indication (RFC 4585, section 6.3.1).
    Pli,
    /// Full intra request (RFC 5104, section 4.3.1).
    Fir,
}

/// Counters of what was sent of one track, and the newest remote report about it.
#[derive(Debug, Default)]
pub(super) struct OutboundCounters {
    packets: Count,
    bytes: Count,
    frames: Count,
    key_frames: Count,
    encode_time: Count,
    send_delay: Count,
    nacks: Count,
    plis: Count,
    firs: Count,
    retransmitted_packets: Count,
    retransmitted_bytes: Count,
    /// Frames whose last packet did not leave the pacer yet, by RTP timestamp.
    in_pacer: Mutex<VecDeque<(u32, FrameTimes)>>,
    /// The first sequence number of the newest key frame, plus one; 0 without any.
    key_frame_at: AtomicU32,
    /// Fraction lost, in units of 1/256 (RFC 3550, section 6.4.1).
    remote_loss: AtomicU8,
    remote_lost: AtomicI64,
    /// In RTP ticks.
    remote_jitter: AtomicU32,
    reports: Count,
}

impl OutboundCounters {
    /// A packet of media with so many bytes of payload was handed to the connection.
    pub(super) fn sent(&self, bytes: u64) {
        self.bytes.add(bytes);
    }

    /// The packets of a frame follow.
    pub(super) fn frame_begins(&self, frame: &EncodedVideo) {
        let mut frames = self.lock_frames();
        if frames.len() == MAX_IN_PACER {
            frames.pop_front();
        }
        frames.push_back((frame.timestamp, frame.into()));
    }

    /// A key frame begins with this packet.
    pub(super) fn key_frame_begins(&self, at: SequenceNumber) {
        self.key_frame_at
            .store(u32::from(at.0) + 1, Ordering::Relaxed);
    }

    /// Whether a packet precedes the newest key frame: a receiver that has the key frame
    /// needs it no more.
    pub(super) fn is_before_key_frame(&self, packet: SequenceNumber) -> bool {
        match self.key_frame_at.load(Ordering::Relaxed) {
            0 => false,
            at => packet.0.wrapping_sub((at - 1) as u16) > u16::MAX / 2,
        }
    }

    /// The last packet of the frame with this RTP timestamp leaves the pacer.
    pub(super) fn frame_left(&self, timestamp: u32) -> Option<FrameTimes> {
        let mut frames = self.lock_frames();
        let index = frames.iter().position(|(known, _)| *known == timestamp)?;
        // Frames leave the pacer in order: those before it were dropped.
        frames.drain(..=index).next_back().map(|(_, times)| times)
    }

    fn lock_frames(&self) -> MutexGuard<'_, VecDeque<(u32, FrameTimes)>> {
        let frames = self.in_pacer.lock();
        frames.unwrap_or_else(PoisonError::into_inner)
    }

    /// The last packet of a frame was handed to the connection.
    pub(super) fn frame_sent(&self, frame: &EncodedVideo) {
        self.frames.add(1);
        self.key_frames.add(frame.key_frame.into());
        self.encode_time.add_time(
            frame
                .encoded_at
                .saturating_duration_since(frame.encode_started_at),
        );
    }

    /// A packet goes to the pacer, for the first time or again.
    pub(super) fn packet(&self, bytes: u64, is_retransmission: bool) {
        self.packets.add(1);
        if is_retransmission {
            self.retransmitted_packets.add(1);
            self.retransmitted_bytes.add(bytes);
        }
    }

    /// A packet of media left the pacer after this time.
    pub(super) fn left_the_pacer(&self, waited: Duration) {
        self.send_delay.add_time(waited);
    }

    pub(super) fn requested(&self, request: Request) {
        match request {
            Request::Nack => self.nacks.add(1),
            Request::Pli => self.plis.add(1),
            Request::Fir => self.firs.add(1),
        }
    }

    pub(super) fn report(&self, report: &ReceptionReport) {
        self.remote_loss
            .store(report.fraction_lost, Ordering::Relaxed);
        // A signed number of 24 bits (RFC 3550, section 6.4.1).
        let lost = (report.total_lost << 8) as i32 >> 8;
        self.remote_lost.store(lost.into(), Ordering::Relaxed);
        self.remote_jitter.store(report.jitter, Ordering::Relaxed);
        self.reports.add(1);
    }

    /// Without what the encoder's owner knows.
    pub(super) fn statistics(&self, source: TrackSource) -> OutboundTrack {
        let ticks_per_ms = match kind_of(source) {
            MediaKind::Audio => 48.0,
            _ => 90.0,
        };
        OutboundTrack {
            packets: self.packets.get(),
            bytes: self.bytes.get(),
            frames: self.frames.get(),
            key_frames: self.key_frames.get(),
            total_encode_time: self.encode_time.time(),
            total_packet_send_delay: self.send_delay.time(),
            nack_count: self.nacks.get(),
            pli_count: self.plis.get(),
            fir_count: self.firs.get(),
            retransmitted_packets: self.retransmitted_packets.get(),
            retransmitted_bytes: self.retransmitted_bytes.get(),
            remote_loss_percent: f32::from(self.remote_loss.load(Ordering::Relaxed)) * 100.0
                / 256.0,
            remote_packets_lost: self.remote_lost.load(Ordering::Relaxed),
            remote_jitter_ms: self.remote_jitter.load(Ordering::Relaxed) as f32 / ticks_per_ms,
            reports: self.reports.get(),
            ..OutboundTrack::default()
        }
    }
}

/// Counters of what was asked of the remote peer for one track.
#[derive(Debug, Default)]
pub(super) struct InboundCounters {
    nacks: Count,
    plis: Count,
    retransmitted_packets: Count,
    retransmitted_bytes: Count,
}

impl InboundCounters {
    pub(super) fn requested(&self, request: Request) {
        match request {
            Request::Nack => self.nacks.add(1),
            Request::Pli => self.plis.add(1),
            // We send none.
            Request::Fir => {}
        }
    }

    pub(super) fn retransmitted(&self, bytes: u64) {
        self.retransmitted_packets.add(1);
        self.retransmitted_bytes.add(bytes);
    }

    pub(super) fn statistics(&self) -> InboundTrack {
        InboundTrack {
            nack_count: self.nacks.get(),
            pli_count: self.plis.get(),
            retransmitted_packets: self.retransmitted_packets.get(),
            retransmitted_bytes: self.retransmitted_bytes.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_precedes_a_key_frame_is_known_across_the_wrap() {
        let counters = OutboundCounters::default();
        assert!(!counters.is_before_key_frame(SequenceNumber(7)));
        for (key_frame, before) in [(0_u16, 65_535_u16), (5, 4), (65_535, 65_000)] {
            counters.key_frame_begins(SequenceNumber(key_frame));
            assert!(counters.is_before_key_frame(SequenceNumber(before)));
            for after in [key_frame, key_frame.wrapping_add(9)] {
                assert!(!counters.is_before_key_frame(SequenceNumber(after)));
            }
        }
    }

    #[test]
    fn a_report_block_is_read_in_the_units_of_its_clock() {
        let counters = OutboundCounters::default();
        counters.report(&ReceptionReport {
            fraction_lost: 64,
            // −2 in 24 bits: more duplicates than losses.
            total_lost: 0xFF_FFFE,
            jitter: 900,
            ..ReceptionReport::default()
        });
        let video = counters.statistics(TrackSource::Camera);
        assert_eq!((video.remote_packets_lost, video.reports), (-2, 1));
        assert!((video.remote_loss_percent - 25.0).abs() < 0.01);
        assert!((video.remote_jitter_ms - 10.0).abs() < 0.01);
        let audio = counters.statistics(TrackSource::Microphone);
        assert!((audio.remote_jitter_ms - 18.75).abs() < 0.01);
    }
}

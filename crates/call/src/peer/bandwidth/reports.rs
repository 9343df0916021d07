//! RTCP about what we send: transport-wide feedback, report blocks and REMB.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rtc::rtcp;
use rtc::rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, SymbolTypeTcc, TransportLayerCc,
};

use crate::state::bandwidth::{BandwidthEstimator, PacketStatus, TransportFeedback};

/// Units of a delta in microseconds, as webrtc-rs gives it.
const DELTA_MICROS: i64 = 250;
/// A longer round-trip time is a wrong clock.
const MAX_ROUND_TRIP: Duration = Duration::from_secs(10);
/// Seconds from the NTP epoch to the Unix epoch.
const NTP_OFFSET: u64 = 2_208_988_800;

/// Passes a packet to the estimator.
pub(super) fn read(estimator: &mut BandwidthEstimator, now: Instant, packet: &dyn rtcp::Packet) {
    let packet = packet.as_any();
    if let Some(feedback) = packet.downcast_ref::<TransportLayerCc>() {
        estimator.feedback(now, &transport_feedback(feedback));
    } else if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
        read_blocks(estimator, now, &report.reports);
    } else if let Some(report) = packet.downcast_ref::<SenderReport>() {
        read_blocks(estimator, now, &report.reports);
    } else if let Some(remb) = packet.downcast_ref::<ReceiverEstimatedMaximumBitrate>() {
        // A float beyond the range becomes its end.
        estimator.remb(now, remb.bitrate as u64);
    }
}

fn read_blocks(estimator: &mut BandwidthEstimator, now: Instant, blocks: &[ReceptionReport]) {
    let ntp = ntp_middle(SystemTime::now());
    for block in blocks {
        let loss = f64::from(block.fraction_lost) / 256.0;
        let round_trip = round_trip(ntp, block.last_sender_report, block.delay);
        estimator.receiver_report(now, loss, round_trip);
    }
}

/// The middle 32 bits of an NTP timestamp: seconds with 16 bits of fraction.
fn ntp_middle(at: SystemTime) -> u32 {
    let elapsed = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = elapsed.as_secs().wrapping_add(NTP_OFFSET) as u32;
    let fraction = (u64::from(elapsed.subsec_nanos()) << 16) / 1_000_000_000;
    (seconds << 16) | fraction as u32
}

/// The round-trip time (RFC 3550, section 6.4.1).
fn round_trip(now: u32, last_report: u32, delay: u32) -> Option<Duration> {
    if last_report == 0 {
        return None;
    }
    let units = now.wrapping_sub(last_report).wrapping_sub(delay);
    let round_trip = Duration::from_micros((u64::from(units) * 1_000_000) >> 16);
    (round_trip < MAX_ROUND_TRIP).then_some(round_trip)
}

/// Feedback without its encoding. The result is as long as the packet: runs stay runs.
pub(super) fn transport_feedback(feedback: &TransportLayerCc) -> TransportFeedback {
    let mut deltas = feedback.recv_deltas.iter();
    let mut left = feedback.packet_status_count;
    let mut statuses = Vec::with_capacity(feedback.recv_deltas.len() + 1);
    let mut add = |symbol: SymbolTypeTcc, count: u16| {
        let count = count.min(left);
        left -= count;
        match symbol {
            SymbolTypeTcc::PacketNotReceived => match statuses.last_mut() {
                Some(PacketStatus::Missing(before)) if before.checked_add(count).is_some() => {
                    *before += count;
                }
                _ if count > 0 => statuses.push(PacketStatus::Missing(count)),
                _ => {}
            },
            SymbolTypeTcc::PacketReceivedWithoutDelta => {
                statuses.push(PacketStatus::ReceivedUntimed(count));
            }
            _ => {
                for _ in 0..count {
                    let Some(delta) = deltas.next() else {
                        return;
                    };
                    let ticks = (delta.delta / DELTA_MICROS) as i16;
                    statuses.push(PacketStatus::Received(ticks));
                }
            }
        }
    };
    for chunk in &feedback.packet_chunks {
        match chunk {
            PacketStatusChunk::RunLengthChunk(run) => {
                add(run.packet_status_symbol, run.run_length);
            }
            PacketStatusChunk::StatusVectorChunk(vector) => {
                for symbol in &vector.symbol_list {
                    add(*symbol, 1);
                }
            }
        }
    }
    TransportFeedback {
        base_sequence: feedback.base_sequence_number,
        reference_time: feedback.reference_time,
        statuses,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_round_trip_time_is_what_the_receiver_did_not_hold() {
        let sent = ntp_middle(UNIX_EPOCH + Duration::from_millis(1_000_500));
        let now = ntp_middle(UNIX_EPOCH + Duration::from_millis(1_000_850));
        let held = 65_536 / 4;
        let measured = round_trip(now, sent, held).unwrap();
        assert!(measured.abs_diff(Duration::from_millis(100)) < Duration::from_millis(1));
        assert_eq!(round_trip(now, 0, 0), None);
        assert_eq!(round_trip(sent, now, 0), None, "a report from the future");
    }
}

//! What the other side says about the pictures that we send.

use std::sync::Arc;

use rtc::interceptor::{Packet, TaggedPacket};
use rtc::rtcp;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;

use super::send::Counters;
use super::signal::{Signal, Signals};
use super::tap::Tap;

/// Reads key-frame requests (RFC 4585, section 6.3.1; RFC 5104, section 4.3.1)
/// and reports (RFC 3550, section 6.4) on their way in.
///
/// It reads them here because webrtc-rs hands a compound packet to the track
/// that its first part is about, whatever the others say.
pub(super) struct Feedback {
    /// Our picture stream.
    pub(super) ssrc: u32,
    pub(super) counters: Arc<Counters>,
    pub(super) signals: Signals,
}

impl Feedback {
    fn read(&self, packet: &dyn rtcp::Packet) {
        let packet = packet.as_any();
        if let Some(request) = packet.downcast_ref::<PictureLossIndication>() {
            self.key_frame_asked(request.media_ssrc == self.ssrc);
        } else if let Some(request) = packet.downcast_ref::<FullIntraRequest>() {
            self.key_frame_asked(request.fir.iter().any(|entry| entry.ssrc == self.ssrc));
        } else if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
            self.reports(&report.reports);
        } else if let Some(report) = packet.downcast_ref::<SenderReport>() {
            self.reports(&report.reports);
        }
    }

    fn key_frame_asked(&self, about_us: bool) {
        if about_us {
            self.signals.send(Signal::KeyFrameAsked);
        }
    }

    fn reports(&self, reports: &[ReceptionReport]) {
        if let Some(report) = reports.iter().find(|report| report.ssrc == self.ssrc) {
            self.counters.report(report.fraction_lost);
        }
    }
}

impl Tap for Feedback {
    fn incoming(&mut self, packet: TaggedPacket) -> Option<TaggedPacket> {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            packets.iter().for_each(|packet| self.read(packet.as_ref()));
        }
        Some(packet)
    }
}

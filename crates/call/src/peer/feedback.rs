//! RTCP feedback from the remote peer about what we send.

use std::sync::Arc;

use rtc::interceptor::{Packet, TaggedPacket};
use rtc::rtcp;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;

use super::event::{PeerConnectionEvent, PeerConnectionEventSender};
use super::interceptor::IncomingInterceptor;
use super::send::Counters;
use crate::rtp::Ssrc;

/// Reads key frame requests (PLI: RFC 4585, section 6.3.1; FIR: RFC 5104,
/// section 4.3.1) and report blocks (RFC 3550, section 6.4.1) from incoming RTCP.
///
/// An interceptor reads them because webrtc-rs delivers a compound packet only
/// to the track that its first packet addresses, and the others would be lost.
pub(super) struct Feedback {
    /// Our audio stream.
    pub(super) audio: (Ssrc, Arc<Counters>),
    /// Our video stream.
    pub(super) video: (Ssrc, Arc<Counters>),
    pub(super) events: PeerConnectionEventSender,
}

impl Feedback {
    fn read(&self, packet: &dyn rtcp::Packet) {
        let packet = packet.as_any();
        if let Some(request) = packet.downcast_ref::<PictureLossIndication>() {
            self.key_frame_requested(Ssrc(request.media_ssrc) == self.video.0);
        } else if let Some(request) = packet.downcast_ref::<FullIntraRequest>() {
            self.key_frame_requested(
                request
                    .fir
                    .iter()
                    .any(|entry| Ssrc(entry.ssrc) == self.video.0),
            );
        } else if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
            self.reports(&report.reports);
        } else if let Some(report) = packet.downcast_ref::<SenderReport>() {
            self.reports(&report.reports);
        }
    }

    fn key_frame_requested(&self, about_us: bool) {
        if about_us {
            self.events.try_send(PeerConnectionEvent::KeyFrameRequested);
        }
    }

    fn reports(&self, reports: &[ReceptionReport]) {
        for report in reports {
            for (ssrc, counters) in [&self.audio, &self.video] {
                if *ssrc == Ssrc(report.ssrc) {
                    counters.report(report.fraction_lost);
                }
            }
        }
    }
}

impl IncomingInterceptor for Feedback {
    fn handle_incoming(&mut self, packet: TaggedPacket) -> Option<TaggedPacket> {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            packets.iter().for_each(|packet| self.read(packet.as_ref()));
        }
        Some(packet)
    }
}

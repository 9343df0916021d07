//! RTCP feedback from the remote peer about what we send.

use std::collections::HashMap;
use std::sync::Arc;

use rtc::interceptor::{Packet, TaggedPacket};
use rtc::rtcp;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use visavis_protocol::TrackSource;

use super::counters::OutboundCounters;
use super::event::{PeerConnectionEvent, PeerConnectionEventSender};
use super::interceptor::IncomingInterceptor;
use crate::rtp::Ssrc;

/// Reads key frame requests (PLI: RFC 4585, section 6.3.1; FIR: RFC 5104,
/// section 4.3.1) and report blocks (RFC 3550, section 6.4.1) from incoming RTCP.
///
/// An interceptor reads them because webrtc-rs delivers a compound packet only
/// to the track that its first packet addresses, and the others would be lost.
pub(super) struct Feedback {
    /// Our streams.
    pub(super) streams: HashMap<Ssrc, (TrackSource, Arc<OutboundCounters>)>,
    pub(super) events: PeerConnectionEventSender,
}

impl Feedback {
    fn read(&self, packet: &dyn rtcp::Packet) {
        let packet = packet.as_any();
        if let Some(request) = packet.downcast_ref::<PictureLossIndication>() {
            self.key_frame_requested(Ssrc(request.media_ssrc));
        } else if let Some(request) = packet.downcast_ref::<FullIntraRequest>() {
            for entry in &request.fir {
                self.key_frame_requested(Ssrc(entry.ssrc));
            }
        } else if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
            self.reports(&report.reports);
        } else if let Some(report) = packet.downcast_ref::<SenderReport>() {
            self.reports(&report.reports);
        }
    }

    fn key_frame_requested(&self, ssrc: Ssrc) {
        if let Some((source, _)) = self.streams.get(&ssrc) {
            self.events
                .try_send(PeerConnectionEvent::KeyFrameRequested(*source));
        }
    }

    fn reports(&self, reports: &[ReceptionReport]) {
        for report in reports {
            if let Some((_, counters)) = self.streams.get(&Ssrc(report.ssrc)) {
                counters.report(report);
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

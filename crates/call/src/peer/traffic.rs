//! Counts retransmissions and requests for them, in both directions.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use rtc::interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::rtp;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use super::counters::{OutboundCounters, Request};
use super::router::RtpRouter;
use super::rtx::OSN_BYTES;
use crate::rtp::Ssrc;

/// Counts every packet that passes. It changes none.
pub(super) struct Traffic {
    /// Of our media streams.
    outbound: HashMap<Ssrc, Arc<OutboundCounters>>,
    /// Knows the receivers of the remote streams, which have the counters.
    router: Arc<RtpRouter>,
    /// Our media streams by their RTX streams.
    local_rtx: HashMap<Ssrc, Ssrc>,
    /// The remote media streams by their RTX streams.
    remote_rtx: HashMap<Ssrc, Ssrc>,
    incoming: VecDeque<TaggedPacket>,
    outgoing: VecDeque<TaggedPacket>,
}

impl Traffic {
    pub(super) fn new(
        outbound: HashMap<Ssrc, Arc<OutboundCounters>>,
        router: Arc<RtpRouter>,
    ) -> Self {
        Self {
            outbound,
            router,
            local_rtx: HashMap::new(),
            remote_rtx: HashMap::new(),
            incoming: VecDeque::new(),
            outgoing: VecDeque::new(),
        }
    }

    fn sent(&self, packet: &rtp::Packet, is_retransmission: bool) {
        let ssrc = Ssrc(packet.header.ssrc);
        let media = self.local_rtx.get(&ssrc).unwrap_or(&ssrc);
        if let Some(counters) = self.outbound.get(media) {
            counters.packet(packet.payload.len() as u64, is_retransmission);
        }
    }

    fn received(&self, packet: &rtp::Packet) {
        let media = self.remote_rtx.get(&Ssrc(packet.header.ssrc));
        // Shorter ones are padding.
        let payload = packet.payload.len().saturating_sub(OSN_BYTES);
        if let Some(media) = media
            && payload > 0
            && let Some(received) = self.router.received(*media)
        {
            received.counters.retransmitted(payload as u64);
        }
    }

    fn asked(&self, ssrc: Ssrc, request: Request) {
        if let Some(received) = self.router.received(ssrc) {
            received.counters.requested(request);
        }
    }

    fn was_asked(&self, ssrc: Ssrc, request: Request) {
        if let Some(counters) = self.outbound.get(&ssrc) {
            counters.requested(request);
        }
    }
}

/// The requests of an RTCP packet and the streams that they are about.
fn requests(packets: &[Box<dyn rtcp::Packet>]) -> impl Iterator<Item = (Ssrc, Request)> {
    packets.iter().flat_map(|packet| {
        let packet = packet.as_any();
        if let Some(nack) = packet.downcast_ref::<TransportLayerNack>() {
            vec![(Ssrc(nack.media_ssrc), Request::Nack)]
        } else if let Some(pli) = packet.downcast_ref::<PictureLossIndication>() {
            vec![(Ssrc(pli.media_ssrc), Request::Pli)]
        } else if let Some(fir) = packet.downcast_ref::<FullIntraRequest>() {
            let entries = fir.fir.iter();
            entries
                .map(|entry| (Ssrc(entry.ssrc), Request::Fir))
                .collect()
        } else {
            Vec::new()
        }
    })
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Traffic {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        match &packet.message.packet {
            Packet::Rtp(rtp) => self.received(rtp),
            Packet::Rtcp(packets) => {
                requests(packets).for_each(|(ssrc, request)| self.was_asked(ssrc, request));
            }
            _ => {}
        }
        self.incoming.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.incoming.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        match &packet.message.packet {
            Packet::Rtp(rtp) => self.sent(rtp, packet.message.has(&Attribute::Retransmission)),
            Packet::Rtcp(packets) => {
                requests(packets).for_each(|(ssrc, request)| self.asked(ssrc, request));
            }
            _ => {}
        }
        self.outgoing.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outgoing.pop_front()
    }
}

impl Interceptor for Traffic {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        if let Some(rtx) = info.ssrc_rtx {
            self.local_rtx.insert(Ssrc(rtx), Ssrc(info.ssrc));
        }
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        if let Some(rtx) = info.ssrc_rtx {
            self.local_rtx.remove(&Ssrc(rtx));
        }
    }

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        if let Some(rtx) = info.ssrc_rtx {
            self.remote_rtx.insert(Ssrc(rtx), Ssrc(info.ssrc));
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        if let Some(rtx) = info.ssrc_rtx {
            self.remote_rtx.remove(&Ssrc(rtx));
        }
    }
}

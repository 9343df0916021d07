//! The RTP router: remote packets to the receivers of this peer.
//!
//! It is the last interceptor and takes every RTP packet. The tracks of webrtc-rs
//! are not read: they exist only for streams whose SSRC is in the description, and
//! drop packets behind a slow reader.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Instant;

use rtc::interceptor::{AttributedPacket, Packet, TaggedPacket};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::source_description::{SdesType, SourceDescription};
use rtc::{rtcp, rtp};
use visavis_media::RtpPacket;
use visavis_media::video::playout::sync;

use super::Receiver;
use super::clock::PeerClock;
use super::context::ReceivedSource;
use super::frame_timing::TimingIds;
use super::interceptor::IncomingInterceptor;
use super::sdp::PayloadFormat;
use crate::rtp::{Mid, PayloadType, SequenceNumber, Ssrc};

/// SSRCs that are mapped to a section from their packets. Packets of further ones
/// are dropped.
const MAX_LEARNED_SSRCS: usize = 64;

/// Where the packets of one media section go.
pub(super) struct Route {
    /// Payload formats by payload type (RFC 3550, section 5.1).
    pub(super) payloads: HashMap<PayloadType, PayloadFormat>,
    /// None where the remote participant may not publish the source: packets are
    /// dropped.
    pub(super) received: Option<ReceivedSource>,
    /// The header extensions with the times of a frame.
    pub(super) timing: Option<TimingIds>,
}

/// How the last negotiation assigned streams to sections.
#[derive(Default)]
pub(super) struct ReceiveRoutes {
    pub(super) sections: HashMap<Mid, Arc<Route>>,
    /// Identifier of the header extension with the mid (RFC 9143, section 15).
    pub(super) mid_extension: Option<u8>,
    /// SSRCs by the section that the first packet of each belonged to.
    learned: HashMap<Ssrc, Mid>,
}

impl ReceiveRoutes {
    pub(super) fn new(sections: HashMap<Mid, Arc<Route>>, mid_extension: Option<u8>) -> Self {
        Self {
            sections,
            mid_extension,
            learned: HashMap::new(),
        }
    }

    /// The section of a packet (RFC 9143, section 9.2): by its mid, else by its SSRC,
    /// else by its payload type, if one section alone has it.
    fn section(&self, header: &rtp::header::Header) -> Option<Mid> {
        let named = self
            .mid_extension
            .and_then(|id| header.get_extension(id))
            .and_then(|mid| String::from_utf8(mid.to_vec()).ok());
        if let Some(mid) = named {
            return Some(Mid(mid));
        }
        if let Some(mid) = self.learned.get(&Ssrc(header.ssrc)) {
            return Some(mid.clone());
        }
        let payload_type = PayloadType(header.payload_type);
        let mut with_type = self
            .sections
            .iter()
            .filter(|(_, route)| route.payloads.contains_key(&payload_type));
        match (with_type.next(), with_type.next()) {
            (Some((mid, _)), None) => Some(mid.clone()),
            _ => None,
        }
    }
}

/// The routes of one connection, shared with its interceptor.
#[derive(Default)]
pub(super) struct RtpRouter {
    routes: RwLock<ReceiveRoutes>,
}

impl RtpRouter {
    /// Replaces the routes. `declared` are the SSRCs that the description names. What
    /// was learned stays: only the first packets of a stream carry its mid.
    pub(super) fn set_routes(
        &self,
        mut routes: ReceiveRoutes,
        declared: impl IntoIterator<Item = (Ssrc, Mid)>,
    ) {
        let mut current = self.write();
        routes.learned = std::mem::take(&mut current.learned);
        routes
            .learned
            .retain(|_, mid| routes.sections.contains_key(mid));
        routes.learned.extend(declared);
        *current = routes;
    }

    /// The source whose current stream has this SSRC.
    pub(super) fn received(&self, ssrc: Ssrc) -> Option<ReceivedSource> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let route = routes.sections.get(routes.learned.get(&ssrc)?)?;
        let received = route.received.as_ref()?;
        let continuity = received.continuity.lock();
        let is_current = continuity
            .unwrap_or_else(PoisonError::into_inner)
            .is_current(ssrc);
        is_current.then(|| received.clone())
    }

    fn write(&self) -> RwLockWriteGuard<'_, ReceiveRoutes> {
        self.routes.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The route of a packet and its payload format.
    pub(super) fn find(&self, header: &rtp::header::Header) -> Option<(Arc<Route>, PayloadFormat)> {
        let (mid, route, format, is_known) = {
            let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
            let mid = routes.section(header)?;
            let route = routes.sections.get(&mid)?;
            let format = *route.payloads.get(&PayloadType(header.payload_type))?;
            let is_known = routes.learned.get(&Ssrc(header.ssrc)) == Some(&mid);
            (mid, route.clone(), format, is_known)
        };
        if !is_known {
            let mut routes = self.write();
            let is_full = routes.learned.len() >= MAX_LEARNED_SSRCS;
            if is_full && !routes.learned.contains_key(&Ssrc(header.ssrc)) {
                return None;
            }
            routes.learned.insert(Ssrc(header.ssrc), mid);
        }
        Some((route, format))
    }
}

/// The router's place in the interceptors of a connection.
pub(super) struct RtpRouterInterceptor {
    pub(super) router: Arc<RtpRouter>,
    /// The clock of the peer, which stamps its frames.
    pub(super) clock: Arc<PeerClock>,
    /// Sender SSRC of the feedback that we send.
    pub(super) ssrc: Ssrc,
    pub(super) requests: VecDeque<TaggedPacket>,
}

impl RtpRouterInterceptor {
    /// The receivers take packets without waiting.
    fn route(&mut self, now: Instant, packet: rtp::Packet) {
        let Some((route, format)) = self.router.find(&packet.header) else {
            return;
        };
        let Some(received) = &route.received else {
            return;
        };
        let media = Ssrc(packet.header.ssrc);
        let placed = {
            let continuity = received.continuity.lock();
            let sequence = SequenceNumber(packet.header.sequence_number);
            let mut continuity = continuity.unwrap_or_else(PoisonError::into_inner);
            continuity.place(media, sequence, now)
        };
        let Some(placed) = placed else {
            return;
        };
        if placed.is_new_stream {
            received.clear();
            received.reports.clear(received.source);
        }
        if packet.header.marker
            && let (Receiver::Video(video), Some(ids)) = (&received.receiver, route.timing)
            && let Some(timing) = ids.read(&packet.header, &self.clock, now)
        {
            video.note_timing(packet.header.timestamp, timing);
        }
        let packet = RtpPacket {
            sequence: placed.sequence.0,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            payload: packet.payload,
            arrived_at: Instant::now(),
        };
        match (&received.receiver, format) {
            (Receiver::Audio(audio), PayloadFormat::Audio) => audio.push(packet),
            (Receiver::Video(video), PayloadFormat::Video(codec)) => {
                video.push(codec, packet);
                // The decoder asks again while packets come.
                if received.key_frame_needed.swap(false, Ordering::Relaxed) {
                    self.request_key_frame(now, media);
                }
            }
            (Receiver::Audio(_) | Receiver::Video(_), _) => {}
        }
    }

    /// Reads sender reports and CNAMEs of the streams that are received.
    fn read_reports(&self, packets: &[Box<dyn rtcp::Packet>]) {
        for packet in packets {
            let packet = packet.as_any();
            if let Some(report) = packet.downcast_ref::<SenderReport>() {
                if let Some(received) = self.router.received(Ssrc(report.ssrc)) {
                    let report = sync::SenderReport {
                        ntp: report.ntp_time,
                        timestamp: report.rtp_time,
                    };
                    received.reports.note(received.source, report);
                }
            } else if let Some(description) = packet.downcast_ref::<SourceDescription>() {
                for chunk in &description.chunks {
                    let mut items = chunk.items.iter();
                    let cname = items.find(|item| item.sdes_type == SdesType::SdesCname);
                    let received = self.router.received(Ssrc(chunk.source));
                    if let (Some(cname), Some(received)) = (cname, received) {
                        received.reports.note_cname(received.source, &cname.text);
                    }
                }
            }
        }
    }

    fn request_key_frame(&mut self, now: Instant, media: Ssrc) {
        let request = PictureLossIndication {
            sender_ssrc: self.ssrc.0,
            media_ssrc: media.0,
        };
        self.requests.push_back(TaggedPacket {
            now,
            transport: Default::default(),
            message: AttributedPacket::new(Packet::Rtcp(vec![Box::new(request)])),
        });
    }
}

impl IncomingInterceptor for RtpRouterInterceptor {
    fn handle_incoming(&mut self, packet: TaggedPacket) -> Option<TaggedPacket> {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            self.read_reports(packets);
        }
        match packet.message.packet {
            Packet::Rtp(rtp) => {
                self.route(packet.now, rtp);
                None
            }
            _ => Some(packet),
        }
    }

    fn poll_reaction(&mut self) -> Option<TaggedPacket> {
        self.requests.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use visavis_media::VideoCodec;
    use visavis_media::audio::Playout;
    use visavis_media::video::VideoReceiver;
    use visavis_protocol::TrackSource;

    use super::*;

    fn packet(ssrc: u32, payload_type: u8, mid: Option<&'static str>) -> rtp::header::Header {
        let mut header = rtp::header::Header {
            version: 2,
            ssrc,
            payload_type,
            ..Default::default()
        };
        if let Some(mid) = mid {
            header
                .set_extension(4, Bytes::from_static(mid.as_bytes()))
                .unwrap();
        }
        header
    }

    fn router() -> RtpRouter {
        let route = |receiver, payload_type, format| {
            Arc::new(Route {
                payloads: [(PayloadType(payload_type), format)].into(),
                received: Some(ReceivedSource {
                    receiver,
                    key_frame_needed: Arc::default(),
                    continuity: Arc::default(),
                    counters: Arc::default(),
                    source: TrackSource::Camera,
                    reports: Arc::default(),
                }),
                timing: None,
            })
        };
        let audio = || Receiver::Audio(Arc::new(Playout::new().add()));
        let video = || Receiver::Video(Arc::new(VideoReceiver::new(|| {})));
        let vp8 = PayloadFormat::Video(VideoCodec::Vp8);
        let sections = [
            (Mid("0".into()), route(audio(), 111, PayloadFormat::Audio)),
            (Mid("1".into()), route(video(), 96, vp8)),
            (Mid("2".into()), route(video(), 96, vp8)),
        ];
        let router = RtpRouter::default();
        router.set_routes(
            ReceiveRoutes::new(sections.into(), Some(4)),
            [(Ssrc(10), Mid("1".into()))],
        );
        router
    }

    fn section(router: &RtpRouter, header: &rtp::header::Header) -> Option<String> {
        let routes = router.routes.read().unwrap();
        routes.section(header).map(|mid| mid.0)
    }

    #[test]
    fn a_stream_is_routed_by_its_mid_then_its_ssrc_then_its_payload_type() {
        let router = router();
        for (header, mid) in [
            (packet(10, 96, None), Some("1")),
            (packet(11, 96, Some("2")), Some("2")),
            (packet(12, 96, None), None),
            (packet(13, 111, None), Some("0")),
            // The stream of a section changed its SSRC.
            (packet(14, 96, Some("1")), Some("1")),
        ] {
            assert_eq!(section(&router, &header).as_deref(), mid, "{header:?}");
        }
    }

    #[test]
    fn later_packets_of_a_stream_need_no_mid() {
        let router = router();
        assert!(router.find(&packet(11, 96, None)).is_none());
        assert!(router.find(&packet(11, 96, Some("2"))).is_some());
        assert!(router.find(&packet(11, 96, None)).is_some());
        assert_eq!(
            section(&router, &packet(11, 96, None)).as_deref(),
            Some("2")
        );
    }

    #[test]
    fn the_number_of_learned_ssrcs_is_bounded() {
        let router = router();
        let routed = (100..1_000).filter(|ssrc| router.find(&packet(*ssrc, 111, None)).is_some());
        assert!(routed.count() < MAX_LEARNED_SSRCS);
    }

    #[test]
    fn a_packet_of_an_unknown_section_or_payload_type_is_dropped() {
        let router = router();
        assert!(router.find(&packet(10, 97, None)).is_none());
        assert!(router.find(&packet(10, 96, Some("9"))).is_none());
    }
}

//! One RTCPeerConnection with its tracks, its router and its data channels.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rtc::shared::error::Error;
use rtc::statistics::report::{RTCStatsReport, RTCStatsReportEntry};
use tokio_util::sync::CancellationToken;
use visavis_protocol::{IceServer, PeerMessage, TrackSource};
use webrtc::data_channel::DataChannel;
use webrtc::peer_connection::{PeerConnection, StatsSelector};
use webrtc::runtime::default_runtime;

use super::bandwidth::BandwidthInterceptor;
use super::candidates::RemoteCandidates;
use super::channel::{self, OpenChannel};
use super::context::PeerContext;
use super::engine::PacketHandlers;
use super::event::{PeerConnectionEventSender, PeerConnectionEvents};
use super::feedback::Feedback;
use super::payload_types::PayloadTypes;
use super::receiving::ReceivingSection;
use super::router::{RtpRouter, RtpRouterInterceptor};
use super::runtime::SupervisedRuntime;
use super::sdp::{
    DtlsRole, MappedFormat, MediaKind, MediaSection, RemoteTransport, SourceMap, TRACK_SOURCES,
    kind_of,
};
use super::send::LocalTrack;
use super::sender_reports::SenderReportInterceptor;
use super::sending::SendDirection;
use super::traffic::Traffic;
use super::{TransportStatistics, engine};
use crate::rtp::{Mid, Ssrc};
use crate::statistics::CandidatePair;

/// Longest wait for webrtc-rs to close a connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection. It must be closed with [`Connection::close`]: dropping its
/// handle does not stop webrtc-rs.
pub(super) struct Connection {
    pub(super) peer: Arc<dyn PeerConnection>,
    pub(super) context: Arc<PeerContext>,
    /// One of each source, in the order in which they are offered. Those that we do
    /// not publish keep webrtc-rs from attaching another track to their section.
    pub(super) tracks: Vec<(TrackSource, SendDirection)>,
    pub(super) router: Arc<RtpRouter>,
    pub(super) payload_types: Arc<PayloadTypes>,
    events: PeerConnectionEventSender,
    /// Cancels the tasks of this connection.
    pub(super) cancel: CancellationToken,
    /// Whether media may be sent: from state connected until failed or closed.
    pub(super) can_send: bool,
    /// What was negotiated last.
    pub(super) negotiated: Negotiated,
    /// The sections in which the remote peer sends.
    pub(super) receiving: Vec<ReceivingSection>,
    /// Identifier of the header extension with the mid.
    pub(super) mid_extension: Option<u8>,
    /// The sections of our pending offer.
    pub(super) offered: Option<Vec<MediaSection>>,
    pub(super) sources: SourceMap,
    /// The mid and the username fragment of our candidates.
    pub(super) local_ice: LocalIce,
    /// The ICE servers that webrtc-rs has.
    ice_servers: Vec<IceServer>,
    /// Whether candidates were gathered, so that webrtc-rs may have relayed addresses.
    has_gathered: bool,
    uses_turn: Arc<AtomicBool>,
    pub(super) candidates: RemoteCandidates,
    /// The data channel that opened first; messages are sent on it.
    pub(super) channel: Option<OpenChannel>,
    /// Whether we created a data channel.
    pub(super) has_created_channel: bool,
}

/// The result of the negotiations so far.
#[derive(Default)]
pub(super) struct Negotiated {
    /// The sections of the last remote description, those of rejected ones included.
    pub(super) sections: Vec<MediaSection>,
    /// The mids of sections whose index was given to another one.
    pub(super) retired: Vec<Mid>,
    /// The formats of the first negotiation, whose payload types webrtc-rs keeps.
    pub(super) formats: Vec<MappedFormat>,
    pub(super) transport: Option<RemoteTransport>,
    pub(super) role: Option<DtlsRole>,
    /// The sources whose section has no common codec.
    pub(super) no_common_codec: Vec<TrackSource>,
    /// The sources that the remote peer would receive and our description does not send.
    pub(super) held_back: Vec<TrackSource>,
}

impl Negotiated {
    /// The format with the payload types of webrtc-rs.
    pub(super) fn engine_format(&self, format: MappedFormat) -> MappedFormat {
        let mut kept = self.formats.iter();
        let kept = kept.find(|kept| kept.payload == format.payload);
        kept.copied().unwrap_or(format)
    }
}

/// What identifies our candidates.
#[derive(Default)]
pub(super) struct LocalIce {
    /// The mid of our first section in use, with which all others are bundled.
    pub(super) mid: Option<Mid>,
    pub(super) line_index: Option<u16>,
    pub(super) ufrag: Option<String>,
}

impl Connection {
    /// Creates a connection and the queue of its events.
    pub(super) async fn new(
        context: &Arc<PeerContext>,
    ) -> Result<(Self, PeerConnectionEvents), Error> {
        let (events, receiver) = PeerConnectionEventSender::new();
        let tokio = default_runtime().ok_or_else(|| Error::Other("no runtime".into()))?;
        let config = context.config();
        let uses_turn = Arc::new(AtomicBool::new(engine::uses_turn(&config)));
        let runtime = SupervisedRuntime::new(
            tokio,
            context.tasks.clone(),
            events.clone(),
            uses_turn.clone(),
        );
        let stream = format!("{:016x}", rand::random::<u64>());
        let mut ssrcs = distinct_ssrcs();
        let mut ssrc = || ssrcs.pop().unwrap_or(Ssrc(1));
        let feedback_ssrc = ssrc();
        let (mut streams, mut audio) = (HashMap::new(), Vec::new());
        let mut counted = HashMap::new();
        let tracks = TRACK_SOURCES.map(|source| {
            let media = ssrc();
            let rtx = (kind_of(source) == MediaKind::Video).then(&mut ssrc);
            if let Some(counters) = context.counters().get(&source) {
                streams.insert(media, (source, counters.clone()));
                counted.insert(media, counters.clone());
            }
            if rtx.is_none() {
                audio.push(media);
            }
            let track = LocalTrack::new(&stream, source, media, rtx);
            (source, SendDirection::new(track))
        });
        let feedback = Feedback {
            streams,
            events: events.clone(),
        };
        let router = Arc::new(RtpRouter::default());
        let interceptor = RtpRouterInterceptor {
            router: router.clone(),
            clock: context.clock.clone(),
            ssrc: feedback_ssrc,
            requests: VecDeque::new(),
        };
        let reported = tracks
            .iter()
            .map(|(_, direction)| direction.track.reported());
        let sender_reports = SenderReportInterceptor::new(reported);
        let bandwidth =
            BandwidthInterceptor::new(context.bandwidth.clone(), audio.clone(), counted.clone());
        let traffic = Traffic::new(counted, router.clone());
        let payload_types = Arc::new(PayloadTypes::new(audio));
        let handlers = PacketHandlers {
            feedback,
            router: interceptor,
            payload_types: payload_types.clone(),
            bandwidth,
            traffic,
            sender_reports,
        };
        let runtime = Arc::new(runtime);
        let peer = engine::connect(&config, runtime, events.clone(), handlers).await?;
        let connection = Self {
            peer,
            context: context.clone(),
            tracks: tracks.into(),
            router,
            payload_types,
            events,
            cancel: CancellationToken::new(),
            can_send: false,
            negotiated: Negotiated::default(),
            receiving: Vec::new(),
            mid_extension: None,
            offered: None,
            sources: SourceMap::default(),
            local_ice: LocalIce::default(),
            ice_servers: config.ice_servers,
            has_gathered: false,
            uses_turn,
            candidates: RemoteCandidates::default(),
            channel: None,
            has_created_channel: false,
        };
        Ok((connection, receiver))
    }

    /// Gives webrtc-rs the newest ICE servers if the local description that is set next
    /// gathers on new sockets: the first one, or that of an ICE restart. It takes them over
    /// at the next local description of any kind, and may then give up the relayed
    /// addresses of sockets that it keeps.
    pub(super) async fn update_ice_servers(&mut self, ice_restart: bool) {
        let config = self.context.config();
        let is_first = !std::mem::replace(&mut self.has_gathered, true);
        if !(is_first || ice_restart) || config.ice_servers == self.ice_servers {
            return;
        }
        let configuration = engine::configuration(&config);
        match self.peer.set_configuration(configuration).await {
            Ok(()) => {
                let uses_turn = engine::uses_turn(&config);
                self.uses_turn.store(uses_turn, Ordering::Relaxed);
                self.ice_servers = config.ice_servers;
            }
            Err(error) => {
                tracing::warn!(%error, "webrtc-rs keeps the ICE servers that it has");
            }
        }
    }

    /// Closes the connection and cancels its tasks within [`CLOSE_TIMEOUT`].
    pub(super) async fn close(&mut self) {
        self.cancel.cancel();
        self.stop_sending();
        match tokio::time::timeout(CLOSE_TIMEOUT, self.peer.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "closing a peer connection failed"),
            Err(_) => tracing::warn!("closing a peer connection timed out"),
        }
    }

    /// Spawns the reader of a data channel.
    pub(super) fn read_channel(&self, channel: Arc<dyn DataChannel>) {
        let reader = channel::read(channel, self.events.clone());
        self.context
            .tasks
            .spawn(self.cancel.clone().run_until_cancelled_owned(reader));
    }

    /// Returns whether this is the first channel to open. After both sides offered
    /// at once there can be two: both are read, and the first one is written to.
    pub(super) fn channel_opened(&mut self, channel: Arc<dyn DataChannel>) -> bool {
        let first = self.channel.is_none();
        self.channel
            .get_or_insert_with(|| OpenChannel::new(channel));
        first
    }

    pub(super) fn channel_closed(&mut self, channel: &Arc<dyn DataChannel>) {
        self.channel
            .take_if(|open| Arc::ptr_eq(&open.channel, channel));
    }

    pub(super) async fn send(&mut self, message: &PeerMessage) {
        if let Some(channel) = &mut self.channel {
            channel.send(message).await;
        }
    }

    /// Asks for the peer's clock, where there is a data channel that delivers.
    pub(super) async fn ping_clock(&mut self) {
        if let Some(channel) = &mut self.channel
            && !channel.is_stalled()
        {
            let ping = self.context.clock.ping();
            channel.send(&PeerMessage::ClockPing(ping)).await;
        }
    }

    /// Transport statistics. Only the candidate pair comes from webrtc-rs; its
    /// RTP counters are not reliable, so [`OutboundCounters`] and [`InboundCounters`]
    /// count what is sent and received.
    ///
    /// [`OutboundCounters`]: super::counters::OutboundCounters
    /// [`InboundCounters`]: super::counters::InboundCounters
    pub(super) async fn statistics(&self) -> TransportStatistics {
        let report = self
            .peer
            .get_stats(Instant::now(), StatsSelector::None)
            .await;
        let candidate_pair = candidate_pair(&report);
        let measured = candidate_pair.as_ref();
        let measured = measured.and_then(|pair| pair.current_round_trip_time);
        let counters = self.context.counters().iter();
        let bandwidth = self.context.bandwidth.estimate();
        TransportStatistics {
            tracks: counters
                .map(|(source, sent)| (*source, sent.statistics(*source)))
                .collect(),
            received: self.context.inbound(),
            round_trip_ms: measured
                .map(|seconds| seconds as f32 * 1_000.0)
                .or_else(|| Some(bandwidth.round_trip?.as_secs_f32() * 1_000.0)),
            candidate_pair,
            clock_offset_ms: self.context.clock.offset_ms(),
            bandwidth,
        }
    }
}

/// The selected candidate pair, without addresses.
fn candidate_pair(report: &RTCStatsReport) -> Option<CandidatePair> {
    let selected = &report.transport()?.selected_candidate_pair_id;
    let RTCStatsReportEntry::IceCandidatePair(pair) = report.get(selected)? else {
        return None;
    };
    // The pair names its candidates without the kind that begins their ids.
    let local = report.get(&format!("RTCLocalIceCandidate_{}", pair.local_candidate_id));
    let Some(RTCStatsReportEntry::LocalCandidate(local)) = local else {
        return None;
    };
    // Of a peer-reflexive candidate webrtc-rs keeps no statistics.
    let remote = report.get(&format!(
        "RTCRemoteIceCandidate_{}",
        pair.remote_candidate_id
    ));
    let remote_candidate_type = match remote {
        Some(RTCStatsReportEntry::RemoteCandidate(remote)) => remote.candidate_type.to_string(),
        _ => "prflx".to_owned(),
    };
    let is_measured = pair.responses_received > 0;
    Some(CandidatePair {
        local_candidate_type: local.candidate_type.to_string(),
        remote_candidate_type,
        protocol: local.protocol.clone(),
        current_round_trip_time: is_measured.then_some(pair.current_round_trip_time),
        total_round_trip_time: pair.total_round_trip_time,
        responses_received: pair.responses_received,
    })
}

/// Different SSRCs, none of them 0, for every stream of a session and our feedback
/// (RFC 3550, section 8).
fn distinct_ssrcs() -> Vec<Ssrc> {
    /// One for each source, one for the RTX stream of each of two videos, one for
    /// feedback.
    const COUNT: usize = 7;
    let mut ssrcs: Vec<Ssrc> = Vec::with_capacity(COUNT);
    while ssrcs.len() < COUNT {
        let ssrc = Ssrc(rand::random());
        if ssrc.0 != 0 && !ssrcs.contains(&ssrc) {
            ssrcs.push(ssrc);
        }
    }
    ssrcs
}

//! Configuration of webrtc-rs: codecs, interceptors, addresses, ICE servers.

use std::sync::Arc;
use std::time::Duration;

use rtc::ice::mdns::MulticastDnsMode;
use rtc::ice::url::{ProtoType, Url};
use rtc::interceptor::{
    NackGeneratorBuilder, NackResponderBuilder, ReceiverReportBuilder, Registry, Slot,
};
use rtc::mdns::MulticastSocket;
use rtc::peer_connection::configuration::interceptor_registry::configure_twcc_receiver_only;
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_H264, MIME_TYPE_OPUS, MIME_TYPE_RTX, MIME_TYPE_VP8,
};
use rtc::peer_connection::configuration::setting_engine::SctpMaxMessageSize;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use rtc::shared::error::Error;
use visavis_media::VideoCodec;
use visavis_protocol::IceServer;
use visavis_protocol::limits::MAX_PEER_MESSAGE_BYTES;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, RTCConfigurationBuilder, RTCIceServer,
    RTCIceTransportPolicy, SettingEngineBuilder,
};

use super::PeerConfig;
use super::bandwidth::BandwidthInterceptor;
use super::event::PeerConnectionEventSender;
use super::feedback::Feedback;
use super::frame_timing::{CAPTURE_TIME_URI, VIDEO_TIMING_URI};
use super::interceptor::InterceptorAdapter;
use super::payload_types::{PayloadTypeInterceptor, PayloadTypes};
use super::router::RtpRouterInterceptor;
use super::rtx::RtxUnwrapper;
use super::runtime::SupervisedRuntime;
use super::sdp::{MID_EXTENSION, RID_EXTENSION};
use super::sender_reports::SenderReportInterceptor;
use super::traffic::Traffic;
use crate::rtp::PayloadType;

/// webrtc-rs expands an unspecified address to every interface but loopback.
const ADDRESSES: [&str; 3] = ["0.0.0.0:0", "[::]:0", "127.0.0.1:0"];

/// Bytes queued on a data channel. A message beyond this is refused.
const CHANNEL_BUFFER_BYTES: usize = 16 * MAX_PEER_MESSAGE_BYTES;

/// NACKs per missing packet (RFC 4585, section 6.2.1).
const MAX_NACKS: u16 = 10;

/// Interval between two NACKs of one packet. With a round-trip time of 50 ms a
/// loss is repaired in about 100 ms; with a longer one some NACKs are redundant.
const NACK_INTERVAL: Duration = Duration::from_millis(50);

/// Slots of the interceptors, from the network. The payload types come first, since
/// all others see those of webrtc-rs. The bandwidth estimator follows, so that it paces
/// and counts everything that is sent, retransmissions included. The traffic counters
/// are within it, so that they see no padding of ours and time the wait in its pacer, and outside of NACK and RTX. The router takes the media and is therefore last.
/// The RTX unwrapper precedes the NACK generator,
/// which must see retransmissions as arrived. It follows the receiver reports,
/// which must count a repaired loss: the sender adapts its rate to them.
const PAYLOAD_TYPES: usize = 500;
const TRAFFIC: usize = 1_500;
const REPORTS: usize = 9_000;
const RTX_UNWRAPPER: usize = 9_100;
const NACKS: usize = 9_200;
const FEEDBACK: usize = 14_000;
const ROUTER: usize = 15_000;

/// Payload types of our offers. RTX of a video codec uses the next one.
const OPUS: PayloadType = PayloadType(111);
const VP8: PayloadType = PayloadType(96);
const H264: PayloadType = PayloadType(102);

/// Interval between connectivity checks: Ta of RFC 8445, section 14.2.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// Checks per candidate pair: a pair fails after 10 s. The 1.4 s of webrtc-rs
/// are too short for a peer whose answer or firewall is slow.
const CHECKS_PER_PAIR: u16 = 200;

/// What of ours handles the packets of one connection.
pub(super) struct PacketHandlers {
    pub(super) feedback: Feedback,
    pub(super) router: RtpRouterInterceptor,
    pub(super) payload_types: Arc<PayloadTypes>,
    pub(super) bandwidth: BandwidthInterceptor,
    pub(super) traffic: Traffic,
    pub(super) sender_reports: SenderReportInterceptor,
}

/// Creates a connection and starts its driver.
pub(super) async fn connect(
    config: &PeerConfig,
    runtime: Arc<SupervisedRuntime>,
    events: PeerConnectionEventSender,
    handlers: PacketHandlers,
) -> Result<Arc<dyn PeerConnection>, Error> {
    let mut media = media_engine(config.preferred_codec)?;
    let registry = interceptors(&mut media, handlers)?;
    let settings = SettingEngineBuilder::new()
        .with_multicast_dns_mode(mdns_mode())
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(MAX_PEER_MESSAGE_BYTES as u32))
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(CHECKS_PER_PAIR))
        // Binds new sockets at an ICE restart; those of a network that is gone send
        // nothing.
        .with_discard_local_candidates_during_ice_restart(true)
        // With relayed candidates only, no better pair can follow.
        .with_relay_acceptance_min_wait(config.relay_only.then_some(Duration::ZERO))
        .build();
    let builder = PeerConnectionBuilder::new()
        .with_configuration(configuration(config))
        .with_media_engine(media)
        .with_setting_engine(settings)
        .with_interceptor_registry(registry)
        .with_handler(Arc::new(events))
        .with_runtime(runtime)
        .with_udp_addrs(ADDRESSES.to_vec())
        .with_data_channel_send_buffer_limit(CHANNEL_BUFFER_BYTES);
    // Boxed because the future is large; it runs once per connection.
    Ok(Arc::new(Box::pin(builder.build()).await?))
}

/// Browsers hide their host addresses behind mDNS names, which are resolved
/// where multicast works. Without a multicast route, as on a host with only a
/// loopback interface, webrtc-rs would fail to create the connection.
fn mdns_mode() -> MulticastDnsMode {
    match MulticastSocket::new().into_std() {
        Ok(_) => MulticastDnsMode::QueryOnly,
        Err(error) => {
            tracing::debug!(%error, "mDNS is unavailable; mDNS candidates are not resolved");
            MulticastDnsMode::Disabled
        }
    }
}

pub(super) fn configuration(config: &PeerConfig) -> webrtc::peer_connection::RTCConfiguration {
    let policy = if config.relay_only {
        RTCIceTransportPolicy::Relay
    } else {
        RTCIceTransportPolicy::All
    };
    RTCConfigurationBuilder::new()
        .with_ice_servers(config.ice_servers.iter().flat_map(usable).collect())
        .with_ice_transport_policy(policy)
        .build()
}

/// Whether a TURN server is configured.
pub(super) fn uses_turn(config: &PeerConfig) -> bool {
    let mut urls = config.ice_servers.iter().flat_map(|server| &server.urls);
    urls.any(|url| url.starts_with("turn"))
}

/// Whether this server has URLs that webrtc-rs cannot use: STUN and TURN over TCP
/// or TLS.
pub(crate) fn needs_tcp(server: &IceServer) -> bool {
    let server = RTCIceServer {
        urls: server.urls.clone(),
        username: server.username.clone().unwrap_or_default(),
        credential: server.credential.clone().unwrap_or_default(),
    };
    let urls = server.urls();
    urls.is_ok_and(|urls| !urls.iter().all(is_over_udp))
}

fn is_over_udp(url: &Url) -> bool {
    !url.is_secure() && url.proto == ProtoType::Udp
}

/// One server per URL that webrtc-rs accepts. webrtc-rs rejects the whole
/// configuration for one invalid URL.
fn usable(server: &IceServer) -> impl Iterator<Item = RTCIceServer> {
    server.urls.iter().filter_map(|url| {
        let server = RTCIceServer {
            urls: vec![url.clone()],
            username: server.username.clone().unwrap_or_default(),
            credential: server.credential.clone().unwrap_or_default(),
        };
        match server.urls() {
            Ok(urls) if urls.iter().all(is_over_udp) => Some(server),
            Ok(_) => {
                tracing::warn!("an ICE server over TCP or TLS is not supported and is ignored");
                None
            }
            Err(_) => {
                // The error may quote the URL, so it is not logged.
                tracing::warn!("an ICE server is invalid and is ignored");
                None
            }
        }
    })
}

fn interceptors(media: &mut MediaEngine, handlers: PacketHandlers) -> Result<Registry, Error> {
    // This registers the header extension and the feedback of both directions; what we
    // send is numbered by the estimator itself, in the order of sending.
    let registry = configure_twcc_receiver_only(Registry::new(), media)?
        .with(
            Slot::from(PAYLOAD_TYPES),
            PayloadTypeInterceptor::new(handlers.payload_types),
        )
        .with(Slot::CongestionControl, handlers.bandwidth)
        .with(Slot::from(TRAFFIC), handlers.traffic)
        .with(Slot::NackResponder, NackResponderBuilder::new().build())
        .with(Slot::from(REPORTS), ReceiverReportBuilder::new().build())
        .with(
            Slot::from(RTX_UNWRAPPER),
            InterceptorAdapter::new(RtxUnwrapper::default()),
        )
        .with(
            Slot::from(NACKS),
            NackGeneratorBuilder::new()
                .with_interval(NACK_INTERVAL)
                .with_max_nacks_per_packet(MAX_NACKS)
                .build(),
        )
        .with(Slot::SenderReport, handlers.sender_reports)
        .with(
            Slot::from(FEEDBACK),
            InterceptorAdapter::new(handlers.feedback),
        )
        .with(Slot::from(ROUTER), InterceptorAdapter::new(handlers.router));
    Ok(registry)
}

fn media_engine(preferred: VideoCodec) -> Result<MediaEngine, Error> {
    let mut engine = MediaEngine::default();
    engine.register_codec(parameters(opus(), OPUS), RtpCodecKind::Audio)?;
    let mut codecs = [(VideoCodec::Vp8, VP8), (VideoCodec::H264, H264)];
    codecs.sort_by_key(|(codec, _)| *codec != preferred);
    for (codec, payload_type) in codecs {
        engine.register_codec(parameters(video(codec), payload_type), RtpCodecKind::Video)?;
        engine.register_codec(
            parameters(rtx(payload_type), PayloadType(payload_type.0 + 1)),
            RtpCodecKind::Video,
        )?;
    }
    // Chromium cannot answer a section in which it once offered simulcast without
    // the extension with the rid, although we decline simulcast.
    for (uri, kind) in [
        (MID_EXTENSION, RtpCodecKind::Audio),
        (MID_EXTENSION, RtpCodecKind::Video),
        (RID_EXTENSION, RtpCodecKind::Video),
        (CAPTURE_TIME_URI, RtpCodecKind::Video),
        (VIDEO_TIMING_URI, RtpCodecKind::Video),
    ] {
        let extension = RTCRtpHeaderExtensionCapability {
            uri: uri.to_owned(),
        };
        engine.register_header_extension(extension, kind, None)?;
    }
    Ok(engine)
}

fn parameters(rtp_codec: RTCRtpCodec, payload_type: PayloadType) -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec,
        payload_type: payload_type.0,
    }
}

/// Opus (RFC 7587).
pub(super) fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1;stereo=0".to_owned(),
        rtcp_feedback: Vec::new(),
    }
}

/// A video codec: VP8 (RFC 7741) or H.264 (RFC 6184).
pub(super) fn video(codec: VideoCodec) -> RTCRtpCodec {
    let (mime_type, parameters) = match codec {
        VideoCodec::Vp8 => (MIME_TYPE_VP8, ""),
        VideoCodec::H264 => (
            MIME_TYPE_H264,
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        ),
    };
    // REMB is for receivers without transport-wide feedback.
    let feedback = [
        ("goog-remb", ""),
        ("nack", ""),
        ("nack", "pli"),
        ("ccm", "fir"),
    ];
    RTCRtpCodec {
        mime_type: mime_type.to_owned(),
        clock_rate: 90_000,
        channels: 0,
        sdp_fmtp_line: parameters.to_owned(),
        rtcp_feedback: feedback
            .map(|(typ, parameter)| RTCPFeedback {
                typ: typ.to_owned(),
                parameter: parameter.to_owned(),
            })
            .to_vec(),
    }
}

/// Retransmission (RFC 4588) of the stream with this payload type.
fn rtx(payload_type: PayloadType) -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_RTX.to_owned(),
        clock_rate: 90_000,
        channels: 0,
        sdp_fmtp_line: format!("apt={}", payload_type.0),
        rtcp_feedback: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_over_tcp_and_tls_are_recognised() {
        for (url, needs) in [
            ("turn:127.0.0.1:3478?transport=tcp", true),
            ("turns:127.0.0.1:5349", true),
            ("turn:127.0.0.1:3478?transport=udp", false),
            ("stun:127.0.0.1:3478", false),
        ] {
            let server = IceServer {
                urls: vec![url.into()],
                username: Some("user".into()),
                credential: Some("secret".into()),
            };
            assert_eq!(needs_tcp(&server), needs, "{url}");
        }
    }

    #[test]
    fn an_invalid_ice_server_url_is_ignored_and_the_others_are_used() {
        let server = IceServer {
            urls: [
                "stun:127.0.0.1:3478",
                "turn:127.0.0.1:3478",
                "turn:127.0.0.1:3478?transport=tcp",
                "turns:127.0.0.1:5349",
                "http://127.0.0.1",
                "",
                "turn:",
            ]
            .map(Into::into)
            .to_vec(),
            username: Some("user".into()),
            credential: Some("secret".into()),
        };
        let urls: Vec<_> = usable(&server).flat_map(|server| server.urls).collect();
        assert_eq!(urls, ["stun:127.0.0.1:3478", "turn:127.0.0.1:3478"]);
        let open = IceServer {
            username: None,
            ..server
        };
        let urls: Vec<_> = usable(&open).flat_map(|server| server.urls).collect();
        assert_eq!(urls, ["stun:127.0.0.1:3478"], "TURN needs credentials");
    }
}

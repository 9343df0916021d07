//! The RTP router: remote packets to the receivers of this peer.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp;
use rtc::rtp_transceiver::RTCRtpTransceiverId;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use tokio::sync::Notify;
use visavis_media::audio::AudioReceiver;
use visavis_media::video::VideoReceiver;
use visavis_media::{RtpPacket, VideoCodec};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use crate::rtp::{PayloadType, Ssrc};

/// The payload format that a payload type was negotiated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PayloadFormat {
    Audio,
    Video(VideoCodec),
}

/// How the last negotiation assigned payload types and transceivers.
#[derive(Default)]
pub(super) struct ReceiveRoutes {
    /// Payload formats by payload type (RFC 3550, section 5.1).
    pub(super) payloads: HashMap<PayloadType, PayloadFormat>,
    /// The transceivers that carry the call. Packets of others are dropped.
    pub(super) transceivers: HashSet<RTCRtpTransceiverId>,
}

/// Routes RTP packets to the audio and the video receiver.
pub(super) struct RtpRouter {
    pub(super) video: Arc<VideoReceiver>,
    pub(super) audio: Arc<AudioReceiver>,
    /// Notified when the decoder cannot continue without a key frame.
    pub(super) key_frame_needed: Arc<Notify>,
    pub(super) routes: RwLock<ReceiveRoutes>,
    /// Sender SSRC of the feedback that we send.
    pub(super) ssrc: Ssrc,
}

impl RtpRouter {
    /// Reads a stream until it ends. The receivers take packets without waiting,
    /// since webrtc-rs buffers only 256 packets for a slow reader.
    pub(super) async fn receive(&self, track: Arc<dyn TrackRemote>) {
        let is_video = track.kind().await == RtpCodecKind::Video;
        let mut opened: Option<(RTCRtpTransceiverId, Ssrc)> = None;
        loop {
            let is_call_video = is_video && opened.is_some_and(|(id, _)| self.is_negotiated(id));
            let event = tokio::select! {
                event = track.poll() => event,
                () = self.key_frame_needed.notified(), if is_call_video => {
                    if let Some((_, ssrc)) = opened {
                        self.request_key_frame(track.as_ref(), ssrc).await;
                    }
                    continue;
                }
            };
            match (event, opened) {
                (Some(TrackRemoteEvent::OnOpen(event)), _) => {
                    opened = Some((event.receiver_id.into(), Ssrc(event.ssrc)));
                }
                (Some(TrackRemoteEvent::OnRtpPacket(packet)), Some((transceiver, _))) => {
                    self.route(transceiver, packet);
                }
                (Some(TrackRemoteEvent::OnEnded) | None, _) => return,
                (Some(_), _) => {}
            }
        }
    }

    fn route(&self, transceiver: RTCRtpTransceiverId, packet: rtp::Packet) {
        let payload = self.with_routes(|routes| {
            let payload_type = PayloadType(packet.header.payload_type);
            let payload = routes.payloads.get(&payload_type);
            payload
                .copied()
                .filter(|_| routes.transceivers.contains(&transceiver))
        });
        let packet = RtpPacket {
            sequence: packet.header.sequence_number,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            payload: packet.payload,
            arrived_at: Instant::now(),
        };
        match payload {
            Some(PayloadFormat::Audio) => self.audio.push(packet),
            Some(PayloadFormat::Video(codec)) => self.video.push(codec, packet),
            None => {}
        }
    }

    fn is_negotiated(&self, transceiver: RTCRtpTransceiverId) -> bool {
        self.with_routes(|routes| routes.transceivers.contains(&transceiver))
    }

    fn with_routes<T>(&self, read: impl FnOnce(&ReceiveRoutes) -> T) -> T {
        read(&self.routes.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn request_key_frame(&self, track: &dyn TrackRemote, media: Ssrc) {
        let request = PictureLossIndication {
            sender_ssrc: self.ssrc.0,
            media_ssrc: media.0,
        };
        if let Err(error) = track.write_rtcp(vec![Box::new(request)]).await {
            tracing::debug!(%error, "requesting a key frame failed");
        }
    }
}

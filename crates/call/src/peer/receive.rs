//! Packets of the other side to the local receivers.

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

/// What a payload type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload {
    Audio,
    Video(VideoCodec),
}

/// What the last negotiation settled about receiving.
#[derive(Default)]
pub(super) struct Negotiated {
    /// By payload type (RFC 3550, section 5.1).
    pub(super) payloads: HashMap<u8, Payload>,
    /// Those that carry the call; what others carry is ignored.
    pub(super) transceivers: HashSet<RTCRtpTransceiverId>,
}

/// The way in.
pub(super) struct Inlet {
    pub(super) video: Arc<VideoReceiver>,
    pub(super) audio: Arc<AudioReceiver>,
    /// The decoder cannot go on without a key frame.
    pub(super) key_frame_needed: Arc<Notify>,
    pub(super) negotiated: RwLock<Negotiated>,
    /// Under whose name feedback is sent.
    pub(super) ssrc: u32,
}

impl Inlet {
    /// Takes a stream's packets until it ends. It only hands on: webrtc-rs
    /// keeps 256 packets for a slow reader.
    pub(super) async fn receive(&self, track: Arc<dyn TrackRemote>) {
        let is_video = track.kind().await == RtpCodecKind::Video;
        let mut opened: Option<(RTCRtpTransceiverId, u32)> = None;
        loop {
            let carries_pictures = is_video && opened.is_some_and(|(id, _)| self.is_main(id));
            let event = tokio::select! {
                event = track.poll() => event,
                () = self.key_frame_needed.notified(), if carries_pictures => {
                    if let Some((_, ssrc)) = opened {
                        self.ask_for_key_frame(track.as_ref(), ssrc).await;
                    }
                    continue;
                }
            };
            match (event, opened) {
                (Some(TrackRemoteEvent::OnOpen(event)), _) => {
                    opened = Some((event.receiver_id.into(), event.ssrc));
                }
                (Some(TrackRemoteEvent::OnRtpPacket(packet)), Some((transceiver, _))) => {
                    self.take(transceiver, packet);
                }
                (Some(TrackRemoteEvent::OnEnded) | None, _) => return,
                (Some(_), _) => {}
            }
        }
    }

    fn take(&self, transceiver: RTCRtpTransceiverId, packet: rtp::Packet) {
        let payload = self.read(|negotiated| {
            let payload = negotiated.payloads.get(&packet.header.payload_type);
            payload
                .copied()
                .filter(|_| negotiated.transceivers.contains(&transceiver))
        });
        let taken = RtpPacket {
            sequence: packet.header.sequence_number,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            payload: packet.payload,
            arrived_at: Instant::now(),
        };
        match payload {
            Some(Payload::Audio) => self.audio.push(taken),
            Some(Payload::Video(codec)) => self.video.push(codec, taken),
            None => {}
        }
    }

    fn is_main(&self, transceiver: RTCRtpTransceiverId) -> bool {
        self.read(|negotiated| negotiated.transceivers.contains(&transceiver))
    }

    fn read<T>(&self, read: impl FnOnce(&Negotiated) -> T) -> T {
        read(
            &self
                .negotiated
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    async fn ask_for_key_frame(&self, track: &dyn TrackRemote, source: u32) {
        let request = PictureLossIndication {
            sender_ssrc: self.ssrc,
            media_ssrc: source,
        };
        if let Err(error) = track.write_rtcp(vec![Box::new(request)]).await {
            tracing::debug!(%error, "a key frame cannot be asked for");
        }
    }
}

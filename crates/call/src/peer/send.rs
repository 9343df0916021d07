//! Encoded sound and pictures to one other side.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU64, Ordering};

use bytes::Bytes;
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp;
use rtc::rtp::codec::h264::H264Payloader;
use rtc::rtp::codec::vp8::Vp8Payloader;
use rtc::rtp::packetizer::Payloader;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RTCRtpRtxParameters,
    RtpCodecKind,
};
use rtc::shared::error::Error;
use visavis_media::{EncodedAudio, EncodedVideo, Queue, VideoCodec};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

/// RTP payload bytes in a packet: with headers, SRTP and a TURN relay around
/// them it still fits the smallest MTU of IPv6, 1,280 bytes.
const MAX_PAYLOAD_BYTES: usize = 1_180;

/// What was sent, and what the other side said of it.
#[derive(Default)]
pub(super) struct Counters {
    bytes: AtomicU64,
    frames: AtomicU64,
    /// In 1/256 (RFC 3550, section 6.4.1).
    remote_loss: AtomicU8,
    reports: AtomicU64,
}

impl Counters {
    pub(super) fn report(&self, fraction_lost: u8) {
        self.remote_loss.store(fraction_lost, Ordering::Relaxed);
        self.reports.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn reports(&self) -> u64 {
        self.reports.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    pub(super) fn remote_loss_percent(&self) -> f32 {
        f32::from(self.remote_loss.load(Ordering::Relaxed)) * 100.0 / 256.0
    }
}

/// One stream of ours, on one connection.
pub(super) struct Outgoing {
    stream_id: String,
    kind: RtpCodecKind,
    ssrc: u32,
    rtx_ssrc: Option<u32>,
    /// Goes on when sending is interrupted.
    sequence: AtomicU16,
    track: Arc<TrackLocalStaticRTP>,
}

impl Outgoing {
    /// A stream of sound.
    pub(super) fn audio(stream_id: &str, ssrc: u32) -> Self {
        Self::new(stream_id, RtpCodecKind::Audio, ssrc, None)
    }

    /// A stream of pictures, and its retransmissions.
    pub(super) fn video(stream_id: &str, ssrc: u32, rtx_ssrc: u32) -> Self {
        Self::new(stream_id, RtpCodecKind::Video, ssrc, Some(rtx_ssrc))
    }

    fn new(stream_id: &str, kind: RtpCodecKind, ssrc: u32, rtx_ssrc: Option<u32>) -> Self {
        // Without a codec: webrtc-rs would offer that one only.
        let description = describe(stream_id, kind, ssrc, rtx_ssrc, RTCRtpCodec::default());
        Self {
            stream_id: stream_id.to_owned(),
            kind,
            ssrc,
            rtx_ssrc,
            sequence: AtomicU16::new(rand::random()),
            track: Arc::new(TrackLocalStaticRTP::new(description)),
        }
    }

    /// What a connection is given.
    pub(super) fn track(&self) -> Arc<dyn TrackLocal> {
        self.track.clone()
    }

    /// The same stream with its codec, which reports and retransmissions are
    /// bound to when sending begins.
    pub(super) fn with_codec(&self, codec: RTCRtpCodec) -> Arc<dyn TrackLocal> {
        let description = describe(&self.stream_id, self.kind, self.ssrc, self.rtx_ssrc, codec);
        Arc::new(TrackLocalStaticRTP::new(description))
    }

    /// Sends sound until the encoder ends or the connection does.
    pub(super) async fn pump_audio(
        &self,
        mut queue: Queue<EncodedAudio>,
        payload_type: u8,
        counters: &Counters,
    ) {
        while let Some(sound) = queue.next().await {
            let length = sound.data.len() as u64;
            if self
                .write(payload_type, sound.timestamp, false, sound.data)
                .await
                .is_err()
            {
                return;
            }
            counters.bytes.fetch_add(length, Ordering::Relaxed);
        }
    }

    /// Sends pictures until the encoder ends or the connection does.
    pub(super) async fn pump_video(
        &self,
        mut queue: Queue<EncodedVideo>,
        codec: VideoCodec,
        payload_type: u8,
        counters: &Counters,
    ) {
        let mut payloader: Box<dyn Payloader> = match codec {
            VideoCodec::Vp8 => Box::new(Vp8Payloader::default()),
            VideoCodec::H264 => Box::new(H264Payloader::default()),
        };
        while let Some(picture) = queue.next().await {
            let payloads = match payloader.payload(MAX_PAYLOAD_BYTES, &picture.data) {
                Ok(payloads) => payloads,
                Err(error) => {
                    tracing::error!(%error, "a picture cannot be packetised");
                    continue;
                }
            };
            let last = payloads.len().saturating_sub(1);
            for (number, payload) in payloads.into_iter().enumerate() {
                let length = payload.len() as u64;
                if self
                    .write(payload_type, picture.timestamp, number == last, payload)
                    .await
                    .is_err()
                {
                    return;
                }
                counters.bytes.fetch_add(length, Ordering::Relaxed);
            }
            counters.frames.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn write(
        &self,
        payload_type: u8,
        timestamp: u32,
        marker: bool,
        payload: Bytes,
    ) -> Result<(), Error> {
        let header = rtp::header::Header {
            version: 2,
            payload_type,
            timestamp,
            marker,
            sequence_number: self.sequence.fetch_add(1, Ordering::Relaxed),
            ssrc: self.ssrc,
            ..Default::default()
        };
        self.track.write_rtp(rtp::Packet { header, payload }).await
    }
}

fn describe(
    stream_id: &str,
    kind: RtpCodecKind,
    ssrc: u32,
    rtx_ssrc: Option<u32>,
    codec: RTCRtpCodec,
) -> MediaStreamTrack {
    let coding = RTCRtpCodingParameters {
        ssrc: Some(ssrc),
        rtx: rtx_ssrc.map(|ssrc| RTCRtpRtxParameters { ssrc }),
        ..Default::default()
    };
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: coding,
        codec,
        ..Default::default()
    };
    MediaStreamTrack::new(
        stream_id.to_owned(),
        format!("{stream_id}-{kind}"),
        kind.to_string(),
        kind,
        vec![encoding],
    )
}

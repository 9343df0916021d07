//! Packetises encoded audio and video and sends them to one remote peer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

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
use visavis_media::audio::SAMPLE_RATE;
use visavis_media::video::CLOCK;
use visavis_media::{EncodedAudio, Queue, VideoCodec};
use visavis_protocol::TrackSource;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use super::counters::OutboundCounters;
use super::layers::LayerQueue;
use super::sdp::{MediaKind, kind_of, name_of};
use super::sender_reports::{CaptureTime, ReportedStream};
use crate::rtp::{PayloadType, RtpTime, SequenceNumber, Ssrc};

/// Largest RTP payload, in bytes. With RTP, SRTP, TURN, UDP and IPv6 headers the
/// packet fits 1,280 bytes, the smallest MTU of IPv6 (RFC 8200, section 5).
pub(super) const MAX_PAYLOAD_BYTES: usize = 1_180;

/// A local track on one connection.
pub(super) struct LocalTrack {
    stream_id: String,
    source: TrackSource,
    ssrc: Ssrc,
    rtx_ssrc: Option<Ssrc>,
    /// When its newest frame was captured, for its sender reports.
    capture: Arc<CaptureTime>,
    /// The next sequence number. It continues after an interruption of the sending.
    sequence: AtomicU16,
    track: Arc<TrackLocalStaticRTP>,
}

impl LocalTrack {
    /// The track of a source; a video track has an RTX stream.
    pub(super) fn new(
        stream_id: &str,
        source: TrackSource,
        ssrc: Ssrc,
        rtx_ssrc: Option<Ssrc>,
    ) -> Self {
        // With a codec, webrtc-rs would offer only that one.
        let description = describe(stream_id, source, ssrc, rtx_ssrc, RTCRtpCodec::default());
        Self {
            stream_id: stream_id.to_owned(),
            source,
            ssrc,
            rtx_ssrc,
            capture: Arc::default(),
            sequence: AtomicU16::new(rand::random()),
            track: Arc::new(TrackLocalStaticRTP::new(description)),
        }
    }

    /// The track for another transceiver; its streams continue.
    pub(super) fn renewed(&self) -> Self {
        let renewed = Self {
            capture: self.capture.clone(),
            ..Self::new(&self.stream_id, self.source, self.ssrc, self.rtx_ssrc)
        };
        let sequence = self.sequence.load(Ordering::Relaxed);
        renewed.sequence.store(sequence, Ordering::Relaxed);
        renewed
    }

    /// The stream, for its sender reports.
    pub(super) fn reported(&self) -> (Ssrc, ReportedStream) {
        let clock_rate = match kind_of(self.source) {
            MediaKind::Audio => SAMPLE_RATE,
            _ => CLOCK,
        };
        let capture = self.capture.clone();
        let stream = ReportedStream {
            clock_rate,
            capture,
        };
        (self.ssrc, stream)
    }

    /// The track to add to the connection.
    pub(super) fn track_local(&self) -> Arc<dyn TrackLocal> {
        self.track.clone()
    }

    /// The same track with its codec. webrtc-rs binds sender reports and
    /// retransmissions to it when sending starts.
    pub(super) fn with_codec(&self, codec: RTCRtpCodec) -> Arc<dyn TrackLocal> {
        let description = describe(
            &self.stream_id,
            self.source,
            self.ssrc,
            self.rtx_ssrc,
            codec,
        );
        Arc::new(TrackLocalStaticRTP::new(description))
    }

    /// Sends audio until the encoder or the connection ends.
    pub(super) async fn send_audio(
        &self,
        mut queue: Queue<EncodedAudio>,
        payload_type: PayloadType,
        counters: &OutboundCounters,
    ) {
        while let Some(packet) = queue.next().await {
            let length = packet.data.len() as u64;
            self.capture
                .note(RtpTime(packet.timestamp), packet.captured_at);
            if self
                .write(payload_type, RtpTime(packet.timestamp), false, packet.data)
                .await
                .is_err()
            {
                return;
            }
            counters.sent(length);
        }
    }

    /// Sends video until the encoder or the connection ends.
    pub(super) async fn send_video(
        &self,
        mut queue: LayerQueue,
        codec: VideoCodec,
        payload_type: PayloadType,
        counters: &OutboundCounters,
    ) {
        let mut payloader: Box<dyn Payloader> = match codec {
            VideoCodec::Vp8 => Box::new(Vp8Payloader::default()),
            VideoCodec::H264 => Box::new(H264Payloader::default()),
        };
        while let Some(frame) = queue.next().await {
            let payloads = match payloader.payload(MAX_PAYLOAD_BYTES, &frame.data) {
                Ok(payloads) => payloads,
                Err(error) => {
                    tracing::error!(%error, "packetising an encoded frame failed");
                    continue;
                }
            };
            self.capture
                .note(RtpTime(frame.timestamp), frame.captured_at);
            counters.frame_begins(&frame);
            if frame.key_frame {
                let first = self.sequence.load(Ordering::Relaxed);
                counters.key_frame_begins(SequenceNumber(first));
            }
            let last = payloads.len().saturating_sub(1);
            for (number, payload) in payloads.into_iter().enumerate() {
                let length = payload.len() as u64;
                if self
                    .write(
                        payload_type,
                        RtpTime(frame.timestamp),
                        number == last,
                        payload,
                    )
                    .await
                    .is_err()
                {
                    return;
                }
                counters.sent(length);
            }
            counters.frame_sent(&frame);
        }
    }

    fn next_sequence_number(&self) -> SequenceNumber {
        SequenceNumber(self.sequence.fetch_add(1, Ordering::Relaxed))
    }

    async fn write(
        &self,
        payload_type: PayloadType,
        timestamp: RtpTime,
        marker: bool,
        payload: Bytes,
    ) -> Result<(), Error> {
        let header = rtp::header::Header {
            version: 2,
            payload_type: payload_type.0,
            timestamp: timestamp.0,
            marker,
            sequence_number: self.next_sequence_number().0,
            ssrc: self.ssrc.0,
            ..Default::default()
        };
        self.track.write_rtp(rtp::Packet { header, payload }).await
    }
}

fn describe(
    stream_id: &str,
    source: TrackSource,
    ssrc: Ssrc,
    rtx_ssrc: Option<Ssrc>,
    codec: RTCRtpCodec,
) -> MediaStreamTrack {
    let coding = RTCRtpCodingParameters {
        ssrc: Some(ssrc.0),
        rtx: rtx_ssrc.map(|ssrc| RTCRtpRtxParameters { ssrc: ssrc.0 }),
        ..Default::default()
    };
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: coding,
        codec,
        ..Default::default()
    };
    let kind = match kind_of(source) {
        MediaKind::Audio => RtpCodecKind::Audio,
        _ => RtpCodecKind::Video,
    };
    MediaStreamTrack::new(
        stream_id.to_owned(),
        // The receiver reads the source from the end of the id.
        format!("{stream_id}-{}", name_of(source)),
        kind.to_string(),
        kind,
        vec![encoding],
    )
}

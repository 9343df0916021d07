//! Which remote tracks are received on a connection, and in which formats.

use std::collections::HashMap;
use std::sync::Arc;

use visavis_protocol::TrackSource;

use super::Receiver;
use super::connection::Connection;
use super::frame_timing::TimingIds;
use super::router::{ReceiveRoutes, Route};
use super::sdp::{MappedFormat, MediaSection, PayloadFormat};
use crate::rtp::{Mid, PayloadType, Ssrc};

/// A section that the remote peer sends in.
pub(super) struct ReceivingSection {
    mid: Mid,
    source: TrackSource,
    payloads: HashMap<PayloadType, PayloadFormat>,
    /// The SSRCs that the description names.
    ssrcs: Vec<Ssrc>,
    /// The H.264 parameter sets that the description names.
    parameter_sets: Vec<Vec<u8>>,
    /// The header extensions with the times of a frame.
    timing: Option<TimingIds>,
}

impl Connection {
    /// Sets the format in which each source is sent. `remote` are the sections of the
    /// remote description.
    pub(super) fn set_formats(&mut self, remote: &[MediaSection], answer: &[MediaSection]) {
        let preferred = self.context.preferred_codec();
        for (source, direction) in &mut self.tracks {
            let receives = remote.iter().find(|section| {
                self.sources.get(&section.mid) == Some(*source)
                    && section.is_used()
                    && section.direction.has_recv()
            });
            let format = receives.and_then(|section| {
                let answer = answer.iter().find(|answer| answer.mid == section.mid)?;
                answer.format_to_send(preferred)
            });
            direction.format = format.map(|format| self.negotiated.engine_format(format));
        }
    }

    /// Remembers the payload types of codecs that are negotiated for the first time.
    pub(super) fn keep_formats(&mut self, formats: &[MappedFormat]) {
        for format in formats {
            let mut kept = self.negotiated.formats.iter();
            if !kept.any(|one| one.payload == format.payload) {
                self.negotiated.formats.push(*format);
            }
        }
    }

    /// Sets the sections in which the remote peer sends. `local` are the sections of
    /// our description.
    pub(super) fn set_receiving(
        &mut self,
        remote: &[MediaSection],
        local: &[MediaSection],
        answer: &[MediaSection],
    ) {
        self.receiving.clear();
        self.negotiated.held_back.clear();
        for section in remote.iter().filter(|section| section.is_used()) {
            let of = |sections: &[MediaSection]| {
                sections.iter().find(|one| one.mid == section.mid).cloned()
            };
            let (Some(source), Some(local), Some(answer)) =
                (self.sources.get(&section.mid), of(local), of(answer))
            else {
                continue;
            };
            if section.direction.has_recv() && !local.direction.has_send() {
                self.negotiated.held_back.push(source);
            }
            if !section.direction.has_send() || !local.direction.has_recv() {
                continue;
            }
            // The answerer may send with the payload types of the offer, for the codecs
            // of the answer (RFC 3264, section 6.1).
            let is_answered = |payload: PayloadFormat| {
                let mut formats = answer.formats.iter();
                formats.any(|answered| answered.payload == payload)
            };
            let formats = answer.formats.iter().chain(
                local
                    .formats
                    .iter()
                    .filter(|format| is_answered(format.payload)),
            );
            self.receiving.push(ReceivingSection {
                mid: section.mid.clone(),
                source,
                payloads: formats
                    .map(|format| self.negotiated.engine_format(*format))
                    .map(|format| (format.payload_type, format.payload))
                    .collect(),
                ssrcs: section.ssrcs.clone(),
                parameter_sets: section.parameter_sets.clone(),
                timing: section.timing,
            });
            self.mid_extension = section.mid_extension.or(self.mid_extension);
        }
    }

    /// Routes the sections in which the remote peer sends to the receivers of their
    /// sources. A source that it may not publish, or that is hidden, is not received.
    /// Returns the
    /// receivers that this created.
    pub(super) fn update_routes(&self) -> Vec<(TrackSource, Receiver)> {
        let grants = self.context.grants().remote;
        let (mut routes, mut created) = (HashMap::new(), Vec::new());
        let mut declared = Vec::new();
        for section in &self.receiving {
            let mut received = None;
            let is_hidden = self.context.is_hidden(section.source);
            if grants.may_publish(section.source) && !is_hidden {
                let (source, is_new) = self.context.receive(section.source);
                if is_new {
                    created.push((section.source, source.receiver.clone()));
                }
                if let Receiver::Video(video) = &source.receiver {
                    video.set_parameter_sets(&section.parameter_sets);
                }
                received = Some(source);
            }
            let payloads = section.payloads.clone();
            let route = Route {
                payloads,
                received,
                timing: section.timing,
            };
            routes.insert(section.mid.clone(), Arc::new(route));
            let ssrcs = section.ssrcs.iter();
            declared.extend(ssrcs.map(|ssrc| (*ssrc, section.mid.clone())));
        }
        let routes = ReceiveRoutes::new(routes, self.mid_extension);
        self.router.set_routes(routes, declared);
        created
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use bytes::Bytes;
    use tokio_util::task::TaskTracker;
    use visavis_media::audio::Playout;
    use visavis_media::codec::{EncoderSettings, FrameKind, video_encoder};
    use visavis_media::video::synthetic::Synthetic;
    use visavis_media::{RtpPacket, VideoCodec};

    use super::super::PeerConfig;
    use super::super::context::PeerContext;
    use super::super::sdp::RemoteDescription;
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    /// The NAL units of an IDR picture by OpenH264.
    fn idr_picture() -> Vec<Vec<u8>> {
        let settings = EncoderSettings {
            width: 64,
            height: 48,
            frames_per_second: 30,
            bits_per_second: 100_000,
        };
        let frame = Synthetic::new(64, 48, 0.0).unwrap();
        let frame = frame.draw(0.0, 0, Instant::now());
        let mut encoder = video_encoder(VideoCodec::H264, settings).unwrap();
        let data = encoder.encode(&frame, FrameKind::Key).unwrap().data;
        let starts = (0..data.len() - 3).filter(|&at| data[at..].starts_with(&[0, 0, 0, 1]));
        let starts: Vec<usize> = starts.collect();
        let ends = starts.iter().skip(1).copied().chain([data.len()]);
        let units = starts.iter().zip(ends);
        units
            .map(|(start, end)| data[start + 4..end].to_vec())
            .collect()
    }

    #[tokio::test]
    async fn a_picture_whose_parameter_sets_are_only_in_the_description_is_decoded() {
        let (sets, picture): (Vec<_>, Vec<_>) = idr_picture()
            .into_iter()
            .partition(|unit| matches!(unit[0] & 0x1F, 7 | 8));
        let sets: Vec<String> = sets.iter().map(|set| STANDARD.encode(set)).collect();
        let sdp = format!(
            "v=0\r\na=group:BUNDLE 0\r\na=fingerprint:sha-256 {}\r\na=ice-ufrag:a\r\na=ice-pwd:b\r\n\
             m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=rtpmap:96 H264/90000\r\n\
             a=fmtp:96 packetization-mode=1;sprop-parameter-sets={}\r\n",
            ["AA"; 32].join(":"),
            sets.join(",")
        );
        let config = PeerConfig {
            ice_servers: Vec::new(),
            relay_only: false,
            preferred_codec: VideoCodec::H264,
        };
        let tasks = TaskTracker::new();
        let context = PeerContext::new(config, HashMap::new(), Playout::new(), tasks);
        let (mut connection, _events) = Connection::new(&Arc::new(context)).await.unwrap();
        let sections = RemoteDescription::parse(sdp).unwrap().sections;
        connection.sources.assign(&sections);
        connection.set_receiving(&sections, &sections, &sections);
        let receivers = connection.update_routes();
        let [(TrackSource::Camera, Receiver::Video(video))] = &receivers[..] else {
            panic!("{receivers:?}")
        };
        for (unit, sequence) in picture.iter().zip(1..) {
            let packet = RtpPacket {
                sequence,
                timestamp: 1,
                marker: usize::from(sequence) == picture.len(),
                payload: Bytes::from(unit.clone()),
                arrived_at: Instant::now(),
            };
            video.push(VideoCodec::H264, packet);
        }
        let deadline = Instant::now() + LIMIT;
        while video.stats().frames_decoded == 0 {
            assert!(Instant::now() < deadline, "{:?}", video.stats());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        connection.close().await;
    }
}

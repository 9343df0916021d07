//! Which of our tracks are sent on a connection, and in which format.

use std::sync::Arc;

use rtc::rtp_transceiver::RTCRtpTransceiverId;
use tokio_util::sync::DropGuard;
use visavis_media::VideoCodec;
use visavis_protocol::TrackSource;
use webrtc::rtp_transceiver::RtpSender;

use super::connection::Connection;
use super::context::Publisher;
use super::layers::LayerQueue;
use super::sdp::{MappedFormat, PayloadFormat};
use super::send::LocalTrack;

/// The sending direction of one source.
pub(super) struct SendDirection {
    pub(super) track: Arc<LocalTrack>,
    /// Set once the track is attached to a transceiver of webrtc-rs.
    pub(super) sender: Option<Arc<dyn RtpSender>>,
    /// The negotiated format; none where the remote peer does not receive.
    pub(super) format: Option<MappedFormat>,
    sending: Option<SendTask>,
}

/// A task that sends a track. Dropping it ends the task and its subscription at
/// the encoder.
struct SendTask {
    format: MappedFormat,
    _stop: DropGuard,
}

impl SendDirection {
    pub(super) fn new(track: LocalTrack) -> Self {
        Self {
            track: Arc::new(track),
            sender: None,
            format: None,
            sending: None,
        }
    }

    /// The transceiver that the track is attached to.
    pub(super) fn transceiver(&self) -> Option<RTCRtpTransceiverId> {
        self.sender.as_ref().map(|sender| sender.id().into())
    }
}

impl Connection {
    /// Starts or stops sending.
    pub(super) fn set_can_send(&mut self, can_send: bool) {
        self.can_send = can_send;
        self.context.bandwidth.set_connected(can_send);
        self.update_sending();
    }

    pub(super) fn stop_sending(&mut self) {
        for (_, direction) in &mut self.tracks {
            direction.sending = None;
        }
    }

    /// The codec in which this source is sent now.
    pub(super) fn video_codec(&self, source: TrackSource) -> Option<VideoCodec> {
        let mut tracks = self.tracks.iter();
        let (_, direction) = tracks.find(|(track, _)| *track == source)?;
        match direction.sending.as_ref()?.format.payload {
            PayloadFormat::Video(codec) => Some(codec),
            PayloadFormat::Audio => None,
        }
    }

    /// Starts, restarts or stops the send tasks: a source is sent while the
    /// connection is up, in the negotiated format, if we may publish it.
    pub(super) fn update_sending(&mut self) {
        let grants = self.context.grants().local;
        let context = self.context.clone();
        for (source, direction) in &mut self.tracks {
            let allowed = self.can_send && grants.may_publish(*source);
            let format = direction.format.filter(|_| allowed);
            if direction.sending.as_ref().map(|sending| sending.format) == format {
                continue;
            }
            direction.sending = None;
            let (Some(format), Some(counters)) = (format, context.counters().get(source)) else {
                continue;
            };
            let (track, counters) = (direction.track.clone(), counters.clone());
            let payload_type = format.payload_type;
            let stop = self.cancel.child_token();
            let running = stop.clone();
            match (context.publisher(*source), format.payload) {
                (Some(Publisher::Audio(sender)), PayloadFormat::Audio) => {
                    let queue = sender.subscribe();
                    context
                        .tasks
                        .spawn(running.run_until_cancelled_owned(async move {
                            track.send_audio(queue, payload_type, &counters).await
                        }));
                }
                (Some(Publisher::Video(sender)), PayloadFormat::Video(codec)) => {
                    let layer = context.layer(*source);
                    let start = context.start_of(*source);
                    let has_room = context.bandwidth.has_room();
                    let queue = LayerQueue::new(sender.clone(), codec, layer, has_room, start);
                    context
                        .tasks
                        .spawn(running.run_until_cancelled_owned(async move {
                            let sent = track.send_video(queue, codec, payload_type, &counters);
                            sent.await
                        }));
                }
                _ => continue,
            }
            direction.sending = Some(SendTask {
                format,
                _stop: stop.drop_guard(),
            });
        }
    }
}

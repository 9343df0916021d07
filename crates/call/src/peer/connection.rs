//! One RTCPeerConnection with its tracks, its router and its data channels.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rtc::rtp_transceiver::RTCRtpTransceiverId;
use rtc::rtp_transceiver::rtp_sender::RTCRtpCodecParameters;
use rtc::shared::error::Error;
use rtc::statistics::report::RTCStatsReportEntry;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use visavis_media::VideoCodec;
use visavis_media::audio::{AudioReceiver, AudioSender};
use visavis_media::video::{VideoReceiver, VideoSender};
use visavis_protocol::{IceCandidate, PeerMessage, TrackSource};
use webrtc::data_channel::DataChannel;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{PeerConnection, StatsSelector};
use webrtc::rtp_transceiver::{RtpSender, RtpTransceiver};
use webrtc::runtime::default_runtime;

use super::event::{PeerConnectionEvent, PeerConnectionEventSender};
use super::feedback::Feedback;
use super::router::{PayloadFormat, ReceiveRoutes, RtpRouter};
use super::runtime::SupervisedRuntime;
use super::sdp::{MediaKind, MediaSection, local_sections, main, video_codec};
use super::send::{Counters, LocalTrack};
use super::{PeerConfig, TransportStatistics, channel, engine};
use crate::rtp::{Mid, PayloadType, Ssrc};

/// Longest wait for webrtc-rs to close a connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What every connection of one peer is created with.
pub(super) struct PeerContext {
    pub(super) config: PeerConfig,
    pub(super) video_sender: VideoSender,
    pub(super) audio_sender: AudioSender,
    pub(super) video: Arc<VideoReceiver>,
    pub(super) audio: Arc<AudioReceiver>,
    pub(super) key_frame_needed: Arc<Notify>,
    pub(super) audio_counters: Arc<Counters>,
    pub(super) video_counters: Arc<Counters>,
    pub(super) tasks: TaskTracker,
}

/// A connection. It must be closed with [`Connection::close`]: dropping its
/// handle does not stop webrtc-rs.
pub(super) struct Connection {
    pub(super) peer: Arc<dyn PeerConnection>,
    pub(super) context: Arc<PeerContext>,
    pub(super) audio: SendDirection,
    pub(super) video: SendDirection,
    router: Arc<RtpRouter>,
    events: PeerConnectionEventSender,
    /// Cancels the tasks of this connection.
    cancel: CancellationToken,
    /// Whether media may be sent: from state connected until failed or closed.
    can_send: bool,
    /// The media sections of the last remote description that was set.
    pub(super) remote: Vec<MediaSection>,
    /// Remote candidates that arrived before a remote description.
    pub(super) pending_candidates: Vec<IceCandidate>,
    /// The data channel that opened first; messages are sent on it.
    channel: Option<Arc<dyn DataChannel>>,
}

/// The sending direction of one transceiver.
pub(super) struct SendDirection {
    pub(super) track: Arc<LocalTrack>,
    pub(super) sender: Option<Arc<dyn RtpSender>>,
    /// The negotiated formats, in the offer's order.
    formats: Vec<NegotiatedFormat>,
    sending: Option<SendTask>,
}

/// A task that sends a track. Dropping it ends the task and its subscription at
/// the encoder.
struct SendTask {
    format: NegotiatedFormat,
    _stop: DropGuard,
}

/// A payload format and the payload type that was negotiated for it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct NegotiatedFormat {
    payload: PayloadFormat,
    payload_type: PayloadType,
}

impl SendDirection {
    fn new(track: LocalTrack) -> Self {
        Self {
            track: Arc::new(track),
            sender: None,
            formats: Vec::new(),
            sending: None,
        }
    }
}

impl Connection {
    /// Creates a connection and the queue of its events.
    pub(super) async fn new(
        context: &Arc<PeerContext>,
    ) -> Result<(Self, mpsc::Receiver<PeerConnectionEvent>), Error> {
        let (events, receiver) = PeerConnectionEventSender::new();
        let tokio = default_runtime().ok_or_else(|| Error::Other("no runtime".into()))?;
        let runtime = SupervisedRuntime {
            tokio,
            tasks: context.tasks.clone(),
            events: events.clone(),
            uses_turn: engine::uses_turn(&context.config),
        };
        // Every stream of a session has its own SSRC (RFC 3550, section 8).
        let [audio_ssrc, video_ssrc, rtx_ssrc] = distinct_ssrcs();
        let stream = format!("{:016x}", rand::random::<u64>());
        let feedback = Feedback {
            audio: (audio_ssrc, context.audio_counters.clone()),
            video: (video_ssrc, context.video_counters.clone()),
            events: events.clone(),
        };
        let peer =
            engine::connect(&context.config, Arc::new(runtime), events.clone(), feedback).await?;
        let router = RtpRouter {
            video: context.video.clone(),
            audio: context.audio.clone(),
            key_frame_needed: context.key_frame_needed.clone(),
            routes: RwLock::default(),
            ssrc: video_ssrc,
        };
        let connection = Self {
            peer,
            context: context.clone(),
            audio: SendDirection::new(LocalTrack::audio(&stream, audio_ssrc)),
            video: SendDirection::new(LocalTrack::video(&stream, video_ssrc, rtx_ssrc)),
            router: Arc::new(router),
            events,
            cancel: CancellationToken::new(),
            can_send: false,
            remote: Vec::new(),
            pending_candidates: Vec::new(),
            channel: None,
        };
        Ok((connection, receiver))
    }

    /// Closes the connection and cancels its tasks within [`CLOSE_TIMEOUT`].
    pub(super) async fn close(&mut self) {
        self.cancel.cancel();
        self.audio.sending = None;
        self.video.sending = None;
        match tokio::time::timeout(CLOSE_TIMEOUT, self.peer.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "closing a peer connection failed"),
            Err(_) => tracing::warn!("closing a peer connection timed out"),
        }
    }

    fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.context
            .tasks
            .spawn(self.cancel.clone().run_until_cancelled_owned(task));
    }

    /// Spawns the reader of a remote stream.
    pub(super) fn receive(&self, track: Arc<dyn TrackRemote>) {
        let router = self.router.clone();
        self.run(async move { router.receive(track).await });
    }

    /// Spawns the reader of a data channel.
    pub(super) fn read_channel(&self, channel: Arc<dyn DataChannel>) {
        self.run(channel::read(channel, self.events.clone()));
    }

    /// Returns whether this is the first channel to open. After both sides offered
    /// at once there can be two: both are read, and the first one is written to.
    pub(super) fn channel_opened(&mut self, channel: Arc<dyn DataChannel>) -> bool {
        let first = self.channel.is_none();
        self.channel.get_or_insert(channel);
        first
    }

    pub(super) fn channel_closed(&mut self, channel: &Arc<dyn DataChannel>) {
        self.channel.take_if(|open| Arc::ptr_eq(open, channel));
    }

    pub(super) async fn send(&self, message: &PeerMessage) {
        if let Some(channel) = &self.channel {
            channel::send(channel.as_ref(), message).await;
        }
    }

    /// Starts or stops sending.
    pub(super) async fn set_can_send(&mut self, can_send: bool) {
        self.can_send = can_send;
        self.update_sending().await;
    }

    /// The codec of the video that is being sent.
    pub(super) fn video_codec(&self) -> Option<VideoCodec> {
        match self.video.sending.as_ref()?.format.payload {
            PayloadFormat::Video(codec) => Some(codec),
            PayloadFormat::Audio => None,
        }
    }

    /// Reads the negotiated formats. Must run while the local direction includes
    /// sending: webrtc-rs hides the senders of other transceivers.
    pub(super) async fn read_formats(&mut self) -> Result<(), Error> {
        for direction in [&mut self.audio, &mut self.video] {
            if let Some(sender) = &direction.sender {
                let codecs = sender.get_parameters().await?.rtp_parameters.codecs;
                direction.formats = codecs.iter().filter_map(format).collect();
            }
        }
        Ok(())
    }

    /// Applies a finished negotiation to the router and to the send tasks.
    pub(super) async fn apply_negotiation(&mut self, remote: Vec<MediaSection>) {
        let mids: HashSet<&Mid> = [MediaKind::Audio, MediaKind::Video]
            .into_iter()
            .filter_map(|kind| main(&remote, kind))
            .map(|section| &section.mid)
            .collect();
        let mut routes = ReceiveRoutes::default();
        for transceiver in self.peer.get_transceivers().await {
            if let Ok(Some(mid)) = transceiver.mid().await
                && mids.contains(&Mid(mid))
            {
                routes.transceivers.insert(transceiver.id());
            }
        }
        let formats = self.audio.formats.iter().chain(&self.video.formats);
        routes.payloads = formats
            .map(|format| (format.payload_type, format.payload))
            .collect();
        *self
            .router
            .routes
            .write()
            .unwrap_or_else(PoisonError::into_inner) = routes;
        self.remote = remote;
        self.update_sending().await;
    }

    /// Starts, restarts or stops the send tasks according to
    /// [`Connection::format_to_send`].
    async fn update_sending(&mut self) {
        let audio = self.format_to_send(&self.audio).await;
        if self.audio.sending.as_ref().map(|sending| sending.format) != audio {
            self.audio.sending = None;
            self.audio.sending = audio.map(|format| {
                let track = self.audio.track.clone();
                let counters = self.context.audio_counters.clone();
                let queue = self.context.audio_sender.subscribe();
                self.start(format, async move {
                    track
                        .send_audio(queue, format.payload_type, &counters)
                        .await
                })
            });
        }
        let video = self.format_to_send(&self.video).await;
        if self.video.sending.as_ref().map(|sending| sending.format) != video {
            self.video.sending = None;
            self.video.sending = video.and_then(|format| {
                let PayloadFormat::Video(codec) = format.payload else {
                    return None;
                };
                let track = self.video.track.clone();
                let counters = self.context.video_counters.clone();
                let queue = self.context.video_sender.subscribe(codec);
                Some(self.start(format, async move {
                    track
                        .send_video(queue, codec, format.payload_type, &counters)
                        .await
                }))
            });
        }
    }

    fn start(
        &self,
        format: NegotiatedFormat,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> SendTask {
        let stop = self.cancel.child_token();
        self.context
            .tasks
            .spawn(stop.clone().run_until_cancelled_owned(task));
        SendTask {
            format,
            _stop: stop.drop_guard(),
        }
    }

    async fn format_to_send(&self, direction: &SendDirection) -> Option<NegotiatedFormat> {
        if !self.can_send {
            return None;
        }
        let sends = self
            .transceiver(direction)
            .await?
            .current_direction()
            .await
            .is_ok_and(|direction| direction.has_send());
        if !sends {
            return None;
        }
        let preferred = PayloadFormat::Video(self.context.config.preferred_codec);
        let mut formats = direction.formats.iter();
        let first = direction.formats.first();
        formats
            .find(|format| format.payload == preferred)
            .or(first)
            .copied()
    }

    /// The transceiver of this direction, once its track is attached.
    pub(super) async fn transceiver(
        &self,
        direction: &SendDirection,
    ) -> Option<Arc<dyn RtpTransceiver>> {
        let id: RTCRtpTransceiverId = direction.sender.as_ref()?.id().into();
        self.peer
            .get_transceivers()
            .await
            .into_iter()
            .find(|transceiver| transceiver.id() == id)
    }

    /// The mid of our first media section.
    pub(super) async fn first_mid(&self) -> Option<Mid> {
        let description = self.peer.local_description().await?;
        local_sections(&description)
            .ok()?
            .into_iter()
            .next()
            .map(|section| section.mid)
    }

    /// Transport statistics. Only the round-trip time comes from webrtc-rs; its
    /// RTP counters are not reliable, so [`Counters`] counts what is sent.
    pub(super) async fn statistics(&self) -> TransportStatistics {
        let report = self
            .peer
            .get_stats(Instant::now(), StatsSelector::None)
            .await;
        let selected = report
            .transport()
            .map(|transport| transport.selected_candidate_pair_id.as_str());
        let round_trip_ms = match selected.and_then(|id| report.get(id)) {
            Some(RTCStatsReportEntry::IceCandidatePair(pair)) if pair.responses_received > 0 => {
                Some(pair.current_round_trip_time as f32 * 1_000.0)
            }
            _ => None,
        };
        let sent = [
            (TrackSource::Microphone, &self.context.audio_counters),
            (TrackSource::Camera, &self.context.video_counters),
        ];
        TransportStatistics {
            tracks: sent
                .map(|(source, sent)| (source, sent.statistics()))
                .into(),
            round_trip_ms,
        }
    }
}

fn format(codec: &RTCRtpCodecParameters) -> Option<NegotiatedFormat> {
    let (kind, name) = codec.rtp_codec.mime_type.split_once('/')?;
    let payload = if kind.eq_ignore_ascii_case("audio") {
        name.eq_ignore_ascii_case("opus")
            .then_some(PayloadFormat::Audio)?
    } else {
        PayloadFormat::Video(video_codec(name, &codec.rtp_codec.sdp_fmtp_line)?)
    };
    Some(NegotiatedFormat {
        payload,
        payload_type: PayloadType(codec.payload_type),
    })
}

/// Three different SSRCs, none of them 0.
fn distinct_ssrcs() -> [Ssrc; 3] {
    loop {
        let numbers: [u32; 3] = rand::random();
        let [a, b, c] = numbers;
        if a != b && b != c && a != c && !numbers.contains(&0) {
            return numbers.map(Ssrc);
        }
    }
}

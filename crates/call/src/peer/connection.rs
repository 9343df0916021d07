//! One RTCPeerConnection with everything that hangs on it.

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
use visavis_protocol::{IceCandidate, PeerMessage};
use webrtc::data_channel::DataChannel;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{PeerConnection, StatsSelector};
use webrtc::rtp_transceiver::{RtpSender, RtpTransceiver};
use webrtc::runtime::default_runtime;

use super::feedback::Feedback;
use super::receive::{Inlet, Negotiated, Payload};
use super::runtime::Watched;
use super::sdp::{Kind, Section, local_sections, main, video_codec};
use super::send::{Counters, Outgoing};
use super::signal::{Signal, Signals};
use super::{PeerConfig, TransportStatistics, channel, engine};

/// How long closing may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// What a connection is made with; the same for each that a peer goes through.
pub(super) struct Parts {
    pub(super) config: PeerConfig,
    pub(super) video_sender: VideoSender,
    pub(super) audio_sender: AudioSender,
    pub(super) video: Arc<VideoReceiver>,
    pub(super) audio: Arc<AudioReceiver>,
    pub(super) key_frame_needed: Arc<Notify>,
    pub(super) counters: Arc<Counters>,
    pub(super) tasks: TaskTracker,
}

/// A connection. [`Connection::close`] it: webrtc-rs goes on without its handle.
pub(super) struct Connection {
    pub(super) peer: Arc<dyn PeerConnection>,
    pub(super) parts: Arc<Parts>,
    pub(super) audio: Flow,
    pub(super) video: Flow,
    inlet: Arc<Inlet>,
    signals: Signals,
    /// Ends what runs beside the connection.
    cancel: CancellationToken,
    /// Whether media may be sent: from connected until failed.
    can_send: bool,
    /// What the other side described last.
    pub(super) remote: Vec<Section>,
    /// Its candidates that came before its description.
    pub(super) held: Vec<IceCandidate>,
    /// The data channel that opened first.
    channel: Option<Arc<dyn DataChannel>>,
}

/// One of our streams: attached to the connection or not yet, sending or not.
pub(super) struct Flow {
    pub(super) outgoing: Arc<Outgoing>,
    pub(super) sender: Option<Arc<dyn RtpSender>>,
    /// Negotiated, in the offer's order.
    formats: Vec<Format>,
    sending: Option<Sending>,
}

/// Dropping it ends the sending, and the subscription at the encoder.
struct Sending {
    format: Format,
    _stop: DropGuard,
}

/// What a stream is sent as.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Format {
    payload: Payload,
    payload_type: u8,
}

impl Flow {
    fn new(outgoing: Outgoing) -> Self {
        Self {
            outgoing: Arc::new(outgoing),
            sender: None,
            formats: Vec::new(),
            sending: None,
        }
    }
}

impl Connection {
    /// A new connection, and what it says.
    pub(super) async fn new(parts: &Arc<Parts>) -> Result<(Self, mpsc::Receiver<Signal>), Error> {
        let (signals, receiver) = Signals::new();
        let tokio = default_runtime().ok_or_else(|| Error::Other("no runtime".into()))?;
        let runtime = Watched {
            tokio,
            tasks: parts.tasks.clone(),
            signals: signals.clone(),
            relays: engine::has_relay(&parts.config),
        };
        // Each of our streams has its own name: RFC 3550, section 8.
        let [audio_ssrc, video_ssrc, rtx_ssrc] = distinct();
        let stream = format!("{:016x}", rand::random::<u64>());
        let feedback = Feedback {
            ssrc: video_ssrc,
            counters: parts.counters.clone(),
            signals: signals.clone(),
        };
        let peer =
            engine::connect(&parts.config, Arc::new(runtime), signals.clone(), feedback).await?;
        let inlet = Inlet {
            video: parts.video.clone(),
            audio: parts.audio.clone(),
            key_frame_needed: parts.key_frame_needed.clone(),
            negotiated: RwLock::default(),
            ssrc: video_ssrc,
        };
        let connection = Self {
            peer,
            parts: parts.clone(),
            audio: Flow::new(Outgoing::audio(&stream, audio_ssrc)),
            video: Flow::new(Outgoing::video(&stream, video_ssrc, rtx_ssrc)),
            inlet: Arc::new(inlet),
            signals,
            cancel: CancellationToken::new(),
            can_send: false,
            remote: Vec::new(),
            held: Vec::new(),
            channel: None,
        };
        Ok((connection, receiver))
    }

    /// Ends everything; takes [`CLOSE_LIMIT`] at the most.
    pub(super) async fn close(&mut self) {
        self.cancel.cancel();
        self.audio.sending = None;
        self.video.sending = None;
        match tokio::time::timeout(CLOSE_LIMIT, self.peer.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "closing failed"),
            Err(_) => tracing::warn!("a connection did not close in time"),
        }
    }

    fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.parts
            .tasks
            .spawn(self.cancel.clone().run_until_cancelled_owned(task));
    }

    /// Reads a remote stream.
    pub(super) fn receive(&self, track: Arc<dyn TrackRemote>) {
        let inlet = self.inlet.clone();
        self.run(async move { inlet.receive(track).await });
    }

    /// Reads a data channel.
    pub(super) fn read_channel(&self, channel: Arc<dyn DataChannel>) {
        self.run(channel::read(channel, self.signals.clone()));
    }

    /// Whether this is the first channel to open. Two can, after both sides
    /// offered at once: both are read, and the first written.
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

    /// The codec of the pictures that are sent now.
    pub(super) fn video_codec(&self) -> Option<VideoCodec> {
        match self.video.sending.as_ref()?.format.payload {
            Payload::Video(codec) => Some(codec),
            Payload::Audio => None,
        }
    }

    /// Reads the formats, which each negotiation may change. Only while our
    /// side wants to send: webrtc-rs hides the senders of other transceivers.
    pub(super) async fn read_formats(&mut self) -> Result<(), Error> {
        for flow in [&mut self.audio, &mut self.video] {
            if let Some(sender) = &flow.sender {
                let codecs = sender.get_parameters().await?.rtp_parameters.codecs;
                flow.formats = codecs.iter().filter_map(format).collect();
            }
        }
        Ok(())
    }

    /// Begins to receive and send what was settled.
    pub(super) async fn negotiated(&mut self, remote: Vec<Section>) {
        let mids: HashSet<&str> = [Kind::Audio, Kind::Video]
            .into_iter()
            .filter_map(|kind| main(&remote, kind))
            .map(|section| section.mid.as_str())
            .collect();
        let mut negotiated = Negotiated::default();
        for transceiver in self.peer.get_transceivers().await {
            if let Ok(Some(mid)) = transceiver.mid().await
                && mids.contains(mid.as_str())
            {
                negotiated.transceivers.insert(transceiver.id());
            }
        }
        let formats = self.audio.formats.iter().chain(&self.video.formats);
        negotiated.payloads = formats
            .map(|format| (format.payload_type, format.payload))
            .collect();
        *self
            .inlet
            .negotiated
            .write()
            .unwrap_or_else(PoisonError::into_inner) = negotiated;
        self.remote = remote;
        self.update_sending().await;
    }

    /// Sends what is negotiated: our preferred format where both sides know it.
    async fn update_sending(&mut self) {
        let audio = self.wanted(&self.audio).await;
        if self.audio.sending.as_ref().map(|sending| sending.format) != audio {
            self.audio.sending = None;
            self.audio.sending = audio.map(|format| {
                let (outgoing, counters) =
                    (self.audio.outgoing.clone(), self.parts.counters.clone());
                let queue = self.parts.audio_sender.subscribe();
                self.start(format, async move {
                    outgoing
                        .pump_audio(queue, format.payload_type, &counters)
                        .await
                })
            });
        }
        let video = self.wanted(&self.video).await;
        if self.video.sending.as_ref().map(|sending| sending.format) != video {
            self.video.sending = None;
            self.video.sending = video.and_then(|format| {
                let Payload::Video(codec) = format.payload else {
                    return None;
                };
                let (outgoing, counters) =
                    (self.video.outgoing.clone(), self.parts.counters.clone());
                let queue = self.parts.video_sender.subscribe(codec);
                Some(self.start(format, async move {
                    outgoing
                        .pump_video(queue, codec, format.payload_type, &counters)
                        .await
                }))
            });
        }
    }

    fn start(&self, format: Format, task: impl Future<Output = ()> + Send + 'static) -> Sending {
        let stop = self.cancel.child_token();
        self.parts
            .tasks
            .spawn(stop.clone().run_until_cancelled_owned(task));
        Sending {
            format,
            _stop: stop.drop_guard(),
        }
    }

    async fn wanted(&self, flow: &Flow) -> Option<Format> {
        if !self.can_send {
            return None;
        }
        let sends = self
            .transceiver(flow)
            .await?
            .current_direction()
            .await
            .is_ok_and(|direction| direction.has_send());
        if !sends {
            return None;
        }
        let preferred = Payload::Video(self.parts.config.preferred_codec);
        let mut formats = flow.formats.iter();
        let first = flow.formats.first();
        formats
            .find(|format| format.payload == preferred)
            .or(first)
            .copied()
    }

    /// The transceiver that carries this stream.
    pub(super) async fn transceiver(&self, flow: &Flow) -> Option<Arc<dyn RtpTransceiver>> {
        let id: RTCRtpTransceiverId = flow.sender.as_ref()?.id().into();
        self.peer
            .get_transceivers()
            .await
            .into_iter()
            .find(|transceiver| transceiver.id() == id)
    }

    /// The tag of our first section.
    pub(super) async fn first_mid(&self) -> Option<String> {
        let description = self.peer.local_description().await?;
        local_sections(&description)
            .ok()?
            .into_iter()
            .next()
            .map(|section| section.mid)
    }

    /// Figures of the network. Only those of webrtc-rs that are right.
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
        let counters = &self.parts.counters;
        TransportStatistics {
            bytes_sent: counters.bytes(),
            frames_sent: counters.frames(),
            remote_loss_percent: counters.remote_loss_percent(),
            reports: counters.reports(),
            round_trip_ms,
        }
    }
}

fn format(codec: &RTCRtpCodecParameters) -> Option<Format> {
    let (kind, name) = codec.rtp_codec.mime_type.split_once('/')?;
    let payload = if kind.eq_ignore_ascii_case("audio") {
        name.eq_ignore_ascii_case("opus")
            .then_some(Payload::Audio)?
    } else {
        Payload::Video(video_codec(name, &codec.rtp_codec.sdp_fmtp_line)?)
    };
    Some(Format {
        payload,
        payload_type: codec.payload_type,
    })
}

fn distinct() -> [u32; 3] {
    loop {
        let numbers: [u32; 3] = rand::random();
        let [a, b, c] = numbers;
        if a != b && b != c && a != c && !numbers.contains(&0) {
            return numbers;
        }
    }
}

//! Two peers on one machine, and the forwarding of their signalling.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::timeout;
use visavis_media::audio::AudioReceiveStats;
use visavis_media::video::{VideoReceiveStats, VideoSender};
use visavis_media::{AudioSource, VideoCodec, VideoFormat, VideoSource};
use visavis_protocol::DescriptionKind;

use super::super::*;

pub const FORMAT: VideoFormat = VideoFormat {
    width: 320,
    height: 180,
    frames_per_second: 15,
};

/// The size of a screen in the tests, by which it is told from a camera.
pub const SCREEN: VideoFormat = VideoFormat {
    width: 480,
    height: 270,
    frames_per_second: 15,
};

/// A source of a screen.
pub fn screen() -> VideoSender {
    let screen = VideoSender::new();
    screen.set_source(VideoSource::Synthetic(SCREEN), SCREEN);
    screen
}

/// What is published while no screen is shared.
pub fn without_screen() -> Grants {
    Grants {
        can_publish_sources: vec![TrackSource::Microphone, TrackSource::Camera],
        ..Grants::default()
    }
}

/// Longest wait for a condition; long enough for two loaded cores.
pub const LIMIT: Duration = Duration::from_secs(30);

/// One peer with its media and the log of its events.
pub struct Side {
    pub media: Media,
    pub handle: PeerHandle,
    pub cancel: CancellationToken,
    pub tasks: TaskTracker,
    pub log: Log,
}

/// The events of a side.
pub type Log = Arc<Mutex<Vec<PeerEvent>>>;

/// Edits a candidate, or drops it.
pub type Route = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

pub fn direct() -> Route {
    Arc::new(|candidate| Some(candidate.to_owned()))
}

pub fn config(codec: VideoCodec) -> PeerConfig {
    PeerConfig {
        ice_servers: Vec::new(),
        relay_only: false,
        preferred_codec: codec,
    }
}

impl Side {
    /// A side with a microphone and a camera.
    pub fn new(config: PeerConfig) -> (Self, mpsc::Receiver<(LinkId, PeerEvent)>) {
        let (side, events) = Self::publishing(config, VideoSender::new());
        let grants = without_screen();
        let command = PeerCommand::SetGrants {
            local: grants,
            remote: Grants::default(),
        };
        side.handle.commands.try_send(command).unwrap();
        (side, events)
    }

    /// A side that publishes this screen, too.
    pub fn publishing(
        config: PeerConfig,
        screen: VideoSender,
    ) -> (Self, mpsc::Receiver<(LinkId, PeerEvent)>) {
        let media = Media {
            screen,
            ..Media::new()
        };
        media
            .video
            .set_source(VideoSource::Synthetic(FORMAT), FORMAT);
        media.audio.set_source(AudioSource::Tone(440.0));
        let (events, receiver) = mpsc::channel(256);
        let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
        let handle = spawn(LinkId(1), config, &media, events, cancel.clone(), &tasks);
        (
            Self {
                media,
                handle,
                cancel,
                tasks,
                log: Arc::default(),
            },
            receiver,
        )
    }

    pub async fn command(&self, command: PeerCommand) {
        timeout(LIMIT, self.handle.commands.send(command))
            .await
            .unwrap()
            .unwrap();
    }

    /// Commands an offer to be set.
    pub async fn offered(&self, sdp: &str) {
        self.command(PeerCommand::AcceptOffer {
            sdp: sdp.into(),
            rollback: false,
            may_replace: false,
        })
        .await;
    }

    pub fn has(&self, wanted: impl Fn(&PeerEvent) -> bool) -> bool {
        self.count(wanted) > 0
    }

    pub fn count(&self, wanted: impl Fn(&PeerEvent) -> bool) -> usize {
        self.log
            .lock()
            .unwrap()
            .iter()
            .filter(|event| wanted(event))
            .count()
    }

    pub fn is_connected(&self) -> bool {
        self.has(|event| matches!(event, PeerEvent::Connection(PeerConnectionState::Connected)))
    }

    /// The receiver of a source, once it was added.
    pub fn receiver(&self, source: TrackSource) -> Option<Receiver> {
        let log = self.log.lock().unwrap();
        log.iter().find_map(|event| match event {
            PeerEvent::ReceiverAdded(added, receiver) if *added == source => Some(receiver.clone()),
            _ => None,
        })
    }

    /// What was received of a video source; zeros without a receiver.
    pub fn video_of(&self, source: TrackSource) -> VideoReceiveStats {
        match self.receiver(source) {
            Some(Receiver::Video(video)) => video.stats(),
            _ => VideoReceiveStats::default(),
        }
    }

    pub fn video(&self) -> VideoReceiveStats {
        self.video_of(TrackSource::Camera)
    }

    /// What was received of the microphone; zeros without a receiver.
    pub fn audio(&self) -> AudioReceiveStats {
        match self.receiver(TrackSource::Microphone) {
            Some(Receiver::Audio(audio)) => audio.stats(),
            _ => AudioReceiveStats::default(),
        }
    }

    pub fn clear_video(&self) {
        match self.receiver(TrackSource::Camera) {
            Some(Receiver::Video(video)) => video.clear(),
            other => panic!("{other:?}"),
        }
    }

    /// Statistics of what is sent of a source.
    pub fn sent(&self, source: TrackSource) -> OutboundTrack {
        self.handle.statistics.borrow().tracks[&source]
    }

    /// Video frames decoded and audio packets received.
    pub fn received(&self) -> (u64, u64) {
        (self.video().frames_decoded, self.audio().packets_received)
    }

    /// Waits for this many more video frames and audio packets.
    pub async fn receives(&self, frames: u64, packets: u64) {
        let before = self.received();
        wait_until(
            || {
                let now = self.received();
                now.0 >= before.0 + frames && now.1 >= before.1 + packets
            },
            || format!("{:?} {:?}", self.video(), self.audio()),
        )
        .await;
    }

    /// Waits until the events fulfil a condition.
    pub async fn waits_for(&self, wanted: impl Fn(&PeerEvent) -> bool) {
        wait_until(
            || self.has(&wanted),
            || format!("{:?}", self.log.lock().unwrap()),
        )
        .await;
    }

    pub async fn end(self) {
        self.cancel.cancel();
        self.tasks.close();
        timeout(LIMIT, self.tasks.wait())
            .await
            .expect("every task ends");
    }
}

/// Where the messages of a side go. It can be changed.
pub type Target = Arc<Mutex<mpsc::Sender<PeerCommand>>>;

/// How the other side accepts the offers of a side.
#[derive(Clone, Copy)]
pub struct Accept {
    pub rollback: bool,
    pub may_replace: bool,
}

/// Forwards one side's descriptions and candidates to the other, and records its events.
pub fn forward(
    events: mpsc::Receiver<(LinkId, PeerEvent)>,
    from: &Side,
    to: &Side,
    polite: bool,
    route: Route,
) {
    let target = Arc::new(Mutex::new(to.handle.commands.clone()));
    let accept = Accept {
        rollback: polite,
        may_replace: false,
    };
    relay(events, from, target, accept, route);
}

/// Like [`forward`], and makes the offers that the side itself needs.
pub fn relay(
    mut events: mpsc::Receiver<(LinkId, PeerEvent)>,
    from: &Side,
    target: Target,
    accept: Accept,
    route: Route,
) {
    let (log, own) = (from.log.clone(), from.handle.commands.downgrade());
    tokio::spawn(async move {
        while let Some((_, event)) = events.recv().await {
            let command = match event.clone() {
                PeerEvent::LocalDescription(Description {
                    kind: DescriptionKind::Offer,
                    sdp,
                    ..
                }) => Some(PeerCommand::AcceptOffer {
                    sdp,
                    rollback: accept.rollback,
                    may_replace: accept.may_replace,
                }),
                PeerEvent::LocalDescription(Description { sdp, .. }) => {
                    Some(PeerCommand::AcceptAnswer { sdp })
                }
                PeerEvent::LocalCandidate(candidate) => route(&candidate.candidate).map(|text| {
                    PeerCommand::AddCandidate(IceCandidate {
                        candidate: text,
                        ..candidate
                    })
                }),
                _ => None,
            };
            if matches!(event, PeerEvent::NegotiationNeeded)
                && let Some(own) = own.upgrade()
            {
                // The side may have ended.
                let _ = own
                    .send(PeerCommand::MakeOffer { ice_restart: false })
                    .await;
            }
            log.lock().unwrap().push(event);
            if let Some(command) = command {
                let commands = target.lock().unwrap().clone();
                // The other side may have ended before this one.
                let _ = commands.send(command).await;
            }
        }
    });
}

/// Records the events and forwards nothing.
pub fn record(mut events: mpsc::Receiver<(LinkId, PeerEvent)>, side: &Side) {
    let log = side.log.clone();
    tokio::spawn(async move {
        while let Some((_, event)) = events.recv().await {
            log.lock().unwrap().push(event);
        }
    });
}

/// Two peers whose signalling is forwarded; the second one is polite. No offer
/// was made yet.
pub fn pair(first: PeerConfig, second: PeerConfig) -> (Side, Side) {
    let ((a, from_a), (b, from_b)) = (Side::new(first), Side::new(second));
    forward(from_a, &a, &b, true, direct());
    forward(from_b, &b, &a, false, direct());
    (a, b)
}

/// Two connected peers with media in both directions.
pub async fn call(codec: VideoCodec) -> (Side, Side) {
    let (a, b) = pair(config(codec), config(codec));
    a.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    for side in [&a, &b] {
        wait_until(
            || side.is_connected(),
            || format!("{:?}", side.log.lock().unwrap()),
        )
        .await;
        side.receives(3, 10).await;
    }
    (a, b)
}

pub async fn wait_until(condition: impl Fn() -> bool, describe: impl Fn() -> String) {
    let end = tokio::time::Instant::now() + LIMIT;
    while !condition() {
        assert!(tokio::time::Instant::now() < end, "{}", describe());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn is_failure(event: &PeerEvent) -> bool {
    matches!(event, PeerEvent::NegotiationFailed { .. })
}

/// The descriptions of this kind that a side made.
pub fn described(side: &Side, kind: DescriptionKind) -> Vec<String> {
    let log = side.log.lock().unwrap();
    let sdp = |event: &PeerEvent| match event {
        PeerEvent::LocalDescription(description) if description.kind == kind => {
            Some(description.sdp.clone())
        }
        _ => None,
    };
    log.iter().filter_map(sdp).collect()
}

/// Waits for the `count`th description of this kind.
pub async fn description(side: &Side, kind: DescriptionKind, count: usize) -> String {
    wait_until(
        || described(side, kind).len() >= count,
        || format!("{:?}", side.log.lock().unwrap()),
    )
    .await;
    described(side, kind).swap_remove(count - 1)
}

/// A peer whose events are only recorded.
pub fn recorded(codec: VideoCodec) -> Side {
    let (side, events) = Side::new(config(codec));
    record(events, &side);
    side
}

/// The events of a side, with its descriptions edited.
pub fn edited(
    mut events: mpsc::Receiver<(LinkId, PeerEvent)>,
    edit: impl Fn(&str) -> String + Send + 'static,
) -> mpsc::Receiver<(LinkId, PeerEvent)> {
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        while let Some((key, mut event)) = events.recv().await {
            if let PeerEvent::LocalDescription(description) = &mut event {
                description.sdp = edit(&description.sdp);
            }
            // The test may have ended.
            let _ = sender.send((key, event)).await;
        }
    });
    receiver
}

/// A call in which the descriptions of the first peer are edited on the way.
pub async fn call_with(edit: impl Fn(&str) -> String + Send + 'static) -> (Side, Side) {
    let ((a, from_a), (b, from_b)) = (
        Side::new(config(VideoCodec::Vp8)),
        Side::new(config(VideoCodec::Vp8)),
    );
    forward(edited(from_a, edit), &a, &b, true, direct());
    forward(from_b, &b, &a, false, direct());
    a.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    (a, b)
}

/// An offer as a browser could write it: sendonly audio, recvonly video, a
/// second video section, and codecs that we do not support.
pub const BROWSER_OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2 3\r\n\
    a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
    a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:actpass\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 63 109\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\n\
    a=rtpmap:63 red/48000/2\r\na=rtpmap:109 opus/48000/2\r\na=ssrc:5 cname:x\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 45 98 99\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=recvonly\r\na=rtcp-mux\r\n\
    a=rtpmap:45 AV1/90000\r\na=rtpmap:98 H264/90000\r\na=fmtp:98 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
    a=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=98\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 98\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\na=sendrecv\r\na=rtcp-mux\r\n\
    a=rtpmap:98 H264/90000\r\na=fmtp:98 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\na=ssrc:6 cname:x\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:3\r\na=sctp-port:5000\r\n";

//! Two peers on one machine, and the forwarding of their signalling.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::timeout;
use visavis_media::audio::{AudioSender, Playout};
use visavis_media::video::VideoSender;
use visavis_media::{AudioSource, VideoCodec, VideoFormat, VideoSource};
use visavis_protocol::DescriptionKind;

use super::super::*;

pub const FORMAT: VideoFormat = VideoFormat {
    width: 320,
    height: 180,
    frames_per_second: 15,
};

/// Longest wait for a condition; long enough for two loaded cores.
pub const LIMIT: Duration = Duration::from_secs(30);

/// One peer with its media and the log of its events.
pub struct Side {
    pub media: Media,
    pub handle: PeerHandle,
    pub cancel: CancellationToken,
    pub tasks: TaskTracker,
    pub log: Arc<Mutex<Vec<PeerEvent>>>,
}

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
    pub fn new(config: PeerConfig) -> (Self, mpsc::Receiver<(PeerKey, PeerEvent)>) {
        let media = Media {
            video: VideoSender::new(),
            audio: AudioSender::new(),
            playout: Playout::new(),
        };
        media
            .video
            .set_source(VideoSource::Synthetic(FORMAT), FORMAT);
        media.audio.set_source(AudioSource::Tone(440.0));
        let (events, receiver) = mpsc::channel(256);
        let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
        let key = PeerKey {
            member: "other".into(),
            generation: 1,
        };
        let handle = spawn(key, config, &media, events, cancel.clone(), &tasks);
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

    /// Video frames decoded and audio packets received.
    pub fn received(&self) -> (u64, u64) {
        (
            self.handle.video.stats().frames_decoded,
            self.handle.audio.stats().packets_received,
        )
    }

    /// Waits for this many more video frames and audio packets.
    pub async fn receives(&self, frames: u64, packets: u64) {
        let before = self.received();
        wait_until(
            || {
                let now = self.received();
                now.0 >= before.0 + frames && now.1 >= before.1 + packets
            },
            || {
                format!(
                    "{:?} {:?}",
                    self.handle.video.stats(),
                    self.handle.audio.stats()
                )
            },
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

/// Forwards one side's descriptions and candidates to the other, and records its events.
pub fn forward(
    mut events: mpsc::Receiver<(PeerKey, PeerEvent)>,
    from: &Side,
    to: &Side,
    polite: bool,
    route: Route,
) {
    let (log, commands) = (from.log.clone(), to.handle.commands.clone());
    tokio::spawn(async move {
        while let Some((_, event)) = events.recv().await {
            let command = match event.clone() {
                PeerEvent::LocalDescription(Description {
                    kind: DescriptionKind::Offer,
                    sdp,
                    ..
                }) => Some(PeerCommand::AcceptOffer {
                    sdp,
                    rollback: polite,
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
            log.lock().unwrap().push(event);
            if let Some(command) = command {
                // The other side may have ended before this one.
                let _ = commands.send(command).await;
            }
        }
    });
}

/// Records the events and forwards nothing.
pub fn record(mut events: mpsc::Receiver<(PeerKey, PeerEvent)>, side: &Side) {
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

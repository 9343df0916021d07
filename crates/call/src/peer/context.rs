//! What every connection of one peer shares.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use visavis_media::audio::{AudioSender, Playout};
use visavis_media::video::{CaptureState, Start, VideoReceiver, VideoSender, bitrate_for};
use visavis_media::{VideoCodec, VideoFormat, VideoLayer};
use visavis_protocol::{Grants, IceServer, TrackSource};

use super::bandwidth::Bandwidth;
use super::clock::PeerClock;
use super::continuity::Continuity;
use super::counters::{InboundCounters, OutboundCounters};
use super::first_picture::FirstPicture;
use super::remote_reports::RemoteReports;
use super::sdp::{MediaKind, TRACK_SOURCES, kind_of};
use super::{PeerConfig, Receiver};
use crate::state::allocation::SentLayer;
use crate::state::demand::{Layers, VIDEO};
use crate::statistics::InboundTrack;

/// Opus with headers.
const AUDIO_BITS: u64 = 60_000;
/// Highest estimate, in percent of the sources: a tenth stays unused, lost packets are
/// sent again, and frames vary in size.
const HEADROOM_PERCENT: u64 = 150;

/// What every connection of one peer is created with. It outlives a connection
/// that is replaced.
pub(super) struct PeerContext {
    config: Mutex<PeerConfig>,
    pub(super) tasks: TaskTracker,
    /// What we send, by source.
    publishers: HashMap<TrackSource, Publisher>,
    /// By source; of the sources that are sent.
    counters: HashMap<TrackSource, Arc<OutboundCounters>>,
    playout: Playout,
    /// The receivers of the sources that were negotiated so far.
    received: Mutex<HashMap<TrackSource, ReceivedSource>>,
    grants: Mutex<PeerGrants>,
    /// The remote peer's sender reports.
    pub(super) reports: Arc<RemoteReports>,
    /// What its connections share with the estimator.
    pub(super) bandwidth: Arc<Bandwidth>,
    /// What is known of the peer's clock.
    pub(super) clock: Arc<PeerClock>,
    /// The layer of each of our video sources.
    layers: [(TrackSource, watch::Sender<Option<SentLayer>>); 2],
    /// The start of each of our video sources.
    first_pictures: Mutex<HashMap<TrackSource, FirstPicture>>,
    /// The remote tracks that are hidden.
    hidden: Mutex<Vec<TrackSource>>,
}

/// The encoder of a local source.
pub(super) enum Publisher {
    Audio(AudioSender),
    Video(VideoSender),
}

/// The receiver of a remote source.
#[derive(Clone)]
pub(super) struct ReceivedSource {
    pub(super) receiver: Receiver,
    /// Set by the decoder when it cannot continue without a key frame.
    pub(super) key_frame_needed: Arc<AtomicBool>,
    pub(super) continuity: Arc<Mutex<Continuity>>,
    pub(super) counters: Arc<InboundCounters>,
    pub(super) source: TrackSource,
    pub(super) reports: Arc<RemoteReports>,
}

impl ReceivedSource {
    pub(super) fn clear(&self) {
        match &self.receiver {
            Receiver::Audio(audio) => audio.clear(),
            Receiver::Video(video) => video.clear(),
        }
    }
}

/// What the two sides may publish.
#[derive(Clone, Default)]
pub(super) struct PeerGrants {
    pub(super) local: Grants,
    pub(super) remote: Grants,
}

impl PeerContext {
    pub(super) fn new(
        config: PeerConfig,
        publishers: HashMap<TrackSource, Publisher>,
        playout: Playout,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            config: Mutex::new(config),
            tasks,
            counters: publishers
                .keys()
                .map(|source| (*source, Arc::default()))
                .collect(),
            publishers,
            playout,
            received: Mutex::default(),
            grants: Mutex::default(),
            reports: Arc::default(),
            bandwidth: Arc::default(),
            clock: Arc::default(),
            layers: VIDEO.map(|source| {
                let full = SentLayer::full(VideoLayer::Full);
                (source, watch::Sender::new(Some(full)))
            }),
            first_pictures: Mutex::default(),
            hidden: Mutex::default(),
        }
    }

    /// The configuration, with the newest ICE servers.
    pub(super) fn config(&self) -> PeerConfig {
        self.lock_config().clone()
    }

    /// The ICE servers of connections and ICE restarts from now on.
    pub(super) fn set_ice_servers(&self, ice_servers: Vec<IceServer>) {
        self.lock_config().ice_servers = ice_servers;
    }

    pub(super) fn preferred_codec(&self) -> VideoCodec {
        self.lock_config().preferred_codec
    }

    pub(super) fn publisher(&self, source: TrackSource) -> Option<&Publisher> {
        self.publishers.get(&source)
    }

    /// The sources that we publish, in the order in which they are offered.
    pub(super) fn published(&self) -> impl Iterator<Item = TrackSource> {
        let sources = TRACK_SOURCES.into_iter();
        sources.filter(|source| self.publishes(*source))
    }

    /// Whether a section of this source sends. Those of microphone and camera always
    /// do, so that unmuting takes no negotiation; that of a screen does while it may be
    /// published.
    pub(super) fn publishes(&self, source: TrackSource) -> bool {
        let is_always = matches!(source, TrackSource::Microphone | TrackSource::Camera);
        self.publishers.contains_key(&source)
            && (is_always || self.lock_grants().local.may_publish(source))
    }

    pub(super) fn counters(&self) -> &HashMap<TrackSource, Arc<OutboundCounters>> {
        &self.counters
    }

    pub(super) fn request_key_frame(&self, source: TrackSource, codec: VideoCodec) {
        if let Some(Publisher::Video(sender)) = self.publishers.get(&source) {
            let sent = *self.layer(source).borrow();
            if let Some(sent) = sent {
                sender.request_key_frame(codec, sent.layer);
            }
        }
    }

    /// The peer asks for a key frame.
    pub(super) fn key_frame_requested(&self, source: TrackSource, codec: VideoCodec) {
        if !self.first_picture(source, |first| first.is_first(Instant::now())) {
            return self.request_key_frame(source, codec);
        }
        let sent = *self.layer(source).borrow();
        if let (Some(Publisher::Video(sender)), Some(sent)) = (self.publishers.get(&source), sent) {
            sender.request_first_key_frame(codec, sent.layer);
        }
    }

    /// The sending of a video source starts. Returns where.
    pub(super) fn start_of(&self, source: TrackSource) -> Start {
        if self.first_picture(source, |first| first.start(Instant::now())) {
            Start::Soonest
        } else {
            Start::NextKeyFrame
        }
    }

    fn first_picture<T>(&self, source: TrackSource, of: impl FnOnce(&mut FirstPicture) -> T) -> T {
        let first = self.first_pictures.lock();
        let mut first = first.unwrap_or_else(PoisonError::into_inner);
        of(first.entry(source).or_default())
    }

    /// The most that all sources together can use, in bits per second.
    pub(super) fn max_bits_per_second(&self) -> u64 {
        let publishers = self.publishers.iter();
        let rates = publishers.map(|(source, publisher)| match publisher {
            Publisher::Audio(_) => AUDIO_BITS,
            Publisher::Video(sender) => {
                let format = match sender.state().get() {
                    Some(CaptureState::Live(format)) => format,
                    // A camera may start at any time.
                    _ if *source == TrackSource::Camera => VideoFormat::default(),
                    _ => return 0,
                };
                u64::from(bitrate_for(format.width, format.height))
            }
        });
        rates.sum::<u64>() * HEADROOM_PERCENT / 100
    }

    /// The layer of a video source that the peer gets.
    pub(super) fn layer(&self, source: TrackSource) -> watch::Receiver<Option<SentLayer>> {
        let mut layers = self.layers.iter();
        let found = layers.find(|(known, _)| *known == source);
        let (_, layer) = found.unwrap_or(&self.layers[0]);
        layer.subscribe()
    }

    pub(super) fn set_layers(&self, layers: Layers) {
        for ((_, layer), (_, wanted)) in self.layers.iter().zip(layers) {
            layer.send_if_modified(|layer| std::mem::replace(layer, wanted) != wanted);
        }
    }

    pub(super) fn is_hidden(&self, source: TrackSource) -> bool {
        let hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        hidden.contains(&source)
    }

    /// Sets the remote tracks that are hidden, and clears what was received of those
    /// for which that changes: its last frame is old when it is shown again.
    pub(super) fn set_hidden(&self, sources: Vec<TrackSource>) {
        let mut hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *hidden, sources);
        self.clear_received(|source| before.contains(&source) != hidden.contains(&source));
    }

    /// The receiver of a source, and whether this call created it. A receiver costs
    /// a decode thread, so it is created when the first track needs it.
    pub(super) fn receive(&self, source: TrackSource) -> (ReceivedSource, bool) {
        let mut received = self.received();
        if let Some(source) = received.get(&source) {
            return (source.clone(), false);
        }
        let key_frame_needed = Arc::new(AtomicBool::new(false));
        let receiver = match kind_of(source) {
            MediaKind::Audio => Receiver::Audio(Arc::new(self.playout.add())),
            _ => {
                let needed = key_frame_needed.clone();
                let on_needed = move || needed.store(true, Ordering::Relaxed);
                Receiver::Video(Arc::new(VideoReceiver::new(on_needed)))
            }
        };
        let created = ReceivedSource {
            receiver,
            key_frame_needed,
            continuity: Arc::default(),
            counters: Arc::default(),
            source,
            reports: self.reports.clone(),
        };
        received.insert(source, created.clone());
        (created, true)
    }

    /// What was asked of the remote peer for each received track.
    pub(super) fn inbound(&self) -> HashMap<TrackSource, InboundTrack> {
        let received = self.received();
        let sources = received.iter();
        sources
            .map(|(source, received)| (*source, received.counters.statistics()))
            .collect()
    }

    /// Clears what was received of these sources.
    pub(super) fn clear_received(&self, is_cleared: impl Fn(TrackSource) -> bool) {
        for (source, received) in self.received().iter() {
            if is_cleared(*source) {
                received.clear();
            }
        }
    }

    pub(super) fn grants(&self) -> PeerGrants {
        self.lock_grants().clone()
    }

    /// Sets the grants and clears what was received of the sources for which the
    /// permission of the remote participant changes.
    pub(super) fn set_grants(&self, grants: PeerGrants) {
        let before = std::mem::replace(&mut *self.lock_grants(), grants.clone());
        self.clear_received(|source| {
            before.remote.may_publish(source) != grants.remote.may_publish(source)
        });
    }

    fn lock_config(&self) -> MutexGuard<'_, PeerConfig> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_grants(&self) -> MutexGuard<'_, PeerGrants> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn received(&self) -> MutexGuard<'_, HashMap<TrackSource, ReceivedSource>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

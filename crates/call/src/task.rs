//! The task of a call: waits for one input, passes it to the pure state, and
//! performs the effects that the state returns.

mod measuring;

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;
use visavis_media::audio::{AudioCaptureState, PlayoutState};
use visavis_media::time::unix_ms;
use visavis_media::video::CaptureState;
use visavis_media::{Frame, Latest};
use visavis_protocol::{IceServer, TrackSource};

use crate::command::{CallCommand, CallConfig, Media, VideoSize};
use crate::lip_sync::{self, ParticipantSync};
use crate::network::{self, Change, NetworkWatch};
use crate::outputs::Outputs;
use crate::peer::{self, LinkId, PeerCommand, PeerConfig, PeerEvent, PeerHandle, Receiver};
use crate::signalling::{self, SignallingEvent, SignallingHandle};
use crate::state::call::CallState;
use crate::state::{Effect, Input, Now};
use crate::statistics::{PeerStatistics, Statistics};
use crate::view::PeerConnectionState;
use measuring::Measuring;

/// Events of all peers queued for the call; when full, the peer waits.
const PEER_EVENTS_CAPACITY: usize = 256;
/// Messages of the server queued for the call; when full, the socket is not read.
const SIGNALLING_EVENTS_CAPACITY: usize = 256;
/// Interval of the readings of voice activity, which itself ends 400 ms after speech.
const VOICE_INTERVAL: Duration = Duration::from_millis(100);
/// Longest wait for all tasks of the call to end. Those that still wait for the
/// network then end by themselves.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(300);

/// Owns all resources of one call.
pub(crate) struct CallTask {
    url: Url,
    config: CallConfig,
    media: Media,
    outputs: Outputs,
    tasks: TaskTracker,
    cancel: CancellationToken,
    signalling: Option<SignallingHandle>,
    signalling_generation: u64,
    signalling_events: mpsc::Sender<(u64, SignallingEvent)>,
    signalling_in: mpsc::Receiver<(u64, SignallingEvent)>,
    peers: HashMap<LinkId, Peer>,
    peer_events: mpsc::Sender<(LinkId, PeerEvent)>,
    peer_in: mpsc::Receiver<(LinkId, PeerEvent)>,
    frame_availability: mpsc::Sender<(LinkId, TrackSource, bool)>,
    frame_availability_in: mpsc::Receiver<(LinkId, TrackSource, bool)>,
    /// The last seen versions of the capture states: microphone, camera, screen.
    capture_versions: (u64, u64, u64),
    /// Inputs that result from performing effects; handled before new ones.
    follow_ups: VecDeque<Input>,
    network: NetworkWatch,
    measuring: Measuring,
}

/// The clocks of a call.
struct Ticks {
    voice: Interval,
    lip_sync: Interval,
    network: Interval,
    seconds: Interval,
}

struct Peer {
    handle: PeerHandle,
    /// The participant's id in the view.
    participant: String,
    receivers: HashMap<TrackSource, Receiver>,
    cancel: CancellationToken,
    /// Report blocks about each track that were counted in an earlier second.
    reports_seen: HashMap<TrackSource, u64>,
    /// Of its sound, in percent.
    volume: u8,
    lip_sync: ParticipantSync,
}

impl Peer {
    /// Sets the volume of all its sound, now and when its receiver is added.
    fn set_volume(&mut self, percent: u8) {
        self.volume = percent;
        for receiver in self.receivers.values() {
            if let Receiver::Audio(audio) = receiver {
                audio.set_volume(f32::from(percent) / 100.0);
            }
        }
    }
}

impl CallTask {
    pub fn new(url: Url, config: CallConfig, media: Media, outputs: Outputs) -> Self {
        let (signalling_events, signalling_in) = mpsc::channel(SIGNALLING_EVENTS_CAPACITY);
        let (peer_events, peer_in) = mpsc::channel(PEER_EVENTS_CAPACITY);
        let (frame_availability, frame_availability_in) = mpsc::channel(PEER_EVENTS_CAPACITY);
        Self {
            url,
            config,
            media,
            outputs,
            tasks: TaskTracker::new(),
            cancel: CancellationToken::new(),
            signalling: None,
            signalling_generation: 0,
            signalling_events,
            signalling_in,
            peers: HashMap::new(),
            peer_events,
            peer_in,
            frame_availability,
            frame_availability_in,
            capture_versions: (0, 0, 0),
            follow_ups: VecDeque::new(),
            network: NetworkWatch::new(Instant::now(), unix_ms()),
            measuring: Measuring::default(),
        }
    }

    pub async fn run(mut self, mut commands: mpsc::Receiver<CallCommand>) {
        let (mut state, effects) = CallState::new(self.config.clone(), Instant::now());
        effects.into_iter().for_each(|effect| self.perform(effect));
        let mut ticks = Ticks {
            voice: interval(VOICE_INTERVAL),
            lip_sync: interval(lip_sync::INTERVAL),
            network: interval(network::INTERVAL),
            seconds: interval(Duration::from_secs(1)),
        };
        for ticks in [
            &mut ticks.voice,
            &mut ticks.lip_sync,
            &mut ticks.network,
            &mut ticks.seconds,
        ] {
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        }

        while state.ended().is_none() {
            let input = match self.follow_ups.pop_front() {
                Some(input) => input,
                None => {
                    let deadline = state.next_deadline();
                    self.wait(&mut commands, deadline, &mut ticks, &state).await
                }
            };
            let now = Now {
                instant: Instant::now(),
                unix_ms: unix_ms(),
            };
            for effect in state.handle(now, input) {
                self.perform(effect);
            }
            let view = state.view();
            self.outputs.view.send_if_modified(|shown| {
                let changed = *shown != view;
                if changed {
                    *shown = view;
                }
                changed
            });
        }
        self.shut_down().await;
        self.outputs.ended.send_replace(state.ended().cloned());
    }

    async fn wait(
        &mut self,
        commands: &mut mpsc::Receiver<CallCommand>,
        deadline: Option<Instant>,
        ticks: &mut Ticks,
        state: &CallState,
    ) -> Input {
        loop {
            let due = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline.into()).await,
                    None => pending().await,
                }
            };
            let (audio_state, video_state, screen_state) = (
                self.media.audio.state(),
                self.media.video.state(),
                self.media.screen.state(),
            );
            tokio::select! {
                biased;
                () = due => return Input::Deadline,
                // Dropping the last handle leaves the call.
                command = commands.recv() => return Input::Command(command.unwrap_or(CallCommand::Leave)),
                Some((generation, event)) = self.signalling_in.recv() => {
                    if generation == self.signalling_generation {
                        return match event {
                            SignallingEvent::Message(message) => Input::ServerMessage(message),
                            SignallingEvent::Closed => Input::SignallingClosed,
                        };
                    }
                }
                Some((link, event)) = self.peer_in.recv() => {
                    if let PeerEvent::ReceiverAdded(source, receiver) = &event {
                        self.add_receiver(link, *source, receiver.clone());
                    }
                    return Input::Peer(link, event);
                }
                Some((link, source, available)) = self.frame_availability_in.recv() => {
                    return Input::FrameAvailability { link, source, available };
                }
                (version, _) = audio_state.changed(self.capture_versions.0) => {
                    self.capture_versions.0 = version;
                    let live = matches!(audio_state.get(), Some(AudioCaptureState::Live));
                    return Input::CaptureChanged { source: TrackSource::Microphone, live, size: None };
                }
                (version, _) = video_state.changed(self.capture_versions.1) => {
                    self.capture_versions.1 = version;
                    return video_changed(TrackSource::Camera, video_state.get());
                }
                (version, _) = screen_state.changed(self.capture_versions.2) => {
                    self.capture_versions.2 = version;
                    return video_changed(TrackSource::ScreenShare, screen_state.get());
                }
                _ = ticks.network.tick() => {
                    if let Some(change) = self.network.poll(Instant::now(), unix_ms()) {
                        return Input::NetworkChanged { broken: change == Change::Broken };
                    }
                }
                _ = ticks.lip_sync.tick() => self.sync_lips(Instant::now()),
                _ = ticks.seconds.tick() => return self.second_elapsed(state),
                _ = ticks.voice.tick() => return self.voice_activity(),
            }
        }
    }

    fn sync_lips(&mut self, now: Instant) {
        let playout = &self.media.playout;
        let is_live = playout.state().get() == Some(PlayoutState::Live);
        let speaker_delay = is_live.then(|| playout.stats().delay);
        for peer in self.peers.values_mut() {
            let reports = &peer.handle.reports;
            peer.lip_sync
                .update(now, &peer.receivers, reports, speaker_delay);
        }
    }

    fn voice_activity(&self) -> Input {
        let is_speaking =
            |(link, peer): (&LinkId, &Peer)| match peer.receivers.get(&TrackSource::Microphone) {
                Some(Receiver::Audio(receiver)) => Some((*link, receiver.is_speaking())),
                _ => None,
            };
        Input::VoiceActivity {
            local: self.media.audio.speaking().get() == Some(true),
            remote: self.peers.iter().filter_map(is_speaking).collect(),
        }
    }

    /// Publishes the statistics and returns the input for the past second.
    fn second_elapsed(&mut self, state: &CallState) -> Input {
        let audio_loss = self.worst_loss(TrackSource::Microphone);
        if let Some(loss) = audio_loss {
            let percent = loss.clamp(0.0, 100.0) as u8;
            self.media.audio.set_expected_loss(percent);
        }
        let overloaded =
            [&self.media.video, &self.media.screen].map(|sender| sender.is_limited_by_processor());
        let in_order = state
            .links()
            .filter_map(|link| Some((link, self.peers.get(&link)?)));
        let peers: Vec<_> = in_order
            .map(|(link, peer)| {
                let sent = state.sent_video(link);
                let wanted = sent.iter().map(|track| track.wanted).sum();
                let statistics = PeerStatistics {
                    quality: state.quality_of(link),
                    ..measuring::statistics(peer, &sent, overloaded)
                };
                (link, wanted, statistics)
            })
            .collect();
        let samples = self
            .measuring
            .samples(Instant::now(), peers.iter().cloned());
        self.follow_ups.push_back(Input::Measured(samples));
        let peers = peers.into_iter().map(|(_, _, peer)| peer).collect();
        self.outputs.statistics.send_replace(Statistics { peers });
        Input::SecondElapsed
    }

    /// The highest loss of a track that a peer reported since the last call.
    fn worst_loss(&mut self, source: TrackSource) -> Option<f32> {
        let mut worst: Option<f32> = None;
        for peer in self.peers.values_mut() {
            let Some(track) = peer.handle.statistics.borrow().tracks.get(&source).copied() else {
                continue;
            };
            let seen = peer.reports_seen.insert(source, track.reports);
            if track.reports > seen.unwrap_or_default() {
                worst = Some(worst.unwrap_or(0.0).max(track.remote_loss_percent));
            }
        }
        worst
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Connect => {
                self.signalling_generation += 1;
                // The server may not know yet that the connection is lost.
                if let Some(old) = self.signalling.take() {
                    old.abandon();
                }
                let events = self.signalling_events.clone();
                let handle = signalling::connect(
                    self.url.clone(),
                    self.signalling_generation,
                    events,
                    &self.tasks,
                );
                self.signalling = Some(handle);
            }
            Effect::Send(message) => {
                if self
                    .signalling
                    .as_ref()
                    .is_none_or(|signalling| !signalling.send(&message))
                {
                    if let Some(lost) = self.signalling.take() {
                        lost.abandon();
                    }
                    self.follow_ups.push_back(Input::SignallingClosed);
                }
            }
            Effect::Spawn {
                link,
                participant,
                ice_servers,
                volume,
            } => self.spawn(link, participant, ice_servers, volume),
            Effect::SetVolume { link, volume } => {
                if let Some(peer) = self.peers.get_mut(&link) {
                    peer.set_volume(volume);
                }
            }
            Effect::Peer(link, command) => self.command(link, command),
            Effect::SetIceServers { link, ice_servers } => {
                let ice_servers = self.all_ice_servers(ice_servers);
                self.command(link, PeerCommand::SetIceServers(ice_servers));
            }
            Effect::Close(link) => self.close(link),
            Effect::ClearReceived { link, source } => {
                let peer = self.peers.get(&link);
                match peer.and_then(|peer| peer.receivers.get(&source)) {
                    Some(Receiver::Audio(receiver)) => receiver.clear(),
                    Some(Receiver::Video(receiver)) => receiver.clear(),
                    None => {}
                }
            }
            Effect::Mute { source, muted } => match source {
                TrackSource::Microphone => self.media.audio.set_muted(muted),
                TrackSource::Camera => self.media.video.set_muted(muted),
                TrackSource::ScreenShare => self.media.screen.set_muted(muted),
                TrackSource::ScreenShareAudio => {}
            },
            Effect::SetEncoder(rate) => {
                let sender = match rate.source {
                    TrackSource::ScreenShare => &self.media.screen,
                    _ => &self.media.video,
                };
                sender.set_target(rate.layer, rate.target);
            }
            Effect::Emit(event) => {
                // Fails only without receivers.
                let _ = self.outputs.events.send(event);
            }
        }
    }

    fn command(&mut self, link: LinkId, command: PeerCommand) {
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        if peer.handle.commands.try_send(command).is_err() {
            tracing::warn!(
                link = link.0,
                "the command queue of a peer is full or closed: replacing its connection"
            );
            let event = PeerEvent::Connection(PeerConnectionState::Closed);
            self.follow_ups.push_back(Input::Peer(link, event));
        }
    }

    /// The configured ICE servers, and those of the server.
    fn all_ice_servers(&self, from_server: Vec<IceServer>) -> Vec<IceServer> {
        let configured = self.config.ice_servers.iter().cloned();
        configured.chain(from_server).collect()
    }

    fn spawn(
        &mut self,
        link: LinkId,
        participant: String,
        from_server: Vec<IceServer>,
        volume: u8,
    ) {
        let config = PeerConfig {
            ice_servers: self.all_ice_servers(from_server),
            relay_only: self.config.relay_only,
            preferred_codec: self.config.preferred_codec,
        };
        let cancel = self.cancel.child_token();
        let events = self.peer_events.clone();
        let handle = peer::spawn(
            link,
            config,
            &self.media,
            events,
            cancel.clone(),
            &self.tasks,
        );
        let peer = Peer {
            handle,
            participant,
            receivers: HashMap::new(),
            cancel,
            reports_seen: HashMap::new(),
            volume,
            lip_sync: ParticipantSync::default(),
        };
        self.peers.insert(link, peer);
    }

    fn close(&mut self, link: LinkId) {
        let Some(peer) = self.peers.remove(&link) else {
            return;
        };
        peer.cancel.cancel();
        let mut received = self.received_frames();
        for source in peer.receivers.into_keys() {
            received.remove(&(peer.participant.clone(), source));
        }
    }

    /// Keeps a receiver, and reports when its first frame arrives and when its
    /// frames are cleared.
    fn add_receiver(&mut self, link: LinkId, source: TrackSource, receiver: Receiver) {
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        peer.receivers.insert(source, receiver.clone());
        peer.set_volume(peer.volume);
        let Receiver::Video(video) = receiver else {
            return;
        };
        let (participant, cancel) = (peer.participant.clone(), peer.cancel.clone());
        let frames = video.frames();
        self.received_frames()
            .insert((participant, source), frames.clone());
        let sender = self.frame_availability.clone();
        self.tasks
            .spawn(cancel.run_until_cancelled_owned(async move {
                let (mut seen, mut available) = (0, false);
                loop {
                    let (version, frame) = frames.changed(seen).await;
                    seen = version;
                    if frame.is_some() != available {
                        available = !available;
                        if sender.send((link, source, available)).await.is_err() {
                            return;
                        }
                    }
                }
            }));
    }

    fn received_frames(&self) -> MutexGuard<'_, HashMap<(String, TrackSource), Latest<Frame>>> {
        let frames = self.outputs.received_frames.lock();
        frames.unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes all connections and waits for their tasks, at most [`SHUTDOWN_TIMEOUT`].
    async fn shut_down(&mut self) {
        self.signalling = None;
        self.cancel.cancel();
        self.peers.clear();
        self.received_frames().clear();
        self.tasks.close();
        let tasks = self.tasks.clone();
        let drained = async {
            // Events are no longer read; closing the queues releases waiting senders.
            self.peer_in.close();
            self.signalling_in.close();
            self.frame_availability_in.close();
            tasks.wait().await;
        };
        if timeout(SHUTDOWN_TIMEOUT, drained).await.is_err() {
            tracing::debug!("connections are still closing");
        }
    }
}

fn video_changed(source: TrackSource, state: Option<CaptureState>) -> Input {
    let size = match state {
        Some(CaptureState::Live(format)) => Some(VideoSize {
            width: format.width,
            height: format.height,
        }),
        _ => None,
    };
    Input::CaptureChanged {
        source,
        live: size.is_some(),
        size,
    }
}

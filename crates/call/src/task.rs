//! The task of a call: waits for one input, passes it to the pure state, and
//! performs the effects that the state returns.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;
use visavis_media::audio::AudioCaptureState;
use visavis_media::time::unix_ms;
use visavis_media::video::CaptureState;
use visavis_protocol::IceServer;

use crate::call::Outputs;
use crate::command::{CallCommand, CallConfig, Media};
use crate::event::{PeerStatistics, Statistics};
use crate::peer::{self, PeerConfig, PeerEvent, PeerHandle, PeerKey};
use crate::signalling::{self, SignallingEvent, SignallingHandle};
use crate::state::call::CallState;
use crate::state::{Effect, Input, Now};
use crate::view::PeerConnectionState;

/// Events of all peers queued for the call; when full, the peer waits.
const PEER_EVENTS_CAPACITY: usize = 256;
/// Messages of the server queued for the call; when full, the socket is not read.
const SIGNALLING_EVENTS_CAPACITY: usize = 256;
/// Interval of the audio level readings.
const LEVEL_INTERVAL: Duration = Duration::from_millis(100);
/// Longest wait for all tasks of the call to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(2_500);

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
    peers: HashMap<PeerKey, Peer>,
    peer_events: mpsc::Sender<(PeerKey, PeerEvent)>,
    peer_in: mpsc::Receiver<(PeerKey, PeerEvent)>,
    frame_availability: mpsc::Sender<(PeerKey, bool)>,
    frame_availability_in: mpsc::Receiver<(PeerKey, bool)>,
    /// The last seen versions of the local audio and video capture states.
    capture_versions: (u64, u64),
    /// Inputs that result from performing effects; handled before new ones.
    follow_ups: VecDeque<Input>,
}

struct Peer {
    handle: PeerHandle,
    cancel: CancellationToken,
    /// Report blocks that were counted in an earlier second.
    reports_seen: u64,
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
            capture_versions: (0, 0),
            follow_ups: VecDeque::new(),
        }
    }

    pub async fn run(mut self, mut commands: mpsc::Receiver<CallCommand>) {
        let CallConfig {
            room,
            display_name,
            microphone_muted,
            camera_muted,
            ..
        } = self.config.clone();
        let (mut state, effects) = CallState::new(
            room,
            display_name,
            microphone_muted,
            camera_muted,
            Instant::now(),
        );
        effects.into_iter().for_each(|effect| self.perform(effect));
        let mut levels = interval(LEVEL_INTERVAL);
        let mut seconds = interval(Duration::from_secs(1));
        levels.set_missed_tick_behavior(MissedTickBehavior::Skip);
        seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);

        while state.ended().is_none() {
            let input = match self.follow_ups.pop_front() {
                Some(input) => input,
                None => {
                    let deadline = state.next_deadline();
                    self.wait(&mut commands, deadline, &mut levels, &mut seconds, &state)
                        .await
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
        levels: &mut tokio::time::Interval,
        seconds: &mut tokio::time::Interval,
        state: &CallState,
    ) -> Input {
        loop {
            let due = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline.into()).await,
                    None => pending().await,
                }
            };
            let (audio_state, video_state) = (self.media.audio.state(), self.media.video.state());
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
                Some((key, event)) = self.peer_in.recv() => return Input::Peer(key, event),
                Some((key, available)) = self.frame_availability_in.recv() => return Input::FrameAvailability { key, available },
                (version, _) = audio_state.changed(self.capture_versions.0) => {
                    self.capture_versions.0 = version;
                    return self.capture_changed();
                }
                (version, _) = video_state.changed(self.capture_versions.1) => {
                    self.capture_versions.1 = version;
                    return self.capture_changed();
                }
                _ = seconds.tick() => return self.second_elapsed(state),
                _ = levels.tick() => return Input::Levels(self.levels(state)),
            }
        }
    }

    fn capture_changed(&self) -> Input {
        Input::CaptureChanged {
            microphone: matches!(
                self.media.audio.state().get(),
                Some(AudioCaptureState::Live)
            ),
            camera: matches!(self.media.video.state().get(), Some(CaptureState::Live(_))),
        }
    }

    fn levels(&self, state: &CallState) -> Vec<(String, f32)> {
        let mine = self
            .media
            .audio
            .level()
            .get()
            .map(|level| (state.my_id().to_owned(), level.rms));
        let theirs = self
            .peers
            .iter()
            .map(|(key, peer)| (key.member.clone(), peer.handle.audio.level().rms));
        mine.into_iter().chain(theirs).collect()
    }

    /// Publishes the statistics and returns the input for the past second.
    fn second_elapsed(&mut self, state: &CallState) -> Input {
        let mut worst: Option<f32> = None;
        for peer in self.peers.values_mut() {
            let transport = peer.handle.statistics.borrow();
            if transport.reports > peer.reports_seen {
                peer.reports_seen = transport.reports;
                worst = Some(worst.unwrap_or(0.0).max(transport.remote_loss_percent));
            }
        }
        if let Some(loss) = worst {
            self.media
                .audio
                .set_expected_loss(loss.clamp(0.0, 100.0) as u8);
        }
        let in_order = state
            .peer_keys()
            .filter_map(|key| self.peers.get(key).map(|peer| (key, peer)));
        let peers = in_order
            .map(|(key, peer)| statistics(key, &peer.handle))
            .collect();
        self.outputs.statistics.send_replace(Statistics { peers });
        Input::SecondElapsed {
            worst_loss_percent: worst,
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Connect => {
                self.signalling_generation += 1;
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
                    self.signalling = None;
                    self.follow_ups.push_back(Input::SignallingClosed);
                }
            }
            Effect::Spawn { key, ice_servers } => self.spawn(key, ice_servers),
            Effect::Peer(key, command) => {
                let Some(peer) = self.peers.get(&key) else {
                    return;
                };
                if peer.handle.commands.try_send(command).is_err() {
                    tracing::warn!(
                        generation = key.generation,
                        "the command queue of a peer is full or closed: replacing its connection"
                    );
                    let event = PeerEvent::Connection(PeerConnectionState::Closed);
                    self.follow_ups.push_back(Input::Peer(key, event));
                }
            }
            Effect::Close(key) => {
                if let Some(peer) = self.peers.remove(&key) {
                    peer.cancel.cancel();
                }
                if !self.peers.keys().any(|other| other.member == key.member) {
                    self.outputs
                        .received_frames
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .remove(&key.member);
                }
            }
            Effect::ClearReceived { key, video } => {
                let Some(peer) = self.peers.get(&key) else {
                    return;
                };
                if video {
                    peer.handle.video.clear();
                } else {
                    peer.handle.audio.clear();
                }
            }
            Effect::MuteMicrophone(muted) => self.media.audio.set_muted(muted),
            Effect::MuteCamera(muted) => self.media.video.set_muted(muted),
            Effect::ScaleBitrate(scale) => self.media.video.set_bitrate_scale(scale),
            Effect::Emit(event) => {
                // Fails only without receivers.
                let _ = self.outputs.events.send(event);
            }
        }
    }

    fn spawn(&mut self, key: PeerKey, from_server: Vec<IceServer>) {
        let ice_servers = self
            .config
            .ice_servers
            .iter()
            .cloned()
            .chain(from_server)
            .collect();
        let config = PeerConfig {
            ice_servers,
            relay_only: self.config.relay_only,
            preferred_codec: self.config.preferred_codec,
        };
        let cancel = self.cancel.child_token();
        let events = self.peer_events.clone();
        let handle = peer::spawn(
            key.clone(),
            config,
            &self.media,
            events,
            cancel.clone(),
            &self.tasks,
        );
        let frames = handle.video.frames();
        let mut received_frames = self
            .outputs
            .received_frames
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        received_frames.insert(key.member.clone(), frames.clone());
        drop(received_frames);
        self.tasks.spawn(cancel.clone().run_until_cancelled_owned({
            let (key, sender) = (key.clone(), self.frame_availability.clone());
            async move {
                let (mut seen, mut available) = (0, false);
                loop {
                    let (version, frame) = frames.changed(seen).await;
                    seen = version;
                    if frame.is_some() != available {
                        available = !available;
                        if sender.send((key.clone(), available)).await.is_err() {
                            return;
                        }
                    }
                }
            }
        }));
        self.peers.insert(
            key,
            Peer {
                handle,
                cancel,
                reports_seen: 0,
            },
        );
    }

    /// Closes all connections and waits for their tasks, at most [`SHUTDOWN_TIMEOUT`].
    async fn shut_down(&mut self) {
        self.signalling = None;
        self.cancel.cancel();
        self.peers.clear();
        self.outputs
            .received_frames
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
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
            tracing::warn!("shutting down the call timed out");
        }
    }
}

fn statistics(key: &PeerKey, handle: &PeerHandle) -> PeerStatistics {
    let transport = handle.statistics.borrow().clone();
    PeerStatistics {
        member: key.member.clone(),
        bytes_sent: transport.bytes_sent,
        frames_sent: transport.frames_sent,
        remote_loss_percent: transport.remote_loss_percent,
        round_trip_ms: transport.round_trip_ms,
        video: handle.video.stats(),
        audio: handle.audio.stats(),
    }
}

//! The one task of a call: waits for one thing, changes the pure state, then
//! performs what the state asked for.

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
use crate::signal::{self, SignalEvent, SignalHandle};
use crate::state::call::CallState;
use crate::state::{Effect, Input, Now};
use crate::view::PeerConnectionState;

/// Events of all peers waiting for the call: 256; when full the peer waits.
const PEER_EVENTS_CAPACITY: usize = 256;
/// Messages of the server waiting for the call: 256; when full the socket waits.
const SIGNAL_EVENTS_CAPACITY: usize = 256;
/// How often loudness is looked at.
const LEVEL_INTERVAL: Duration = Duration::from_millis(100);
/// How long tearing down may take in all.
const TEAR_DOWN_LIMIT: Duration = Duration::from_millis(2_500);

/// Owns everything of one call.
pub(crate) struct CallTask {
    url: Url,
    config: CallConfig,
    media: Media,
    outputs: Outputs,
    tasks: TaskTracker,
    cancel: CancellationToken,
    signal: Option<SignalHandle>,
    signal_generation: u64,
    signal_events: mpsc::Sender<(u64, SignalEvent)>,
    signal_in: mpsc::Receiver<(u64, SignalEvent)>,
    peers: HashMap<PeerKey, Peer>,
    peer_events: mpsc::Sender<(PeerKey, PeerEvent)>,
    peer_in: mpsc::Receiver<(PeerKey, PeerEvent)>,
    pictures: mpsc::Sender<(PeerKey, bool)>,
    pictures_in: mpsc::Receiver<(PeerKey, bool)>,
    /// Versions of the local capture states that were looked at.
    local_seen: (u64, u64),
    /// Inputs that performing an effect brought about.
    follow_ups: VecDeque<Input>,
}

struct Peer {
    handle: PeerHandle,
    cancel: CancellationToken,
    /// Receiver reports that were looked at.
    reports_seen: u64,
}

impl CallTask {
    pub fn new(url: Url, config: CallConfig, media: Media, outputs: Outputs) -> Self {
        let (signal_events, signal_in) = mpsc::channel(SIGNAL_EVENTS_CAPACITY);
        let (peer_events, peer_in) = mpsc::channel(PEER_EVENTS_CAPACITY);
        let (pictures, pictures_in) = mpsc::channel(PEER_EVENTS_CAPACITY);
        Self {
            url,
            config,
            media,
            outputs,
            tasks: TaskTracker::new(),
            cancel: CancellationToken::new(),
            signal: None,
            signal_generation: 0,
            signal_events,
            signal_in,
            peers: HashMap::new(),
            peer_events,
            peer_in,
            pictures,
            pictures_in,
            local_seen: (0, 0),
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
        self.tear_down().await;
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
            let (sound, picture) = (self.media.audio.state(), self.media.video.state());
            tokio::select! {
                biased;
                () = due => return Input::Deadline,
                // Nobody holds the call any more: it is left.
                command = commands.recv() => return Input::Command(command.unwrap_or(CallCommand::Leave)),
                Some((generation, event)) = self.signal_in.recv() => {
                    if generation == self.signal_generation {
                        return match event {
                            SignalEvent::Message(message) => Input::Signal(message),
                            SignalEvent::Closed => Input::SignalClosed,
                        };
                    }
                }
                Some((key, event)) = self.peer_in.recv() => return Input::Peer(key, event),
                Some((key, shown)) = self.pictures_in.recv() => return Input::Picture { key, shown },
                (version, _) = sound.changed(self.local_seen.0) => {
                    self.local_seen.0 = version;
                    return self.local();
                }
                (version, _) = picture.changed(self.local_seen.1) => {
                    self.local_seen.1 = version;
                    return self.local();
                }
                _ = seconds.tick() => return self.second(state),
                _ = levels.tick() => return Input::Levels(self.levels(state)),
            }
        }
    }

    fn local(&self) -> Input {
        Input::Local {
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

    /// Publishes the figures, and says how the second went.
    fn second(&mut self, state: &CallState) -> Input {
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
        Input::Second {
            worst_loss_percent: worst,
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Connect => {
                self.signal_generation += 1;
                let events = self.signal_events.clone();
                let handle = signal::connect(
                    self.url.clone(),
                    self.signal_generation,
                    events,
                    &self.tasks,
                );
                self.signal = Some(handle);
            }
            Effect::Send(message) => {
                if self
                    .signal
                    .as_ref()
                    .is_none_or(|signal| !signal.send(&message))
                {
                    self.signal = None;
                    self.follow_ups.push_back(Input::SignalClosed);
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
                        "a peer takes no commands: it is made anew"
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
                        .pictures
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .remove(&key.member);
                }
            }
            Effect::Forget { key, pictures } => {
                let Some(peer) = self.peers.get(&key) else {
                    return;
                };
                if pictures {
                    peer.handle.video.clear();
                } else {
                    peer.handle.audio.clear();
                }
            }
            Effect::MuteMicrophone(muted) => self.media.audio.set_muted(muted),
            Effect::MuteCamera(muted) => self.media.video.set_muted(muted),
            Effect::ScaleBitrate(scale) => self.media.video.set_bitrate_scale(scale),
            Effect::Emit(event) => {
                // Without a reader nobody needs to know.
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
        let mut pictures = self
            .outputs
            .pictures
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        pictures.insert(key.member.clone(), frames.clone());
        drop(pictures);
        self.tasks.spawn(cancel.clone().run_until_cancelled_owned({
            let (key, shown_to) = (key.clone(), self.pictures.clone());
            async move {
                let (mut seen, mut shown) = (0, false);
                loop {
                    let (version, frame) = frames.changed(seen).await;
                    seen = version;
                    if frame.is_some() != shown {
                        shown = !shown;
                        if shown_to.send((key.clone(), shown)).await.is_err() {
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

    /// Everyone is told, everything is closed; what takes too long is left behind.
    async fn tear_down(&mut self) {
        self.signal = None;
        self.cancel.cancel();
        self.peers.clear();
        self.outputs
            .pictures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.tasks.close();
        let tasks = self.tasks.clone();
        let drained = async {
            // Nobody reads the events any more: let who waits to send them go.
            self.peer_in.close();
            self.signal_in.close();
            self.pictures_in.close();
            tasks.wait().await;
        };
        if timeout(TEAR_DOWN_LIMIT, drained).await.is_err() {
            tracing::warn!("a part of the call did not end in time");
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

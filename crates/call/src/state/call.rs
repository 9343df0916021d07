//! The state of a call and its transitions.

mod peers;
mod service;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use visavis_protocol::{
    ClientMessage, Feature, Features, IceServer, MemberPatch, PeerMessage, PeerPayload, Role,
    TrackSource, TrackState, UpdateMember,
};

use crate::command::{CallCommand, RoomChoice};
use crate::event::CallEvent;
use crate::peer::{PeerCommand, PeerKey};
use crate::state::bitrate_scale::BitrateScale;
use crate::state::chat::Chat;
use crate::state::remote::RemoteParticipant;
use crate::state::session::{JOIN_TIMEOUT, LOST_TIMEOUT, Session};
use crate::state::speaking::Speaking;
use crate::state::{Effect, Input, Now};
use crate::view::{
    CallPhase, CallView, ChatView, EndReason, ParticipantView, PeerConnectionState, RoomView,
    TrackView,
};

/// The protocol extensions that this client requests from a server that
/// announces any.
const REQUESTED_FEATURES: [Feature; 3] = [Feature::Members, Feature::Resume, Feature::Chat];

/// The state of one call.
#[derive(Debug)]
pub(crate) struct CallState {
    session: Session,
    choice: RoomChoice,
    display_name: String,
    /// The extensions that the server announced.
    features: Features,
    resume_token: Option<String>,
    /// Restores the room on a server that lost it in a restart (see the protocol).
    seal: Option<String>,
    ice_servers: Vec<IceServer>,
    /// When the create or join request was sent.
    join_sent_at: Option<Instant>,
    local: LocalParticipant,
    room: Option<RoomView>,
    /// In the order of joining.
    remotes: Vec<RemoteParticipant>,
    generations: u64,
    chat: Chat,
    chats_sent: u64,
    bitrate_scale: BitrateScale,
    effects: Vec<Effect>,
}

/// The local user.
#[derive(Debug)]
struct LocalParticipant {
    /// The client id; empty until the server assigns it.
    id: String,
    role: Role,
    microphone: LocalSource,
    camera: LocalSource,
    speaking: Speaking,
}

/// The local microphone or camera.
#[derive(Debug, Clone, Copy)]
struct LocalSource {
    /// Muted by the user.
    muted: bool,
    /// The device is capturing.
    live: bool,
}

impl LocalSource {
    fn view(self) -> TrackView {
        match self {
            Self {
                live: false,
                muted: false,
            } => TrackView::Absent,
            Self { muted: true, .. } => TrackView::Muted,
            Self {
                live: true,
                muted: false,
            } => TrackView::On,
        }
    }

    fn sends(self) -> bool {
        self.view() == TrackView::On
    }
}

impl CallState {
    /// Creates the state of a new call, and its first effects.
    pub fn new(
        choice: RoomChoice,
        display_name: String,
        microphone_muted: bool,
        camera_muted: bool,
        now: Instant,
    ) -> (Self, Vec<Effect>) {
        let source = |muted| LocalSource { muted, live: false };
        let local_participant = LocalParticipant {
            id: String::new(),
            role: Role::Participant,
            microphone: source(microphone_muted),
            camera: source(camera_muted),
            speaking: Speaking::default(),
        };
        let state = Self {
            session: Session::Connecting {
                until: now + JOIN_TIMEOUT,
            },
            choice,
            display_name,
            features: Features::default(),
            resume_token: None,
            seal: None,
            ice_servers: Vec::new(),
            join_sent_at: None,
            local: local_participant,
            room: None,
            remotes: Vec::new(),
            generations: 0,
            chat: Chat::default(),
            chats_sent: 0,
            bitrate_scale: BitrateScale::new(),
            effects: Vec::new(),
        };
        let effects = vec![
            Effect::MuteMicrophone(microphone_muted),
            Effect::MuteCamera(camera_muted),
            Effect::Connect,
        ];
        (state, effects)
    }

    /// Handles one input and returns the effects to perform, in order. After the
    /// end of the call it does nothing.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        if self.ended().is_some() {
            return Vec::new();
        }
        match input {
            Input::Command(command) => self.command(now, command),
            Input::ServerMessage(message) => self.server_message(now, *message),
            Input::SignallingClosed => self.signalling_closed(now),
            Input::Peer(key, event) => self.peer(now, &key, event),
            Input::FrameAvailability { key, available } => {
                self.frame_availability(now, &key, available)
            }
            Input::CaptureChanged { microphone, camera } => {
                self.capture_changed(microphone, camera)
            }
            Input::Levels(levels) => self.levels(now, &levels),
            Input::SecondElapsed { worst_loss_percent } => {
                if let Some(scale) = self.bitrate_scale.update(worst_loss_percent) {
                    self.effects.push(Effect::ScaleBitrate(scale));
                }
            }
            Input::Deadline => {}
        }
        // Run due work after every input, so that frequent inputs cannot starve a
        // deadline.
        self.run_due(now);
        std::mem::take(&mut self.effects)
    }

    /// The local user's client id; empty until the server assigns it.
    pub fn my_id(&self) -> &str {
        &self.local.id
    }

    /// The keys of the current peer connections, in the order of joining.
    pub fn peer_keys(&self) -> impl Iterator<Item = &PeerKey> {
        self.remotes.iter().map(|remote| &remote.key)
    }

    /// When [`Input::Deadline`] must arrive.
    pub fn next_deadline(&self) -> Option<Instant> {
        let checks = self.remotes.iter().filter_map(|remote| remote.check_at);
        checks
            .chain(self.session.next_deadline())
            .chain(self.chat.next_deadline())
            .min()
    }

    /// Why the call ended, once it has.
    pub fn ended(&self) -> Option<&EndReason> {
        match &self.session {
            Session::Ended(reason) => Some(reason),
            _ => None,
        }
    }

    /// The view of this state.
    pub fn view(&self) -> CallView {
        let phase = match (&self.session, &self.room) {
            (Session::Ended(reason), _) => CallPhase::Ended {
                reason: reason.clone(),
            },
            (_, None) => CallPhase::Joining,
            (_, Some(_)) => CallPhase::Inside,
        };
        let local = self.room.is_some().then(|| self.my_view());
        CallView {
            phase,
            room: self.room.clone(),
            participants: local
                .into_iter()
                .chain(self.remotes.iter().map(RemoteParticipant::view))
                .collect(),
            chat: self.chat.messages().to_vec(),
            service_away: self.session.disconnected_since().is_some(),
        }
    }

    fn my_view(&self) -> ParticipantView {
        ParticipantView {
            id: self.local.id.clone(),
            name: self.display_name.clone(),
            is_me: true,
            role: self.local.role,
            connection: PeerConnectionState::Connected,
            microphone: self.local.microphone.view(),
            camera: self.local.camera.view(),
            speaking: self.local.speaking.is_speaking() && self.local.microphone.sends(),
            has_picture: self.local.camera.sends(),
        }
    }

    fn command(&mut self, now: Now, command: CallCommand) {
        match command {
            CallCommand::SetMicrophoneMuted(muted) if muted != self.local.microphone.muted => {
                self.local.microphone.muted = muted;
                self.effects.push(Effect::MuteMicrophone(muted));
                self.publish_tracks();
            }
            CallCommand::SetCameraMuted(muted) if muted != self.local.camera.muted => {
                self.local.camera.muted = muted;
                self.effects.push(Effect::MuteCamera(muted));
                self.publish_tracks();
            }
            CallCommand::SetMicrophoneMuted(_) | CallCommand::SetCameraMuted(_) => {}
            CallCommand::SendChat(text) => self.send_chat(now, text),
            CallCommand::Leave => self.leave(),
        }
    }

    fn capture_changed(&mut self, microphone: bool, camera: bool) {
        let before = (self.local.microphone.sends(), self.local.camera.sends());
        self.local.microphone.live = microphone;
        self.local.camera.live = camera;
        if before != (self.local.microphone.sends(), self.local.camera.sends()) {
            self.publish_tracks();
        }
    }

    fn levels(&mut self, now: Now, levels: &[(String, f32)]) {
        for (id, rms) in levels {
            if *id == self.local.id {
                self.local.speaking.observe(now.instant, *rms);
            } else if let Some(remote) = self
                .remotes
                .iter_mut()
                .find(|remote| remote.key.member == *id)
            {
                remote.speaking.observe(now.instant, *rms);
            }
        }
    }

    fn run_due(&mut self, now: Now) {
        self.run_session_due(now);
        let away = self.session.disconnected_since();
        if away.is_some_and(|since| now.instant >= since + LOST_TIMEOUT) && !self.anyone_connected()
        {
            self.end(EndReason::ConnectionLost);
            return;
        }
        for message in self.chat.take_unconfirmed(now.instant, away.is_some()) {
            self.chat_to_peers(&message);
        }
        self.check_connections(now.instant);
    }

    fn anyone_connected(&self) -> bool {
        self.remotes
            .iter()
            .any(|remote| remote.connection == PeerConnectionState::Connected)
    }

    fn emit(&mut self, event: CallEvent) {
        self.effects.push(Effect::Emit(event));
    }

    fn end(&mut self, reason: EndReason) {
        let keys: Vec<_> = self.remotes.drain(..).map(|remote| remote.key).collect();
        self.effects.extend(keys.into_iter().map(Effect::Close));
        self.session = Session::Ended(reason.clone());
        self.emit(CallEvent::Ended(reason));
    }

    fn my_tracks(&self) -> Vec<TrackState> {
        [
            (TrackSource::Microphone, self.local.microphone),
            (TrackSource::Camera, self.local.camera),
        ]
        .map(|(source, local)| TrackState {
            source,
            muted: !local.sends(),
        })
        .to_vec()
    }

    /// Announces the local tracks to the server and to every peer.
    fn publish_tracks(&mut self) {
        let patch = MemberPatch {
            tracks: Some(self.my_tracks()),
            ..MemberPatch::default()
        };
        if self.session == Session::Joined && self.features.has(Feature::Members) {
            let room_id = self.room.as_ref().map(|room| room.id.clone());
            let message = UpdateMember {
                room_id,
                payload: patch.clone(),
            };
            self.effects
                .push(Effect::Send(ClientMessage::UpdateMember(message)));
        }
        let message = PeerMessage::UpdateMember(PeerPayload { payload: patch });
        self.send_to_peers(&message);
    }

    /// Sends a message over every open data channel.
    fn send_to_peers(&mut self, message: &PeerMessage) {
        for remote in self.remotes.iter().filter(|remote| remote.channel_open) {
            let command = PeerCommand::Send(Box::new(message.clone()));
            self.effects.push(Effect::Peer(remote.key.clone(), command));
        }
    }

    fn chat_view(&self, now: Now, id: String, text: String) -> ChatView {
        ChatView {
            id,
            from: self.local.id.clone(),
            name: self.display_name.clone(),
            is_mine: true,
            text,
            sent_at: now.unix_ms,
            pending: false,
        }
    }
}

/// A value from 0 to 1 derived from a client id: it spreads the reconnects of
/// many clients and is the same in every run.
fn jitter(id: &str) -> f32 {
    let sum = id.bytes().fold(0u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    (sum % 1_000) as f32 / 1_000.0
}

/// Delay before the next offer after a failed negotiation.
const OFFER_RETRY_DELAY: Duration = Duration::from_secs(2);

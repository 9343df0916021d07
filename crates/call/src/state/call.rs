//! The whole call's state, and what each input changes in it.

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
use crate::state::chat::Chat;
use crate::state::quality::Quality;
use crate::state::remote::Remote;
use crate::state::session::{ENTER_LIMIT, LOST_LIMIT, Session};
use crate::state::speaking::Speaking;
use crate::state::{Effect, Input, Now};
use crate::view::{
    CallPhase, CallView, ChatView, EndReason, ParticipantView, PeerConnectionState, RoomView,
    TrackView,
};

/// The extensions that this client knows, asked of a server that has any.
const WANTED: [Feature; 3] = [Feature::Members, Feature::Resume, Feature::Chat];

/// The state of one call.
#[derive(Debug)]
pub(crate) struct CallState {
    session: Session,
    choice: RoomChoice,
    display_name: String,
    /// What the server announced.
    features: Features,
    resume_token: Option<String>,
    /// Restores the room on a server that lost it in a restart.
    seal: Option<String>,
    ice_servers: Vec<IceServer>,
    /// When the join was sent.
    asked_at: Option<Instant>,
    me: Me,
    room: Option<RoomView>,
    /// In the order of joining.
    remotes: Vec<Remote>,
    generations: u64,
    chat: Chat,
    chats_sent: u64,
    quality: Quality,
    effects: Vec<Effect>,
}

/// The local user.
#[derive(Debug)]
struct Me {
    /// The client id; empty until the server says.
    id: String,
    role: Role,
    microphone: Local,
    camera: Local,
    speaking: Speaking,
}

/// A local source.
#[derive(Debug, Clone, Copy)]
struct Local {
    /// The user wants nothing sent.
    muted: bool,
    /// It is really captured.
    live: bool,
}

impl Local {
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
    /// A call that is about to begin, and its first effects.
    pub fn new(
        choice: RoomChoice,
        display_name: String,
        microphone_muted: bool,
        camera_muted: bool,
        now: Instant,
    ) -> (Self, Vec<Effect>) {
        let local = |muted| Local { muted, live: false };
        let me = Me {
            id: String::new(),
            role: Role::Participant,
            microphone: local(microphone_muted),
            camera: local(camera_muted),
            speaking: Speaking::default(),
        };
        let state = Self {
            session: Session::Opening {
                until: now + ENTER_LIMIT,
            },
            choice,
            display_name,
            features: Features::default(),
            resume_token: None,
            seal: None,
            ice_servers: Vec::new(),
            asked_at: None,
            me,
            room: None,
            remotes: Vec::new(),
            generations: 0,
            chat: Chat::default(),
            chats_sent: 0,
            quality: Quality::new(),
            effects: Vec::new(),
        };
        let effects = vec![
            Effect::MuteMicrophone(microphone_muted),
            Effect::MuteCamera(camera_muted),
            Effect::Connect,
        ];
        (state, effects)
    }

    /// Takes one input and says what is to be done.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        if self.ended().is_some() {
            return Vec::new();
        }
        match input {
            Input::Command(command) => self.command(now, command),
            Input::Signal(message) => self.signal(now, *message),
            Input::SignalClosed => self.signal_closed(now),
            Input::Peer(key, event) => self.peer(now, &key, event),
            Input::Picture { key, shown } => self.picture(now, &key, shown),
            Input::Local { microphone, camera } => self.local(microphone, camera),
            Input::Levels(levels) => self.levels(now, &levels),
            Input::Second { worst_loss_percent } => {
                if let Some(scale) = self.quality.second(worst_loss_percent) {
                    self.effects.push(Effect::ScaleBitrate(scale));
                }
            }
            Input::Deadline => {}
        }
        // Whatever came: what is due is done, so that no input can starve a deadline.
        self.due(now);
        std::mem::take(&mut self.effects)
    }

    /// Our client id; empty until the server says.
    pub fn my_id(&self) -> &str {
        &self.me.id
    }

    /// The present connections, in the order of joining.
    pub fn peer_keys(&self) -> impl Iterator<Item = &PeerKey> {
        self.remotes.iter().map(|remote| &remote.key)
    }

    /// When [`Input::Deadline`] is wanted.
    pub fn next_deadline(&self) -> Option<Instant> {
        let checks = self.remotes.iter().filter_map(|remote| remote.check_at);
        checks
            .chain(self.session.next_deadline())
            .chain(self.chat.next_deadline())
            .min()
    }

    /// Why the call is over, once it is.
    pub fn ended(&self) -> Option<&EndReason> {
        match &self.session {
            Session::Ended(reason) => Some(reason),
            _ => None,
        }
    }

    /// What a window shows.
    pub fn view(&self) -> CallView {
        let phase = match (&self.session, &self.room) {
            (Session::Ended(reason), _) => CallPhase::Ended {
                reason: reason.clone(),
            },
            (_, None) => CallPhase::Joining,
            (_, Some(_)) => CallPhase::Inside,
        };
        let me = self.room.is_some().then(|| self.my_view());
        CallView {
            phase,
            room: self.room.clone(),
            participants: me
                .into_iter()
                .chain(self.remotes.iter().map(Remote::view))
                .collect(),
            chat: self.chat.messages().to_vec(),
            service_away: self.session.away_since().is_some(),
        }
    }

    fn my_view(&self) -> ParticipantView {
        ParticipantView {
            id: self.me.id.clone(),
            name: self.display_name.clone(),
            is_me: true,
            role: self.me.role,
            connection: PeerConnectionState::Connected,
            microphone: self.me.microphone.view(),
            camera: self.me.camera.view(),
            speaking: self.me.speaking.is_speaking() && self.me.microphone.sends(),
            has_picture: self.me.camera.sends(),
        }
    }

    fn command(&mut self, now: Now, command: CallCommand) {
        match command {
            CallCommand::SetMicrophoneMuted(muted) if muted != self.me.microphone.muted => {
                self.me.microphone.muted = muted;
                self.effects.push(Effect::MuteMicrophone(muted));
                self.announce();
            }
            CallCommand::SetCameraMuted(muted) if muted != self.me.camera.muted => {
                self.me.camera.muted = muted;
                self.effects.push(Effect::MuteCamera(muted));
                self.announce();
            }
            CallCommand::SetMicrophoneMuted(_) | CallCommand::SetCameraMuted(_) => {}
            CallCommand::SendChat(text) => self.send_chat(now, text),
            CallCommand::Leave => self.leave(),
        }
    }

    fn local(&mut self, microphone: bool, camera: bool) {
        let before = (self.me.microphone.sends(), self.me.camera.sends());
        self.me.microphone.live = microphone;
        self.me.camera.live = camera;
        if before != (self.me.microphone.sends(), self.me.camera.sends()) {
            self.announce();
        }
    }

    fn levels(&mut self, now: Now, levels: &[(String, f32)]) {
        for (id, rms) in levels {
            if *id == self.me.id {
                self.me.speaking.heard(now.instant, *rms);
            } else if let Some(remote) = self
                .remotes
                .iter_mut()
                .find(|remote| remote.key.member == *id)
            {
                remote.speaking.heard(now.instant, *rms);
            }
        }
    }

    fn due(&mut self, now: Now) {
        self.session_due(now);
        let away = self.session.away_since();
        if away.is_some_and(|since| now.instant >= since + LOST_LIMIT) && !self.anyone_connected() {
            self.end(EndReason::ConnectionLost);
            return;
        }
        for message in self.chat.overdue(now.instant, away.is_some()) {
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
            (TrackSource::Microphone, self.me.microphone),
            (TrackSource::Camera, self.me.camera),
        ]
        .map(|(source, local)| TrackState {
            source,
            muted: !local.sends(),
        })
        .to_vec()
    }

    /// Tells everyone what we send, by every way there is.
    fn announce(&mut self) {
        let patch = MemberPatch {
            tracks: Some(self.my_tracks()),
            ..MemberPatch::default()
        };
        if self.session == Session::Inside && self.features.has(Feature::Members) {
            let room_id = self.room.as_ref().map(|room| room.id.clone());
            let message = UpdateMember {
                room_id,
                payload: patch.clone(),
            };
            self.effects
                .push(Effect::Send(ClientMessage::UpdateMember(message)));
        }
        let message = PeerMessage::UpdateMember(PeerPayload { payload: patch });
        self.tell_peers(&message);
    }

    /// Says something over every open data channel.
    fn tell_peers(&mut self, message: &PeerMessage) {
        for remote in self.remotes.iter().filter(|remote| remote.channel_open) {
            let command = PeerCommand::Send(Box::new(message.clone()));
            self.effects.push(Effect::Peer(remote.key.clone(), command));
        }
    }

    fn chat_view(&self, now: Now, id: String, text: String) -> ChatView {
        ChatView {
            id,
            from: self.me.id.clone(),
            name: self.display_name.clone(),
            is_mine: true,
            text,
            sent_at: now.unix_ms,
            pending: false,
        }
    }
}

/// A pause that differs between clients but not between runs: 0 to 1 from an id.
fn spread(id: &str) -> f32 {
    let sum = id.bytes().fold(0u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    (sum % 1_000) as f32 / 1_000.0
}

/// How long after a failed description the next offer is made.
const OFFER_AGAIN: Duration = Duration::from_secs(2);

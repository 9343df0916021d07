//! The state of a call and its transitions.

mod chat;
mod links;
mod local;
mod participants;
mod quality;
mod relay;
mod service;
#[cfg(test)]
mod tests;
mod video;

use std::time::Instant;

use visavis_protocol::{Feature, Features, IceServer, PeerMessage};

use crate::command::{CallCommand, CallConfig, RoomChoice, ShownVideo};
use crate::event::CallEvent;
use crate::peer::{LinkId, PeerCommand};
use crate::state::allocation::VideoAllocation;
use crate::state::call::local::LocalParticipant;
use crate::state::chat::Chat;
use crate::state::participant::RemoteParticipant;
use crate::state::quality::{Quality, QualityReporter};
use crate::state::session::{JOIN_TIMEOUT, LOST_TIMEOUT, Session};
use crate::state::{Effect, Input, Now};
use crate::view::{CallPhase, CallView, EndReason, MutedByHost, RoomView};

/// The protocol extensions that this client requests from a server that announces
/// any, beside [`Feature::Waiting`] where the join may wait.
const REQUESTED_FEATURES: [Feature; 6] = [
    Feature::Members,
    Feature::Resume,
    Feature::Chat,
    Feature::Controls,
    Feature::Ice,
    Feature::Quality,
];

/// The state of one call.
#[derive(Debug)]
pub(crate) struct CallState {
    session: Session,
    choice: RoomChoice,
    /// The extensions that the server announced.
    features: Features,
    resume_token: Option<String>,
    /// Restores the room on a server that lost it in a restart (see the protocol).
    seal: Option<String>,
    /// Whether the join may wait.
    wait: bool,
    passcode: Option<String>,
    /// The newest access token.
    token: Option<String>,
    ice_servers: Vec<IceServer>,
    /// When the create or join request was sent.
    join_sent_at: Option<Instant>,
    local: LocalParticipant,
    room: Option<RoomView>,
    /// In the order of joining.
    remotes: Vec<RemoteParticipant>,
    /// Links made in this call.
    links: u64,
    /// The last host that the server named, by client id.
    host: Option<String>,
    /// The host muted a source of the local user, who has not unmuted it since.
    muted_by_host: Option<MutedByHost>,
    chat: Chat,
    chats_sent: u64,
    video: VideoAllocation,
    quality: Quality,
    quality_report: QualityReporter,
    /// The remote video that is shown.
    shown: ShownVideo,
    effects: Vec<Effect>,
}

impl CallState {
    /// Creates the state of a new call, and its first effects.
    pub fn new(config: CallConfig, now: Instant) -> (Self, Vec<Effect>) {
        let local = LocalParticipant::new(config.display_name, &config.muted);
        let mutes = local.sources.iter().map(|one| Effect::Mute {
            source: one.source,
            muted: one.muted,
        });
        // The bit rates of an earlier call do not hold for this one.
        let video = VideoAllocation::new();
        let encoders = video.encoders().into_iter().map(Effect::SetEncoder);
        let effects = mutes.chain(encoders).chain([Effect::Connect]).collect();
        let state = Self {
            session: Session::Connecting {
                until: now + JOIN_TIMEOUT,
            },
            choice: config.room,
            wait: config.wait,
            passcode: config.passcode,
            features: Features::default(),
            resume_token: None,
            seal: None,
            token: config.token,
            ice_servers: Vec::new(),
            join_sent_at: None,
            local,
            room: None,
            remotes: Vec::new(),
            links: 0,
            host: None,
            muted_by_host: None,
            chat: Chat::default(),
            chats_sent: 0,
            video,
            quality: Quality::default(),
            quality_report: QualityReporter::default(),
            shown: ShownVideo::Full,
            effects: Vec::new(),
        };
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
            Input::Peer(link, event) => self.peer(now, link, event),
            Input::FrameAvailability {
                link,
                source,
                available,
            } => self.frame_availability(now, link, source, available),
            Input::CaptureChanged { source, live, size } => {
                self.capture_changed(source, live, size);
            }
            Input::VoiceActivity { local, remote } => self.voice_activity(local, &remote),
            Input::Measured(samples) => self.measured(now.instant, &samples),
            Input::NetworkChanged { broken } => self.network_changed(now, broken),
            // The video is allocated after every input.
            Input::SecondElapsed | Input::Deadline => {}
        }
        // Run due work after every input, so that frequent inputs cannot starve a
        // deadline.
        self.run_due(now);
        std::mem::take(&mut self.effects)
    }

    /// The current links, in the order of joining.
    pub fn links(&self) -> impl Iterator<Item = LinkId> {
        let links = self
            .remotes
            .iter()
            .filter_map(|remote| remote.link.as_ref());
        links.map(|link| link.id)
    }

    /// When [`Input::Deadline`] must arrive.
    pub fn next_deadline(&self) -> Option<Instant> {
        let links = self
            .remotes
            .iter()
            .filter_map(|remote| remote.link.as_ref());
        let checks = links.flat_map(|link| [link.next_deadline(), link.next_demand()]);
        checks
            .flatten()
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
        let phase = match (self.session.clone(), &self.room) {
            (Session::Ended(reason), _) => CallPhase::Ended { reason },
            (Session::Waiting { reason, position }, _) => CallPhase::Waiting { reason, position },
            (Session::NotOpen { opens_at, .. }, _) => CallPhase::NotOpen { opens_at },
            (Session::PasscodeNeeded { wrong }, _) => CallPhase::PasscodeNeeded { wrong },
            (_, None) => CallPhase::Joining,
            (_, Some(_)) => CallPhase::Inside,
        };
        let quality = self.quality.of_local();
        let local = self.room.is_some().then(|| self.local.view(quality));
        let remote = |remote: &RemoteParticipant| {
            let link = remote.link.as_ref();
            remote.view(link.and_then(|link| self.quality.of(link.id)))
        };
        CallView {
            phase,
            room: self.room.clone(),
            participants: local
                .into_iter()
                .chain(self.remotes.iter().map(remote))
                .collect(),
            chat: self.chat.messages().to_vec(),
            service_away: self.session.disconnected_since().is_some(),
            muted_by_host: self.muted_by_host.clone(),
            may_publish: self.local.may_publish(),
        }
    }

    fn command(&mut self, now: Now, command: CallCommand) {
        match command {
            CallCommand::SetMuted { source, muted } => self.set_muted(source, muted),
            CallCommand::EnterPasscode(passcode) => self.enter_passcode(now, passcode),
            CallCommand::SendChat(text) => self.send_chat(now, text),
            CallCommand::Show(shown) => self.show(shown),
            CallCommand::SetVolume {
                participant,
                percent,
            } => self.set_volume(&participant, percent),
            CallCommand::Leave => self.leave(),
        }
    }

    fn voice_activity(&mut self, local: bool, remote: &[(LinkId, bool)]) {
        self.local.speaking = local;
        for (link, speaking) in remote {
            if let Some(index) = self.index_of(*link) {
                self.remotes[index].speaking = *speaking;
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
        self.repair_links(now.instant);
        self.update_video(now.instant);
    }

    fn anyone_connected(&self) -> bool {
        self.remotes.iter().any(RemoteParticipant::is_connected)
    }

    fn emit(&mut self, event: CallEvent) {
        self.effects.push(Effect::Emit(event));
    }

    fn end(&mut self, reason: EndReason) {
        let links: Vec<_> = self.links().collect();
        self.effects.extend(links.into_iter().map(Effect::Close));
        self.remotes.clear();
        self.session = Session::Ended(reason.clone());
        self.emit(CallEvent::Ended(reason));
    }

    /// Sends a message over every open data channel.
    fn send_to_peers(&mut self, message: &PeerMessage) {
        let links = self
            .remotes
            .iter()
            .filter_map(|remote| remote.link.as_ref());
        for link in links.filter(|link| link.channel_open) {
            let command = PeerCommand::Send(Box::new(message.clone()));
            self.effects.push(Effect::Peer(link.id, command));
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

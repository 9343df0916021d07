//! Tests of the call's state, without network or clock.

mod bandwidth;
mod entering;
mod host;
mod ice_servers;
mod protocol;
mod quality;
mod speaking;
mod video;
mod volume;
mod without_server;

use std::time::{Duration, Instant};

use serde_json::json;
use visavis_protocol::limits::MAX_CHAT_TEXT_BYTES;
use visavis_protocol::{
    ClientMessage, Description, DescriptionKind, PeerMessage, ServerMessage, TrackSource,
};

use super::CallState;
use crate::command::{CallCommand, CallConfig, RoomChoice};
use crate::event::CallEvent;
use crate::peer::{LinkId, PeerCommand, PeerEvent};
use crate::state::{Effect, Input, Now};
use crate::view::{CallPhase, EndReason, PeerConnectionState, TrackView};

fn config(room: RoomChoice) -> CallConfig {
    CallConfig {
        server: String::new(),
        room,
        display_name: "Me".into(),
        preferred_codec: visavis_media::VideoCodec::Vp8,
        ice_servers: Vec::new(),
        relay_only: false,
        muted: Vec::new(),
        wait: true,
        passcode: None,
        token: None,
    }
}

/// A state and its current time.
struct Scene {
    state: CallState,
    now: Instant,
}

impl Scene {
    fn new(choice: RoomChoice) -> Self {
        let now = Instant::now();
        let (state, effects) = CallState::new(config(choice), now);
        assert!(
            effects
                .iter()
                .any(|effect| matches!(effect, Effect::Connect))
        );
        Self { state, now }
    }

    /// Joined a room with these members, on a server with every extension.
    fn inside(others: &[&str]) -> (Self, Vec<Effect>) {
        let mut scene = Self::new(RoomChoice::Join("abc-defg-hij".into()));
        scene.says(
            json!({"type":"client-id","id":"m","features":["rooms","members","resume","chat"]}),
        );
        let participants: Vec<_> = others.iter().copied().chain(["m"]).collect();
        let effects = scene.says(json!({"type":"room-joined","resumeToken":"t","room":{"id":"abc-defg-hij","participants":participants}}));
        (scene, effects)
    }

    fn put(&mut self, input: Input) -> Vec<Effect> {
        self.state.handle(
            Now {
                instant: self.now,
                unix_ms: 1,
            },
            input,
        )
    }

    fn says(&mut self, message: serde_json::Value) -> Vec<Effect> {
        let message = ServerMessage::parse(&message.to_string()).unwrap();
        self.put(Input::ServerMessage(Box::new(message)))
    }

    fn after(&mut self, time: Duration) -> Vec<Effect> {
        self.now += time;
        self.put(Input::Deadline)
    }

    fn link(&self, member: &str) -> LinkId {
        let index = self.state.index_of_member(member).unwrap();
        self.state.remotes[index].link.as_ref().unwrap().id
    }

    fn member_of(&self, link: LinkId) -> String {
        let index = self.state.index_of(link).unwrap();
        self.state.remotes[index].member.clone()
    }

    /// The members to whom these effects make offers.
    fn offers_to(&self, effects: &[Effect]) -> Vec<String> {
        let offered = effects.iter().filter_map(|effect| match effect {
            Effect::Peer(link, PeerCommand::MakeOffer { .. }) => Some(self.member_of(*link)),
            _ => None,
        });
        offered.collect()
    }

    fn peer(&mut self, member: &str, event: PeerEvent) -> Vec<Effect> {
        let link = self.link(member);
        self.put(Input::Peer(link, event))
    }
}

fn sent(effects: &[Effect]) -> Vec<String> {
    let text = |effect: &Effect| match effect {
        Effect::Send(message) => Some(message.to_json()),
        _ => None,
    };
    effects.iter().filter_map(text).collect()
}

fn offer() -> Description {
    Description::new(DescriptionKind::Offer, "v=0".into())
}

#[test]
fn a_member_waits_two_seconds_for_the_offer_of_a_new_member() {
    let (mut scene, _) = Scene::inside(&[]);
    let effects = scene
        .says(json!({"type":"member-joined","roomId":"r","memberId":"n","participants":["m","n"]}));
    assert!(scene.offers_to(&effects).is_empty());
    assert!(scene.after(Duration::from_millis(1_900)).is_empty());
    let effects = scene.after(Duration::from_millis(100));
    assert_eq!(scene.offers_to(&effects), ["n"]);
}

#[test]
fn offers_that_collide_with_those_of_a_peer_without_rollback_heal() {
    // "m" is greater than "a": impolite.
    let (mut scene, _) = Scene::inside(&[]);
    scene
        .says(json!({"type":"member-joined","roomId":"r","memberId":"a","participants":["m","a"]}));
    scene.after(Duration::from_secs(2));
    scene.peer("a", PeerEvent::LocalDescription(offer()));
    let ignored =
        scene.says(json!({"type":"offer","from":"a","payload":{"type":"offer","sdp":"o"}}));
    let accepts = |effects: &[Effect]| {
        effects.iter().any(|effect| {
            matches!(
                effect,
                Effect::Peer(_, PeerCommand::AcceptOffer { rollback: true, .. })
            )
        })
    };
    assert!(!accepts(&ignored));
    assert!(accepts(&scene.after(Duration::from_secs(3))));
}

#[test]
fn a_member_that_gets_an_offer_answers_and_does_not_offer() {
    let (mut scene, _) = Scene::inside(&[]);
    scene
        .says(json!({"type":"member-joined","roomId":"r","memberId":"n","participants":["m","n"]}));
    let effects = scene.says(json!({"type":"offer","from":"n","payload":offer()}));
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Peer(
            _,
            PeerCommand::AcceptOffer {
                rollback: false,
                ..
            }
        )
    )));
    let effects = scene.after(Duration::from_secs(3));
    assert!(scene.offers_to(&effects).is_empty());
    let answer = Description::new(DescriptionKind::Answer, "v=0".into());
    let effects = scene.peer("n", PeerEvent::LocalDescription(answer));
    assert!(sent(&effects)[0].contains(r#""type":"answer""#));
}

#[test]
fn s3_43_a_server_without_extensions_gets_the_plain_protocol() {
    let mut scene = Scene::new(RoomChoice::Create {
        name: "R".into(),
        private: false,
    });
    let effects = scene.says(json!({"type":"client-id","id":"m"}));
    assert_eq!(
        sent(&effects),
        [r#"{"type":"create-room","payload":{"name":"R"}}"#]
    );
    let effects = scene.says(
        json!({"type":"room-created","room":{"id":"r","name":"R","host":"m","participants":["m"]}}),
    );
    assert_eq!(sent(&effects), [] as [String; 0]);
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Emit(CallEvent::Joined { .. })))
    );
}

#[test]
fn an_error_or_a_closed_connection_while_joining_ends_the_call() {
    let mut scene = Scene::new(RoomChoice::Join("x".into()));
    scene.says(json!({"type":"client-id","id":"m"}));
    scene.says(json!({"type":"error","code":"room-full","message":""}));
    assert!(matches!(
        scene.state.ended(),
        Some(EndReason::Refused { .. })
    ));
    let mut scene = Scene::new(RoomChoice::Join("x".into()));
    scene.put(Input::SignallingClosed);
    assert_eq!(scene.state.ended(), Some(&EndReason::ServerUnreachable));
}

#[test]
fn s2_75_the_call_continues_without_the_server_and_resumes() {
    let (mut scene, _) = Scene::inside(&["a"]);
    scene.peer("a", PeerEvent::Connection(PeerConnectionState::Connected));
    let effects = scene.put(Input::SignallingClosed);
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Connect))
    );
    assert!(scene.state.view().service_away && scene.state.view().phase == CallPhase::Inside);
    let effects = scene.says(json!({"type":"client-id","id":"void","features":["rooms","resume"]}));
    assert_eq!(
        sent(&effects),
        [r#"{"type":"resume","payload":{"resumeToken":"t"}}"#]
    );
    let effects = scene.says(json!({"type":"resumed","resumeToken":"u","room":{"id":"abc-defg-hij","participants":["a","m","b"]}}));
    assert_eq!(scene.offers_to(&effects), ["b"]);
    assert_eq!(scene.state.local.id, "m");
    assert!(!scene.state.view().service_away);
}

#[test]
fn a_rejected_resume_rejoins_with_a_new_id() {
    let (mut scene, _) = Scene::inside(&["a"]);
    let before = scene.link("a");
    scene.put(Input::SignallingClosed);
    scene.says(json!({"type":"client-id","id":"n","features":["rooms","resume"]}));
    scene.says(json!({"type":"error","code":"unauthorized","message":""}));
    let effects = scene.after(Duration::from_secs(5));
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Connect))
    );
    let effects = scene.says(json!({"type":"client-id","id":"n","features":["rooms","resume"]}));
    assert!(sent(&effects)[0].contains("join-room"));
    let effects = scene
        .says(json!({"type":"room-joined","room":{"id":"abc-defg-hij","participants":["a","n"]}}));
    assert_eq!(scene.offers_to(&effects), ["a"]);
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Close(link) if *link == before))
    );
    assert_eq!(scene.state.local.id, "n");
}

#[test]
fn s2_75_without_server_and_peers_the_call_ends() {
    let (mut scene, _) = Scene::inside(&[]);
    scene.put(Input::SignallingClosed);
    for _ in 0..20 {
        scene.after(Duration::from_secs(4));
        scene.put(Input::SignallingClosed);
    }
    assert_eq!(scene.state.ended(), Some(&EndReason::ConnectionLost));
}

#[test]
fn chat_without_the_server_is_sent_to_the_peers_and_shown_once() {
    let (mut scene, _) = Scene::inside(&["a"]);
    scene.peer("a", PeerEvent::ChannelOpen);
    let effects = scene.put(Input::Command(CallCommand::SendChat(" hello ".into())));
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Send(ClientMessage::Chat(_))))
    );
    let effects = scene.put(Input::SignallingClosed);
    let over_channel = |effect: &&Effect| matches!(effect, Effect::Peer(_, PeerCommand::Send(message)) if matches!(**message, PeerMessage::Chat(_)));
    assert_eq!(effects.iter().filter(over_channel).count(), 1);
    let chat = scene.state.view().chat;
    assert_eq!(
        (chat.len(), chat[0].text.as_str(), chat[0].pending),
        (1, "hello", false)
    );
    let copy = json!({"type":"chat","id":"9","payload":{"text":"hi"}}).to_string();
    for _ in 0..2 {
        let message = PeerMessage::parse(&copy).unwrap();
        scene.peer("a", PeerEvent::Message(Box::new(message)));
    }
    assert_eq!(scene.state.view().chat.len(), 2);
}

#[test]
fn chat_beyond_the_size_limit_of_peer_messages_is_not_sent() {
    let (mut scene, _) = Scene::inside(&[]);
    let longest = "x".repeat(MAX_CHAT_TEXT_BYTES);
    let effects = scene.put(Input::Command(CallCommand::SendChat(longest.clone() + "x")));
    assert_eq!(sent(&effects), [] as [String; 0]);
    let effects = scene.put(Input::Command(CallCommand::SendChat(longest)));
    assert_eq!(sent(&effects).len(), 1);
}

#[test]
fn a_failed_connection_restarts_ice_and_a_closed_one_is_replaced() {
    let (mut scene, _) = Scene::inside(&["a"]);
    scene.peer("a", PeerEvent::LocalDescription(offer()));
    let answer = Description::new(DescriptionKind::Answer, "v=0".into());
    scene.says(json!({"type":"answer","from":"a","payload":answer}));
    scene.peer("a", PeerEvent::AnswerAccepted);
    scene.peer("a", PeerEvent::Connection(PeerConnectionState::Connected));
    // "m" is greater than "a": impolite, so it offers first.
    let effects = scene.peer("a", PeerEvent::Connection(PeerConnectionState::Failed));
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Peer(_, PeerCommand::MakeOffer { ice_restart: true })
    )));
    let before = scene.link("a");
    let closed = PeerConnectionState::Closed;
    let mut effects = scene.peer("a", PeerEvent::Connection(closed));
    assert!(
        effects
            .iter()
            .all(|effect| !matches!(effect, Effect::Spawn { .. }))
    );
    effects.extend(scene.after(Duration::from_secs(1)));
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Spawn { .. }))
    );
    assert_ne!(scene.link("a"), before);
}

#[test]
fn the_receiver_of_a_muted_track_is_cleared() {
    let (mut scene, _) = Scene::inside(&["a"]);
    let muted = json!({"type":"update-member","payload":{"tracks":[{"source":"camera","muted":true},{"source":"microphone","muted":false}]}});
    let message = PeerMessage::parse(&muted.to_string()).unwrap();
    let effects = scene.peer("a", PeerEvent::Message(Box::new(message)));
    assert!(matches!(
        effects[..],
        [Effect::ClearReceived {
            source: TrackSource::Camera,
            ..
        }]
    ));
}

/// For any inputs in any order: no panic, one connection per member, commands
/// only to open connections, and no deadline in the past.
#[test]
fn random_inputs_keep_one_connection_per_member() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = Random(seed | 1);
    for _ in 0..200 {
        let (mut scene, effects) = Scene::inside(&["a", "z"]);
        let mut alive: Vec<LinkId> = Vec::new();
        check(&effects, &mut alive);
        for _ in 0..120 {
            let effects = scene.random_step(&mut random);
            check(&effects, &mut alive);
            if scene.state.ended().is_some() {
                assert!(alive.is_empty());
                break;
            }
            let links = scene.state.links();
            let mut members: Vec<_> = links.map(|link| scene.member_of(link)).collect();
            members.sort();
            members.dedup();
            assert_eq!(members.len(), alive.len());
            assert!(
                scene
                    .state
                    .next_deadline()
                    .is_none_or(|deadline| deadline > scene.now)
            );
        }
    }
}

fn check(effects: &[Effect], alive: &mut Vec<LinkId>) {
    for effect in effects {
        match effect {
            Effect::Spawn { link, .. } => {
                assert!(!alive.contains(link));
                alive.push(*link);
            }
            Effect::Close(link) => {
                assert!(alive.contains(link));
                alive.retain(|other| other != link);
            }
            Effect::Peer(link, _)
            | Effect::ClearReceived { link, .. }
            | Effect::SetIceServers { link, .. } => {
                assert!(alive.contains(link), "{effect:?}")
            }
            _ => {}
        }
    }
}

/// An xorshift generator; its seed reproduces a run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

impl Scene {
    fn random_step(&mut self, random: &mut Random) -> Vec<Effect> {
        let member = *random.of(&["a", "b", "m", "z"]);
        let answer = Description::new(DescriptionKind::Answer, String::new());
        let participants: Vec<_> = ["a", "b", "m"]
            .into_iter()
            .filter(|_| random.below(4) > 0)
            .collect();
        match random.below(17) {
            0 => self.says(json!({"type":"member-joined","roomId":"r","memberId":member,"participants":[]})),
            1 => self.says(json!({"type":"member-left","roomId":"r","memberId":member,"participants":[]})),
            2 => self.says(json!({"type":"offer","from":member,"payload":offer()})),
            3 => self.says(json!({"type":"answer","from":member,"payload":answer})),
            4 => self.says(json!({"type":"ice-candidate","from":member,"payload":{"candidate":""}})),
            5 => self.put(Input::SignallingClosed),
            6 => self.says(json!({"type":"client-id","id":*random.of(&["m", "q"]),"features":["resume"]})),
            7 => self.says(json!({"type":"resumed","resumeToken":"t","room":{"id":"r","participants":participants}})),
            8 => self.says(json!({"type":"room-joined","room":{"id":"r","participants":participants}})),
            9 => self.says(json!({"type":"error","code":*random.of(&["unauthorized", "room-not-found"]),"message":""})),
            10 => self.put(Input::Command(CallCommand::SendChat("x".into()))),
            11 => self.put(Input::Command(CallCommand::SetMuted { source: TrackSource::Camera, muted: random.below(2) == 0 })),
            13 => {
                let credential = (*random.of(&["x", "y"])).to_owned();
                let server = json!({"urls": ["turn:192.0.2.1"], "username": "u", "credential": credential});
                self.says(json!({"type":"ice-servers","roomId":"r","payload":{"iceServers":[server],"expiresAt":""}}))
            }
            12 => self.after(Duration::from_millis(random.below(8_000))),
            _ => {
                let links: Vec<_> = self.state.links().collect();
                if links.is_empty() {
                    return Vec::new();
                }
                let event = match random.below(7) {
                    0 => PeerEvent::LocalDescription(offer()),
                    1 => PeerEvent::LocalDescription(answer),
                    2 => PeerEvent::AnswerAccepted,
                    3 => PeerEvent::NegotiationFailed { reason: String::new() },
                    4 => PeerEvent::ChannelOpen,
                    5 => PeerEvent::Connection(*random.of(&[PeerConnectionState::Closed, PeerConnectionState::Failed])),
                    _ => PeerEvent::Connection(*random.of(&[PeerConnectionState::Connected, PeerConnectionState::Disconnected])),
                };
                let link = *random.of(&links);
                self.put(Input::Peer(link, event))
            }
        }
    }
}

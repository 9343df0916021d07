//! The room by example. `walk.rs` beside this goes through it at random.

use serde_json::Value;
use visavis_protocol::{ClientMessage, ErrorCode, Features, Grants, RelayKind};

use super::*;
use crate::clock::Timestamp;
use crate::ice::ClientIceServers;
use crate::model::{ParticipantKind, SecretHash};
use crate::room::applicant::{Applicant, Pass};

pub(super) const WINDOW: Duration = Duration::from_secs(30);

/// A room with its own clock and its own dice.
pub(super) struct Scene {
    pub state: RoomState,
    pub now: Now,
    /// Its node's name.
    pub node: &'static str,
    rng: rand::rngs::StdRng,
}

impl Scene {
    pub fn new(seed: u64) -> Self {
        let room = Room {
            code: "abc-defg-hij".to_owned(),
            name: "Tea".to_owned(),
            host: Some(Uuid::max()),
            ..Room::draft(Timestamp::default())
        };
        Self {
            state: RoomState::new(room, Vec::new(), Vec::new(), WINDOW),
            now: Now {
                instant: Instant::now(),
                utc: Timestamp::default(),
            },
            node: "",
            rng: rand::SeedableRng::seed_from_u64(seed),
        }
    }

    pub fn pass(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.utc = self.now.utc.after(time);
    }

    pub fn join(&mut self, who: Sender, features: Features) -> Vec<Effect> {
        self.join_as(who, features, Grants::default())
    }

    pub fn join_as(&mut self, who: Sender, features: Features, grants: Grants) -> Vec<Effect> {
        let mut entry = entry(who.socket);
        if let Some(effects) = self.state.rejoin(who.id, &mut entry) {
            return effects;
        }
        let participant = Participant {
            name: format!("member {}", who.socket.0),
            features,
            joined_at: self.now.utc,
            node: self.node.to_owned(),
            sid: format!("PA_{:08}", who.socket.0),
            grants,
            secret: SecretHash::of(entry.secret),
            ..Participant::someone(who.id)
        };
        let room = self.state.room.clone();
        self.state.enter(entry, participant, room)
    }

    /// What a room's task does with a client that asks to join: the store is asked,
    /// and the client enters or waits.
    pub fn check_entry(&mut self, who: Sender, features: Features) -> Result<Vec<Effect>, Refusal> {
        let mut entry = entry(who.socket);
        if let Some(effects) = self.state.rejoin(who.id, &mut entry) {
            return Ok(effects);
        }
        let applicant = applicant(who, features);
        let admitted = match self.state.next_in_queue() {
            Some(_) => Err(Refusal::room_full()),
            None => applicant.may_enter(&self.state.room, self.present()),
        };
        match admitted {
            Ok(()) => Ok(self.join(who, features)),
            Err(refusal) => self.state.enqueue(self.now, applicant, entry, refusal),
        }
    }

    /// What the task does after each step: waiting clients that may enter do.
    pub fn serve_queue(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(first) = self.state.next_in_queue().cloned() {
            if first.may_enter(&self.state.room, self.present()).is_err() {
                break;
            }
            let who = Participant {
                name: first.name,
                features: first.features,
                joined_at: self.now.utc,
                node: self.node.to_owned(),
                sid: format!("PA_{}", first.client),
                secret: SecretHash::of(first.secret),
                ..Participant::someone(first.client)
            };
            let room = self.state.room.clone();
            let renewed = |_, _: Option<&str>| ClientIceServers::default();
            effects.extend(self.state.enter_from_queue(who, room, renewed));
        }
        effects.extend(self.state.send_positions());
        effects
    }

    fn present(&self) -> u32 {
        u32::try_from(self.state.members.len()).unwrap()
    }

    /// Someone changes the stored room.
    pub fn change(&mut self, change: impl FnOnce(&mut Room)) -> Vec<Effect> {
        let mut room = self.state.room.clone();
        change(&mut room);
        room.version += 1;
        self.state.changed(room)
    }

    pub fn resume(
        &mut self,
        proof: u64,
        socket: SocketId,
    ) -> Result<(ClientId, Vec<Effect>), Refusal> {
        let resumer = Resumer {
            entry: entry(socket),
            proof: proof.into(),
        };
        self.state
            .resume(resumer, |_, _| ClientIceServers::default())
    }

    /// Says what the wire says, storing what is to be stored.
    pub fn say(&mut self, who: Sender, text: &str) -> Vec<Effect> {
        let (envelope, message) = ClientMessage::read(text).unwrap();
        let request = match message {
            ClientMessage::Offer(up) => MemberRequest::Relay(RelayKind::Offer, up),
            ClientMessage::Answer(up) => MemberRequest::Relay(RelayKind::Answer, up),
            ClientMessage::Chat(chat) => MemberRequest::Chat(chat),
            ClientMessage::UpdateMember(update) => MemberRequest::Update(update.payload),
            ClientMessage::Reaction(sign) => MemberRequest::Reaction(sign.payload),
            ClientMessage::ReportQuality(report) => MemberRequest::Report(report.payload),
            ClientMessage::LockRoom(_) => MemberRequest::Control(Control::Lock(true)),
            ClientMessage::UnlockRoom(_) => MemberRequest::Control(Control::Lock(false)),
            ClientMessage::EndRoom(_) => MemberRequest::Control(Control::End),
            ClientMessage::RemoveMember(at) => {
                MemberRequest::Control(Control::Remove { to: at.to })
            }
            ClientMessage::TransferHost(at) => {
                MemberRequest::Control(Control::Transfer { to: at.to })
            }
            ClientMessage::AdmitMember(at) => MemberRequest::Control(Control::Admit { to: at.to }),
            ClientMessage::DenyMember(at) => MemberRequest::Control(Control::Deny { to: at.to }),
            ClientMessage::MuteMember(mute) => MemberRequest::Control(Control::Mute {
                to: mute.to,
                source: mute.payload.source,
            }),
            other => panic!("{other:?}"),
        };
        let effects = self
            .state
            .handle_request(self.now, &mut self.rng, who, envelope, request);
        let mut done = Vec::new();
        for effect in effects {
            match effect {
                Effect::SaveChat(chat) => done.extend(self.state.chat_saved(chat)),
                Effect::HostCommand {
                    command: HostCommand::Lock(locked),
                    ..
                } => done.extend(self.change(|room| room.locked = locked)),
                other => done.push(other),
            }
        }
        done
    }
}

pub(super) fn applicant(who: Sender, features: Features) -> Applicant {
    Applicant {
        client: who.id,
        user: who.id,
        identity: who.id.to_string(),
        name: format!("member {}", who.socket.0),
        role: Role::Participant,
        kind: ParticipantKind::Video,
        grants: visavis_protocol::Grants::default(),
        speaks: false,
        pass: Pass::None,
        hidden: false,
        metadata: String::new(),
        features,
        secret: who.socket.0.into(),
    }
}

/// A secret that the test can tell: the socket's number.
pub(super) fn entry(socket: SocketId) -> Entry {
    Entry {
        socket,
        request_id: None,
        secret: socket.0.into(),
        ice_servers: ClientIceServers::default(),
        stun_url: None,
        token: None,
        creator: false,
    }
}

pub(super) fn client(number: u64) -> Sender {
    Sender {
        id: Uuid::from_u128(number.into()),
        socket: SocketId(number),
    }
}

pub(super) fn all_features() -> Features {
    Features::of(&[
        Feature::Members,
        Feature::Resume,
        Feature::Chat,
        Feature::Waiting,
        Feature::Controls,
        Feature::Reactions,
    ])
}

/// What goes where.
pub(super) fn sent(effects: &[Effect]) -> Vec<(u64, Value)> {
    let sent = effects.iter().filter_map(|effect| match effect {
        Effect::Send { to, frame } => Some((to.0, serde_json::from_str(frame).unwrap())),
        _ => None,
    });
    sent.collect()
}

/// Whom a message of this type goes to.
pub(super) fn told(effects: &[Effect], kind: &str) -> Vec<u64> {
    let sent = sent(effects);
    let told = sent.iter().filter(|(_, message)| message["type"] == kind);
    told.map(|(to, _)| *to).collect()
}

pub(super) fn error_code(effects: &[Effect]) -> Value {
    sent(effects)[0].1["code"].clone()
}

#[test]
fn one_who_is_inside_already_is_answered_again_and_nobody_else_hears_of_it() {
    let mut scene = Scene::new(0);
    let plain = Features::default();
    scene.join(client(1), plain);
    assert_eq!(told(&scene.join(client(2), plain), "member-joined"), [1]);
    let again = scene.join(client(2), plain);
    assert_eq!(told(&again, "room-joined"), [2]);
    assert_eq!(again.len(), 1);
    assert_eq!(scene.state.members.len(), 2);
}

#[test]
fn the_host_passes_to_the_longest_present_and_those_who_asked_learn_it() {
    let mut scene = Scene::new(0);
    for (number, features) in [
        (1, Features::default()),
        (2, all_features()),
        (3, Features::default()),
    ] {
        scene.join(client(number), features);
    }
    let effects = scene.state.leave(client(1));
    assert!(
        matches!(&effects[0], Effect::Left(who, WasHost(true)) if who.client == client(1).id),
        "stored first"
    );
    assert_eq!(told(&effects, "member-left"), [2, 3]);
    assert_eq!(told(&effects, "member-updated"), [2]);
    let sent = sent(&effects);
    let shown = sent.iter().find(|(_, m)| m["type"] == "member-updated");
    assert_eq!(shown.unwrap().1["member"]["role"], "host");
    assert_eq!(
        sent.last().unwrap().1["room"]["host"],
        client(2).id.to_string()
    );
}

#[test]
fn a_broken_socket_keeps_its_place_only_with_feature_resume_and_only_for_a_while() {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    scene.join(client(2), all_features());
    scene.join(client(3), Features::default());
    let plain = scene.state.gone(scene.now, client(3), true);
    assert_eq!(told(&plain, "member-left"), [1, 2]);
    let broken = scene.state.gone(scene.now, client(2), true);
    assert_eq!(told(&broken, "member-updated"), [1]);
    assert_eq!(sent(&broken)[0].1["member"]["connection"], "reconnecting");

    scene.pass(WINDOW - Duration::from_millis(1));
    assert!(scene.state.expire(scene.now).is_empty());
    scene.pass(Duration::from_millis(1));
    assert_eq!(told(&scene.state.expire(scene.now), "member-left"), [1]);
    assert_eq!(
        scene.resume(2, SocketId(9)).unwrap_err().code,
        ErrorCode::Unauthorized
    );
}

#[test]
fn a_closed_socket_keeps_nothing() {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    scene.state.gone(scene.now, client(1), false);
    assert!(scene.resume(1, SocketId(9)).is_err());
}

#[test]
fn one_who_resumes_gets_a_snapshot_and_then_what_was_kept_in_order() {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    scene.join(client(2), all_features());
    scene.state.gone(scene.now, client(2), true);
    let two = client(2).id;
    scene.say(
        client(1),
        &format!(r#"{{"type":"offer","to":"{two}","payload":{{"n":1}}}}"#),
    );
    scene.say(client(1), r#"{"type":"chat","payload":"still there?"}"#);
    scene.join(client(3), Features::default());

    let (id, effects) = scene.resume(2, SocketId(9)).unwrap();
    assert_eq!(id, two);
    let to_nine: Vec<Value> = sent(&effects)
        .into_iter()
        .filter(|(to, _)| *to == 9)
        .map(|(_, m)| m)
        .collect();
    let kinds: Vec<&str> = to_nine
        .iter()
        .map(|message| message["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["resumed", "room-updated", "offer", "chat", "member-updated"]
    );
    assert_eq!(
        to_nine[0]["room"]["participants"].as_array().unwrap().len(),
        3
    );
    assert_eq!(to_nine[0]["room"]["chat"][0]["payload"], "still there?");
    assert!(
        scene.resume(2, SocketId(10)).is_err(),
        "a token is good once"
    );
    assert!(scene.resume(9, SocketId(10)).is_ok(), "the new one is good");
}

#[test]
fn a_token_used_while_the_old_socket_lives_replaces_it() {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    let (_, effects) = scene.resume(1, SocketId(9)).unwrap();
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Close(SocketId(1), CloseCode::Replaced)))
    );
    assert!(
        scene.state.gone(scene.now, client(1), true).is_empty(),
        "the old one is nobody"
    );
    assert_eq!(
        error_code(&scene.say(client(1), r#"{"type":"chat","payload":1}"#)),
        "not-in-room"
    );
    assert_eq!(scene.state.members.len(), 1);
}

#[test]
fn a_call_is_an_offer_and_its_answer_and_ends_with_either() {
    let mut scene = Scene::new(0);
    let [one, two] = [client(1), client(2)];
    scene.join(one, Features::default());
    scene.join(two, Features::default());
    for (from, to, kind) in [(one, two, "offer"), (two, one, "answer")] {
        assert!(!scene.state.in_call());
        let text = format!(r#"{{"type":"{kind}","to":"{}","payload":{{}}}}"#, to.id);
        scene.say(from, &text);
    }
    assert!(scene.state.in_call());
    scene.state.leave(two);
    assert!(!scene.state.in_call());
    scene.state.leave(one);
    assert!(scene.state.is_idle());
}

#[test]
fn a_message_to_nobody_and_a_payload_that_is_no_object_are_refused() {
    let mut scene = Scene::new(0);
    scene.join(client(1), Features::default());
    for (text, code) in [
        (
            r#"{"type":"offer","to":"nobody","payload":{}}"#.to_owned(),
            "member-not-found",
        ),
        (
            format!(
                r#"{{"type":"offer","to":"{}","payload":{{}}}}"#,
                client(2).id
            ),
            "member-not-found",
        ),
        (
            format!(r#"{{"type":"offer","to":"{}","payload":[]}}"#, client(1).id),
            "bad-message",
        ),
        (
            r#"{"type":"chat","to":"nobody","payload":{}}"#.to_owned(),
            "member-not-found",
        ),
    ] {
        assert_eq!(error_code(&scene.say(client(1), &text)), code, "{text}");
    }
}

#[test]
fn a_chat_ids_owner_is_who_used_it_first() {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    let chat = r#"{"type":"chat","id":"m-1","payload":1}"#;
    assert_eq!(sent(&scene.say(client(1), chat))[0].1["id"], "m-1");
    assert_ne!(sent(&scene.say(client(1), chat))[0].1["id"], "m-1");
}

#[test]
fn a_newcomer_is_given_the_last_fifty_messages_but_no_others_private_ones() {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    scene.join(client(2), all_features());
    for number in 0..60 {
        scene.say(
            client(1),
            &format!(r#"{{"type":"chat","payload":{number}}}"#),
        );
    }
    scene.say(
        client(1),
        &format!(
            r#"{{"type":"chat","to":"{}","payload":"secret"}}"#,
            client(2).id
        ),
    );
    let joined = sent(&scene.join(client(3), all_features()))[0].1.clone();
    let chat = joined["room"]["chat"].as_array().unwrap().clone();
    assert_eq!(chat.len(), 49);
    assert_eq!(chat[0]["payload"], 11);
    assert_eq!(chat[48]["payload"], 59);
}

#[test]
fn the_history_given_to_a_newcomer_stays_small_whatever_is_said() {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    let long = "x".repeat(200 * 1024);
    for _ in 0..50 {
        scene.say(
            client(1),
            &format!(r#"{{"type":"chat","payload":"{long}"}}"#),
        );
    }
    let effects = scene.join(client(2), all_features());
    assert_eq!(
        sent(&effects)[0].1["room"]["chat"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

pub(super) fn control(kind: &str, to: Sender) -> String {
    format!(r#"{{"type":"{kind}","to":"{}"}}"#, to.id)
}

#[test]
fn a_full_rooms_line_moves_up_in_the_order_of_asking() {
    let mut scene = Scene::new(0);
    scene.change(|room| room.max_participants = 1);
    scene.join(client(1), Features::default());
    for number in 2..5 {
        let waiting = scene.check_entry(client(number), all_features()).unwrap();
        let told = &sent(&waiting)[0].1;
        assert_eq!(
            (&told["position"], &told["reason"]),
            (&(number - 1).into(), &"full".into())
        );
    }
    let full = scene.check_entry(client(9), Features::default());
    assert_eq!(full.unwrap_err().code, ErrorCode::RoomFull);
    scene.state.leave(client(3));
    let positions = sent(&scene.serve_queue());
    assert_eq!(positions.len(), 1, "{positions:?}");
    assert_eq!(
        (positions[0].0, &positions[0].1["position"]),
        (4, &2.into())
    );
    scene.state.leave(client(1));
    assert_eq!(told(&scene.serve_queue(), "room-joined"), [2]);
    assert!(!scene.state.is_idle());
}

#[test]
fn a_new_host_receives_the_pending_join_requests() {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    scene.join(client(2), all_features());
    scene.change(|room| room.waiting_room = true);
    let asked = scene.check_entry(client(3), all_features()).unwrap();
    assert_eq!(told(&asked, "join-request"), [1]);
    assert_eq!(
        error_code(&scene.say(client(2), &control("admit-member", client(3)))),
        "forbidden"
    );
    let handed = scene.say(client(1), &control("transfer-host", client(2)));
    assert_eq!(told(&handed, "join-request"), [2]);
    assert_eq!(told(&handed, "room-updated"), [1, 2]);
    scene.say(client(2), &control("admit-member", client(3)));
    assert_eq!(told(&scene.serve_queue(), "room-joined"), [3]);
    assert_eq!(
        error_code(&scene.say(client(2), &control("admit-member", client(3)))),
        "member-not-found"
    );
}

#[test]
fn a_locked_room_lets_in_only_whom_a_host_let_in() {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    scene.change(|room| (room.waiting_room, room.max_participants) = (true, 2));
    scene.check_entry(client(2), all_features()).unwrap();
    scene.join(client(3), all_features());
    scene.say(client(1), &control("admit-member", client(2)));
    assert_eq!(
        told(&scene.serve_queue(), "join-waiting"),
        [2],
        "now for a place"
    );
    scene.say(client(1), r#"{"type":"lock-room"}"#);
    let locked = scene.check_entry(client(4), all_features());
    assert_eq!(locked.unwrap_err().code, ErrorCode::RoomLocked);
    scene.state.leave(client(3));
    assert_eq!(told(&scene.serve_queue(), "room-joined"), [2]);
}

#[test]
fn where_nobody_needs_a_word_any_more_those_who_waited_come_in() {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    scene.change(|room| room.waiting_room = true);
    scene.check_entry(client(2), all_features()).unwrap();
    assert!(scene.state.next_in_queue().is_none());
    scene.change(|room| room.waiting_room = false);
    assert_eq!(told(&scene.serve_queue(), "room-joined"), [2]);
}

#[test]
fn a_host_by_right_and_the_host_may_both_run_the_room() {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    scene.join(client(2), all_features());
    let effects = scene.say(client(1), &control("transfer-host", client(2)));
    let saved = |effect: &Effect| matches!(effect, Effect::SaveHostChange { from, to } if (*from, *to) == (client(1).id, client(2).id));
    assert!(effects.iter().any(saved), "the store knows, too");
    let roles = scene.state.members.iter().map(|member| member.who.role);
    assert_eq!(roles.collect::<Vec<_>>(), [Role::Participant, Role::Host]);
    scene.join(client(3), all_features());
    scene.state.members[2].who.role = Role::Host;
    // One of two hosts hands its own place on, and the other keeps its.
    scene.say(client(3), &control("transfer-host", client(1)));
    assert_eq!(scene.state.host, Some(client(2).id));
    assert!(scene.state.is_host(0) && scene.state.is_host(1) && !scene.state.is_host(2));
}

#[test]
fn a_report_is_stored_now_and_then_and_names_only_who_is_inside() {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    scene.join(client(2), all_features());
    let report = format!(
        r#"{{"type":"report-quality","payload":{{"peers":[
            {{"id":"{}","connected":true,"roundTripMs":12.5}},{{"id":"x","connected":true}}]}}}}"#,
        client(2).id
    );
    let quality = |effects: &[Effect]| match effects {
        [Effect::Save { who, .. }] => who.quality.clone(),
        other => panic!("{other:?}"),
    };
    let stored = quality(&scene.say(client(1), &report)).unwrap();
    assert_eq!(stored["peers"].as_array().unwrap().len(), 1);
    assert_eq!(stored["peers"][0]["roundTripMs"], 12.5);
    assert!(scene.say(client(1), &report).is_empty(), "too soon");
    scene.pass(Duration::from_secs(30));
    assert_eq!(scene.say(client(1), &report).len(), 1);
}

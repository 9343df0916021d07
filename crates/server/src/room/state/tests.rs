//! The room by example. `walk.rs` beside this goes through it at random.

use serde_json::Value;
use time::OffsetDateTime;
use visavis_protocol::{ClientMessage, ErrorCode, Features, RelayKind};

use super::*;
use crate::refusal::Refusal;

pub(super) const WINDOW: Duration = Duration::from_secs(30);
pub(super) const TIMEOUT: Duration = Duration::from_secs(300);

/// A room with its own clock and its own dice.
pub(super) struct Scene {
    pub state: RoomState,
    pub now: Now,
    rng: rand::rngs::StdRng,
}

impl Scene {
    pub fn new(max_participants: u32, empty_timeout: Option<Duration>, seed: u64) -> Self {
        let room = RoomRecord {
            uid: Uuid::from_u128(0xF00D),
            code: "abc-defg-hij".to_owned(),
            name: "Tea".to_owned(),
            host: None,
            max_participants,
            metadata: None,
            empty_timeout,
            created_at: OffsetDateTime::UNIX_EPOCH,
        };
        Self {
            state: RoomState::new(room, Vec::new(), WINDOW),
            now: Now {
                instant: Instant::now(),
                utc: OffsetDateTime::UNIX_EPOCH,
            },
            rng: rand::SeedableRng::seed_from_u64(seed),
        }
    }

    pub fn pass(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.utc += time;
    }

    pub fn join(&mut self, who: Speaker, features: Features) -> Result<Vec<Effect>, Refusal> {
        let joiner = Joiner {
            entry: entry(who.socket),
            id: who.id,
            name: format!("member {}", who.socket.0),
            features,
            ice_servers: Vec::new(),
            creator: false,
        };
        self.state.join(self.now, joiner)
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
        self.state.resume(resumer, |_| Vec::new())
    }

    /// Says what the wire says, storing what is to be stored.
    pub fn say(&mut self, who: Speaker, text: &str) -> Vec<Effect> {
        let (envelope, message) = ClientMessage::read(text).unwrap();
        let saying = match message {
            ClientMessage::Offer(up) => Saying::Relay(RelayKind::Offer, up),
            ClientMessage::Answer(up) => Saying::Relay(RelayKind::Answer, up),
            ClientMessage::Chat(chat) => Saying::Chat(chat),
            ClientMessage::UpdateMember(update) => Saying::Update(update.payload),
            other => panic!("{other:?}"),
        };
        let effects = self
            .state
            .say(self.now, &mut self.rng, who, envelope, saying);
        let mut done = Vec::new();
        for effect in effects {
            match effect {
                Effect::SaveChat(chat) => done.extend(self.state.chat_saved(chat)),
                other => done.push(other),
            }
        }
        done
    }
}

/// A secret that the test can tell: the socket's number.
fn entry(socket: SocketId) -> Entry {
    Entry {
        socket,
        request_id: None,
        secret: socket.0.into(),
    }
}

pub(super) fn client(number: u64) -> Speaker {
    Speaker {
        id: Uuid::from_u128(number.into()),
        socket: SocketId(number),
    }
}

pub(super) fn all_features() -> Features {
    Features::of(&[Feature::Members, Feature::Resume, Feature::Chat])
}

/// What goes where.
fn sent(effects: &[Effect]) -> Vec<(u64, Value)> {
    let sent = effects.iter().filter_map(|effect| match effect {
        Effect::Send { to, frame } => Some((to.0, serde_json::from_str(frame).unwrap())),
        _ => None,
    });
    sent.collect()
}

/// Whom a message of this type goes to.
fn told(effects: &[Effect], kind: &str) -> Vec<u64> {
    let sent = sent(effects);
    let told = sent.iter().filter(|(_, message)| message["type"] == kind);
    told.map(|(to, _)| *to).collect()
}

fn error_code(effects: &[Effect]) -> Value {
    sent(effects)[0].1["code"].clone()
}

#[test]
fn the_last_place_is_given_once() {
    let mut scene = Scene::new(2, None, 0);
    let plain = Features::default();
    assert!(scene.join(client(1), plain).is_ok());
    assert_eq!(
        told(&scene.join(client(2), plain).unwrap(), "member-joined"),
        [1]
    );
    assert_eq!(
        scene.join(client(3), plain).unwrap_err().code,
        ErrorCode::RoomFull
    );
    assert_eq!(
        told(&scene.join(client(2), plain).unwrap(), "room-joined"),
        [2]
    );
    assert_eq!(scene.state.count(), 2);
}

#[test]
fn the_host_passes_to_the_longest_present_and_those_who_asked_learn_it() {
    let mut scene = Scene::new(0, None, 0);
    for (number, features) in [
        (1, Features::default()),
        (2, all_features()),
        (3, Features::default()),
    ] {
        scene.join(client(number), features).unwrap();
    }
    let effects = scene.state.leave(scene.now, client(1));
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::SaveHost(id) if *id == client(2).id))
    );
    assert_eq!(told(&effects, "member-left"), [2, 3]);
    assert_eq!(told(&effects, "member-updated"), [2]);
    assert_eq!(sent(&effects).last().unwrap().1["member"]["role"], "host");
}

#[test]
fn an_empty_room_is_deleted_after_its_time_counted_from_the_last_leave() {
    let mut scene = Scene::new(0, Some(TIMEOUT), 0);
    assert_eq!(scene.state.next_deadline(), None, "nobody has left yet");
    for _ in 0..2 {
        scene.join(client(1), Features::default()).unwrap();
        scene.state.leave(scene.now, client(1));
        scene.pass(TIMEOUT - Duration::from_secs(1));
        assert_eq!(scene.state.end(scene.now), None);
    }
    scene.pass(Duration::from_secs(1));
    assert_eq!(scene.state.next_deadline(), Some(scene.now.instant));
    assert_eq!(scene.state.end(scene.now), Some(End::Deleted));
}

#[test]
fn a_timeout_of_zero_is_at_once_and_without_one_the_room_sleeps() {
    for (timeout, end) in [(Some(Duration::ZERO), End::Deleted), (None, End::Idle)] {
        let mut scene = Scene::new(0, timeout, 0);
        assert_eq!(scene.state.end(scene.now), None, "nobody was inside");
        scene.join(client(1), Features::default()).unwrap();
        assert_eq!(scene.state.end(scene.now), None);
        scene.state.leave(scene.now, client(1));
        assert_eq!(scene.state.end(scene.now), Some(end));
    }
}

#[test]
fn a_broken_socket_keeps_its_place_only_with_feature_resume_and_only_for_a_while() {
    let mut scene = Scene::new(0, Some(TIMEOUT), 0);
    scene.join(client(1), all_features()).unwrap();
    scene.join(client(2), all_features()).unwrap();
    scene.join(client(3), Features::default()).unwrap();
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
    let mut scene = Scene::new(0, None, 0);
    scene.join(client(1), all_features()).unwrap();
    scene.state.gone(scene.now, client(1), false);
    assert!(scene.resume(1, SocketId(9)).is_err());
}

#[test]
fn one_who_resumes_gets_a_snapshot_and_then_what_was_kept_in_order() {
    let mut scene = Scene::new(0, None, 0);
    scene.join(client(1), all_features()).unwrap();
    scene.join(client(2), all_features()).unwrap();
    scene.state.gone(scene.now, client(2), true);
    let two = client(2).id;
    scene.say(
        client(1),
        &format!(r#"{{"type":"offer","to":"{two}","payload":{{"n":1}}}}"#),
    );
    scene.say(client(1), r#"{"type":"chat","payload":"still there?"}"#);
    scene.join(client(3), Features::default()).unwrap();

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
    assert_eq!(kinds, ["resumed", "offer", "chat", "member-updated"]);
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
    let mut scene = Scene::new(0, None, 0);
    scene.join(client(1), all_features()).unwrap();
    let (_, effects) = scene.resume(1, SocketId(9)).unwrap();
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Replace(SocketId(1))))
    );
    assert!(
        scene.state.gone(scene.now, client(1), true).is_empty(),
        "the old one is nobody"
    );
    assert_eq!(
        error_code(&scene.say(client(1), r#"{"type":"chat","payload":1}"#)),
        "not-in-room"
    );
    assert_eq!(scene.state.count(), 1);
}

#[test]
fn occupancy_goes_from_empty_to_active_to_in_call_and_back() {
    let mut scene = Scene::new(0, None, 0);
    let occupancy = |scene: &Scene| scene.state.overview().occupancy;
    let [one, two] = [client(1), client(2)];
    assert_eq!(occupancy(&scene), Occupancy::Empty);
    scene.join(one, Features::default()).unwrap();
    scene.join(two, Features::default()).unwrap();
    assert_eq!(occupancy(&scene), Occupancy::Active);
    scene.say(
        one,
        &format!(r#"{{"type":"offer","to":"{}","payload":{{}}}}"#, two.id),
    );
    assert_eq!(occupancy(&scene), Occupancy::Active);
    scene.say(
        two,
        &format!(r#"{{"type":"answer","to":"{}","payload":{{}}}}"#, one.id),
    );
    assert_eq!(occupancy(&scene), Occupancy::InCall);
    scene.state.leave(scene.now, two);
    assert_eq!(occupancy(&scene), Occupancy::Active);
    scene.state.leave(scene.now, one);
    assert_eq!(occupancy(&scene), Occupancy::Empty);
}

#[test]
fn a_message_to_nobody_and_a_payload_that_is_no_object_are_refused() {
    let mut scene = Scene::new(0, None, 0);
    scene.join(client(1), Features::default()).unwrap();
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
    let mut scene = Scene::new(0, None, 0);
    scene.join(client(1), all_features()).unwrap();
    let chat = r#"{"type":"chat","id":"m-1","payload":1}"#;
    assert_eq!(sent(&scene.say(client(1), chat))[0].1["id"], "m-1");
    assert_ne!(sent(&scene.say(client(1), chat))[0].1["id"], "m-1");
}

#[test]
fn a_newcomer_is_given_the_last_fifty_messages_but_no_others_private_ones() {
    let mut scene = Scene::new(0, None, 0);
    scene.join(client(1), all_features()).unwrap();
    scene.join(client(2), all_features()).unwrap();
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
    let joined = sent(&scene.join(client(3), all_features()).unwrap())[0]
        .1
        .clone();
    let chat = joined["room"]["chat"].as_array().unwrap().clone();
    assert_eq!(chat.len(), 49);
    assert_eq!(chat[0]["payload"], 11);
    assert_eq!(chat[48]["payload"], 59);
}

#[test]
fn the_history_given_to_a_newcomer_stays_small_whatever_is_said() {
    let mut scene = Scene::new(0, None, 0);
    scene.join(client(1), all_features()).unwrap();
    let long = "x".repeat(200 * 1024);
    for _ in 0..50 {
        scene.say(
            client(1),
            &format!(r#"{{"type":"chat","payload":"{long}"}}"#),
        );
    }
    let effects = scene.join(client(2), all_features()).unwrap();
    assert_eq!(
        sent(&effects)[0].1["room"]["chat"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

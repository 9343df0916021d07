//! The room at random: whatever happens in whatever order, some things hold.

use std::collections::{HashMap, HashSet};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use visavis_protocol::Features;

use super::tests::{Scene, WINDOW, all_features, client};
use super::*;

/// As many as the store would let in.
const MAX: usize = 5;

/// What plain room signalling knows, message by message.
fn is_plain(message: &Value) -> bool {
    let fields: &[&str] = match message["type"].as_str().unwrap() {
        "room-joined" => &["type", "room"],
        "member-joined" | "member-left" => &["type", "roomId", "memberId", "participants"],
        "offer" | "answer" => &["type", "from", "payload"],
        "chat" => &["type", "roomId", "from", "payload"],
        "error" => &["type", "code", "message", "roomId", "to", "requestId"],
        _ => return false,
    };
    let known = |object: &Value, fields: &[&str]| {
        let keys = object.as_object().unwrap().keys();
        keys.into_iter().all(|key| fields.contains(&key.as_str()))
    };
    known(message, fields)
        && (message["type"] != "room-joined" || known(&message["room"], &["id", "participants"]))
}

/// What the walk knows of the clients: their features, and who is on which socket.
struct Walk {
    scene: Scene,
    features: HashMap<SocketId, Features>,
    next_socket: u64,
}

impl Walk {
    fn step(&mut self, rng: &mut StdRng) -> (Option<SocketId>, Vec<Effect>) {
        let present: Vec<Speaker> = self
            .scene
            .state
            .members
            .iter()
            .filter_map(|member| {
                let Attachment::Here(socket) = member.attachment else {
                    return None;
                };
                Some(Speaker {
                    id: member.id(),
                    socket,
                })
            })
            .collect();
        let stranger = client(1_000_000);
        let mut anyone = || match present.len() {
            0 => stranger,
            len => present[rng.random_range(0..len)],
        };
        let (who, whom) = (anyone(), anyone());
        let now = self.scene.now;
        let effects = match rng.random_range(0..10) {
            0..=2 => {
                self.next_socket += 1;
                let newcomer = client(self.next_socket);
                let features = if rng.random() {
                    all_features()
                } else {
                    Features::default()
                };
                self.features.insert(newcomer.socket, features);
                if self.scene.state.members.len() >= MAX {
                    return (None, Vec::new());
                }
                let joined = self.scene.join(newcomer, features);
                return (Some(newcomer.socket), joined);
            }
            3 => self.scene.state.leave(who),
            4 => self.scene.state.gone(now, who, rng.random()),
            5 => {
                self.next_socket += 1;
                let socket = SocketId(self.next_socket);
                self.features.insert(socket, all_features());
                let proof = rng.random_range(0..=self.next_socket);
                return match self.scene.resume(proof, socket) {
                    Ok((_, effects)) => (Some(socket), effects),
                    Err(_) => (None, Vec::new()),
                };
            }
            6 => self.scene.say(
                who,
                &format!(r#"{{"type":"offer","to":"{}","payload":{{}}}}"#, whom.id),
            ),
            7 => self.scene.say(
                who,
                &format!(r#"{{"type":"answer","to":"{}","payload":{{}}}}"#, whom.id),
            ),
            8 => self.scene.say(who, r#"{"type":"chat","payload":"x"}"#),
            _ => {
                self.scene
                    .pass(Duration::from_secs(rng.random_range(0..20)));
                self.scene.state.expire(self.scene.now)
            }
        };
        (Some(who.socket), effects)
    }

    fn check(&self, speaker: Option<SocketId>, effects: &[Effect]) {
        let state = &self.scene.state;
        let ids: HashSet<ClientId> = state.members.iter().map(Member::id).collect();
        assert_eq!(ids.len(), state.members.len(), "participants are unique");
        assert!(state.members.len() <= MAX, "the limit holds");
        assert_eq!(
            state.members.is_empty(),
            state.host.is_none(),
            "a host as long as anyone is in"
        );
        assert!(
            state.host.is_none_or(|host| ids.contains(&host)),
            "the host is inside"
        );
        let here = |socket| state.members.iter().any(|member| member.is_on(socket));
        for effect in effects {
            let Effect::Send { to, frame } = effect else {
                continue;
            };
            assert!(
                here(*to) || Some(*to) == speaker,
                "to a present member, or an answer"
            );
            let message: Value = serde_json::from_str(frame).unwrap();
            let features = self.features.get(to).copied().unwrap_or_default();
            assert!(!features.is_empty() || is_plain(&message), "{message}");
            if let Some(room) = message["participants"].as_array() {
                assert!(room.len() <= MAX);
            }
        }
        assert_eq!(state.is_idle(), state.members.is_empty());
        assert!(!state.in_call() || state.members.len() >= 2);
        if state
            .members
            .iter()
            .any(|member| matches!(member.attachment, Attachment::Away { .. }))
        {
            assert!(state.next_deadline().unwrap() <= self.scene.now.instant + WINDOW);
        }
    }
}

#[test]
fn whatever_happens_the_room_keeps_its_promises() {
    for seed in 0..40 {
        println!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let mut walk = Walk {
            scene: Scene::new(seed),
            features: HashMap::new(),
            next_socket: 0,
        };
        let mut most = 0;
        for _ in 0..400 {
            let (speaker, effects) = walk.step(&mut rng);
            walk.check(speaker, &effects);
            most = most.max(walk.scene.state.members.len());
        }
        assert_eq!(most, MAX, "the walk filled the room");
    }
}

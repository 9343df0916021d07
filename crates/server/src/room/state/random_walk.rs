//! The room at random: whatever happens in whatever command, some things hold.

use std::collections::{HashMap, HashSet};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use visavis_protocol::Features;

use super::tests::{Scene, WINDOW, all_features, client, sent};
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

/// What the walk knows of the clients: their features, which of them wait, and the
/// last `room-updated` and queue position that each received.
struct RandomWalk {
    scene: Scene,
    features: HashMap<SocketId, Features>,
    next_socket: u64,
    waiting: HashSet<SocketId>,
    room: HashMap<SocketId, Value>,
    place: HashMap<SocketId, (Value, Value)>,
}

impl RandomWalk {
    fn new(seed: u64) -> Self {
        let mut scene = Scene::new(seed);
        let most = u32::try_from(MAX).unwrap();
        scene.change(|room| room.max_participants = most);
        Self {
            scene,
            features: HashMap::new(),
            next_socket: 0,
            waiting: HashSet::new(),
            room: HashMap::new(),
            place: HashMap::new(),
        }
    }

    /// A client asks to join: it enters, waits, or is refused at once.
    fn check_entry(&mut self, rng: &mut StdRng) -> (Option<SocketId>, Vec<Effect>) {
        self.next_socket += 1;
        let newcomer = client(self.next_socket);
        let features = if rng.random() {
            all_features()
        } else {
            Features::default()
        };
        self.features.insert(newcomer.socket, features);
        match self.scene.check_entry(newcomer, features) {
            Ok(effects) => {
                self.waiting.insert(newcomer.socket);
                (Some(newcomer.socket), effects)
            }
            Err(_) => (None, Vec::new()),
        }
    }

    /// One who waits changes its mind.
    fn give_up(&mut self, rng: &mut StdRng) {
        let Some(socket) = self.waiting.iter().min_by_key(|one| one.0).copied() else {
            return;
        };
        let waiter = client(socket.0);
        if rng.random() {
            self.scene.state.leave(waiter);
        } else {
            self.scene.state.gone(self.scene.now, waiter, rng.random());
        }
        self.waiting.remove(&socket);
    }

    fn step(&mut self, rng: &mut StdRng) -> (Option<SocketId>, Vec<Effect>) {
        let present: Vec<Sender> = self
            .scene
            .state
            .members
            .iter()
            .filter_map(|member| {
                let Attachment::Here(socket) = member.attachment else {
                    return None;
                };
                Some(Sender {
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
        let to = |kind: &str, id: ClientId| format!(r#"{{"type":"{kind}","to":"{id}"}}"#);
        let latest = self.waiting.iter().max_by_key(|one| one.0);
        let pending_join = latest.map_or(whom.id, |one| client(one.0).id);
        let effects = match rng.random_range(0..18) {
            0..=3 => return self.check_entry(rng),
            // Nobody could ever come in again.
            _ if self.scene.state.members.is_empty() && rng.random() => self
                .scene
                .change(|room| (room.locked, room.waiting_room) = (false, false)),
            9 => self
                .scene
                .change(|room| room.waiting_room = !room.waiting_room),
            10 => self.scene.say(who, &to("transfer-host", whom.id)),
            11 => self.scene.say(who, &to("remove-member", whom.id)),
            12 => self.scene.say(who, &to("admit-member", pending_join)),
            13 => self.scene.say(who, &to("deny-member", pending_join)),
            14 => self.scene.say(who, r#"{"type":"lock-room"}"#),
            15 => self.scene.say(who, r#"{"type":"unlock-room"}"#),
            16 => {
                self.give_up(rng);
                Vec::new()
            }
            17 => self.scene.state.leave(who),
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

    /// Records what each client received; each waiting client is answered once.
    fn hear(&mut self, effects: &[Effect]) {
        for (to, message) in sent(effects) {
            let to = SocketId(to);
            match message["type"].as_str().unwrap() {
                "room-joined" => assert!(self.waiting.remove(&to), "answered once"),
                "error" if message["code"] == "denied" || message["code"] == "room-ended" => {
                    assert!(self.waiting.remove(&to), "answered once");
                }
                "room-updated" => {
                    self.room.insert(to, message["room"].clone());
                }
                "join-waiting" => {
                    let place = (message["reason"].clone(), message["position"].clone());
                    self.place.insert(to, place);
                }
                _ => {}
            }
        }
    }

    /// Each client has received the current state.
    fn check_received(&self) {
        let state = &self.scene.state;
        for member in &state.members {
            if let Attachment::Here(socket) = member.attachment
                && member.features().has(Feature::Controls)
            {
                let room = &self.room[&socket];
                let host = state.host.map(|host| host.to_string());
                assert_eq!(room["host"].as_str(), host.as_deref());
                assert_eq!(room["locked"], state.room.locked);
                assert_eq!(room["waitingRoom"], state.room.waiting_room);
            }
        }
        let waiting: HashSet<SocketId> = state.waiting_sockets().map(|(to, _)| to).collect();
        assert_eq!(waiting, self.waiting, "nobody waits for nothing");
        let mut counts = HashMap::new();
        for (socket, reason) in state.waiting_sockets() {
            let reason = serde_json::to_value(reason).unwrap();
            let position: &mut u32 = counts.entry(reason.to_string()).or_default();
            *position += 1;
            assert_eq!(self.place[&socket], (reason, (*position).into()));
        }
    }

    fn check(&self, sender: Option<SocketId>, effects: &[Effect]) {
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
            let message: Value = serde_json::from_str(frame).unwrap();
            let evict = message["type"] == "member-removed" || message["type"] == "error";
            assert!(
                here(*to) || Some(*to) == sender || self.waiting.contains(to) || evict,
                "to a present member, to one who waits, or an answer: {message}"
            );
            let features = self.features.get(to).copied().unwrap_or_default();
            assert!(!features.is_empty() || is_plain(&message), "{message}");
            if let Some(room) = message["participants"].as_array() {
                assert!(room.len() <= MAX);
            }
        }
        let anyone = !state.members.is_empty() || !self.waiting.is_empty();
        assert_eq!(state.is_idle(), !anyone);
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
    let (mut most, mut longest) = (0, 0);
    for seed in 0..40 {
        println!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let mut walk = RandomWalk::new(seed);
        for _ in 0..600 {
            let (sender, mut effects) = walk.step(&mut rng);
            walk.check(sender, &effects);
            walk.hear(&effects);
            effects = walk.scene.serve_queue();
            walk.check(sender, &effects);
            walk.hear(&effects);
            walk.check_received();
            longest = longest.max(walk.waiting.len());
            most = most.max(walk.scene.state.members.len());
        }
        let over = (Refusal::room_ended(), ClosedReason::TimeOver);
        let effects = walk.scene.state.end(over.0, over.1);
        walk.hear(&effects);
        assert!(
            walk.waiting.is_empty(),
            "each waiting client is answered at the end"
        );
    }
    assert_eq!(most, MAX, "the walk filled the room");
    assert!(longest > 1, "some had to wait");
}

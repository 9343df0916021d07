//! Announcements of joins and departures in small and large rooms.

use std::collections::{BTreeSet, HashMap};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use visavis_protocol::limits::{LARGE_ROOM_MEMBERS, MAX_MESSAGE_BYTES};
use visavis_protocol::{Features, Grants, RoomKind};

use super::tests::{Scene, all_features, client, control, sent, told};
use super::*;

const INTERVAL: Duration = visavis_protocol::limits::MEMBERS_CHANGED_INTERVAL;

fn viewer() -> Grants {
    Grants {
        can_publish: false,
        can_publish_data: Some(true),
        ..Grants::default()
    }
}

impl Scene {
    fn watch(&mut self, who: Sender, features: Features) -> Vec<Effect> {
        let effects = self.join_as(who, features, viewer());
        self.state.start_intervals(self.now.instant);
        effects
    }

    fn leave(&mut self, who: Sender) -> Vec<Effect> {
        let effects = self.state.leave(who);
        self.state.start_intervals(self.now.instant);
        effects
    }

    /// Lets intervals pass until no change is pending.
    fn flush(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        loop {
            self.state.start_intervals(self.now.instant);
            if self.state.membership.next_deadline().is_none() {
                return effects;
            }
            self.pass(INTERVAL);
            effects.extend(self.state.expire(self.now));
        }
    }
}

/// A room with a host and viewers, as many as are no large room yet, all announced.
fn room(features: Features) -> Scene {
    let mut scene = Scene::new(0);
    scene.change(|room| room.kind = RoomKind::Broadcast);
    scene.join(client(1), all_features());
    for number in 2..=LARGE_ROOM_MEMBERS as u64 {
        scene.watch(client(number), features);
    }
    scene
}

fn of_kind(effects: &[Effect], to: u64, kind: &str) -> Vec<Value> {
    let sent = sent(effects).into_iter();
    let messages = sent.filter(|(socket, message)| *socket == to && message["type"] == kind);
    messages.map(|(_, message)| message).collect()
}

fn ids(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap().iter();
    list.map(|one| one["id"].as_str().or(one.as_str()).unwrap().to_owned())
        .collect()
}

#[test]
fn a_delta_has_the_member_and_the_count_and_no_list() {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    scene.join(client(2), Features::default());
    let joined = scene.join(client(3), Features::default());
    let delta = &of_kind(&joined, 1, "member-joined")[0];
    assert_eq!(delta["count"], 3);
    assert_eq!(delta["member"]["id"], client(3).id.to_string());
    assert!(delta.get("participants").is_none());
    let plain = &of_kind(&joined, 2, "member-joined")[0];
    assert_eq!(plain["participants"].as_array().unwrap().len(), 3);
    assert!(plain.get("count").is_none() && plain.get("member").is_none());
    let left = scene.state.leave(client(3));
    let delta = &of_kind(&left, 1, "member-left")[0];
    assert_eq!(
        (&delta["count"], delta.get("participants")),
        (&2.into(), None)
    );
    let plain = &of_kind(&left, 2, "member-left")[0];
    assert_eq!(plain["participants"].as_array().unwrap().len(), 2);
}

#[test]
fn viewers_of_a_large_room_are_announced_together_after_an_interval() {
    let mut scene = room(all_features());
    let first = scene.watch(client(101), all_features());
    assert!(told(&first, "member-joined").is_empty());
    scene.pass(INTERVAL / 2);
    scene.watch(client(102), all_features());
    let left = scene.leave(client(2));
    assert!(told(&left, "member-left").is_empty());
    assert!(scene.state.expire(scene.now).is_empty(), "too early");
    scene.pass(INTERVAL / 2);
    assert!(scene.state.next_deadline().unwrap() <= scene.now.instant);
    let changed = scene.state.expire(scene.now);
    let changed = of_kind(&changed, 1, "members-changed");
    assert_eq!(changed.len(), 1);
    let both = [101, 102].map(|number| client(number).id.to_string());
    assert_eq!(ids(&changed[0]["joined"]), both);
    assert_eq!(ids(&changed[0]["left"]), [client(2).id.to_string()]);
    assert_eq!(changed[0]["count"], scene.state.members.len());
    assert!(scene.state.next_deadline().is_none());
}

#[test]
fn a_viewer_that_comes_and_goes_within_an_interval_is_not_announced() {
    let mut scene = room(all_features());
    scene.watch(client(101), all_features());
    scene.leave(client(101));
    assert!(told(&scene.flush(), "members-changed").is_empty());
}

#[test]
fn a_viewer_that_a_newcomer_saw_in_its_list_is_announced_as_left() {
    let mut scene = room(all_features());
    scene.watch(client(101), all_features());
    scene.watch(client(102), all_features());
    scene.leave(client(101));
    let changed = scene.flush();
    let changed = &of_kind(&changed, 102, "members-changed")[0];
    assert_eq!(ids(&changed["left"]), [client(101).id.to_string()]);
}

#[test]
fn a_participant_of_a_large_room_is_announced_at_once() {
    let mut scene = room(all_features());
    scene.watch(client(101), all_features());
    let joined = scene.join(client(102), all_features());
    assert_eq!(told(&joined, "member-joined").len(), LARGE_ROOM_MEMBERS + 1);
    let left = scene.leave(client(102));
    assert_eq!(told(&left, "member-left").len(), LARGE_ROOM_MEMBERS + 1);
}

#[test]
fn a_count_that_included_a_pending_viewer_is_corrected() {
    let mut scene = room(all_features());
    let speaker = client(101);
    scene.join(speaker, all_features());
    scene.watch(client(102), all_features());
    scene.leave(speaker);
    scene.leave(client(102));
    let changed = scene.flush();
    let changed = &of_kind(&changed, 1, "members-changed")[0];
    assert_eq!(changed["count"], LARGE_ROOM_MEMBERS);
}

#[test]
fn a_pending_viewer_that_becomes_host_is_announced_at_once() {
    let mut scene = room(all_features());
    scene.watch(client(101), all_features());
    let promoted = scene.say(client(1), &control("transfer-host", client(101)));
    let joined = of_kind(&promoted, 2, "member-joined");
    assert_eq!(joined[0]["member"]["role"], "host");
    let updated = of_kind(&promoted, 101, "member-updated");
    assert_eq!(updated[1]["memberId"], client(101).id.to_string());
    assert_eq!(
        of_kind(&promoted, 2, "member-updated").len(),
        1,
        "of the old host"
    );
    assert!(told(&scene.flush(), "members-changed").is_empty());
}

#[test]
fn an_offer_of_a_pending_viewer_comes_after_its_announcement() {
    let mut scene = room(all_features());
    scene.watch(client(101), all_features());
    let to = client(1).id;
    let offer = format!(r#"{{"type":"offer","to":"{to}","payload":{{}}}}"#);
    let sent = sent(&scene.say(client(101), &offer));
    let kinds: Vec<_> = sent.iter().map(|(to, one)| (*to, &one["type"])).collect();
    assert_eq!(kinds, [(1, &"member-joined".into()), (1, &"offer".into())]);
    scene.leave(client(101));
    let changed = scene.flush();
    let changed = &of_kind(&changed, 1, "members-changed")[0];
    assert_eq!(ids(&changed["left"]), [client(101).id.to_string()]);
}

#[test]
fn a_pending_viewers_update_goes_to_itself_and_into_its_announcement() {
    let mut scene = room(all_features());
    scene.watch(client(101), all_features());
    let update = r#"{"type":"update-member","payload":{"name":"Bo"}}"#;
    assert_eq!(
        told(&scene.say(client(101), update), "member-updated"),
        [101]
    );
    let changed = scene.flush();
    let changed = &of_kind(&changed, 1, "members-changed")[0];
    assert_eq!(changed["joined"][0]["name"], "Bo");
}

#[test]
fn plain_clients_of_a_large_room_get_every_change_in_order_with_the_list_of_its_time() {
    let mut scene = room(Features::default());
    let plain = Features::default();
    let joined = [
        scene.watch(client(101), plain),
        scene.watch(client(102), plain),
        scene.leave(client(101)),
    ];
    for effects in &joined {
        assert!(told(effects, "member-joined").is_empty());
        assert!(told(effects, "member-left").is_empty());
    }
    let flushed = scene.flush();
    let heard = |to: u64| -> Vec<(String, u64, usize)> {
        let sent = sent(&flushed)
            .into_iter()
            .filter(|(socket, _)| *socket == to);
        sent.map(|(_, one)| {
            let kind = one["type"].as_str().unwrap().to_owned();
            let who: Uuid = one["memberId"].as_str().unwrap().parse().unwrap();
            let list = one["participants"].as_array().unwrap().len();
            (kind, u64::try_from(who.as_u128()).unwrap(), list)
        })
        .collect()
    };
    let before = LARGE_ROOM_MEMBERS;
    let (joined, left) = ("member-joined".to_owned(), "member-left".to_owned());
    let last = (left, 101, before + 1);
    let all = [
        (joined.clone(), 101, before + 1),
        (joined, 102, before + 2),
        last.clone(),
    ];
    assert_eq!(heard(2), all);
    assert_eq!(heard(102), [last], "what came before is in its list");
}

#[test]
fn a_plain_client_gets_waiting_changes_before_a_chat_message() {
    let mut scene = room(Features::default());
    scene.watch(client(101), Features::default());
    let said = scene.say(client(101), r#"{"type":"chat","payload":1}"#);
    let to_two = sent(&said).into_iter().filter(|(to, _)| *to == 2);
    let kinds: Vec<_> = to_two.map(|(_, one)| one["type"].clone()).collect();
    assert_eq!(kinds, ["member-joined", "chat"]);
}

#[test]
fn a_broadcast_lists_who_may_publish_and_the_receiver() {
    let mut scene = room(all_features());
    let joined = scene.watch(client(101), all_features());
    let room = &of_kind(&joined, 101, "room-joined")[0]["room"];
    let expected = [1, 101].map(|number| client(number).id.to_string());
    assert_eq!(ids(&room["members"]), expected);
    assert_eq!(room["viewerCount"], LARGE_ROOM_MEMBERS - 1);
    let all = room["participants"].as_array().unwrap();
    assert_eq!(all.len(), LARGE_ROOM_MEMBERS + 1);
}

#[test]
fn a_large_batch_is_sent_in_messages_below_the_limit() {
    let mut scene = room(all_features());
    for number in 101..401 {
        scene.watch(client(number), all_features());
    }
    let name = "\u{fffd}".repeat(100);
    for member in &mut scene.state.members {
        member.who.name = name.clone();
    }
    let flushed = scene.flush();
    let mut joined = 0;
    for changed in of_kind(&flushed, 1, "members-changed") {
        assert!(changed.to_string().len() < MAX_MESSAGE_BYTES);
        joined += changed["joined"].as_array().unwrap().len();
    }
    assert_eq!(joined, 300);
}

/// What each client with feature `members` knows from its messages.
#[derive(Default)]
struct Views(HashMap<u64, (BTreeSet<String>, Value)>);

impl Views {
    fn hear(&mut self, effects: &[Effect]) {
        for (to, message) in sent(effects) {
            let (view, count) = self.0.entry(to).or_default();
            match message["type"].as_str().unwrap() {
                "room-joined" | "resumed" => {
                    *view = ids(&message["room"]["participants"]).into_iter().collect();
                    *count = view.len().into();
                }
                "member-joined" => {
                    view.insert(message["memberId"].as_str().unwrap().to_owned());
                    *count = message["count"].clone();
                }
                "member-left" => {
                    view.remove(message["memberId"].as_str().unwrap());
                    *count = message["count"].clone();
                }
                "members-changed" => {
                    for left in ids(&message["left"]) {
                        view.remove(&left);
                    }
                    view.extend(ids(&message["joined"]));
                    *count = message["count"].clone();
                }
                _ => {}
            }
        }
    }

    fn check(&self, state: &RoomState) {
        let inside: BTreeSet<_> = state
            .members
            .iter()
            .map(|one| one.id().to_string())
            .collect();
        for member in &state.members {
            if let Attachment::Here(socket) = member.attachment {
                let (view, count) = &self.0[&socket.0];
                assert_eq!(view, &inside, "{}", member.id());
                assert_eq!(*count, inside.len(), "{}", member.id());
            }
        }
    }
}

#[test]
fn clients_that_apply_the_changes_know_who_is_inside() {
    for seed in 0..8 {
        println!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let mut scene = Scene::new(seed);
        scene.change(|room| room.kind = RoomKind::Broadcast);
        let mut views = Views::default();
        views.hear(&scene.join(client(1), all_features()));
        let mut last = 1;
        for _ in 0..47 {
            last += 1;
            views.hear(&scene.watch(client(last), all_features()));
        }
        for step in 0..400 {
            let here: Vec<Sender> = (scene.state.members.iter())
                .filter_map(|member| match member.attachment {
                    Attachment::Here(socket) => Some(Sender {
                        id: member.id(),
                        socket,
                    }),
                    _ => None,
                })
                .collect();
            let who = here[rng.random_range(0..here.len())];
            let host = here.iter().find(|one| scene.state.host == Some(one.id));
            let effects = match rng.random_range(0..12) {
                0..=2 => {
                    last += 1;
                    scene.watch(client(last), all_features())
                }
                3 => {
                    last += 1;
                    scene.join(client(last), all_features())
                }
                4..=6 if here.len() > 45 => {
                    let effects = scene.leave(who);
                    // The same client may join again at once.
                    let again = match rng.random_range(0..3) {
                        0 => scene.watch(who, all_features()),
                        1 => scene.join(who, all_features()),
                        _ => Vec::new(),
                    };
                    effects.into_iter().chain(again).collect()
                }
                7 => scene.state.gone(scene.now, who, true),
                8 => {
                    last += 1;
                    let secret = rng.random_range(1..=last);
                    let resumed = scene.resume(secret, SocketId(last));
                    resumed.map(|(_, effects)| effects).unwrap_or_default()
                }
                9 => match host {
                    Some(host) => scene.say(*host, &control("transfer-host", who)),
                    None => Vec::new(),
                },
                10 => {
                    let to = here[rng.random_range(0..here.len())].id;
                    scene.say(
                        who,
                        &format!(r#"{{"type":"offer","to":"{to}","payload":{{}}}}"#),
                    )
                }
                _ => {
                    scene.pass(Duration::from_millis(rng.random_range(0..1_500)));
                    scene.state.expire(scene.now)
                }
            };
            views.hear(&effects);
            scene.state.start_intervals(scene.now.instant);
            if step % 20 == 0 {
                views.hear(&scene.flush());
                views.check(&scene.state);
            }
        }
    }
}

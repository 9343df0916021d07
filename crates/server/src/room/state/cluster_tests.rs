//! The room on two nodes, by example: each hears what the other publishes.

use std::collections::VecDeque;

use visavis_protocol::{Features, Grants, TrackSource};

use super::tests::{Scene, WINDOW, all_features, client, control, entry, error_code, sent, told};
use super::*;
use crate::model::ParticipantUpdate;
use crate::model::SecretHash;

struct Pair {
    nodes: [Scene; 2],
}

impl Pair {
    fn new() -> Self {
        let nodes = ["here", "there"].map(|node| {
            let mut scene = Scene::new(0);
            scene.node = node;
            scene
        });
        Self { nodes }
    }

    /// Someone comes in on a node, a moment after the one before.
    fn join(&mut self, node: usize, who: Sender, features: Features) -> Vec<Effect> {
        for scene in &mut self.nodes {
            scene.pass(Duration::from_millis(1));
        }
        let effects = self.nodes[node].join(who, features);
        self.pass_on(node, effects)
    }

    fn say(&mut self, node: usize, who: Sender, text: &str) -> Vec<Effect> {
        let effects = self.nodes[node].say(who, text);
        self.pass_on(node, effects)
    }

    /// Tells each node what the other publishes, as it is written on its way,
    /// until neither has more to tell; what there is to do besides.
    fn pass_on(&mut self, node: usize, effects: Vec<Effect>) -> Vec<Effect> {
        let on = |node| move |effect| (node, effect);
        let mut queue: VecDeque<_> = effects.into_iter().map(on(node)).collect();
        let mut rest = Vec::new();
        while let Some((node, effect)) = queue.pop_front() {
            // A host change is published when it is stored.
            let effect = match effect {
                Effect::SaveHostChange { from, to } => {
                    Effect::Publish(ClusterMessage::Host { from, to })
                }
                effect => effect,
            };
            match effect {
                Effect::Publish(cluster_message) => {
                    let cluster_message = serde_json::to_string(&cluster_message).unwrap();
                    let cluster_message = serde_json::from_str(&cluster_message).unwrap();
                    let heard = self.nodes[1 - node]
                        .state
                        .apply_cluster_message(cluster_message);
                    queue.extend(heard.into_iter().map(on(1 - node)));
                }
                effect => rest.push(effect),
            }
        }
        rest
    }

    /// Who is inside, in the order of joining: the same on both.
    fn command(&self) -> Vec<ClientId> {
        let [here, there] = [0, 1].map(|node| {
            let members = &self.nodes[node].state.members;
            members.iter().map(Member::id).collect::<Vec<_>>()
        });
        assert_eq!(here, there);
        here
    }

    fn host(&self) -> Option<ClientId> {
        let [here, there] = [0, 1].map(|node| self.nodes[node].state.host);
        assert_eq!(here, there);
        here
    }

    /// As the store has someone of this node.
    fn stored(&self, node: usize, who: Sender) -> Participant {
        let state = &self.nodes[node].state;
        state.members[state.find(who.id).unwrap()].who.clone()
    }
}

/// A pair with one member on each node and one more on the first.
fn three() -> (Pair, [Sender; 3]) {
    let mut pair = Pair::new();
    let all = [1, 2, 3].map(client);
    for (node, who) in [0, 1, 0].into_iter().zip(all) {
        pair.join(node, who, all_features());
    }
    (pair, all)
}

#[test]
fn those_on_two_nodes_are_in_one_room_in_the_order_of_joining() {
    let mut pair = Pair::new();
    let [one, two, three] = [1, 2, 3].map(client);
    pair.join(0, one, all_features());
    let second = pair.join(1, two, all_features());
    assert_eq!(told(&second, "member-joined"), [1]);
    assert!(told(&second, "member-updated").is_empty());
    let third = pair.join(0, three, Features::default());
    assert_eq!(told(&third, "member-joined"), [1, 2]);
    assert_eq!(pair.command(), [one.id, two.id, three.id]);
    assert_eq!(pair.host(), Some(one.id));
    assert_eq!(pair.nodes[0].state.node_of(two.id), Some("there"));
    assert_eq!(pair.nodes[0].state.node_of(one.id), None);

    let left = pair.nodes[0].state.leave(one);
    let left = pair.pass_on(0, left);
    assert_eq!(told(&left, "member-left"), [3, 2]);
    assert_eq!(pair.command(), [two.id, three.id]);
    assert_eq!(pair.host(), Some(two.id));
}

#[test]
fn a_late_message_about_the_first_member_puts_it_first() {
    let mut pair = Pair::new();
    let [one, two] = [1, 2].map(client);
    let late = pair.nodes[0].join(one, all_features());
    pair.join(1, two, all_features());
    pair.pass_on(0, late);
    assert_eq!(pair.command(), [one.id, two.id]);
}

#[test]
fn what_is_said_on_one_node_is_heard_once_by_all_whom_it_is_for() {
    let (mut pair, [one, two, three]) = three();
    let said = pair.say(1, two, r#"{"type":"chat","payload":"to all"}"#);
    assert_eq!(told(&said, "chat"), [2, 1, 3]);
    let direct = format!(r#"{{"type":"chat","to":"{}","payload":1}}"#, three.id);
    assert_eq!(told(&pair.say(1, two, &direct), "chat"), [2, 3]);
    let sign = pair.say(0, one, r#"{"type":"reaction","payload":{"emoji":"x"}}"#);
    assert_eq!(told(&sign, "reaction"), [1, 3, 2]);
    let joined = pair.join(1, client(4), all_features());
    let chat = &sent(&joined)[0].1["room"]["chat"];
    assert_eq!(chat.as_array().unwrap().len(), 1, "not what is private");
}

#[test]
fn a_call_between_two_nodes_is_known_to_both_until_one_leaves() {
    let (mut pair, [one, two, _]) = three();
    for (node, from, to, kind) in [(0, one, two, "offer"), (1, two, one, "answer")] {
        let text = format!(r#"{{"type":"{kind}","to":"{}","payload":{{}}}}"#, to.id);
        let said = pair.say(node, from, &text);
        assert_eq!(told(&said, kind), [to.socket.0]);
    }
    assert!(pair.nodes.iter().all(|scene| scene.state.in_call()));
    let left = pair.nodes[1].state.leave(two);
    pair.pass_on(1, left);
    assert!(!pair.nodes.iter().any(|scene| scene.state.in_call()));
}

#[test]
fn a_host_mutes_removes_and_hands_on_to_those_on_another_node() {
    let (mut pair, [one, two, three]) = three();
    let mute = format!(
        r#"{{"type":"mute-member","to":"{}","payload":{{"source":"camera"}}}}"#,
        two.id
    );
    assert_eq!(told(&pair.say(0, one, &mute), "mute-member"), [2]);
    pair.say(0, one, &control("transfer-host", two));
    assert_eq!(pair.host(), Some(two.id));
    let removed = pair.say(1, two, &control("remove-member", three));
    assert_eq!(told(&removed, "member-removed"), [3]);
    assert_eq!(told(&removed, "member-left"), [1, 2]);
    assert_eq!(pair.command(), [one.id, two.id]);
    let refused = pair.say(0, one, &control("remove-member", two));
    assert_eq!(error_code(&refused), "forbidden");
}

#[test]
fn an_administrators_word_is_carried_out_where_the_member_is() {
    let (mut pair, [_, two, _]) = three();
    let update = ParticipantUpdate {
        name: Some("Bob".to_owned()),
        metadata: Some("m".to_owned()),
        grants: Some(Grants {
            can_publish: false,
            ..Grants::default()
        }),
    };
    let amended = pair.nodes[0].state.apply_update(two.id, update.clone());
    let amended = pair.pass_on(0, amended.unwrap());
    assert_eq!(told(&amended, "member-updated"), [2, 1, 3]);
    let saved = |effect: &Effect| matches!(effect, Effect::Save { who, .. } if who.name == "Bob");
    assert_eq!(amended.iter().filter(|effect| saved(effect)).count(), 1);
    for node in [0, 1] {
        let who = pair.stored(node, two);
        assert_eq!((&*who.name, &*who.metadata), ("Bob", "m"));
        assert_eq!(who.role, Role::Viewer);
    }
    let again = pair.nodes[1].state.apply_update(two.id, update.clone());
    assert!(again.unwrap().is_empty(), "nothing is different");
    let allowed = ParticipantUpdate {
        grants: Some(Grants::default()),
        ..ParticipantUpdate::default()
    };
    pair.nodes[1].state.apply_update(two.id, allowed);
    assert_eq!(pair.stored(1, two).role, Role::Participant);
    assert!(
        pair.nodes[0]
            .state
            .apply_update(client(9).id, update)
            .is_none()
    );
}

#[test]
fn an_administrator_mutes_and_removes_those_on_another_node() {
    let (mut pair, [one, two, three]) = three();
    let state = &mut pair.nodes[0].state;
    let muted = state.mute_by_admin(two.id, TrackSource::Camera).unwrap();
    let muted = pair.pass_on(0, muted);
    assert_eq!(told(&muted, "mute-member"), [2]);
    assert!(sent(&muted)[0].1["from"].is_null());
    let removed = pair.nodes[0].state.remove_by_admin(two.id).unwrap();
    let removed = pair.pass_on(0, removed);
    assert_eq!(told(&removed, "member-removed"), [2]);
    assert_eq!(pair.command(), [one.id, three.id]);
    let state = &mut pair.nodes[0].state;
    assert!(state.remove_by_admin(two.id).is_none());
    assert!(state.mute_by_admin(two.id, TrackSource::Camera).is_none());
}

#[test]
fn a_message_for_another_node_or_already_applied_changes_nothing() {
    let (mut pair, [one, two, three]) = three();
    let reason = visavis_protocol::RemovedReason::RemovedByHost;
    let (mine, theirs) = (pair.stored(0, one), pair.stored(0, two));
    let is = |who: &Participant, reconnecting| ClusterMessage::Is {
        who: Box::new(who.clone()),
        reconnecting,
    };
    let update = ParticipantUpdate {
        name: Some("Bob".to_owned()),
        ..ParticipantUpdate::default()
    };
    let relay = |to: Sender| ClusterMessage::Relay {
        to: to.id,
        frame: "{}".to_owned(),
    };
    for cluster_message in [
        ClusterMessage::Left { client: one.id },
        ClusterMessage::Left {
            client: client(9).id,
        },
        is(&mine, true),
        is(&theirs, false),
        ClusterMessage::Host {
            from: one.id,
            to: client(9).id,
        },
        ClusterMessage::Remove {
            client: two.id,
            reason,
        },
        ClusterMessage::Amend {
            client: two.id,
            update,
        },
        relay(two),
        relay(client(9)),
    ] {
        let heard = pair.nodes[0]
            .state
            .apply_cluster_message(cluster_message.clone());
        assert!(heard.is_empty(), "{cluster_message:?}: {heard:?}");
    }
    assert_eq!(pair.command(), [one.id, two.id, three.id]);
}

#[test]
fn both_nodes_show_a_broken_socket_and_its_return() {
    let (mut pair, [_, two, _]) = three();
    let now = pair.nodes[1].now;
    let broken = pair.nodes[1].state.gone(now, two, true);
    let broken = pair.pass_on(1, broken);
    assert_eq!(told(&broken, "member-updated"), [1, 3]);
    assert_eq!(sent(&broken)[0].1["member"]["connection"], "reconnecting");
    let (_, back) = pair.nodes[1].resume(2, SocketId(9)).unwrap();
    let back = pair.pass_on(1, back);
    assert_eq!(told(&back, "member-updated"), [9, 1, 3]);
    let shown = sent(&back).pop().unwrap().1;
    assert_eq!(shown["member"]["connection"], "connected");
}

/// Someone of the second node comes back on the first, on socket 9: the store
/// has handed it over.
fn come_back_here(pair: &mut Pair, who: Sender) -> Vec<Effect> {
    let who = Participant {
        node: "here".to_owned(),
        secret: SecretHash::of(9),
        ..pair.stored(1, who)
    };
    let entry = entry(SocketId(9));
    let effects = pair.nodes[0].state.adopt(entry, who);
    pair.pass_on(0, effects)
}

fn kinds_told(effects: &[Effect], socket: u64) -> Vec<String> {
    let told = sent(effects).into_iter().filter(|(to, _)| *to == socket);
    told.map(|(_, message)| message["type"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn one_who_comes_back_on_another_node_finds_what_its_own_kept() {
    let (mut pair, [one, two, three]) = three();
    let now = pair.nodes[1].now;
    let broken = pair.nodes[1].state.gone(now, two, true);
    pair.pass_on(1, broken);
    let offer = format!(r#"{{"type":"offer","to":"{}","payload":{{}}}}"#, two.id);
    assert!(pair.say(0, one, &offer).is_empty(), "kept there");
    let back = come_back_here(&mut pair, two);
    let expected = ["resumed", "room-updated", "member-updated", "offer"];
    assert_eq!(kinds_told(&back, 9), expected);
    assert_eq!(pair.command(), [one.id, two.id, three.id]);
    assert_eq!(pair.nodes[0].state.node_of(two.id), None);
    let there = &pair.nodes[1].state;
    assert_eq!(there.node_of(two.id), Some("here"));
    assert!(there.next_deadline().is_none() && there.resumes(2).is_none());
    assert!(there.is_idle(), "its last one is gone");
}

#[test]
fn one_whose_old_socket_still_lives_is_replaced_on_the_other_node() {
    let (mut pair, [_, two, _]) = three();
    let back = come_back_here(&mut pair, two);
    let replaced =
        |effect: &Effect| matches!(effect, Effect::Close(SocketId(2), CloseCode::Replaced));
    assert_eq!(back.iter().filter(|effect| replaced(effect)).count(), 1);
}

#[test]
fn one_of_whom_this_node_never_heard_comes_back_to_its_place() {
    let mut pair = Pair::new();
    let [one, two] = [1, 2].map(client);
    pair.nodes[1].join(one, all_features());
    pair.join(0, two, all_features());
    let back = come_back_here(&mut pair, one);
    assert_eq!(kinds_told(&back, 9)[0], "resumed");
    assert_eq!(pair.command(), [one.id, two.id]);
}

#[test]
fn what_a_dead_node_did_not_take_waits_for_its_people_or_follows_them() {
    for returns in [true, false] {
        let (mut pair, [one, two, _]) = three();
        let offer = format!(r#"{{"type":"offer","to":"{}","payload":{{}}}}"#, two.id);
        for effect in pair.nodes[0].say(one, &offer) {
            if let Effect::Publish(ClusterMessage::Relay { to, frame }) = effect {
                pair.nodes[0].state.keep(to, frame.into());
            }
        }
        // One who is here misses nothing.
        pair.nodes[0].state.keep(one.id, "{}".into());
        if returns {
            let back = come_back_here(&mut pair, two);
            let expected = ["resumed", "room-updated", "offer", "member-updated"];
            assert_eq!(kinds_told(&back, 9), expected);
        } else {
            let who = Box::new(Participant {
                node: "elsewhere".to_owned(),
                ..pair.stored(0, two)
            });
            let reconnecting = false;
            let heard = pair.nodes[0]
                .state
                .apply_cluster_message(ClusterMessage::Is { who, reconnecting });
            let relayed = |effect: &Effect| matches!(effect, Effect::Publish(ClusterMessage::Relay { to, .. }) if *to == two.id);
            assert_eq!(heard.iter().filter(|effect| relayed(effect)).count(), 1);
        }
    }
}

#[test]
fn a_node_that_missed_messages_catches_up_with_the_store() {
    let (mut pair, [one, two, three]) = three();
    pair.nodes[1].say(two, r#"{"type":"chat","payload":"bye"}"#);
    let chat = pair.nodes[1].state.history.for_reader(two.id);
    pair.nodes[1].state.leave(two);
    pair.nodes[1].pass(Duration::from_secs(1));
    pair.nodes[1].join(client(4), all_features());
    let present = vec![pair.stored(1, client(4))];

    let here = [one, three].map(|who| pair.stored(0, who));
    let state = &mut pair.nodes[0].state;
    let caught = state.catch_up(&here, present.clone(), chat.clone());
    for kind in ["member-left", "member-joined", "chat"] {
        assert_eq!(told(&caught, kind), [1, 3], "{kind}");
    }
    let again = state.catch_up(&here, present, chat);
    assert!(again.is_empty(), "all is known");
    assert_eq!(pair.command(), [one.id, three.id, client(4).id]);
}

impl Pair {
    /// The rows as the nodes have stored them: each member as its own node has it, with
    /// the roles that the node of the last host change stored.
    fn rows(&self, roles: usize) -> Vec<Participant> {
        let mut rows = Vec::new();
        for node in [0, 1] {
            let members = self.nodes[node].state.members.iter();
            rows.extend(
                members
                    .filter(|one| one.is_local())
                    .map(|one| one.who.clone()),
            );
        }
        for row in &mut rows {
            let state = &self.nodes[roles].state;
            row.copy_role(&state.members[state.find(row.client).unwrap()].who);
        }
        rows.sort_by_key(|who| (who.joined_at, who.sid.clone()));
        rows
    }

    /// A node reads the rows.
    fn catch_up(&mut self, node: usize, rows: Vec<Participant>) -> Vec<Effect> {
        let name = self.nodes[node].node;
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|who| who.node == name);
        self.nodes[node]
            .state
            .catch_up(&here, elsewhere, Vec::new())
    }

    /// The members that a node shows with role host.
    fn shown_hosts(&self, node: usize) -> Vec<ClientId> {
        let state = &self.nodes[node].state;
        let is_host = |member: &&Member| member.wire(state.host).role == Role::Host;
        let hosts = state.members.iter().filter(is_host);
        hosts.map(Member::id).collect()
    }
}

#[test]
fn a_lost_host_change_heals_on_the_node_of_the_new_host() {
    let (mut pair, [one, two, three]) = three();
    // The message is lost: only the first node and the rows have the change.
    pair.nodes[0].say(one, &control("transfer-host", two));
    assert_eq!(pair.nodes[1].state.host, Some(one.id));
    let rows = pair.rows(0);
    let caught = pair.catch_up(1, rows.clone());
    assert_eq!(pair.host(), Some(two.id));
    for node in [0, 1] {
        assert_eq!(pair.shown_hosts(node), [two.id], "exactly one host");
    }
    let roles: Vec<_> = sent(&caught)
        .into_iter()
        .filter(|(_, message)| message["type"] == "member-updated")
        .map(|(_, message)| {
            (
                message["memberId"].clone(),
                message["member"]["role"].clone(),
            )
        })
        .collect();
    let expected = [(one, "participant"), (two, "host")];
    assert_eq!(
        roles,
        expected.map(|(who, role)| (who.id.to_string().into(), role.into()))
    );
    assert_eq!(told(&caught, "room-updated"), [2]);
    assert!(pair.catch_up(1, rows).is_empty(), "all is known");

    // The new host is host on its own node, too.
    let removed = pair.say(1, two, &control("remove-member", three));
    assert_eq!(told(&removed, "member-removed"), [3]);
}

#[test]
fn a_lost_host_change_heals_on_another_node_and_back_on_the_first() {
    let (mut pair, [one, two, three]) = three();
    pair.say(0, one, &control("transfer-host", two));
    // The new host passes its role on to a member of the first node, which misses it.
    pair.nodes[1].say(two, &control("transfer-host", three));
    let rows = pair.rows(1);
    let caught = pair.catch_up(0, rows);
    assert_eq!(pair.host(), Some(three.id));
    assert_eq!(pair.shown_hosts(0), [three.id]);
    assert_eq!(told(&caught, "room-updated"), [1, 3]);
}

#[test]
fn a_viewer_made_host_by_a_lost_message_may_publish() {
    let (mut pair, [one, two, _]) = three();
    let silent = ParticipantUpdate {
        grants: Some(Grants {
            can_publish: false,
            ..Grants::default()
        }),
        ..ParticipantUpdate::default()
    };
    let muted = pair.nodes[1].state.apply_update(two.id, silent).unwrap();
    pair.pass_on(1, muted);
    pair.nodes[0].say(one, &control("transfer-host", two));
    let rows = pair.rows(0);
    pair.catch_up(1, rows);
    assert_eq!(pair.stored(1, two).grants, Grants::default());
    assert_eq!(pair.host(), Some(two.id));
}

#[test]
fn a_lost_departure_of_the_host_makes_the_same_member_host_on_both_nodes() {
    let mut pair = Pair::new();
    let [one, two, three] = [1, 2, 3].map(client);
    pair.join(0, one, all_features());
    // The second node misses that `two` joined and that the host left.
    pair.nodes[0].pass(Duration::from_millis(1));
    pair.nodes[1].pass(Duration::from_millis(1));
    pair.nodes[0].join(two, all_features());
    pair.join(1, three, all_features());
    pair.nodes[0].state.leave(one);
    assert_eq!(pair.nodes[0].state.host, Some(two.id));
    let rows = pair.rows(0);
    let caught = pair.catch_up(1, rows);
    assert_eq!(pair.host(), Some(two.id), "the longest present");
    assert_eq!(told(&caught, "room-updated"), [3]);
    assert_eq!(pair.shown_hosts(1), [two.id]);
}

#[test]
fn a_host_that_left_and_joined_again_unnoticed_is_no_longer_host() {
    let (mut pair, [one, two, three]) = three();
    let state = &mut pair.nodes[0].state;
    state.leave(one);
    assert_eq!(state.host, Some(two.id));
    pair.nodes[0].pass(Duration::from_secs(1));
    pair.nodes[0].join(one, all_features());
    let mut rows = pair.rows(0);
    for row in rows.iter_mut().filter(|row| row.client == one.id) {
        row.sid = "PA_again".to_owned();
    }
    pair.catch_up(1, rows);
    assert_eq!(pair.host(), Some(two.id));
    assert_eq!(pair.command(), [two.id, three.id, one.id]);
}

#[test]
fn a_host_change_that_arrives_after_the_old_host_left_counts() {
    let (mut pair, [one, two, three]) = three();
    let changed = pair.nodes[0].say(one, &control("transfer-host", three));
    let left = pair.nodes[0].state.leave(one);
    pair.pass_on(0, left);
    assert_eq!(pair.nodes[1].state.host, Some(two.id), "stands in");
    pair.pass_on(0, changed);
    assert_eq!(pair.host(), Some(three.id));
    assert_eq!(pair.shown_hosts(1), [three.id]);
}

#[test]
fn a_member_removed_while_this_node_seemed_dead_may_join_again() {
    let (mut pair, [one, two, three]) = three();
    let elsewhere = vec![pair.stored(1, two)];
    let here = [pair.stored(0, one)];
    let state = &mut pair.nodes[0].state;
    let caught = state.catch_up(&here, elsewhere, Vec::new());
    assert_eq!(told(&caught, "member-left"), [1]);
    let closes = |effect: &Effect| matches!(effect, Effect::Close(socket, CloseCode::GoingAway) if *socket == three.socket);
    assert!(caught.iter().any(closes));
    assert!(!state.has(three.id) && state.has(two.id));
}

#[test]
fn a_room_that_wakes_knows_who_is_elsewhere_and_sleeps_again_without_anyone_here() {
    let (pair, [one, two, _]) = three();
    let present = vec![pair.stored(0, one), pair.stored(1, two)];
    let room = Room {
        uid: Uuid::max(),
        ..pair.nodes[0].state.room.clone()
    };
    let state = RoomState::new(room, Vec::new(), present, WINDOW);
    assert_eq!(state.uid(), Uuid::max());
    assert_eq!(state.host, Some(one.id));
    assert!(state.has(one.id) && state.has(two.id) && !state.has(client(3).id));
    assert!(state.is_idle());
}

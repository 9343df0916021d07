//! The queue and the waiting room over two nodes, by example.

use super::queue::{LEASE, REFRESH};
use super::tests::{Scene, all_features, applicant, client, control, error_code, sent, told};
use super::*;

/// Two nodes with the same room for `most`, whose host is on the first.
fn nodes(most: u32, waiting_room: bool) -> [Scene; 2] {
    let mut nodes = ["here", "there"].map(|node| {
        let mut scene = Scene::new(0);
        scene.node = node;
        scene.change(|room| {
            room.max_participants = most;
            room.waiting_room = waiting_room;
        });
        scene
    });
    let joined = nodes[0].join(client(1), all_features());
    pass_on(&mut nodes, 0, joined);
    nodes
}

/// Gives what a node publishes to the other one; the effects on both.
fn pass_on(nodes: &mut [Scene; 2], from: usize, effects: Vec<Effect>) -> Vec<Effect> {
    let mut done = Vec::new();
    for effect in effects {
        match effect {
            Effect::Publish(message) => done.extend(receive(nodes, 1 - from, message)),
            other => done.push(other),
        }
    }
    done
}

fn receive(nodes: &mut [Scene; 2], node: usize, message: ClusterMessage) -> Vec<Effect> {
    let text = serde_json::to_string(&message).unwrap();
    let now = nodes[node].now;
    match serde_json::from_str(&text).unwrap() {
        ClusterMessage::Queue { node: of, waiting } => {
            nodes[node].state.apply_queue(now.instant, of, waiting)
        }
        message => nodes[node].state.apply_cluster_message(message),
    }
}

/// What a node's driver does after each step.
fn publish_queue(nodes: &mut [Scene; 2], node: usize) -> Vec<Effect> {
    let scene = &mut nodes[node];
    match scene.state.refresh_queue(scene.now, scene.node) {
        Some(message) => receive(nodes, 1 - node, message),
        None => Vec::new(),
    }
}

fn pass_time(nodes: &mut [Scene; 2], time: Duration) {
    for scene in nodes {
        scene.pass(time);
    }
}

/// A client asks to join on a node, a moment after the one before.
fn ask(nodes: &mut [Scene; 2], node: usize, who: Sender) -> Vec<Effect> {
    pass_time(nodes, Duration::from_millis(1));
    let mut effects = nodes[node].check_entry(who, all_features()).unwrap();
    effects.extend(publish_queue(nodes, node));
    effects
}

#[test]
fn the_first_to_ask_is_the_first_to_enter_on_whichever_node_it_waits() {
    let mut nodes = nodes(1, false);
    let [two, three, four] = [2, 3, 4].map(client);
    ask(&mut nodes, 1, two);
    let waits = ask(&mut nodes, 0, three);
    assert_eq!(
        sent(&waits)[0].1["position"],
        2,
        "one waits on the other node"
    );
    ask(&mut nodes, 1, four);

    let left = nodes[0].state.leave(client(1));
    pass_on(&mut nodes, 0, left);
    assert!(
        nodes[0].state.next_in_queue().is_none(),
        "two asked before three"
    );
    assert!(
        nodes[0].state.place_is_claimed(),
        "a newcomer waits behind two"
    );
    let entered = nodes[1].serve_queue();
    assert_eq!(told(&entered, "room-joined"), [2]);
    pass_on(&mut nodes, 1, entered);
    publish_queue(&mut nodes, 1);
    let moved = nodes[0].serve_queue();
    assert_eq!(
        (sent(&moved)[0].0, &sent(&moved)[0].1["position"]),
        (3, &1.into())
    );

    let left = nodes[1].state.leave(two);
    pass_on(&mut nodes, 1, left);
    assert!(
        nodes[1].state.next_in_queue().is_none(),
        "three asked before four"
    );
    assert_eq!(told(&nodes[0].serve_queue(), "room-joined"), [3]);
}

#[test]
fn a_host_on_another_node_is_asked_and_its_answer_reaches_the_one_who_waits() {
    let mut nodes = nodes(0, true);
    let [two, three] = [2, 3].map(client);
    let asked = ask(&mut nodes, 1, two);
    assert_eq!(told(&asked, "join-request"), [1]);
    let asked = ask(&mut nodes, 1, three);
    assert_eq!(told(&asked, "join-request"), [1], "once for each");

    let approved = nodes[0].say(client(1), &control("admit-member", two));
    pass_on(&mut nodes, 0, approved);
    assert_eq!(told(&nodes[1].serve_queue(), "room-joined"), [2]);
    let denied = nodes[0].say(client(1), &control("deny-member", three));
    let denied = pass_on(&mut nodes, 0, denied);
    assert_eq!(
        (sent(&denied)[0].0, error_code(&denied)),
        (3, "denied".into())
    );
    publish_queue(&mut nodes, 1);
    let again = nodes[0].say(client(1), &control("deny-member", three));
    assert_eq!(error_code(&again), "member-not-found");
}

#[test]
fn a_host_that_joins_later_is_asked_for_those_on_other_nodes_too() {
    let mut nodes = nodes(0, true);
    ask(&mut nodes, 1, client(2));
    let left = nodes[0].state.leave(client(1));
    pass_on(&mut nodes, 0, left);
    let joined = nodes[0].join(client(5), all_features());
    assert_eq!(told(&joined, "join-request"), [5]);
}

#[test]
fn the_list_of_a_node_is_repeated_and_forgotten_when_it_is_not() {
    let mut nodes = nodes(1, false);
    ask(&mut nodes, 1, client(2));
    for _ in 0..5 {
        pass_time(&mut nodes, REFRESH);
        publish_queue(&mut nodes, 1);
        publish_queue(&mut nodes, 0);
        let due = nodes[1].state.queue_deadline();
        assert_eq!(due, Some(nodes[1].now.instant + REFRESH));
        assert!(nodes[0].state.queue_deadline() > Some(nodes[0].now.instant));
    }
    let left = nodes[0].state.leave(client(1));
    drop(left);
    assert!(nodes[0].state.place_is_claimed());
    // The other node has died.
    pass_time(&mut nodes, LEASE);
    publish_queue(&mut nodes, 0);
    assert!(!nodes[0].state.place_is_claimed());
    assert_eq!(nodes[0].state.queue_deadline(), None);
}

#[test]
fn only_a_broken_sockets_place_is_taken_over_and_only_by_its_own_identity() {
    let mut scene = Scene::new(0);
    let [old, new] = [1, 2].map(client);
    scene.join(old, all_features());
    scene.join(client(3), all_features());
    let mut returning = applicant(new, all_features());
    returning.identity = "9-ann@example.org".to_owned();
    let index = scene.state.find(old.id).unwrap();
    scene.state.members[index].who.identity = returning.identity.clone();
    assert!(scene.state.replaceable(&returning).is_none(), "two devices");

    scene.state.gone(scene.now, old, true);
    let (who, _) = scene.state.replaceable(&returning).unwrap();
    assert_eq!(who.client, old.id);
    let anonymous = applicant(new, all_features());
    assert!(scene.state.replaceable(&anonymous).is_none());
    let replaced = scene.state.replaced(old.id);
    assert_eq!(told(&replaced, "member-left"), [3]);
    assert!(
        !replaced.iter().any(|one| matches!(one, Effect::Left(..))),
        "it is stored"
    );
}

#[test]
fn a_place_kept_here_that_another_node_replaced_is_given_up() {
    let mut nodes = nodes(0, false);
    let broken = nodes[0].state.gone(nodes[0].now, client(1), true);
    pass_on(&mut nodes, 0, broken);
    let replaced = nodes[1].state.replaced(client(1).id);
    pass_on(&mut nodes, 1, replaced);
    assert!(!nodes[0].state.has(client(1).id) && !nodes[1].state.has(client(1).id));
}

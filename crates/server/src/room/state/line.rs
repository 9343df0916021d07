//! Those who wait, by example.

use super::tests::{Scene, all_features, client, control, error_code, sent, told};
use super::*;

/// A room for its host alone.
fn full() -> Scene {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    scene.change(|room| room.max_participants = 1);
    scene
}

/// Two who wait for the host's word.
fn petitioners() -> (Scene, [Speaker; 2]) {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    scene.change(|room| room.waiting_room = true);
    let both = [2, 3].map(client);
    for who in both {
        scene.knock(who, all_features()).unwrap();
    }
    (scene, both)
}

#[test]
fn one_who_waits_and_asks_again_is_answered_again_alone() {
    let mut scene = full();
    let [three, four] = [3, 4].map(client);
    scene.knock(three, all_features()).unwrap();
    scene.knock(four, all_features()).unwrap();
    assert!(scene.state.awaits(four.id) && !scene.state.awaits(client(5).id));
    let again = scene.knock(four, all_features()).unwrap();
    assert_eq!(told(&again, "join-waiting"), [4]);
    assert_eq!(again.len(), 1);
    assert_eq!(scene.state.waiting_sockets().count(), 2);
}

#[test]
fn one_who_is_turned_away_is_told_why_and_waits_no_more() {
    let mut scene = full();
    scene.knock(client(3), all_features()).unwrap();
    let nobody = scene.state.turn_away(client(4).id, Refusal::room_ended());
    assert!(nobody.is_empty() && scene.state.awaits(client(3).id));
    let effects = scene.state.turn_away(client(3).id, Refusal::room_ended());
    assert_eq!(
        (sent(&effects)[0].0, error_code(&effects)),
        (3, "room-ended".into())
    );
    assert!(!scene.state.awaits(client(3).id));
}

#[test]
fn one_who_is_denied_is_told_so_and_the_other_waits_on() {
    let (mut scene, [two, three]) = petitioners();
    let denied = scene.say(client(1), &control("deny-member", three));
    assert_eq!(
        (sent(&denied)[0].0, error_code(&denied)),
        (3, "denied".into())
    );
    assert!(scene.state.awaits(two.id) && !scene.state.awaits(three.id));
    assert!(scene.serve_line().is_empty());
}

#[test]
fn the_hosts_word_is_for_the_one_it_names_and_only_for_who_needs_it() {
    let (mut scene, [two, three]) = petitioners();
    scene.change(|room| room.max_participants = 1);
    scene.say(client(1), &control("admit-member", three));
    assert_eq!(told(&scene.serve_line(), "join-waiting"), [3]);
    let again = scene.say(client(1), &control("deny-member", three));
    assert_eq!(error_code(&again), "member-not-found", "it has the word");
    scene.change(|room| room.max_participants = 0);
    assert_eq!(told(&scene.serve_line(), "room-joined"), [3]);
    assert!(scene.state.awaits(two.id));
}

#[test]
fn only_the_socket_that_asked_gives_up_its_place_in_line() {
    let (mut scene, [two, three]) = petitioners();
    let other = Speaker {
        socket: SocketId(9),
        ..two
    };
    scene.state.leave(other);
    scene.state.gone(scene.now, other, true);
    assert!(scene.state.awaits(two.id));
    scene.state.leave(two);
    assert!(!scene.state.awaits(two.id) && scene.state.awaits(three.id));
}

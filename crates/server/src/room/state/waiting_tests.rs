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

/// Two who wait for the host's approval.
fn pending_joins() -> (Scene, [Sender; 2]) {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    scene.change(|room| room.waiting_room = true);
    let both = [2, 3].map(client);
    for who in both {
        scene.check_entry(who, all_features()).unwrap();
    }
    (scene, both)
}

#[test]
fn one_who_waits_and_asks_again_is_answered_again_alone() {
    let mut scene = full();
    let [three, four] = [3, 4].map(client);
    scene.check_entry(three, all_features()).unwrap();
    scene.check_entry(four, all_features()).unwrap();
    assert!(scene.state.is_waiting(four.id) && !scene.state.is_waiting(client(5).id));
    let again = scene.check_entry(four, all_features()).unwrap();
    assert_eq!(told(&again, "join-waiting"), [4]);
    assert_eq!(again.len(), 1);
    assert_eq!(scene.state.waiting_sockets().count(), 2);
}

#[test]
fn one_who_is_turned_away_is_told_why_and_waits_no_more() {
    let mut scene = full();
    scene.check_entry(client(3), all_features()).unwrap();
    let nobody = scene
        .state
        .reject_waiting(client(4).id, Refusal::room_ended());
    assert!(nobody.is_empty() && scene.state.is_waiting(client(3).id));
    let effects = scene
        .state
        .reject_waiting(client(3).id, Refusal::room_ended());
    assert_eq!(
        (sent(&effects)[0].0, error_code(&effects)),
        (3, "room-ended".into())
    );
    assert!(!scene.state.is_waiting(client(3).id));
}

#[test]
fn one_who_is_denied_is_told_so_and_the_other_waits_on() {
    let (mut scene, [two, three]) = pending_joins();
    let denied = scene.say(client(1), &control("deny-member", three));
    assert_eq!(
        (sent(&denied)[0].0, error_code(&denied)),
        (3, "denied".into())
    );
    assert!(scene.state.is_waiting(two.id) && !scene.state.is_waiting(three.id));
    assert!(scene.serve_queue().is_empty());
}

#[test]
fn the_hosts_word_is_for_the_one_it_names_and_only_for_who_needs_it() {
    let (mut scene, [two, three]) = pending_joins();
    scene.change(|room| room.max_participants = 1);
    scene.say(client(1), &control("admit-member", three));
    assert_eq!(told(&scene.serve_queue(), "join-waiting"), [3]);
    let again = scene.say(client(1), &control("deny-member", three));
    assert_eq!(error_code(&again), "member-not-found", "it has the word");
    scene.change(|room| room.max_participants = 0);
    assert_eq!(told(&scene.serve_queue(), "room-joined"), [3]);
    assert!(scene.state.is_waiting(two.id));
}

#[test]
fn only_the_socket_that_asked_gives_up_its_place_in_line() {
    let (mut scene, [two, three]) = pending_joins();
    let other = Sender {
        socket: SocketId(9),
        ..two
    };
    scene.state.leave(other);
    scene.state.gone(scene.now, other, true);
    assert!(scene.state.is_waiting(two.id));
    scene.state.leave(two);
    assert!(!scene.state.is_waiting(two.id) && scene.state.is_waiting(three.id));
}

#[test]
fn a_full_room_says_when_the_place_of_a_broken_socket_becomes_free() {
    let mut scene = full();
    let plain = visavis_protocol::Features::default();
    let refused = scene.check_entry(client(3), plain).unwrap_err();
    assert_eq!(
        (refused.code, refused.retry_after),
        (visavis_protocol::ErrorCode::RoomFull, None)
    );
    scene.state.gone(scene.now, client(1), true);
    scene.pass(std::time::Duration::from_millis(9_500));
    let refused = scene.check_entry(client(3), plain).unwrap_err();
    assert_eq!(
        (refused.code, refused.retry_after),
        (visavis_protocol::ErrorCode::RoomFull, Some(21))
    );
    scene.pass(std::time::Duration::from_millis(20_500));
    scene.state.expire(scene.now);
    assert!(scene.check_entry(client(3), plain).is_ok());
}

//! When members get new TURN credentials.

use serde_json::json;
use visavis_protocol::{Features, IceServer};

use super::tests::{Scene, WINDOW, client, entry, sent};
use super::*;
use crate::ice::{ClientIceServers, Expiry};

const QUARTER: Duration = Duration::from_secs(100);

/// Servers whose credentials were made now and live for four quarters.
fn made(now: Now, credential: &str) -> ClientIceServers {
    let server = IceServer {
        urls: vec!["turn:192.0.2.1".to_owned()],
        username: Some("user".to_owned()),
        credential: Some(credential.to_owned()),
    };
    ClientIceServers {
        servers: vec![server],
        expiry: Some(Expiry {
            at: now.utc.after(4 * QUARTER),
            renew_at: now.instant + 3 * QUARTER,
        }),
    }
}

fn enter(scene: &mut Scene, who: Sender, features: Features) {
    let entry = Entry {
        ice_servers: made(scene.now, "first"),
        stun_url: Some("stun:rooms.example.org:7420".into()),
        ..entry(who.socket)
    };
    let participant = Participant {
        features,
        secret: crate::model::SecretHash::of(entry.secret),
        ..Participant::someone(who.id)
    };
    let room = scene.state.room().clone();
    scene.state.enter(entry, participant, room);
}

/// What the driver does at a deadline; what is sent.
fn renew(scene: &mut Scene) -> Vec<(u64, serde_json::Value)> {
    let due = scene.state.due_renewals(scene.now.instant);
    let mut effects = Vec::new();
    for (id, stun_url) in due {
        assert_eq!(stun_url.as_deref(), Some("stun:rooms.example.org:7420"));
        let renewed = made(scene.now, "second");
        effects.extend(scene.state.renew_ice_servers(id, renewed));
    }
    sent(&effects)
}

#[test]
fn one_with_feature_ice_gets_new_credentials_after_three_quarters_of_each_lifetime() {
    let mut scene = Scene::new(0);
    enter(&mut scene, client(1), Features::of(&[Feature::Ice]));
    for round in 1..=3 {
        let due = scene.state.next_deadline().unwrap();
        assert_eq!(due, scene.now.instant + 3 * QUARTER, "round {round}");
        scene.pass(3 * QUARTER - Duration::from_millis(1));
        assert_eq!(renew(&mut scene), []);
        scene.pass(Duration::from_millis(1));
        let expires = scene.now.utc.after(4 * QUARTER).rfc3339();
        let turn = json!({"urls": ["turn:192.0.2.1"], "username": "user", "credential": "second"});
        let message = json!({
            "type": "ice-servers",
            "roomId": "abc-defg-hij",
            "payload": {"iceServers": [turn], "expiresAt": expires},
        });
        assert_eq!(renew(&mut scene), [(1, message)]);
    }
}

#[test]
fn one_without_feature_ice_gets_none() {
    let mut scene = Scene::new(0);
    enter(&mut scene, client(1), Features::of(&[Feature::Chat]));
    assert_eq!(scene.state.next_deadline(), None);
    scene.pass(4 * QUARTER);
    assert_eq!(renew(&mut scene), []);
}

#[test]
fn one_that_is_away_gets_none_until_it_resumes_with_new_ones() {
    let mut scene = Scene::new(0);
    let features = Features::of(&[Feature::Ice, Feature::Resume]);
    enter(&mut scene, client(1), features);
    scene.pass(3 * QUARTER - WINDOW / 2);
    scene.state.gone(scene.now, client(1), true);
    let window = scene.now.instant + WINDOW;
    assert_eq!(scene.state.next_deadline(), Some(window));
    scene.pass(WINDOW / 2);
    assert_eq!(renew(&mut scene), []);
    let resumer = Resumer {
        entry: entry(SocketId(2)),
        proof: 1,
    };
    let now = scene.now;
    let resumed = scene.state.resume(resumer, |_, _| made(now, "third"));
    let (_, resumed) = &sent(&resumed.unwrap().1)[0];
    assert_eq!(resumed["iceServers"][0]["credential"], "third");
    let due = scene.now.instant + 3 * QUARTER;
    assert_eq!(scene.state.next_deadline(), Some(due));
}

#[test]
fn one_that_has_left_gets_none() {
    let mut scene = Scene::new(0);
    enter(&mut scene, client(1), Features::of(&[Feature::Ice]));
    scene.state.leave(client(1));
    assert_eq!(scene.state.next_deadline(), None);
    let renewed = made(scene.now, "second");
    assert!(
        scene
            .state
            .renew_ice_servers(client(1).id, renewed)
            .is_none()
    );
}

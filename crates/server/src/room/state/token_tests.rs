//! When members get new access tokens.

use visavis_protocol::token::Claims;
use visavis_protocol::{Features, RenewedToken};

use super::tests::{Scene, client, entry, sent};
use super::*;
use crate::access::token::TokenRenewal;
use crate::clock::Now;

const LIFE: u64 = 400;
const DUE: Duration = Duration::from_secs(300);

fn renewal(now: Now) -> TokenRenewal {
    let claims = Claims {
        exp: u64::try_from(now.utc.secs()).unwrap() + LIFE,
        ..Claims::default()
    };
    TokenRenewal::of(&claims, now)
}

fn enter(scene: &mut Scene, who: Sender, features: Features) {
    let entry = Entry {
        token: Some(renewal(scene.now)),
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
fn renew(scene: &mut Scene, token: Option<&str>) -> Vec<(u64, serde_json::Value)> {
    let mut effects = Vec::new();
    for (id, _) in scene.state.due_tokens(scene.now.instant) {
        let renewed = token.map(|token| RenewedToken {
            token: token.to_owned(),
            expires_at: "later".to_owned(),
        });
        let renewed = renewed.map(|renewed| (renewed, renewal(scene.now)));
        effects.extend(scene.state.renew_token(id, renewed));
    }
    sent(&effects)
}

#[test]
fn s2_51_one_with_feature_controls_gets_a_new_token_after_three_quarters_of_each_lifetime() {
    let mut scene = Scene::new(0);
    enter(&mut scene, client(1), Features::of(&[Feature::Controls]));
    enter(&mut scene, client(2), Features::of(&[Feature::Chat]));
    for round in 1..=3 {
        let due = scene.state.next_deadline().unwrap();
        assert_eq!(due, scene.now.instant + DUE, "round {round}");
        scene.pass(DUE - Duration::from_millis(1));
        assert_eq!(renew(&mut scene, Some("t")), []);
        scene.pass(Duration::from_millis(1));
        let message = serde_json::json!({
            "type": "token-renewed",
            "roomId": "abc-defg-hij",
            "payload": {"token": "t", "expiresAt": "later"},
        });
        assert_eq!(renew(&mut scene, Some("t")), [(1, message)]);
    }
}

#[test]
fn a_token_that_cannot_be_signed_is_not_tried_again() {
    let mut scene = Scene::new(0);
    enter(&mut scene, client(1), Features::of(&[Feature::Controls]));
    scene.pass(DUE);
    assert_eq!(renew(&mut scene, None), []);
    assert_eq!(scene.state.next_deadline(), None);
}

#[test]
fn one_who_is_away_gets_its_token_when_it_is_back() {
    let mut scene = Scene::new(60);
    let features = Features::of(&[Feature::Controls, Feature::Resume]);
    enter(&mut scene, client(1), features);
    scene.state.gone(scene.now, client(1), true);
    scene.pass(DUE);
    assert_eq!(renew(&mut scene, Some("t")), []);
    let resumer = Resumer {
        entry: entry(crate::id::SocketId(2)),
        proof: 1,
    };
    let servers = |_, _: Option<&str>| crate::ice::ClientIceServers::default();
    scene.state.resume(resumer, servers).unwrap();
    let told = renew(&mut scene, Some("t"));
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (told[0].0, &told[0].1["type"]),
        (2, &serde_json::json!("token-renewed"))
    );
}

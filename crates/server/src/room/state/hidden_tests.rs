//! Members whose token hides them.

use serde_json::Value;
use visavis_protocol::{Features, Grants};

use super::tests::{Scene, all_features, client, entry, error_code, sent, told};
use super::*;
use crate::id::ClientId;
use crate::model::ParticipantUpdate;

impl Scene {
    fn hide(&mut self, who: Sender, features: Features) -> Vec<Effect> {
        let participant = Participant {
            hidden: true,
            features,
            joined_at: self.now.utc,
            sid: format!("PA_{:08}", who.socket.0),
            grants: Grants {
                can_publish: false,
                can_publish_data: Some(false),
                ..Grants::default()
            },
            ..Participant::someone(who.id)
        };
        let room = self.state.room().clone();
        self.state.enter(entry(who.socket), participant, room)
    }
}

fn id(client: ClientId) -> Value {
    client.to_string().into()
}

/// A hidden member comes between two others.
fn scene(features: Features) -> (Scene, Vec<Effect>) {
    let mut scene = Scene::new(0);
    scene.join(client(1), features);
    let effects = scene.hide(client(2), all_features());
    scene.pass(Duration::from_secs(1));
    scene.join(client(3), features);
    (scene, effects)
}

#[test]
fn nobody_is_told_of_a_hidden_member() {
    for features in [all_features(), Features::default()] {
        let (mut scene, hidden) = scene(features);
        let to = sent(&hidden).into_iter().map(|(to, _)| to);
        assert!(to.into_iter().all(|to| to == 2));
        let joined = scene.join(client(4), features);
        let reply = &sent(&joined)[0].1["room"];
        let others = [1, 3, 4].map(|number| id(client(number).id));
        assert_eq!(reply["participants"], Value::from(others.to_vec()));
        if features.has(Feature::Members) {
            assert_eq!(reply["members"].as_array().unwrap().len(), 3);
        }
        let update = r#"{"type":"update-member","payload":{"handRaised":true}}"#;
        assert!(
            sent(&scene.say(client(2), update))
                .iter()
                .all(|(to, _)| *to == 2)
        );
        assert!(sent(&scene.state.leave(client(2))).is_empty());
    }
}

#[test]
fn a_hidden_member_hears_the_room_and_is_in_no_list() {
    let (mut scene, joined) = scene(all_features());
    let reply = &sent(&joined)[0].1["room"];
    assert_eq!(reply["participants"], Value::from(vec![id(client(1).id)]));
    let joined = scene.join(client(4), all_features());
    assert_eq!(told(&joined, "member-joined"), [1, 3, 2]);
    let message = sent(&joined).into_iter().find(|(to, _)| *to == 2);
    assert_eq!(message.unwrap().1["count"], 3);
    let chat = scene.say(client(1), r#"{"type":"chat","payload":"hello"}"#);
    assert!(told(&chat, "chat").contains(&2));
}

#[test]
fn a_hidden_member_sends_nothing_and_is_sent_nothing_in_person() {
    let (mut scene, _) = scene(all_features());
    let offer = |to| format!(r#"{{"type":"offer","to":"{to}","payload":{{"sdp":"v=0"}}}}"#);
    let from_hidden = scene.say(client(2), &offer(client(1).id));
    assert_eq!(error_code(&from_hidden), "forbidden");
    let to_hidden = scene.say(client(1), &offer(client(2).id));
    assert_eq!(error_code(&to_hidden), "member-not-found");
    let chat = scene.say(client(2), r#"{"type":"chat","payload":"hello"}"#);
    assert_eq!(error_code(&chat), "forbidden");
    let private = format!(
        r#"{{"type":"chat","to":"{}","payload":"psst"}}"#,
        client(2).id
    );
    assert_eq!(
        error_code(&scene.say(client(1), &private)),
        "member-not-found"
    );
    let all = ParticipantUpdate {
        grants: Some(Grants::default()),
        ..ParticipantUpdate::default()
    };
    scene.state.apply_update(client(2).id, all);
    let chat = scene.say(client(2), r#"{"type":"chat","payload":"hello"}"#);
    assert_eq!(error_code(&chat), "forbidden");
}

#[test]
fn a_hidden_member_is_never_the_host() {
    let mut scene = Scene::new(0);
    scene.hide(client(1), all_features());
    assert_eq!(scene.state.host, None);
    let joined = scene.join(client(2), all_features());
    assert_eq!(scene.state.host, Some(client(2).id));
    assert_eq!(told(&joined, "room-joined"), [2]);
    scene.state.leave(client(2));
    assert_eq!(scene.state.host, None);
}

#[test]
fn hidden_members_of_other_nodes_are_hidden_too() {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    let who = Box::new(Participant {
        hidden: true,
        node: "other".to_owned(),
        ..Participant::someone(client(2).id)
    });
    let is = ClusterMessage::Is {
        who,
        reconnecting: false,
    };
    assert!(sent(&scene.state.apply_cluster_message(is)).is_empty());
    let left = ClusterMessage::Left {
        client: client(2).id,
    };
    assert!(sent(&scene.state.apply_cluster_message(left)).is_empty());
}

//! What nobody may see: secrets in the store, and participants whose token hides them.

use serde_json::json;

use crate::access::{guest, room, strict, token};
use crate::api::Api;
use crate::database_file::DatabaseFile;
use crate::support::{Client, all};
use crate::twirp;

#[tokio::test]
async fn the_database_holds_no_resume_token() {
    let file = DatabaseFile::new();
    let server = file.server().await;
    let mut host = Client::connect(server.local_addr()).await;
    let room = host.create(json!({"name": "Tea"})).await;
    let mut client = Client::connect(server.local_addr()).await;
    let joined = client.join_with(&room, all()).await;
    let resume = joined["resumeToken"].as_str().unwrap().to_owned();
    let secret = resume.split_once('.').unwrap().1;
    let hidden =
        format!("SELECT COUNT(*) FROM participants WHERE instr(lower(doc), lower('{secret}')) > 0");
    let stored = format!(
        "SELECT COUNT(*) FROM participants WHERE instr(doc, '{}') > 0",
        client.id
    );
    assert_eq!((file.number(&hidden), file.number(&stored)), (0, 1));
    client.cut();
    let mut client = Client::connect(server.local_addr()).await;
    let resumed = client
        .ask(json!({"type": "resume", "payload": {"resumeToken": resume}}))
        .await;
    assert_eq!(resumed["type"], "resumed");
    // The new token is hashed too, and the old one proves nothing any more.
    let mut other = Client::connect(server.local_addr()).await;
    let again = other
        .ask(json!({"type": "resume", "payload": {"resumeToken": resume}}))
        .await;
    assert_eq!(again["code"], "unauthorized");
    let next = resumed["resumeToken"].as_str().unwrap();
    assert_ne!(next, resume);
    assert_eq!(
        file.number(&hidden.replace(secret, next.split_once('.').unwrap().1)),
        0
    );
}

#[tokio::test]
async fn one_whom_a_token_hides_is_seen_by_administrators_only() {
    let server = strict().await;
    let address = server.local_addr();
    let (mut host, room) = room(&server, json!({"features": all()})).await;
    let mut video = guest(&room);
    video["hidden"] = true.into();
    let mut hidden = Client::connect(address).await;
    let payload = json!({"roomId": room, "token": token("eve", video), "features": all()});
    let joined = hidden.check_entry(payload).await;
    assert_eq!(joined["room"]["participants"], json!([host.id]));

    let mut guest_client = Client::connect(address).await;
    let ann = token("ann", guest(&room));
    let payload = json!({"roomId": room, "token": ann, "features": all()});
    let joined = guest_client.check_entry(payload).await;
    assert_eq!(
        joined["room"]["participants"],
        json!([host.id, guest_client.id])
    );
    let seen = host.expect("member-joined").await;
    assert_eq!(
        (&seen["memberId"], &seen["count"]),
        (&json!(guest_client.id), &json!(2))
    );
    assert_eq!(hidden.expect("member-joined").await["count"], 2);

    let get = json!({"type": "get-room", "payload": {"roomId": room, "token": ann}});
    let mut visitor = Client::connect(address).await;
    let info = visitor.ask(get).await;
    assert_eq!(info["room"]["participantCount"], 2, "{info}");
    host.say(json!({"type": "chat", "payload": "hello"})).await;
    hidden.expect("chat").await;
    hidden
        .say(json!({"type": "chat", "payload": "hello"}))
        .await;
    hidden.refused("forbidden").await;

    let admin = token("adm", json!({"roomAdmin": true, "room": room}));
    let api = Api::new(address).with("Authorization", &format!("Bearer {admin}"));
    let shown = api.get(&format!("/api/v1/rooms/{room}")).await.expect(200);
    assert_eq!(shown["participant_count"], 2, "{shown}");
    let asked = json!({"room": room});
    let (status, listed) = twirp::call(address, Some(&admin), "ListParticipants", asked).await;
    assert_eq!(status, 200);
    let people = listed["participants"].as_array().unwrap().iter();
    let hidden_ones: Vec<_> = people
        .filter(|one| one["permission"]["hidden"] == true)
        .map(|one| one["identity"].clone())
        .collect();
    assert_eq!(hidden_ones, ["eve"]);

    hidden.say(json!({"type": "leave-room"})).await;
    guest_client.say(json!({"type": "leave-room"})).await;
    let left = host.until("member-left").await;
    assert_eq!(left["memberId"], guest_client.id);
}

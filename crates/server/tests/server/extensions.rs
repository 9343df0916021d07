//! What goes beyond plain room signalling, and reaches only those who asked.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use visavis_protocol::IceServer;
use visavis_server::{Limits, Server, ServerConfig, Timestamp};

use crate::support::{Client, all, server};

#[tokio::test]
async fn a_plain_client_among_others_hears_nothing_that_it_does_not_know() {
    let server = server().await;
    let address = server.local_addr();
    let mut rich = Client::connect(address).await;
    let mut plain = Client::connect(address).await;
    let room = rich.create(json!({"name": "Tea", "features": all()})).await;
    let joined = plain.join(&room).await;
    assert_eq!(
        joined,
        json!({"type": "room-joined", "room": {"id": room, "participants": [rich.id, plain.id]}})
    );
    let told = rich.expect("member-joined").await;
    assert_eq!(told["member"]["connection"], "connected");

    rich.say(json!({"type": "update-member", "payload": {"name": "Ann", "handRaised": true}}))
        .await;
    rich.expect("member-updated").await;
    rich.say(json!({"type": "chat", "id": "m-1", "to": plain.id, "payload": "psst"}))
        .await;
    let chat = rich.expect("chat").await;
    assert_eq!(
        (&chat["id"], &chat["name"], &chat["to"]),
        (&json!("m-1"), &json!("Ann"), &json!(plain.id))
    );
    let heard = plain.hear().await;
    assert_eq!(
        heard,
        json!({"type": "chat", "roomId": room, "from": rich.id, "payload": "psst"})
    );

    let mut third = Client::connect(address).await;
    third.join_with(&room, all()).await;
    let ids = json!([rich.id, plain.id, third.id]);
    let heard = plain.hear().await;
    assert_eq!(
        heard,
        json!({"type": "member-joined", "roomId": room, "memberId": third.id, "participants": ids})
    );
    third.cut();
    rich.expect("member-joined").await;
    assert_eq!(
        rich.expect("member-updated").await["member"]["connection"],
        "reconnecting"
    );
    plain.nothing_more().await;
}

#[tokio::test]
async fn a_member_tells_its_tracks_and_their_sids_stay() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    let room = a
        .create(json!({"name": "Tea", "displayName": " Ann ", "features": ["members"]}))
        .await;
    let joined = b.join_with(&room, json!(["members"])).await;
    assert_eq!(joined["room"]["name"], "Tea");
    assert_eq!(joined["room"]["members"][0]["name"], "Ann");
    assert_eq!(joined["room"]["members"][0]["role"], "host");
    assert_eq!(joined["room"]["members"][1]["role"], "participant");
    assert_eq!(
        (&joined["resumeToken"], &joined["room"]["chat"]),
        (&Value::Null, &Value::Null)
    );
    a.expect("member-joined").await;

    let camera = |muted: bool| json!({"source": "camera", "muted": muted});
    a.say(json!({"type": "update-member", "roomId": room, "payload": {"tracks": [camera(false)]}}))
        .await;
    let first = b.expect("member-updated").await["member"]["tracks"][0].clone();
    let microphone = json!({"source": "microphone", "muted": false});
    a.say(json!({"type": "update-member", "payload": {"tracks": [microphone, camera(true)]}}))
        .await;
    let updated = b.expect("member-updated").await;
    assert_eq!(updated["memberId"], a.id);
    let second = &updated["member"]["tracks"][1];
    assert_eq!(
        (&second["sid"], &second["muted"]),
        (&first["sid"], &json!(true))
    );
    assert!(first["sid"].as_str().unwrap().starts_with("TR_"));

    a.expect("member-updated").await;
    a.expect("member-updated").await;
    for payload in [
        json!({"tracks": [camera(true), camera(true)]}),
        json!({"tracks": [{"source": "nose", "muted": true}]}),
    ] {
        a.say(json!({"type": "update-member", "requestId": 5, "payload": payload}))
            .await;
        assert_eq!(a.refused("bad-message").await["requestId"], 5);
    }
}

#[tokio::test]
async fn a_newcomer_reads_the_chat_so_far_but_not_what_was_private() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    let mut c = Client::connect(address).await;
    let room = a.create(json!({"name": "Tea", "features": ["chat"]})).await;
    b.join_with(&room, json!(["chat"])).await;
    a.expect("member-joined").await;
    a.say(json!({"type": "chat", "payload": {"text": "to all"}}))
        .await;
    a.say(json!({"type": "chat", "to": b.id, "payload": {"text": "to b"}}))
        .await;
    for _ in 0..2 {
        a.expect("chat").await;
        b.expect("chat").await;
    }
    let joined = c.join_with(&room, json!(["chat"])).await;
    let chat = joined["room"]["chat"].as_array().unwrap();
    assert_eq!(chat.len(), 1);
    assert_eq!(chat[0]["payload"]["text"], "to all");
    assert_eq!(chat[0]["from"], a.id);
    assert!(chat[0]["id"].is_string() && chat[0]["sentAt"].is_string());
}

#[tokio::test]
async fn who_asks_for_any_extension_is_told_of_the_ice_servers() {
    let config = ServerConfig {
        ice_servers: vec![IceServer {
            urls: vec!["turn:127.0.0.1:3478".to_owned()],
            username: None,
            credential: None,
        }],
        turn_secret: Some("north".to_owned()),
        ..ServerConfig::default()
    };
    let server = Server::bind(config).await.unwrap();
    let mut a = Client::connect(server.local_addr()).await;
    let mut b = Client::connect(server.local_addr()).await;
    let room = a.create(json!({"name": "Tea"})).await;
    let joined = b.join_with(&room, json!(["chat"])).await;
    let own = format!("stun:{}", server.local_addr());
    assert_eq!(joined["iceServers"][0]["urls"], json!([own]));
    let ice = &joined["iceServers"][1];
    let (expiry, id) = ice["username"].as_str().unwrap().split_once(':').unwrap();
    assert_eq!(id, b.id);
    assert!(expiry.parse::<u64>().is_ok() && ice["credential"].as_str().unwrap().len() == 28);
    assert_eq!(a.join(&room).await["type"], "member-joined");
    assert_eq!(a.expect("room-joined").await["iceServers"], Value::Null);
}

#[tokio::test]
async fn chat_that_is_not_stored_is_not_echoed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rooms.db");
    let database = format!("sqlite:{}", path.display());
    let server = Server::bind(ServerConfig {
        database: database.parse().unwrap(),
        ..ServerConfig::default()
    });
    let server = server.await.unwrap();
    let mut a = Client::connect(server.local_addr()).await;
    a.create(json!({"name": "Tea"})).await;
    let other = Connection::open(path).unwrap();
    other.execute("DROP TABLE chat", []).unwrap();
    a.say(json!({"type": "chat", "requestId": "r", "payload": "lost?"}))
        .await;
    let refused = a.refused("server-busy").await;
    assert_eq!(refused["requestId"], "r");
    assert!(!refused.to_string().contains("table"), "{refused}");
}

#[tokio::test]
async fn turn_credentials_are_renewed_before_they_expire_for_who_asked_for_it() {
    let config = ServerConfig {
        ice_servers: vec!["turn:127.0.0.1:3478".parse().unwrap()],
        turn_secret: Some("north".to_owned()),
        limits: Limits {
            turn_lifetime: Duration::from_secs(4),
            ..Limits::default()
        },
        ..ServerConfig::default()
    };
    let server = Server::bind(config).await.unwrap();
    let mut a = Client::connect(server.local_addr()).await;
    let mut b = Client::connect(server.local_addr()).await;
    assert!(a.features.contains(&"ice".to_owned()));
    let created = json!({"type": "create-room", "payload": {"name": "Tea", "features": ["ice"]}});
    let created = a.ask(created).await;
    let room = created["room"]["id"].as_str().unwrap();
    b.join_with(room, json!(["chat"])).await;
    a.expect("member-joined").await;
    let expiry = |servers: &Value| -> u64 {
        let username = servers[1]["username"].as_str().unwrap();
        username.split_once(':').unwrap().0.parse().unwrap()
    };
    let mut before = expiry(&created["iceServers"]);
    for _ in 0..2 {
        let renewed = a.expect("ice-servers").await;
        assert_eq!(renewed["roomId"], room);
        let servers = &renewed["payload"]["iceServers"];
        assert_eq!(servers[0], created["iceServers"][0]);
        assert!(expiry(servers) > before, "{renewed}");
        let at = Timestamp::parse(renewed["payload"]["expiresAt"].as_str().unwrap());
        assert_eq!(at.unwrap().secs(), i64::try_from(expiry(servers)).unwrap());
        before = expiry(servers);
    }
    b.nothing_more().await;
}

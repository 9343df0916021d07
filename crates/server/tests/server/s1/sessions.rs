//! Channels and sessions: their ids, who may do what with them, and their tokens.

use futures_util::future::join_all;
use livekit_api::access_token::TokenVerifier;
use serde_json::{Value, json};
use visavis_server::{AuthMode, ServerConfig, TrustedProxies};

use super::{
    go_live, host_ticket, idle, is_ulid, path, ready, room_path, sessions, status, stop,
    viewer_credentials,
};
use crate::studio::{Studio, claims, entry};
use crate::support::{Client, KEY, SECRET};

#[tokio::test]
async fn s1_01_s1_13_channels_and_sessions_are_made_read_changed_and_deleted() {
    let studio = Studio::open().await;
    let channel = studio.post("/channel", json!({"name": "News"})).await;
    let at = format!("/channel/{}", channel["channel_id"].as_str().unwrap());
    assert_eq!(studio.get(&at).await, channel);
    let (code, changed) = studio.ask("PATCH", &at, json!({"name": "Sport"})).await;
    assert_eq!((code, &changed["name"]), (200, &json!("Sport")));
    assert_eq!(studio.get("/channel/").await, json!([changed]));

    let said = json!({"channel_id": channel["channel_id"]});
    let session = studio.post("/session", said.clone()).await;
    assert_eq!(session["name"], "Sport");
    let change = json!({"name": "Final", "description": "The last match"});
    let (code, changed) = studio.ask("PATCH", &path(&session, "/"), change).await;
    assert_eq!(code, 200);
    assert_eq!(
        (
            &changed["name"],
            &changed["description"],
            &changed["status"]
        ),
        (&json!("Final"), &json!("The last match"), &json!("IDLE"))
    );
    let (code, refused) = studio.ask("DELETE", &at, Value::Null).await;
    assert_eq!((code, &refused["type"]), (409, &json!("session_exists")));
    let (code, _) = studio.ask("DELETE", &path(&session, ""), Value::Null).await;
    assert_eq!(code, 204);
    let (code, gone) = studio.ask("GET", &path(&session, ""), Value::Null).await;
    assert_eq!((code, &gone["type"]), (404, &json!("not_found")));
    // Its channel is free.
    let next = studio.post("/session", said.clone()).await;
    assert_ne!(next["room_id"], session["room_id"]);
    // The room by itself: made to live, read, changed, and deleted.
    let begin = json!({"session_id": next["session_id"]});
    assert_eq!(studio.ask("POST", "/session/room", begin).await.0, 201);
    let of_room = room_path(&next);
    assert_eq!(studio.get(&of_room).await["room_id"], next["room_id"]);
    let change = json!({"max_participants": 7});
    let legacy = of_room.replace("/api/v1", "");
    assert_eq!(studio.ask("PATCH", &legacy, change).await.0, 200);
    assert_eq!(studio.get(&of_room).await["max_participants"], 7);
    assert_eq!(studio.ask("DELETE", &of_room, Value::Null).await.0, 204);
    assert_eq!(studio.ask("GET", &of_room, Value::Null).await.0, 404);
    assert_eq!(status(&studio, &next).await, "CANCELLED");
    let next = studio.post("/session", said.clone()).await;
    studio.post(&path(&next, "/cancel"), Value::Null).await;
    assert_eq!(studio.ask("DELETE", &at, Value::Null).await.0, 204);
    assert_eq!(studio.ask("GET", &at, Value::Null).await.0, 404);
    assert_eq!(studio.ask("POST", "/session", said).await.0, 404);
}

#[tokio::test]
async fn s1_06_s1_07_s1_08_s1_12_every_id_is_a_prefix_and_a_lower_case_ulid() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    assert!(is_ulid(&session["session_id"], "se_"), "{session}");
    assert!(is_ulid(&session["room_id"], "ro_"), "{session}");
    assert!(is_ulid(&session["channel_id"], "ch_"), "{session}");
    assert_eq!(session["status"], "IDLE");
    assert!(session["user_id"].is_string());
}

#[tokio::test]
async fn s1_09_a_hundred_sessions_sort_in_the_order_of_their_making() {
    let studio = Studio::open().await;
    let mut made = Vec::new();
    for _ in 0..100 {
        made.push(idle(&studio).await);
    }
    for key in ["session_id", "room_id", "channel_id"] {
        let ids = made.iter().map(|one| one[key].as_str().unwrap());
        assert!(ids.is_sorted(), "{key}");
    }
    let listed = studio.get("/session").await;
    assert_eq!(listed.as_array().unwrap(), &made);
}

#[tokio::test]
async fn s1_11_of_sessions_made_at_once_for_one_channel_one_is_made() {
    let studio = Studio::open().await;
    let channel = studio.post("/channel", Value::Null).await;
    let said = json!({"channel_id": channel["channel_id"]});
    let asked = (0..20).map(|_| studio.ask("POST", "/session", said.clone()));
    let answers = join_all(asked).await;
    let made = answers.iter().filter(|(code, _)| *code == 201);
    assert_eq!(made.count(), 1);
    let refused = answers.iter().filter(|(code, _)| *code == 409);
    assert!(refused.clone().count() == 19);
    assert!(
        refused
            .clone()
            .all(|(_, body)| body["type"] == "session_exists")
    );
    assert_eq!(studio.get("/session").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn s1_41_a_channel_has_one_session_that_is_not_over() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let said = json!({"channel_id": session["channel_id"]});
    let (code, body) = studio.ask("POST", "/session", said.clone()).await;
    assert_eq!((code, &body["type"]), (409, &json!("session_exists")));
    studio.post(&path(&session, "/cancel"), Value::Null).await;
    let next = studio.post("/session", said).await;
    assert_ne!(next["room_id"], session["room_id"]);
}

#[tokio::test]
async fn s1_32_s1_34_a_token_names_the_user_the_room_and_the_name_to_show() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let join_credentials = host_ticket(&studio, &session).await;
    let said = claims(&join_credentials);
    assert_eq!(said["sub"], session["user_id"]);
    assert_eq!(said["name"], "Ann");
    assert_eq!(said["video"]["room"], session["room_id"]);
    assert_eq!(said["video"]["roomAdmin"], true);
    let url = format!("ws://{}", studio.address());
    assert_eq!(join_credentials["url"], url);
    let text = join_credentials["token"].as_str().unwrap();
    let read = TokenVerifier::with_api_key(KEY, SECRET)
        .verify(text)
        .unwrap();
    assert!(read.video.can_publish == Some(true) && read.video.room_join);

    let join_credentials = viewer_credentials(&studio, &session, "9").await;
    let said = claims(&join_credentials);
    assert_eq!((&said["sub"], &said["name"]), (&json!("9"), &json!("Vic")));
    assert_eq!(said["video"]["canPublish"], false);
    assert_eq!(said["video"].get("roomAdmin"), None);
    // Who watches sends nothing, whatever it says.
    let mut client = Client::connect(studio.address()).await;
    let joined = client.ask(entry(&join_credentials)).await;
    assert_eq!(joined["room"]["members"][0]["role"], "viewer", "{joined}");
    let update = json!({"tracks": [{"source": "camera", "muted": false}]});
    client
        .say(json!({"type": "update-member", "payload": update}))
        .await;
    client.refused("forbidden").await;
}

#[tokio::test]
async fn s1_40_two_sessions_of_one_room_have_figures_of_their_own() {
    let studio = Studio::open().await;
    let first = idle(&studio).await;
    let address = studio.address();
    let figure = async |name: &str, session: &Value| {
        let (code, _, page) = crate::support::http(address, "GET", "/metrics", "", "").await;
        assert_eq!(code, 200);
        let id = session["session_id"].as_str().unwrap();
        let start = format!("visavis_session_{name}{{");
        let mut lines = page.lines();
        let line = lines.find(|line| line.starts_with(&start) && line.contains(id));
        line.map(|line| line.rsplit(' ').next().unwrap().to_owned())
    };
    let _host = ready(&studio, &first).await;
    let join_credentials = viewer_credentials(&studio, &first, "9").await;
    let _viewer = studio.join(&join_credentials).await;
    assert_eq!(figure("joins", &first).await.as_deref(), Some("2"));

    studio.advance(1).await;
    go_live(&studio, &first, "EG_first").await;
    stop(&studio, &first).await;
    let all = sessions(&studio, &first).await;
    let second = all.iter().find(|one| one["status"] == "READY").unwrap();
    assert_eq!(second["room_id"], first["room_id"]);
    // The joins of the first session are not counted again.
    assert_eq!(figure("joins", second).await.as_deref(), Some("0"));
    assert_eq!(figure("participants", second).await.as_deref(), Some("2"));
    assert_eq!(figure("joins", &first).await, None);

    studio.advance(1).await;
    let join_credentials = viewer_credentials(&studio, second, "10").await;
    let _late = studio.join(&join_credentials).await;
    assert_eq!(figure("joins", second).await.as_deref(), Some("1"));
    assert_eq!(figure("participants", second).await.as_deref(), Some("3"));
}

#[tokio::test]
async fn s1_31_the_owner_rules_and_others_watch() {
    let studio = Studio::with(ServerConfig {
        auth: AuthMode::Header,
        trusted_proxies: TrustedProxies::parse(["127.0.0.1"]).unwrap(),
        ..ServerConfig::default()
    })
    .await;
    let user = |number: u8| format!("X-User-Id: 8d4e0f0c-0000-4000-8000-00000000000{number}\r\n");
    let (ann, vic) = (user(1), user(2));
    let (code, channel) = studio
        .ask_as(&ann, "POST", "/channel", json!({"user_id": "9"}))
        .await;
    assert_eq!(code, 201);
    assert_eq!(
        channel["user_id"], "8d4e0f0c-0000-4000-8000-000000000001",
        "whomever it names"
    );
    let said = json!({"channel_id": channel["channel_id"]});
    assert_eq!(
        studio
            .ask_as(&vic, "POST", "/session", said.clone())
            .await
            .0,
        403
    );
    let (_, session) = studio.ask_as(&ann, "POST", "/session", said).await;
    for action in ["start_live", "end", "cancel"] {
        let at = path(&session, &format!("/{action}"));
        let (code, body) = studio.ask_as(&vic, "POST", &at, Value::Null).await;
        assert_eq!((code, &body["type"]), (403, &json!("access_denied")));
    }
    for method in ["PATCH", "DELETE"] {
        let (code, _) = studio
            .ask_as(&vic, method, &path(&session, ""), json!({}))
            .await;
        assert_eq!(code, 403, "{method}");
    }
    let (code, _) = studio.ask("GET", &path(&session, ""), Value::Null).await;
    assert_eq!(code, 401);
    let (code, _) = studio
        .ask_as(&vic, "GET", &path(&session, ""), Value::Null)
        .await;
    assert_eq!(code, 200);
    let (_, listed) = studio.ask_as(&vic, "GET", "/session", Value::Null).await;
    assert_eq!(listed, json!([]));
    let at = path(&session, "/token");
    let forged = json!({"display_name": "Vic", "user_id": channel["user_id"], "role": "host"});
    let (code, join_credentials) = studio.ask_as(&vic, "POST", &at, forged).await;
    assert_eq!(code, 200);
    let said = claims(&join_credentials);
    assert_eq!(said["sub"], "8d4e0f0c-0000-4000-8000-000000000002");
    assert_eq!(said["video"]["canPublish"], false);
    let (_, join_credentials) = studio.ask_as(&ann, "POST", &at, json!({})).await;
    assert_eq!(claims(&join_credentials)["video"]["roomAdmin"], true);
}

//! Who may join, with which role, and who is refused.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;
use uuid::Uuid;
use visavis_server::{AuthMode, Discovery, Keys, Server, ServerConfig, TrustedProxies};

use crate::support::{Client, KEY, SECRET, server, wait_for_room};

async fn server_with(config: ServerConfig) -> Server {
    Server::bind(config).await.unwrap()
}

/// A server that requires tokens.
pub async fn strict() -> Server {
    server_with(ServerConfig {
        auth: AuthMode::Jwt,
        keys: Keys::new(KEY, SECRET),
        ..ServerConfig::default()
    })
    .await
}

/// A server behind a gateway on this machine.
pub async fn gated(proxies: TrustedProxies) -> Server {
    server_with(ServerConfig {
        auth: AuthMode::Header,
        keys: Keys::new(KEY, SECRET),
        trusted_proxies: proxies,
        ..ServerConfig::default()
    })
    .await
}

pub fn here() -> TrustedProxies {
    TrustedProxies::parse(["127.0.0.1"]).unwrap()
}

/// Seconds since 1970, and so many.
pub fn from_now(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + seconds
}

/// RFC 3339, so much from now.
fn moment(from_now: Duration) -> String {
    let at = time::OffsetDateTime::now_utc() + from_now;
    let format = &time::format_description::well_known::Rfc3339;
    at.format(format).unwrap()
}

pub fn signed(claims: &Value, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
}

pub fn claims(identity: &str, video: Value) -> Value {
    json!({"iss": KEY, "sub": identity, "exp": from_now(60), "video": video})
}

pub fn token(identity: &str, video: Value) -> String {
    signed(&claims(identity, video), SECRET)
}

pub fn guest(room: &str) -> Value {
    json!({"roomJoin": true, "room": room})
}

/// A room made by one who may.
pub async fn room(server: &Server, more: Value) -> (Client, String) {
    let mut host = Client::connect(server.local_addr()).await;
    let mut payload = json!({
        "name": "Tea", "token": token("host", json!({"roomCreate": true})),
    });
    for (key, value) in more.as_object().unwrap() {
        payload[key] = value.clone();
    }
    let room = host.create(payload).await;
    (host, room)
}

pub async fn check_entry(server: &Server, payload: Value) -> Value {
    Client::connect(server.local_addr())
        .await
        .check_entry(payload)
        .await
}

#[tokio::test]
async fn creating_a_room_needs_the_room_create_grant() {
    let server = strict().await;
    for (token, code) in [
        (None, "unauthorized"),
        (
            Some(token("ann", json!({"roomJoin": true, "room": "x"}))),
            "forbidden",
        ),
    ] {
        let payload = json!({"name": "Tea", "token": token});
        let mut client = Client::connect(server.local_addr()).await;
        client
            .say(json!({"type": "create-room", "payload": payload}))
            .await;
        client.refused(code).await;
    }
    room(&server, json!({})).await;
}

#[tokio::test]
async fn a_token_may_come_with_the_handshake() {
    let server = strict().await;
    let (_host, room) = room(&server, json!({})).await;
    let bearer = format!("Bearer {}", token("ann", guest(&room)));
    let mut ann =
        Client::connect_with(server.local_addr(), &[("authorization", bearer.as_str())]).await;
    assert_eq!(ann.join(&room).await["type"], "room-joined");
}

#[tokio::test]
async fn a_long_name_of_a_token_joins_and_is_cut_between_two_graphemes() {
    let server = strict().await;
    let (mut host, room) = room(&server, json!({"features": ["members"]})).await;
    // An e and its accent are one grapheme: the 100th character is an e, which goes.
    let name = format!("{}{}", "x".repeat(99), "e\u{301}".repeat(201));
    assert!(name.chars().count() > 300);
    let mut ann = claims("ann", guest(&room));
    ann["name"] = name.into();
    let token = signed(&ann, SECRET);
    let joined = check_entry(
        &server,
        json!({"roomId": room, "token": token, "features": ["members"]}),
    )
    .await;
    assert_eq!(joined["type"], "room-joined", "{joined}");
    assert_eq!(joined["room"]["members"][1]["name"], "x".repeat(99));
    let told = host.until("member-joined").await;
    assert_eq!(told["member"]["name"], "x".repeat(99));
}

#[tokio::test]
async fn s2_13_s2_72_role_name_and_grants_are_the_tokens_whatever_the_request_claims() {
    let server = strict().await;
    let (mut host, room) = room(&server, json!({"features": ["members"]})).await;
    let mut video = guest(&room);
    video["canPublishSources"] = json!(["microphone"]);
    let mut ann = claims("ann", video);
    ann["name"] = "Ann".into();
    let mut video = guest(&room);
    video["canPublish"] = false.into();
    let viewer = token("vic", video);
    let mut video = guest(&room);
    video["roomAdmin"] = true.into();
    let admin = token("adm", video);
    for (token, name, role) in [
        (signed(&ann, SECRET), "Ann", "participant"),
        (viewer, "Mallory", "viewer"),
        (admin, "Mallory", "host"),
    ] {
        let mut client = Client::connect(server.local_addr()).await;
        let forged = json!({
            "roomId": room, "token": token, "displayName": "Mallory", "features": ["members"],
            "role": "host", "grants": {"canPublish": true}, "identity": "somebody",
        });
        let joined = client.check_entry(forged).await;
        assert_eq!(joined["type"], "room-joined", "{joined}");
        let told = host.expect("member-joined").await["member"].clone();
        assert_eq!((&told["name"], &told["role"]), (&json!(name), &json!(role)));
        let camera = json!([{"source": "camera", "muted": false}]);
        client
            .say(json!({"type": "update-member", "payload": {"tracks": camera}}))
            .await;
        if role == "host" {
            // One who is host by right comes before one who stands in.
            host.until("member-updated").await;
            client.until("member-updated").await;
        } else {
            client.refused("forbidden").await;
            client.say(json!({"type": "lock-room"})).await;
            client.refused("forbidden").await;
        }
        if role == "viewer" {
            client.say(json!({"type": "chat", "payload": "psst"})).await;
            client.refused("forbidden").await;
        }
        client.say(json!({"type": "leave-room"})).await;
        host.until("member-left").await;
    }
}

#[tokio::test]
async fn s2_63_each_reason_for_not_getting_in_has_its_own_code() {
    let server = strict().await;
    let (mut host, over) = room(&server, json!({})).await;
    host.say(json!({"type": "end-room"})).await;
    host.refused("room-ended").await;
    let later = json!({"opensAt": moment(Duration::from_secs(3_600))});
    let (_host, later) = room(&server, later).await;
    let (_host, open) = room(&server, json!({})).await;
    let mut expired = claims("ann", guest(&open));
    expired["exp"] = from_now(-61).into();
    for (room, token, code) in [
        (&over, token("ann", guest(&over)), "room-ended"),
        (&later, token("ann", guest(&later)), "room-not-open"),
        (&open, token("ann", guest(&over)), "forbidden"),
        (&open, signed(&expired, SECRET), "token-expired"),
    ] {
        let answer = check_entry(&server, json!({"roomId": room, "token": token})).await;
        assert_eq!(answer["code"], code, "{answer}");
    }
}

#[tokio::test]
async fn names_inside_a_room_are_shown_only_to_those_who_may_join() {
    let server = strict().await;
    let named = json!({"displayName": "Ann"});
    let (_host, tea) = room(&server, named).await;
    let address = server.local_addr();
    let names = async |mut client: Client| {
        let get = json!({"type": "get-room", "payload": {"roomId": tea}});
        let info = client.ask(get).await["room"].clone();
        assert_eq!(info["participantCount"], 1);
        info["names"].clone()
    };
    assert_eq!(names(Client::connect(address).await).await, Value::Null);
    for (room, expected) in [(tea.as_str(), json!(["Ann"])), ("other", Value::Null)] {
        let bearer = format!("Bearer {}", token("ann", guest(room)));
        let client = Client::connect_with(address, &[("authorization", bearer.as_str())]).await;
        assert_eq!(names(client).await, expected, "{room}");
    }
}

#[tokio::test]
async fn the_gateway_names_the_user() {
    let user = Uuid::new_v4().to_string();
    let header = [("x-user-id", user.as_str())];
    let make = json!({"type": "create-room", "payload": {"name": "Tea", "features": ["members"]}});

    let server = gated(here()).await;
    let address = server.local_addr();
    for headers in [&[][..], &[("x-user-id", "ann")][..]] {
        let mut nobody = Client::connect_with(address, headers).await;
        nobody.say(make.clone()).await;
        nobody.refused("unauthorized").await;
    }
    let mut host = Client::connect_with(address, &header).await;
    let created = host.ask(make).await;
    assert_eq!(created["room"]["host"], host.id);
    let room = created["room"]["id"].as_str().unwrap();
    let other = Uuid::new_v4().to_string();
    let other = [("x-user-id", other.as_str())];
    let mut guest = Client::connect_with(address, &other).await;
    guest.join(room).await;
    host.expect("member-joined").await;
    // The account is host again on its next connection, before who stood in.
    host.close().await;
    guest.expect("member-left").await;
    let mut again = Client::connect_with(address, &header).await;
    let joined = again.join_with(room, json!(["members"])).await;
    let role = |index: usize| joined["room"]["members"][index]["role"].clone();
    assert_eq!([role(0), role(1)], [json!("participant"), json!("host")]);
    // A token is taken in every mode.
    let video = json!({"roomJoin": true, "room": room});
    let answer = check_entry(
        &server,
        json!({"roomId": room, "token": token("bob", video)}),
    )
    .await;
    assert_eq!(answer["type"], "room-joined");
}

#[tokio::test]
async fn s3_57_a_scheduled_room_opens_and_closes_in_its_time() {
    let server = server().await;
    let address = server.local_addr();
    let mut host = Client::connect(address).await;
    let opens_at = moment(Duration::from_millis(1_500));
    let payload = json!({
        "name": "Later", "opensAt": opens_at, "closesAt": moment(Duration::from_secs(3)),
        "features": ["controls"],
    });
    // Its maker is in already, and can prepare.
    let room = host.create(payload).await;
    assert!(host.expect("room-updated").await["room"]["closesAt"].is_string());
    let mut guest = Client::connect(address).await;
    let early = guest.join(&room).await;
    assert_eq!(early["code"], "room-not-open");
    assert_eq!(early["opensAt"].as_str().unwrap()[..19], opens_at[..19]);
    let info = guest
        .ask(json!({"type": "get-room", "payload": {"roomId": room}}))
        .await;
    assert_eq!(info["room"]["opensAt"], early["opensAt"]);
    wait_for_room(address, &room, |info| info["room"]["opensAt"].is_null()).await;
    assert_eq!(guest.join(&room).await["type"], "room-joined");
    assert_eq!(host.until("room-closed").await["reason"], "time-over");
    assert_eq!(guest.refused("room-ended").await["roomId"], room);

    for (opens, closes) in [(60, 60), (60, 30), (-60, -30)] {
        let at = |seconds: i64| match u64::try_from(seconds) {
            Ok(seconds) => moment(Duration::from_secs(seconds)),
            Err(_) => "2020-01-01T00:00:00Z".to_owned(),
        };
        let payload = json!({"name": "Never", "opensAt": at(opens), "closesAt": at(closes)});
        guest
            .say(json!({"type": "create-room", "payload": payload}))
            .await;
        guest.refused("bad-message").await;
    }
    let payload = json!({"name": "When", "opensAt": "tomorrow"});
    guest
        .say(json!({"type": "create-room", "payload": payload}))
        .await;
    guest.refused("bad-message").await;
}

#[tokio::test]
async fn s3_36_rooms_are_found_by_a_list_by_their_id_alone_or_by_either() {
    for (discovery, listed) in [
        (Discovery::Public, &["den", "open"][..]),
        (Discovery::IdOnly, &[]),
        (Discovery::Hybrid, &["open"]),
    ] {
        let server = server_with(ServerConfig {
            discovery,
            ..ServerConfig::default()
        })
        .await;
        let address = server.local_addr();
        let mut a = Client::connect(address).await;
        let mut b = Client::connect(address).await;
        a.create(json!({"name": "open"})).await;
        let den = b
            .create(json!({"name": "den", "metadata": {"private": true}}))
            .await;
        let mut guest = Client::connect(address).await;
        let list = guest.ask(json!({"type": "list-rooms"})).await;
        let rooms = list["rooms"].as_array().unwrap().iter();
        let mut names: Vec<_> = rooms.map(|room| room["name"].as_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, listed, "{discovery:?}");
        assert_eq!(guest.join(&den).await["type"], "room-joined");
    }
}

#[tokio::test]
async fn s3_42_s3_43_s3_45_s3_46_the_old_form_reaches_any_client_where_the_server_says_so() {
    let old = |to: &Client| json!({"type": "offer", "to": to.id, "payload": {"sdp": "v=0"}});
    let plain = server().await;
    let mut a = Client::connect(plain.local_addr()).await;
    let b = Client::connect(plain.local_addr()).await;
    a.say(old(&b)).await;
    a.refused("not-in-room").await;
    assert!(!a.features.contains(&"direct".to_owned()));
    assert!(a.features.contains(&"rooms".to_owned()));

    let server = server_with(ServerConfig {
        direct: true,
        ..ServerConfig::default()
    })
    .await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    assert!(a.features.contains(&"direct".to_owned()));
    a.say(old(&b)).await;
    let offer = json!({"type": "offer", "from": a.id, "payload": {"sdp": "v=0"}});
    assert_eq!(b.hear().await, offer);
    b.say(json!({"type": "ice", "to": a.id, "payload": {"candidate": ""}}))
        .await;
    assert_eq!(a.expect("ice").await["from"], b.id);
    a.say(json!({"type": "answer", "to": b.id, "payload": "v=0"}))
        .await;
    a.refused("bad-message").await;

    // On one socket: with a room within it, without one as before.
    let room = a.create(json!({"name": "Tea"})).await;
    let mut with_room = old(&b);
    with_room["roomId"] = room.clone().into();
    a.say(with_room.clone()).await;
    a.refused("member-not-found").await;
    a.say(old(&b)).await;
    assert_eq!(b.hear().await, offer);
    b.join(&room).await;
    a.expect("member-joined").await;
    a.say(with_room).await;
    assert_eq!(b.hear().await, offer);
    let gone = Uuid::new_v4();
    a.say(json!({"type": "offer", "to": gone, "payload": {}}))
        .await;
    a.refused("member-not-found").await;
}

#[tokio::test]
async fn behind_a_listed_proxy_the_rates_are_each_clients_own() {
    let server = gated(here()).await;
    let address = server.local_addr();
    let one = [("x-forwarded-for", "203.0.113.1")];
    for _ in 0..120 {
        Client::connect_with(address, &one).await;
    }
    match Client::try_connect_with(address, "/ws", &one).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 429),
        other => panic!("{:?}", other.map(|client| client.id)),
    }
    Client::connect_with(address, &[("x-forwarded-for", "203.0.113.2")]).await;
}

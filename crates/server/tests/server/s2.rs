//! Coming to what is booked: tokens, grants, and what became of it.

use livekit_api::access_token::{AccessToken, TokenVerifier, VideoGrants};
use serde_json::{Value, json};
use visavis_server::{AuthMode, ServerConfig, TrustedProxies};

use crate::bookings::{booked, booking, booking_path, join_credentials, join_path, room_path};
use crate::studio::{Studio, claims, entry, token};
use crate::support::{Client, KEY, SECRET};

#[tokio::test]
async fn s2_29_s2_31_s2_39_s2_40_a_token_bears_the_user_the_address_the_name_and_the_room() {
    let studio = Studio::open().await;
    let made = booked(&studio, "individual").await;
    let join_credentials = join_credentials(&studio, &made, 9).await;
    let said = claims(&join_credentials);
    assert_eq!(
        (&said["sub"], &said["name"]),
        (&json!("9-ann@mail"), &json!("Ann"))
    );
    assert_eq!(
        (&join_credentials["identity"], &join_credentials["room"]),
        (&json!("9-ann@mail"), &made["room"]["name"])
    );
    assert_eq!(said["video"]["room"], made["room"]["name"]);
    let time = |key: &str| said[key].as_u64().unwrap();
    assert_eq!(time("exp") - time("iat"), 14_400);
    assert_eq!(time("nbf"), time("iat"));
    assert_eq!(said["iss"], KEY);
    let mut keys: Vec<_> = said.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["exp", "iat", "iss", "name", "nbf", "sub", "video"]);
    assert_eq!(
        said["video"],
        json!({
            "room": made["room"]["name"], "roomJoin": true, "roomAdmin": true, "roomRecord": true,
            "canPublish": true, "canSubscribe": true, "canPublishData": true,
        })
    );
    let text = join_credentials["token"].as_str().unwrap();
    let read = TokenVerifier::with_api_key(KEY, SECRET)
        .verify(text)
        .unwrap();
    assert_eq!(read.sub, "9-ann@mail");
    assert!(read.video.room_join && read.video.room_admin && read.video.room_record);
    // The same by room and by booking.
    let path = room_path(&made, "/get_token/");
    let by_room = studio.post(&path, json!({"user_id": "9"})).await;
    assert_eq!(claims(&by_room)["video"], said["video"]);
    assert_eq!(by_room["url"], format!("ws://{}", studio.address()));
    let by_name = format!(
        "/api/v1/rooms/{}/get_token",
        made["room"]["name"].as_str().unwrap()
    );
    studio.post(&by_name, json!({"user_id": 10})).await;
}

#[tokio::test]
async fn s2_09_s2_32_who_gives_it_may_more_than_who_comes_and_who_watches_sends_nothing() {
    let studio = Studio::open().await;
    let may = |join_credentials: &Value| {
        let video = claims(join_credentials)["video"].clone();
        [
            "roomAdmin",
            "roomRecord",
            "roomJoin",
            "canPublish",
            "canSubscribe",
            "canPublishData",
        ]
        .map(|key| video[key].as_bool().unwrap_or(false))
    };
    for (kind, publishes) in [
        ("individual", true),
        ("group", true),
        ("webinar", false),
        ("broadcast", false),
    ] {
        let made = booked(&studio, kind).await;
        let host = join_credentials(&studio, &made, 9).await;
        assert_eq!(may(&host), [true; 6], "{kind}");
        let guest = join_credentials(&studio, &made, 10).await;
        assert_eq!(
            may(&guest),
            [false, false, true, publishes, true, true],
            "{kind}"
        );
    }
}

/// Says what it sends, and hears what everyone is told of it.
async fn send(client: &mut Client, source: &str) -> Value {
    let tracks = json!([{"source": source, "muted": false}]);
    let update = json!({"type": "update-member", "payload": {"tracks": tracks}});
    client.ask(update).await
}

#[tokio::test]
async fn s2_60_who_watches_a_webinar_asks_in_the_chat_and_sends_no_picture() {
    let studio = Studio::open().await;
    let made = booked(&studio, "webinar").await;
    // Watching is not leading, whoever comes first.
    let mut bob = studio
        .join(&join_credentials(&studio, &made, 10).await)
        .await;
    let refused = send(&mut bob, "camera").await;
    assert_eq!(refused["code"], "forbidden", "{refused}");
    let mut ann = studio
        .join(&join_credentials(&studio, &made, 9).await)
        .await;
    let joined = bob.expect("member-joined").await;
    assert_eq!(joined["member"]["role"], "host");
    assert_eq!(send(&mut ann, "camera").await["type"], "member-updated");
    bob.expect("member-updated").await;
    bob.nothing_more().await;
    assert_eq!(ann.hear().await["payload"], "anything more?");
}

#[tokio::test]
async fn s2_58_two_in_an_individual_room_may_show_their_screens() {
    let studio = Studio::open().await;
    let made = booked(&studio, "individual").await;
    let mut ann = studio
        .join(&join_credentials(&studio, &made, 9).await)
        .await;
    let mut bob = studio
        .join(&join_credentials(&studio, &made, 10).await)
        .await;
    ann.expect("member-joined").await;
    let told = send(&mut bob, "screen_share").await;
    assert_eq!(
        told["member"]["tracks"][0]["source"], "screen_share",
        "{told}"
    );
    assert_eq!(ann.hear().await, told);
}

#[tokio::test]
async fn s2_59_a_group_takes_twenty_five() {
    let studio = Studio::open().await;
    let mut said = booking("group");
    let people = (0..26).map(|number| json!({"user_id": number, "email": "p@mail"}));
    said["participants"] = people.collect();
    let made = studio.post("/api/v1/bookings", said).await;
    let mut inside = Vec::new();
    for user in 0..25 {
        inside.push(
            studio
                .join(&join_credentials(&studio, &made, user).await)
                .await,
        );
    }
    let mut last = Client::connect(studio.address()).await;
    last.say(entry(&join_credentials(&studio, &made, 25).await))
        .await;
    last.refused("room-full").await;
    let room = studio.get(&room_path(&made, "")).await;
    assert_eq!(room["participant_count"], 25);
    let last = &mut inside[24];
    last.nothing_more().await;
    let sender = last.id.clone();
    for one in &mut inside[..24] {
        assert_eq!(one.until("chat").await["from"], sender);
    }
}

#[tokio::test]
async fn s2_33_a_token_is_the_one_that_livekits_library_makes() {
    let studio = Studio::open().await;
    let made = booked(&studio, "individual").await;
    for (user, identity, name) in [(9, "9-ann@mail", "Ann"), (10, "10-bob@mail", "Bob")] {
        let ours = claims(&join_credentials(&studio, &made, user).await);
        let grant: VideoGrants = serde_json::from_value(ours["video"].clone()).unwrap();
        let theirs = AccessToken::with_api_key(KEY, SECRET)
            .with_identity(identity)
            .with_name(name)
            .with_grants(grant);
        let theirs = claims(&json!({"token": theirs.to_jwt().unwrap()}));
        assert_eq!(set(&ours), set(&theirs));
    }
}

/// What is set, times aside.
fn set(claims: &Value) -> Value {
    match claims {
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, _)| !["exp", "nbf", "iat"].contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), set(value)))
            .filter(|(_, value)| {
                ![json!(false), json!(""), json!([]), json!({}), Value::Null].contains(value)
            })
            .collect(),
        value => value.clone(),
    }
}

#[tokio::test]
async fn s2_07_s2_58_an_individual_room_takes_two_and_is_not_recorded() {
    let studio = Studio::open().await;
    let made = booked(&studio, "individual").await;
    let _ann = studio
        .join(&join_credentials(&studio, &made, 9).await)
        .await;
    let _bob = studio
        .join(&join_credentials(&studio, &made, 10).await)
        .await;
    // The token is given; the limit is the room's.
    let third = join_credentials(&studio, &made, 11).await;
    let mut client = Client::connect(studio.address()).await;
    client.say(entry(&third)).await;
    client.refused("room-full").await;
    let start = room_path(&made, "/start_recording/");
    let (code, body) = studio.ask("POST", &start, Value::Null).await;
    assert_eq!((code, &body["type"]), (403, &json!("access_denied")));
}

#[tokio::test]
async fn s2_63_whoever_cannot_come_is_told_which_way() {
    let studio = Studio::open().await;
    let made = booked(&studio, "group").await;
    let refusal = async |user: u32| {
        let (code, body) = studio
            .ask("POST", &join_path(&made), json!({"user_id": user}))
            .await;
        (code, body["type"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(refusal(12).await, (403, "access_denied".to_owned()));
    let held = join_credentials(&studio, &made, 10).await;
    let change = json!({"status": "completed"});
    studio.ask("PATCH", &booking_path(&made), change).await;
    assert_eq!(refusal(10).await, (409, "booking_not_active".to_owned()));
    assert_eq!(
        refusal(12).await,
        (403, "access_denied".to_owned()),
        "before anything else"
    );
    studio.post(&room_path(&made, "/close"), Value::Null).await;
    assert_eq!(refusal(10).await, (404, "room_closed".to_owned()));
    let nobody = "/api/v1/rooms/booking/none/join/";
    let (code, _) = studio.ask("POST", nobody, json!({"user_id": 10})).await;
    assert_eq!(code, 404);
    let mut client = Client::connect(studio.address()).await;
    client.say(entry(&held)).await;
    client.refused("room-ended").await;
    // The token's time is over, too.
    studio.advance(14_400 + 60).await;
    let mut client = Client::connect(studio.address()).await;
    client.say(entry(&held)).await;
    client.refused("token-expired").await;
    let head = format!(
        "Authorization: Bearer {}\r\n",
        held["token"].as_str().unwrap()
    );
    let (code, body) = studio
        .ask_as(&head, "POST", &join_path(&made), json!({}))
        .await;
    assert_eq!((code, &body["type"]), (401, &json!("token_expired")));
}

#[tokio::test]
async fn s2_30_a_token_opens_the_room_for_four_hours_and_the_leeway() {
    let studio = Studio::open().await;
    let made = booked(&studio, "group").await;
    let held = join_credentials(&studio, &made, 10).await;
    let said = claims(&held);
    let instance = said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap();
    assert_eq!(instance, 4 * 3_600);
    studio.advance(14_400 + 50).await;
    studio.join(&held).await;
    studio.advance(11).await;
    let mut client = Client::connect(studio.address()).await;
    client.say(entry(&held)).await;
    client.refused("token-expired").await;
}

#[tokio::test]
async fn s2_72_a_role_that_is_asked_for_is_not_given() {
    let studio = Studio::open().await;
    let made = booked(&studio, "webinar").await;
    let forged = json!({
        "user_id": 10, "role": "host", "email": "ann@mail",
        "participants": [{"user_id": 10, "role": "practitioner"}],
        "video": {"roomAdmin": true}, "canPublish": true,
    });
    let join_credentials = studio.post(&join_path(&made), forged).await;
    let said = claims(&join_credentials);
    assert_eq!(said["sub"], "10-bob@mail");
    assert_eq!(said["video"].get("roomAdmin"), None);
    assert_eq!(said["video"]["canPublish"], false);
}

#[tokio::test]
async fn s2_28_whoever_asks_is_who_the_gateway_or_the_token_says() {
    let header = Studio::with(ServerConfig {
        auth: AuthMode::Header,
        trusted_proxies: TrustedProxies::parse(["127.0.0.1"]).unwrap(),
        ..ServerConfig::default()
    })
    .await;
    let id = |number: u8| format!("8d4e0f0c-0000-4000-8000-00000000000{number}");
    let head = |number: u8| format!("X-User-Id: {}\r\n", id(number));
    let said = json!({"kind": "group", "participants": [
        {"user_id": id(1), "email": "ann@mail", "role": "practitioner"},
        {"user_id": id(2), "email": "bob@mail"},
    ]});
    let (_, made) = header
        .ask_as(&head(1), "POST", "/api/v1/bookings", said)
        .await;
    let path = join_path(&made);
    let (code, body) = header.ask("POST", &path, json!({"user_id": id(1)})).await;
    assert_eq!(
        (code, &body["type"]),
        (401, &json!("authentication_failed"))
    );
    let forged = json!({"user_id": id(1)});
    assert_eq!(
        header
            .ask_as(&head(3), "POST", &path, forged.clone())
            .await
            .0,
        403
    );
    let (code, join_credentials) = header.ask_as(&head(2), "POST", &path, forged).await;
    assert_eq!(
        (code, &join_credentials["identity"]),
        (200, &json!(format!("{}-bob@mail", id(2))))
    );

    let jwt = Studio::with(ServerConfig {
        auth: AuthMode::Jwt,
        ..ServerConfig::default()
    })
    .await;
    let bearer = |text: &str| format!("Authorization: Bearer {text}\r\n");
    let backend = bearer(&token(
        "backend",
        VideoGrants {
            room_create: true,
            ..VideoGrants::default()
        },
    ));
    let (code, made) = jwt
        .ask_as(&backend, "POST", "/api/v1/bookings", booking("group"))
        .await;
    assert_eq!(code, 201);
    let path = join_path(&made);
    assert_eq!(jwt.ask("POST", &path, json!({"user_id": 9})).await.0, 401);
    let (code, join_credentials) = jwt
        .ask_as(&backend, "POST", &path, json!({"user_id": 9}))
        .await;
    assert_eq!(
        (code, &join_credentials["identity"]),
        (200, &json!("9-ann@mail"))
    );
    // With the token for the room goes another one.
    let own = bearer(join_credentials["token"].as_str().unwrap());
    let (code, again) = jwt.ask_as(&own, "POST", &path, json!({})).await;
    assert_eq!(
        (code, &claims(&again)["video"]),
        (200, &claims(&join_credentials)["video"])
    );
    let stranger = bearer(&token("12-dan@mail", VideoGrants::default()));
    assert_eq!(jwt.ask_as(&stranger, "POST", &path, json!({})).await.0, 403);
}

#[tokio::test]
async fn s2_39_a_room_that_is_not_booked_gives_tokens_to_those_who_may_join_it() {
    let studio = Studio::open().await;
    let room = studio.post("/rooms", json!({"name": "Tea"})).await;
    let path = format!(
        "/api/v1/rooms/{}/get_token/",
        room["roomId"].as_str().unwrap()
    );
    let join_credentials = studio
        .post(
            &path,
            json!({"user_id": 5, "email": "eve@mail", "display_name": "Eve"}),
        )
        .await;
    let said = claims(&join_credentials);
    assert_eq!(
        (&said["sub"], &said["name"]),
        (&json!("5-eve@mail"), &json!("Eve"))
    );
    assert_eq!(said["video"]["canPublish"], true);
    let mut client = Client::connect(studio.address()).await;
    assert_eq!(
        client.ask(entry(&join_credentials)).await["type"],
        "room-joined"
    );

    let jwt = Studio::with(ServerConfig {
        auth: AuthMode::Jwt,
        ..ServerConfig::default()
    })
    .await;
    let bearer = |grant| format!("Authorization: Bearer {}\r\n", token("5", grant));
    let maker = bearer(VideoGrants {
        room_create: true,
        ..VideoGrants::default()
    });
    let (_, room) = jwt.ask_as(&maker, "POST", "/rooms", json!({})).await;
    let room = room["roomId"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/rooms/{room}/get_token/");
    let elsewhere = bearer(VideoGrants {
        room_join: true,
        room: "abc-defg-hij".to_owned(),
        ..VideoGrants::default()
    });
    assert_eq!(
        jwt.ask_as(&elsewhere, "POST", &path, json!({})).await.0,
        403
    );
    let silent = bearer(VideoGrants {
        room_join: true,
        room,
        can_publish: Some(false),
        ..VideoGrants::default()
    });
    let (code, join_credentials) = jwt.ask_as(&silent, "POST", &path, json!({})).await;
    assert_eq!(code, 200);
    assert_eq!(
        claims(&join_credentials)["video"]["canPublish"],
        false,
        "no more than it had"
    );
}

#[tokio::test]
async fn s2_06_without_auto_create_nobody_comes_before_the_host() {
    let studio = Studio::with(ServerConfig {
        auto_create: false,
        ..ServerConfig::default()
    })
    .await;
    let made = booked(&studio, "group").await;
    let (code, body) = studio
        .ask("POST", &join_path(&made), json!({"user_id": 10}))
        .await;
    assert_eq!((code, &body["type"]), (404, &json!("room_not_found")));
    let mut client = Client::connect(studio.address()).await;
    let code = made["room"]["code"].as_str().unwrap();
    client
        .say(json!({"type": "join-room", "payload": {"roomId": code}}))
        .await;
    client.refused("room-not-found").await;
    join_credentials(&studio, &made, 9).await;
    let _bob = studio
        .join(&join_credentials(&studio, &made, 10).await)
        .await;

    let studio = Studio::open().await;
    let made = booked(&studio, "group").await;
    let _bob = studio
        .join(&join_credentials(&studio, &made, 10).await)
        .await;
}

#[tokio::test]
async fn s2_11_s2_13_s2_22_s2_26_each_stay_is_counted_to_the_second() {
    let studio = Studio::open().await;
    let made = booked(&studio, "group").await;
    let path = room_path(&made, "/participants/");
    let first = studio
        .join(&join_credentials(&studio, &made, 10).await)
        .await;
    studio.advance(10).await;
    first.close().await;
    studio
        .wait(&path, |stays| stays[0]["left_at"].is_string())
        .await;
    let mut host = studio
        .join(&join_credentials(&studio, &made, 9).await)
        .await;
    let _again = studio
        .join(&join_credentials(&studio, &made, 10).await)
        .await;
    // Told without being asked.
    let joined = host.expect("member-joined").await;
    assert_eq!(joined["count"], 2);
    let stays = studio.get(&path).await;
    let of = |key: &str| -> Vec<Value> {
        let stays = stays.as_array().unwrap().iter();
        stays.map(|stay| stay[key].clone()).collect()
    };
    assert_eq!(of("identity"), ["10-bob@mail", "9-ann@mail", "10-bob@mail"]);
    assert_eq!(of("name"), ["Bob", "Ann", "Bob"]);
    assert_eq!(of("role"), ["participant", "host", "participant"]);
    assert_eq!(of("kind"), ["video", "video", "video"]);
    assert_eq!(stays[0]["duration"], 10);
    assert_eq!(stays[1]["left_at"], Value::Null);
    assert_eq!(
        studio.get(&room_path(&made, "")).await["participant_count"],
        2
    );
}

#[tokio::test]
async fn s2_12_what_a_client_tells_of_its_connections_is_shown() {
    let studio = Studio::open().await;
    let made = booked(&studio, "individual").await;
    let pass = join_credentials(&studio, &made, 9).await;
    let mut ann = Client::connect(studio.address()).await;
    let mut join = entry(&pass);
    join["payload"]["features"] = json!(["quality"]);
    assert_eq!(ann.ask(join).await["type"], "room-joined");
    let mut bob = studio
        .join(&join_credentials(&studio, &made, 10).await)
        .await;
    ann.expect("member-joined").await;
    let path = room_path(&made, "/participants");
    let peers = |rtt: f64| {
        json!([{
            "id": bob.id, "connected": true,
            "roundTripMs": rtt, "lossPercent": 1.5, "jitterMs": 3.25,
        }])
    };
    let report = |rtt: f64| json!({"type": "report-quality", "payload": {"peers": peers(rtt)}});
    let (first, last) = (report(20.5), report(80.0));
    let shown = |rtt: f64| json!({"peers": peers(rtt)});
    let (shown_first, shown_last) = (shown(20.5), shown(80.0));
    ann.say(first).await;
    let first = |stays: &Value| stays[0]["quality"] == shown_first;
    let stays = studio.wait(&path, first).await;
    assert_eq!(stays[1]["quality"], Value::Null, "nobody asked the other");
    // The last that it told, when it is gone at the latest.
    ann.say(last).await;
    ann.close().await;
    bob.expect("member-left").await;
    let left = |stays: &Value| stays[0]["left_at"].is_string();
    let stays = studio.wait(&path, left).await;
    assert_eq!(stays[0]["quality"], shown_last);
}

#[tokio::test]
async fn s2_17_what_is_inside_is_shown_to_those_who_belong_there() {
    let studio = Studio::with(ServerConfig {
        auth: AuthMode::Jwt,
        ..ServerConfig::default()
    })
    .await;
    let bearer = |text: &str| format!("Authorization: Bearer {text}\r\n");
    let grant = VideoGrants {
        room_create: true,
        ..VideoGrants::default()
    };
    let backend = bearer(&token("backend", grant));
    let mut said = booking("group");
    said["recording_enabled"] = true.into();
    let (_, made) = studio
        .ask_as(&backend, "POST", "/api/v1/bookings", said)
        .await;
    let stranger = bearer(&token("12-dan@mail", VideoGrants::default()));
    let head = async |user: u32| {
        let said = json!({"user_id": user});
        let (_, join_credentials) = studio
            .ask_as(&backend, "POST", &join_path(&made), said)
            .await;
        bearer(join_credentials["token"].as_str().unwrap())
    };
    let (ann, bob) = (head(9).await, head(10).await);
    for tail in ["/participants/", "/recordings/"] {
        let path = room_path(&made, tail);
        for (head, code) in [(&stranger, 403), (&bob, 200), (&ann, 200), (&backend, 200)] {
            let (answered, _) = studio.ask_as(head, "GET", &path, Value::Null).await;
            assert_eq!(answered, code, "{tail}");
        }
        assert_eq!(studio.ask("GET", &path, Value::Null).await.0, 401);
    }
    // Permission first, and then that there is nothing to record with.
    for (head, start, stop) in [(&stranger, 403, 403), (&bob, 403, 403), (&ann, 501, 200)] {
        let path = room_path(&made, "/start_recording/");
        assert_eq!(
            studio.ask_as(head, "POST", &path, Value::Null).await.0,
            start
        );
        for _ in 0..2 {
            let path = room_path(&made, "/stop_recording/");
            assert_eq!(
                studio.ask_as(head, "POST", &path, Value::Null).await.0,
                stop
            );
        }
    }
}

#[tokio::test]
async fn s2_55_nobody_dials_in_where_it_is_switched_off() {
    let bearer = |text: &str| format!("Authorization: Bearer {text}\r\n");
    let backend = bearer(&token(
        "backend",
        VideoGrants {
            room_create: true,
            ..VideoGrants::default()
        },
    ));
    // Switched on: permission first, and then that there is nothing to dial into.
    for (sip, host, guest) in [(false, 404, 404), (true, 501, 403)] {
        let studio = Studio::with(ServerConfig {
            auth: AuthMode::Jwt,
            sip,
            ..ServerConfig::default()
        })
        .await;
        let said = booking("group");
        let (_, made) = studio
            .ask_as(&backend, "POST", "/api/v1/bookings", said)
            .await;
        let path = room_path(&made, "/dial_in/");
        for (user, code) in [(9, host), (10, guest)] {
            let (said, join) = (json!({"user_id": user}), join_path(&made));
            let (_, join_credentials) = studio.ask_as(&backend, "POST", &join, said).await;
            let head = bearer(join_credentials["token"].as_str().unwrap());
            let (answered, _) = studio.ask_as(&head, "POST", &path, Value::Null).await;
            assert_eq!(answered, code, "{sip} {user}");
        }
        assert_eq!(studio.get("/api/v1/config").await["sip_enabled"], sip);
    }
}

#[tokio::test]
async fn s2_57_the_settings_tell_what_rooms_of_each_type_are_like() {
    let studio = Studio::open().await;
    let config = studio.get("/api/v1/config/").await;
    assert_eq!(
        (&config["empty_timeout"], &config["auto_create"]),
        (&json!(300), &json!(true))
    );
    assert_eq!(config["default_recording_enabled"], false);
    let most = config["room_types"].as_array().unwrap().iter();
    let most: Vec<_> = most
        .map(|kind| kind["max_participants"].as_u64().unwrap())
        .collect();
    assert_eq!(most[..4], [2, 25, 100, 0]);
}

#[tokio::test]
async fn s2_01_each_kind_of_meeting_is_held_from_its_booking_to_its_end() {
    let studio = Studio::open().await;
    for kind in ["individual", "group", "webinar", "broadcast"] {
        let made = booked(&studio, kind).await;
        let mut ann = studio
            .join(&join_credentials(&studio, &made, 9).await)
            .await;
        let mut bob = studio
            .join(&join_credentials(&studio, &made, 10).await)
            .await;
        let joined = ann.expect("member-joined").await;
        let role = match kind {
            "individual" | "group" => "participant",
            _ => "viewer",
        };
        assert_eq!(joined["member"]["role"], role, "{kind}");
        let offer = json!({"type": "offer", "to": ann.id, "payload": {"sdp": "v=0"}});
        bob.say(offer).await;
        assert_eq!(ann.expect("offer").await["from"], bob.id);
        let shown = studio.get(&booking_path(&made)).await;
        assert_eq!(
            (&shown["status"], &shown["room"]["status"]),
            (&json!("in_progress"), &json!("active"))
        );
        for client in [ann, bob] {
            client.close().await;
        }
        let path = room_path(&made, "");
        let empty = |room: &Value| room["participant_count"] == 0;
        studio.wait(&path, empty).await;
        studio.advance(301).await;
        studio.wait(&path, |room| room["status"] == "ended").await;
        let shown = studio.get(&booking_path(&made)).await;
        assert_eq!(shown["status"], "completed", "{kind}");
        let stays = studio.get(&room_path(&made, "/participants")).await;
        let stays = stays.as_array().unwrap();
        assert!(stays.len() == 2 && stays.iter().all(|stay| stay["left_at"].is_string()));
    }
}

#[tokio::test]
async fn s2_01_a_course_is_held_in_a_room_with_its_own_list_of_those_who_come() {
    let studio = Studio::open().await;
    let said = json!({
        "room_type": "group",
        "service_session_id": "course-1",
        "participants": booking("group")["participants"],
    });
    let room = studio.post("/api/v1/rooms", said).await;
    let path = format!("/api/v1/rooms/{}", room["id"].as_str().unwrap());
    let tokens = format!("{path}/get_token");
    let lead = studio.post(&tokens, json!({"user_id": 9})).await;
    assert_eq!(claims(&lead)["video"]["roomAdmin"], true);
    let stranger = studio.ask("POST", &tokens, json!({"user_id": 12}));
    assert_eq!(stranger.await.0, 403);
    let mut ann = studio.join(&lead).await;
    let guest = studio.post(&tokens, json!({"user_id": 10})).await;
    let bob = studio.join(&guest).await;
    ann.expect("member-joined").await;
    assert_eq!(studio.get(&path).await["participant_count"], 2);
    for client in [ann, bob] {
        client.close().await;
    }
    let empty = |room: &Value| room["participant_count"] == 0;
    studio.wait(&path, empty).await;
    studio.advance(301).await;
    studio.wait(&path, |room| room["status"] == "ended").await;
    // It was no booking.
    assert_eq!(studio.get("/api/v1/bookings").await, json!([]));
}

//! Bookings over REST: the rooms made for them, and where both stand.

use futures_util::future::join_all;
use serde_json::{Value, json};
use visavis_server::{AuthMode, ServerConfig, TrustedProxies};

use crate::studio::{Studio, entry, token};
use crate::support::Client;

/// A booking of this kind: 9 gives it, 10 and 11 come to it.
pub fn booking(kind: &str) -> Value {
    json!({
        "kind": kind,
        "status": "confirmed",
        "participants": [
            {"user_id": 9, "email": "ann@mail", "name": "Ann", "role": "practitioner"},
            {"user_id": 10, "email": "bob@mail", "name": "Bob", "role": "participant"},
            {"user_id": 11, "email": "cec@mail", "name": "Cec"},
        ],
    })
}

pub async fn booked(studio: &Studio, kind: &str) -> Value {
    studio.post("/api/v1/bookings/", booking(kind)).await
}

/// A token for one of a booking's users.
pub async fn join_credentials(studio: &Studio, booking: &Value, user: u32) -> Value {
    let path = join_path(booking);
    studio.post(&path, json!({"user_id": user})).await
}

pub fn join_path(booking: &Value) -> String {
    let id = booking["id"].as_str().unwrap();
    format!("/api/v1/rooms/booking/{id}/join/")
}

pub fn booking_path(booking: &Value) -> String {
    format!("/api/v1/bookings/{}/", booking["id"].as_str().unwrap())
}

/// `tail` with its first slash.
pub fn room_path(booking: &Value, tail: &str) -> String {
    let id = booking["room"]["id"].as_str().unwrap();
    format!("/api/v1/rooms/{id}{tail}")
}

#[tokio::test]
async fn s2_19_a_confirmed_booking_has_a_room_of_a_name_of_its_own_that_waits() {
    let studio = Studio::open().await;
    let one = booked(&studio, "individual").await;
    let other = booked(&studio, "individual").await;
    assert_eq!(one["status"], "confirmed");
    let room = studio.get(&room_path(&one, "/")).await;
    assert_eq!(room, one["room"]);
    assert_eq!(
        (&room["status"], &room["empty_timeout"], &room["booking_id"]),
        (&json!("pending"), &json!(300), &one["id"])
    );
    assert_ne!(room["name"], other["room"]["name"]);
    let name = room["name"].as_str().unwrap();
    let tail = name.strip_prefix("individual-").unwrap();
    assert!(tail.len() == 12 && tail.chars().all(|c| c.is_ascii_hexdigit()));
    assert_eq!(studio.get(&booking_path(&one)).await, one);
    let listed = studio.get("/api/v1/bookings").await;
    assert_eq!(listed.as_array().unwrap().len(), 2);
    // Nobody finds it in the list of rooms.
    let mut stranger = Client::connect(studio.address()).await;
    let list = stranger.ask(json!({"type": "list-rooms"})).await;
    assert_eq!(list["rooms"], json!([]));
}

#[tokio::test]
async fn a_booking_keeps_the_id_of_the_system_that_it_comes_from() {
    let studio = Studio::open().await;
    let mut said = booking("group");
    said["id"] = 4711.into();
    let made = studio.post("/api/v1/bookings", said.clone()).await;
    assert_eq!(made["id"], "4711");
    let (code, body) = studio.ask("POST", "/api/v1/bookings", said).await;
    assert_eq!((code, &body["type"]), (409, &json!("conflict")));
    for wrong in [
        json!({"kind": "open"}),
        json!({"kind": "party"}),
        json!({"kind": "group", "status": "completed"}),
        json!({"kind": "group", "status": "pending"}),
        json!({"kind": "group", "participants": [{"email": "a@mail"}]}),
        json!({}),
    ] {
        let (code, body) = studio.ask("POST", "/api/v1/bookings", wrong.clone()).await;
        assert_eq!(
            (code, &body["type"]),
            (400, &json!("invalid_payload")),
            "{wrong}"
        );
    }
    assert_eq!(
        studio
            .ask("GET", "/api/v1/bookings/4712", Value::Null)
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn s2_77_a_booking_goes_from_confirmed_to_in_progress_to_completed() {
    let studio = Studio::open().await;
    let made = booked(&studio, "group").await;
    let mut ann = studio
        .join(&join_credentials(&studio, &made, 9).await)
        .await;
    assert_eq!(
        studio.get(&booking_path(&made)).await["status"],
        "in_progress"
    );
    let change = json!({"status": "confirmed"});
    let (code, body) = studio.ask("PATCH", &booking_path(&made), change).await;
    assert_eq!((code, &body["type"]), (409, &json!("illegal_transition")));
    let change = json!({"status": "completed"});
    let (code, body) = studio.ask("PATCH", &booking_path(&made), change).await;
    assert_eq!((code, &body["status"]), (200, &json!("completed")));
    // Whoever is inside stays.
    ann.nothing_more().await;
    assert_eq!(body["room"]["status"], "active");
}

#[tokio::test]
async fn s2_27_the_last_leave_and_five_minutes_end_the_room_and_the_booking() {
    let studio = Studio::open().await;
    let made = booked(&studio, "individual").await;
    let path = room_path(&made, "");
    let empty = |room: &Value| room["participant_count"] == 0 && room["sid"].is_string();
    let ann = studio
        .join(&join_credentials(&studio, &made, 9).await)
        .await;
    ann.close().await;
    studio.wait(&path, empty).await;
    studio.advance(299).await;
    // Not over yet; and whoever comes back begins the time anew.
    let ann = studio
        .join(&join_credentials(&studio, &made, 9).await)
        .await;
    studio.advance(60).await;
    assert_eq!(studio.get(&path).await["status"], "active");
    ann.close().await;
    studio.wait(&path, empty).await;
    studio.advance(299).await;
    assert_eq!(studio.get(&path).await["status"], "pending");
    assert_eq!(
        studio.get(&booking_path(&made)).await["status"],
        "in_progress"
    );
    studio.advance(2).await;
    studio.wait(&path, |room| room["status"] == "ended").await;
    assert_eq!(
        studio.get(&booking_path(&made)).await["status"],
        "completed"
    );
}

#[tokio::test]
async fn s2_20_from_the_lobby_over_a_token_into_a_room_that_is_active() {
    let studio = Studio::open().await;
    let made = booked(&studio, "group").await;
    let path = room_path(&made, "/");
    // What the lobby shows, before anyone has a token.
    let mut ann = Client::connect(studio.address()).await;
    let code = &made["room"]["code"];
    let info = ann
        .ask(json!({"type": "get-room", "payload": {"roomId": code}}))
        .await;
    assert_eq!(info["room"]["participantCount"], 0);
    assert_eq!(studio.get(&path).await["status"], "pending");
    let pass = join_credentials(&studio, &made, 9).await;
    assert_eq!(studio.get(&path).await["status"], "pending");
    assert_eq!(ann.ask(entry(&pass)).await["type"], "room-joined");
    let room = studio.get(&path).await;
    assert_eq!(
        (&room["status"], &room["participant_count"]),
        (&json!("active"), &json!(1))
    );
}

#[tokio::test]
async fn s2_78_a_room_is_ended_when_it_is_closed_active_while_someone_is_inside_and_else_pending() {
    let studio = Studio::open().await;
    let made = booked(&studio, "group").await;
    let path = room_path(&made, "/");
    let status = async |wanted: &str, inside: u64| {
        let is = |room: &Value| room["status"] == wanted && room["participant_count"] == inside;
        studio.wait(&path, is).await;
    };
    // Its life and who is inside, one after the other.
    status("pending", 0).await;
    let ann = studio
        .join(&join_credentials(&studio, &made, 9).await)
        .await;
    status("active", 1).await;
    ann.close().await;
    status("pending", 0).await;
    let _ann = studio
        .join(&join_credentials(&studio, &made, 9).await)
        .await;
    status("active", 1).await;
    studio.post(&room_path(&made, "/close"), Value::Null).await;
    status("ended", 0).await;
    assert_eq!(
        studio.get(&booking_path(&made)).await["status"],
        "completed"
    );
    // Before its time, in it, and past it.
    let now = made["room"]["created_at"].as_i64().unwrap();
    let time = json!([now + 3_600, now + 7_200]);
    let said = json!({"audience": "acme", "time": time, "backend": "none"});
    let timed = studio.post("/api/v1/rooms", said).await;
    let path = format!("/api/v1/rooms/{}", timed["id"].as_str().unwrap());
    for wanted in ["pending", "pending", "ended"] {
        assert_eq!(studio.get(&path).await["status"], wanted);
        studio.advance(3_700).await;
    }
    studio.ask("DELETE", &path, Value::Null).await;
    assert_eq!(studio.ask("GET", &path, Value::Null).await.0, 404);
}

#[tokio::test]
async fn the_room_of_a_booking_without_joins_ends() {
    let studio = Studio::open().await;
    let made = booked(&studio, "group").await;
    studio.advance(86_400).await;
    assert_eq!(studio.get(&room_path(&made, "")).await["status"], "pending");
    let change = json!({"status": "completed"});
    studio.ask("PATCH", &booking_path(&made), change).await;
    studio.advance(301).await;
    studio
        .wait(&room_path(&made, ""), |room| room["status"] == "ended")
        .await;
}

#[tokio::test]
async fn s2_02_s2_03_a_room_of_a_type_is_for_a_booking_or_a_services_session() {
    let studio = Studio::open().await;
    let rooms = "/api/v1/rooms/";
    for wrong in [
        json!({"room_type": "group"}),
        json!({"room_type": "group", "booking_id": "b", "service_session_id": "s"}),
        json!({"room_type": "group", "booking_id": null, "service_session_id": null}),
        json!({"room_type": "open", "booking_id": "b"}),
        json!({"room_type": "lecture", "booking_id": "b"}),
    ] {
        let (code, body) = studio.ask("POST", rooms, wrong.clone()).await;
        assert_eq!(
            (code, &body["type"]),
            (400, &json!("invalid_payload")),
            "{wrong}"
        );
    }
    let (code, room) = studio
        .ask(
            "POST",
            rooms,
            json!({"room_type": "group", "booking_id": "b"}),
        )
        .await;
    assert_eq!((code, &room["booking_id"]), (201, &json!("b")));
    assert_eq!(room.get("service_session_id"), None);
    let again = json!({"room_type": "group", "booking_id": "b"});
    let (code, body) = studio.ask("POST", rooms, again).await;
    assert_eq!((code, &body["type"]), (409, &json!("conflict")));
    for kind in ["individual", "group", "webinar", "broadcast"] {
        let course = json!({"room_type": kind, "service_session_id": 7});
        let (code, room) = studio.ask("POST", rooms, course).await;
        assert_eq!((code, &room["room_type"]), (201, &json!(kind)));
        assert_eq!(room["service_session_id"], "7");
        assert_eq!(room.get("booking_id"), None);
        let path = format!("{rooms}{}", room["id"].as_str().unwrap());
        assert_eq!(studio.ask("DELETE", &path, Value::Null).await.0, 204);
    }
}

#[tokio::test]
async fn s2_02_of_rooms_made_at_once_for_one_booking_one_is_made() {
    let studio = Studio::open().await;
    for link in ["booking_id", "service_session_id"] {
        let said = json!({"room_type": "group", link: "b"});
        let ask = || studio.ask("POST", "/api/v1/rooms", said.clone());
        let answers = join_all((0..12).map(|_| ask())).await;
        let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|(code, _)| *code == 201);
        assert_eq!(made.len(), 1, "{link}");
        for (code, body) in refused {
            assert_eq!((*code, &body["type"]), (409, &json!("conflict")));
        }
        // Another, once it is over.
        let path = format!("/api/v1/rooms/{}", made[0].1["id"].as_str().unwrap());
        studio.post(&format!("{path}/close"), Value::Null).await;
        assert_eq!(ask().await.0, 201);
        // Nor with those who may come.
        let mut named = said.clone();
        named["participants"] = booking("group")["participants"].clone();
        let (code, body) = studio.ask("POST", "/api/v1/rooms", named).await;
        assert_eq!((code, &body["type"]), (409, &json!("conflict")));
    }
}

#[tokio::test]
async fn s2_04_s2_09_s2_10_s2_38_a_room_shows_its_name_its_sid_and_how_it_is_set_up() {
    let studio = Studio::open().await;
    for (kind, most) in [
        ("individual", 2),
        ("group", 25),
        ("webinar", 100),
        // Unlimited.
        ("broadcast", 0),
    ] {
        let made = booked(&studio, kind).await;
        let _ann = studio
            .join(&join_credentials(&studio, &made, 9).await)
            .await;
        let room = studio.get(&room_path(&made, "/")).await;
        assert_eq!(
            (&room["room_type"], &room["max_participants"]),
            (&json!(kind), &json!(most))
        );
        let name = room["name"].as_str().unwrap();
        assert!(name.starts_with(&format!("{kind}-")), "{name}");
        assert_eq!(
            (&room["empty_timeout"], &room["participant_count"]),
            (&json!(300), &json!(1))
        );
        assert!(room["sid"].as_str().unwrap().starts_with("RM_"), "{room}");
        assert_eq!(room["recording_enabled"], false);
    }
    assert_eq!(
        studio
            .ask(
                "GET",
                "/api/v1/rooms/9a1d0c52-0000-4000-8000-000000000000/",
                Value::Null
            )
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn s2_08_a_group_is_for_twenty_five_and_recorded_where_it_is_wished() {
    let studio = Studio::open().await;
    let config = studio.get("/api/v1/config").await;
    let kinds = config["room_types"].as_array().unwrap();
    let group = kinds.iter().find(|kind| kind["room_type"] == "group");
    let group = group.unwrap();
    assert_eq!(
        (&group["max_participants"], &group["recording_enabled"]),
        (&json!(25), &json!(false))
    );
    for recorded in [false, true] {
        let mut said = booking("group");
        said["recording_enabled"] = recorded.into();
        let made = studio.post("/api/v1/bookings", said).await;
        assert_eq!(made["room"]["max_participants"], 25);
        assert_eq!(made["room"]["recording_enabled"], recorded);
    }
}

#[tokio::test]
async fn s2_56_a_service_may_record_unless_it_is_individual() {
    let studio = Studio::with(ServerConfig {
        default_recording: true,
        ..ServerConfig::default()
    })
    .await;
    assert_eq!(
        booked(&studio, "group").await["room"]["recording_enabled"],
        true
    );
    assert_eq!(
        booked(&studio, "individual").await["room"]["recording_enabled"],
        false
    );
    let mut said = booking("group");
    said["recording_enabled"] = false.into();
    let made = studio.post("/api/v1/bookings", said).await;
    assert_eq!(made["room"]["recording_enabled"], false);
}

#[tokio::test]
async fn a_booking_is_visible_to_its_participants_and_changed_by_its_practitioner() {
    let studio = Studio::with(ServerConfig {
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
    let (code, made) = studio
        .ask_as(&head(1), "POST", "/api/v1/bookings", said)
        .await;
    assert_eq!(code, 201);
    let path = booking_path(&made);
    for (user, code) in [(1, 200), (2, 200), (3, 403)] {
        let (answered, _) = studio.ask_as(&head(user), "GET", &path, Value::Null).await;
        assert_eq!(answered, code, "{user}");
        let (_, listed) = studio
            .ask_as(&head(user), "GET", "/api/v1/bookings", Value::Null)
            .await;
        assert_eq!(listed.as_array().unwrap().len(), usize::from(user < 3));
    }
    assert_eq!(studio.ask("GET", &path, Value::Null).await.0, 401);
    // A token that names nobody is not everybody's.
    let nobody = format!(
        "Authorization: Bearer {}\r\n",
        token("", Default::default())
    );
    let (code, _) = studio
        .ask_as(&nobody, "GET", "/api/v1/bookings", Value::Null)
        .await;
    assert_eq!(code, 403);
    let change = json!({"status": "in_progress"});
    for (user, code) in [(3, 403), (2, 403), (1, 200)] {
        let (answered, _) = studio
            .ask_as(&head(user), "PATCH", &path, change.clone())
            .await;
        assert_eq!(answered, code, "{user}");
    }
    // Who gives it is the room's host.
    let close = room_path(&made, "/close");
    assert_eq!(
        studio.ask_as(&head(2), "POST", &close, Value::Null).await.0,
        403
    );
    assert_eq!(
        studio.ask_as(&head(1), "POST", &close, Value::Null).await.0,
        200
    );
}

//! Rooms over HTTP.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Client, http, server};

fn parse(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn a_room_is_made_and_shown_with_and_without_a_last_slash() {
    let server = server().await;
    let address = server.local_addr();
    for slash in ["", "/"] {
        let (status, head, body) = http(address, "POST", &format!("/rooms{slash}"), "", "").await;
        assert_eq!(status, 201, "{head}");
        let body = parse(&body);
        let code = body["roomId"].as_str().unwrap();
        assert_eq!(body, json!({"roomId": code}));
        let (status, head, body) =
            http(address, "GET", &format!("/rooms/{code}{slash}"), "", "").await;
        assert_eq!(status, 200);
        assert!(head.contains("content-type: application/json"), "{head}");
        let room = parse(&body);
        let uid: Uuid = room["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(uid.get_version_num(), 4);
        assert_eq!(
            room,
            json!({
                "roomId": code, "id": room["id"], "hostId": null, "maxParticipants": 4, "name": "",
                "isActive": true, "createdAt": room["createdAt"],
            })
        );
        let (_, _, again) = http(address, "GET", &format!("/rooms/{uid}"), "", "").await;
        assert_eq!(parse(&again), room);
        assert_eq!(
            http(address, "GET", &format!("/healthz{slash}"), "", "")
                .await
                .0,
            200
        );
    }
}

#[tokio::test]
async fn a_room_made_over_http_has_what_was_asked_and_its_first_guest_is_the_host() {
    let server = server().await;
    let address = server.local_addr();
    let (_, _, body) = http(
        address,
        "POST",
        "/rooms",
        "",
        r#"{"name":" Tea ","maxParticipants":1}"#,
    )
    .await;
    let code = parse(&body)["roomId"].as_str().unwrap().to_owned();
    let mut a = Client::connect(address).await;
    assert_eq!(a.join(&code).await["type"], "room-joined");
    let mut b = Client::connect(address).await;
    assert_eq!(b.join(&code).await["code"], "room-full");
    let (_, _, body) = http(address, "GET", &format!("/rooms/{code}"), "", "").await;
    let room = parse(&body);
    assert_eq!(
        (&room["name"], &room["hostId"]),
        (&json!("Tea"), &json!(a.id))
    );
    // It stays when all have left, and lets the next one in.
    a.close().await;
    crate::support::wait_for_room(address, &code, |info| info["room"]["state"] == "EMPTY").await;
    assert_eq!(b.join(&code).await["type"], "room-joined");
}

#[tokio::test]
async fn what_is_wrong_is_a_problem_document() {
    let server = server().await;
    let address = server.local_addr();
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(101));
    for (method, path, body, status, kind) in [
        ("POST", "/rooms", "{x", 400, "invalid_payload"),
        ("POST", "/rooms", "[1]", 400, "invalid_payload"),
        (
            "POST",
            "/rooms",
            r#"{"maxParticipants":-1}"#,
            400,
            "invalid_payload",
        ),
        ("POST", "/rooms", r#"{"name":" "}"#, 400, "invalid_payload"),
        ("POST", "/rooms", &long, 400, "invalid_payload"),
        ("GET", "/rooms/zzz-zzzz-zzz", "", 404, "room_not_found"),
        ("GET", "/rooms/%F0%9F%98%80", "", 404, "room_not_found"),
    ] {
        let (got, head, answer) = http(address, method, path, "", body).await;
        assert_eq!(got, status, "{body}");
        assert!(head.contains("application/problem+json"), "{head}");
        let problem = parse(&answer);
        assert_eq!(
            (&problem["type"], &problem["status"]),
            (&json!(kind), &json!(status))
        );
        assert!(problem["title"].is_string() && problem["detail"].is_string());
    }
}

#[tokio::test]
async fn s3_32_pages_of_any_origin_may_use_it() {
    let server = server().await;
    let address = server.local_addr();
    let preflight = "Origin: http://127.0.0.1:9\r\nAccess-Control-Request-Method: POST\r\n";
    let (status, head, _) = http(address, "OPTIONS", "/rooms", preflight, "").await;
    assert_eq!(status, 204);
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    assert!(
        head.contains("access-control-allow-methods: get, post"),
        "{head}"
    );
    let (_, head, _) = http(
        address,
        "POST",
        "/rooms",
        "Origin: http://127.0.0.1:9\r\n",
        "",
    )
    .await;
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
}

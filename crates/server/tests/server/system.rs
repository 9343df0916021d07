//! Health, the clock, and what applies to every request.

use serde_json::{Value, json};
use visavis_server::ServerConfig;

use crate::api::{Api, by_hand, server_of};
use crate::support::{http, server};

#[tokio::test]
async fn health_and_readiness_answer_200() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    for path in ["/healthz", "/healthz/", "/readyz", "/readyz/"] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn errors_are_problem_documents() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    for body in [
        "{x",
        "[1]",
        "5",
        r#"{"maxParticipants":-1}"#,
        r#"{"maxParticipants":4294967296}"#,
        r#"{"maxParticipants":1e400}"#,
        r#"{"name":" "}"#,
        "\u{0}",
    ] {
        api.post_text("/rooms", body)
            .await
            .refused(400, "invalid_payload");
    }
    for path in ["/nothing", "/rooms/a/b", "/api/v1", "/API/v1/rooms"] {
        api.get(path).await.refused(404, "not_found");
    }
    for (method, path) in [
        ("PUT", "/rooms"),
        ("GET", "/rooms/"),
        ("POST", "/rooms/x"),
        ("DELETE", "/healthz"),
    ] {
        let (status, head, body) = http(api.address, method, path, "", "").await;
        assert_eq!(status, 405, "{method} {path}");
        assert!(
            head.contains("application/problem+json") && head.contains("\r\nallow: "),
            "{head}"
        );
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(problem["title"], "Method Not Allowed");
    }
}

#[tokio::test]
async fn a_body_of_one_mebibyte_is_read_and_a_longer_one_refused() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let body = |length: usize| {
        let frame = r#"{"audience":"acme","time":[1,null],"backend":"none","tags":""}"#;
        frame.replace(
            r#""""#,
            &format!("\"{}\"", "x".repeat(length - frame.len())),
        )
    };
    const LIMIT: usize = 1024 * 1024;
    api.post_text("/api/v1/rooms", &body(LIMIT))
        .await
        .expect(201);
    let refused = api.post_text("/api/v1/rooms", &body(LIMIT + 1)).await;
    refused.refused(413, "about:blank");
}

#[tokio::test]
async fn s3_32_pages_of_any_origin_may_create_and_find_rooms_and_nothing_else() {
    let server = server().await;
    let address = server.local_addr();
    let origin = "Origin: http://127.0.0.1:9\r\n";
    let preflight = format!("{origin}Access-Control-Request-Method: POST\r\n");
    for (path, open) in [
        ("/rooms", true),
        ("/rooms/", true),
        ("/rooms/abc-defg-hij", true),
        ("/healthz", true),
        ("/rooms/x/y", false),
        ("/api/v1/rooms/x/", false),
        ("/api/v1/events", false),
        ("/system/vacuum", false),
        ("/openapi.json", false),
    ] {
        let (status, head, _) = http(address, "OPTIONS", path, &preflight, "").await;
        assert_eq!(status, 204);
        for allowed in [
            "access-control-allow-origin: *",
            "access-control-allow-methods: get, post\r",
            "access-control-allow-headers: authorization, content-type\r",
        ] {
            assert_eq!(head.contains(allowed), open, "{path} {head}");
        }
        assert!(!head.contains("credentials"), "{head}");
        let (_, head, _) = http(address, "GET", path, origin, "").await;
        assert_eq!(
            head.contains("access-control-allow-origin: *"),
            open,
            "{path} {head}"
        );
        assert_eq!(head.contains("access-control-"), open, "{path} {head}");
    }
}

#[tokio::test]
async fn pages_of_a_listed_origin_may_use_every_path() {
    let listed = "https://app.example.org";
    let server = server_of(ServerConfig {
        allow_origins: vec![listed.to_owned()],
        ..ServerConfig::default()
    })
    .await;
    let address = server.local_addr();
    let origin = format!("Origin: {listed}\r\n");
    let preflight = format!(
        "{origin}Access-Control-Request-Method: PATCH\r\nAccess-Control-Request-Headers: x-any\r\n"
    );
    for path in ["/rooms", "/api/v1/rooms/x/"] {
        let (status, head, _) = http(address, "OPTIONS", path, &preflight, "").await;
        assert_eq!(status, 204);
        for allowed in [
            &format!("access-control-allow-origin: {listed}"),
            "access-control-allow-methods: patch",
            "access-control-allow-headers: x-any",
            "vary: origin",
        ] {
            assert!(head.contains(allowed), "{head}");
        }
    }
    // A request that changes something is not refused for its origin.
    let api = Api::new(address).with("Origin", listed);
    let refused = api.post("/system/vacuum", json!(null)).await;
    assert!(refused.head.contains(listed), "{}", refused.head);
    refused.refused(401, "authentication_failed");
    let api = Api::new(address).with("Origin", "https://other.example.org");
    let refused = api.post("/system/vacuum", json!(null)).await;
    assert!(!refused.head.contains("allow-origin"), "{}", refused.head);
    refused.refused(403, "access_denied");
}

#[tokio::test]
async fn only_a_manual_clock_is_moved() {
    let server = server().await;
    let api = Api::new(server.local_addr());
    let path = "/debug/clock/advance";
    api.post(path, json!({"seconds": 1}))
        .await
        .refused(404, "not_found");
    let server = by_hand().await;
    let api = Api::new(server.local_addr());
    for seconds in [
        json!(-1),
        json!(u32::MAX),
        json!(u64::MAX),
        json!("1"),
        json!(null),
    ] {
        api.post(path, json!({"seconds": seconds}))
            .await
            .refused(400, "invalid_payload");
    }
    let before = api.now().await;
    api.advance(3_600).await;
    let passed = api.now().await - before;
    assert!((3_600..3_620).contains(&passed), "{passed}");
    // To the end of the years that are written, and beyond.
    for _ in 0..900 {
        api.advance(316_224_000).await;
    }
    assert_eq!(api.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn the_document_names_every_route_once_and_each_of_their_problems() {
    let server = server().await;
    let document = Api::new(server.local_addr())
        .get("/openapi.json")
        .await
        .expect(200);
    for (path, methods) in [
        ("/rooms", vec!["post"]),
        ("/rooms/{id}", vec!["get", "patch", "delete"]),
        ("/api/v1/rooms", vec!["post"]),
        ("/api/v1/rooms/{id}", vec!["get", "patch", "delete"]),
        ("/api/v1/rooms/{id}/close", vec!["post"]),
        ("/api/v1/rooms/{id}/rtcs", vec!["post"]),
        ("/api/v1/rooms/{id}/agents", vec!["get"]),
        ("/api/v1/events", vec!["get"]),
        ("/rtcs/{id}/streams", vec!["post"]),
        ("/system/vacuum", vec!["post"]),
        ("/healthz", vec!["get"]),
        ("/readyz", vec!["get"]),
        ("/debug/clock/advance", vec!["post"]),
    ] {
        for method in methods {
            let operation = &document["paths"][path][method];
            let answers = operation["responses"].as_object();
            let answers = answers.unwrap_or_else(|| panic!("{method} {path}"));
            assert!(
                answers.contains_key("500") || path == "/healthz",
                "{method} {path}"
            );
            if path.contains("{id}") {
                assert!(answers.contains_key("404") && answers.contains_key("401"));
            }
        }
    }
    let schemas = &document["components"]["schemas"];
    for name in ["Problem", "Room", "Meeting", "Rtc"] {
        assert!(schemas[name].is_object(), "{name}");
    }
    let schemes = document["components"]["securitySchemes"]
        .as_object()
        .unwrap();
    assert_eq!(schemes.len(), 2);
}

//! Who administrates a server in open mode: programs on its machine, or, where
//! it is embedded, the bearer of the operator's secret. Never a web page.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use visavis_server::{Server, ServerConfig, operator_secret};

use crate::api::Api;
use crate::support::{Client, LIMIT};

const LIST: &str = "/twirp/livekit.RoomService/ListRooms";
const REMOVE: &str = "/twirp/livekit.RoomService/RemoveParticipant";

/// A request with exactly these header lines; its status.
async fn status(server: &Server, method: &str, path: &str, head: &[&str], body: &str) -> u16 {
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    // HTTP/1.0 has no chunks and needs no Host.
    let mut request = format!(
        "{method} {path} HTTP/1.0\r\nContent-Length: {}\r\n",
        body.len()
    );
    for line in head {
        request += &format!("{line}\r\n");
    }
    request += &format!("\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    // An event stream does not end: its first bytes tell.
    let mut start = [0; 12];
    let read = timeout(LIMIT, stream.read_exact(&mut start)).await;
    read.expect("answered in time").unwrap();
    std::str::from_utf8(&start[9..]).unwrap().parse().unwrap()
}

/// Checks every administrative request with these headers.
async fn administrates(server: &Server, head: &[&str], expected: bool) {
    let address = server.local_addr();
    let mut guest = Client::connect(address).await;
    let room = guest.create(json!({"name": "Tea"})).await;
    let events = format!("/api/v1/events?uri=rooms/{room}/events");
    let identity = json!({"room": room, "identity": guest.id}).to_string();
    let json_type = &[head, &["Content-Type: application/json"]].concat()[..];
    for (method, path, head, body) in [
        ("POST", LIST, json_type, "{}"),
        ("GET", &events, head, ""),
        (
            "GET",
            "/api/v1/events?uri=audiences/default/events",
            head,
            "",
        ),
        ("POST", REMOVE, json_type, &identity),
        // A form's content type needs no preflight in a browser.
        (
            "PATCH",
            &format!("/rooms/{room}"),
            &[head, &["Content-Type: text/plain"]].concat(),
            r#"{"name":"x"}"#,
        ),
        ("DELETE", &format!("/rooms/{room}"), head, ""),
        ("POST", "/system/vacuum", head, ""),
    ] {
        let status = status(server, method, path, head, body).await;
        let fits = match expected {
            true => (200..300).contains(&status),
            false => matches!(status, 401 | 403),
        };
        assert!(fits, "{head:?} {method} {path}: {status}");
    }
    if !expected {
        // The participant is still inside and its room as it was.
        guest.nothing_more().await;
        let shown = Api::new(address).get(&format!("/rooms/{room}")).await;
        assert_eq!(shown.expect(200)["name"], "Tea");
    }
}

async fn server_with(config: ServerConfig) -> Server {
    Server::bind(config).await.unwrap()
}

#[tokio::test]
async fn only_a_program_on_this_machine_administrates_a_standalone_server() {
    let server = server_with(ServerConfig {
        allow_hosts: vec!["rooms.internal".to_owned()],
        allow_origins: vec!["https://app.example.org".to_owned()],
        ..ServerConfig::default()
    })
    .await;
    let port = server.local_addr().port();
    let [name, v4, v6] =
        ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("Host: {host}:{port}"));
    for (head, expected) in [
        (&[name.as_str()][..], true),
        (&[&v4], true),
        (&[&v6], true),
        (&["Host: LocalHost"], true),
        (&["Host: rooms.internal:7420"], true),
        // DNS rebinding: the page's own name leads to this machine.
        (&["Host: evil.example"], false),
        (&["Host: localhost.evil.example"], false),
        (&[], false),
        // Pages of any origin, of this machine and of listed ones included.
        (&[&name, "Origin: https://evil.example"], false),
        (&[&name, "Origin: null"], false),
        (&[&name, "Origin: http://localhost:3000"], false),
        (&[&name, "Origin: https://app.example.org"], false),
        // A proxy on this machine that nobody listed.
        (&[&name, "X-Forwarded-For: 203.0.113.9"], false),
        (&[&name, "Forwarded: for=203.0.113.9"], false),
        (&[&name, "Via: 1.1 nginx"], false),
        (&[&name, "X-Real-IP: 203.0.113.9"], false),
        // Only an embedded server has a secret.
        (&["Host: evil.example", "X-Visavis-Operator: "], false),
    ] {
        administrates(&server, head, expected).await;
    }
}

#[tokio::test]
async fn only_the_bearer_of_the_secret_administrates_an_embedded_server() {
    let secret = operator_secret();
    let server = server_with(ServerConfig {
        operator_secret: Some(secret.clone()),
        ..ServerConfig::default()
    })
    .await;
    let right = format!("X-Visavis-Operator: {secret}");
    let other = format!("X-Visavis-Operator: {}", operator_secret());
    for (head, expected) in [
        (&["Host: localhost", &right][..], true),
        (&["Host: rooms.internal", &right], true),
        (&["Host: localhost"], false),
        (&["Host: localhost", &other], false),
        (&["Host: localhost", "X-Visavis-Operator:"], false),
    ] {
        administrates(&server, head, expected).await;
    }
}

#[tokio::test]
async fn web_pages_of_any_origin_create_rooms_and_join_as_guests() {
    let server = server_with(ServerConfig::default()).await;
    let evil = ["Host: localhost", "Origin: https://evil.example"];
    assert_eq!(status(&server, "POST", "/rooms", &evil, "").await, 201);
    let headers = [("origin", "https://evil.example")];
    let mut page = Client::connect_with(server.local_addr(), &headers).await;
    let created = page
        .ask(json!({"type": "create-room", "payload": {"name": "Tea", "features": ["members"]}}))
        .await;
    assert_eq!(created["type"], "room-created");
}

#[tokio::test]
async fn the_clock_is_not_moved_by_web_pages() {
    let server = crate::api::by_hand().await;
    let body = r#"{"seconds":1}"#;
    let path = "/debug/clock/advance";
    let evil = ["Host: localhost", "Origin: https://evil.example"];
    assert_eq!(status(&server, "POST", path, &evil, body).await, 403);
    assert_eq!(status(&server, "POST", path, &evil[..1], body).await, 204);
}

#[tokio::test]
async fn rows_are_not_shown_to_pages_that_rebind_their_name() {
    let server = server_with(ServerConfig {
        dev: true,
        ..ServerConfig::default()
    })
    .await;
    for path in ["/admin", "/debug/webhooks"] {
        assert_eq!(
            status(&server, "GET", path, &["Host: localhost"], "").await,
            200
        );
        assert_eq!(
            status(&server, "GET", path, &["Host: evil.example"], "").await,
            404
        );
    }
}

#[tokio::test]
async fn the_rates_apply_to_pages_and_proxies_on_loopback() {
    for (header, exempt) in [
        (("origin", "https://evil.example"), false),
        (("via", "1.1 nginx"), false),
        (("origin", "http://localhost:3000"), true),
    ] {
        let server = server_with(ServerConfig::default()).await;
        for _ in 0..120 {
            Client::connect_with(server.local_addr(), &[header]).await;
        }
        let more = Client::try_connect_with(server.local_addr(), "/ws", &[header]).await;
        assert_eq!(more.is_ok(), exempt, "{header:?}");
    }
}

#[tokio::test]
async fn in_header_mode_a_foreign_page_is_not_the_gateways_user() {
    let server = crate::access::gated(crate::access::here()).await;
    let user = uuid::Uuid::new_v4().to_string();
    let headers = [
        ("x-user-id", user.as_str()),
        ("origin", "https://evil.example"),
    ];
    let mut page = Client::connect_with(server.local_addr(), &headers).await;
    page.say(json!({"type": "create-room", "payload": {"name": "Tea"}}))
        .await;
    page.refused("unauthorized").await;
}

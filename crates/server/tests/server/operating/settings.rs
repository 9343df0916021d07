//! Flags and variables.

use std::time::Duration;

use serde_json::{Value, json};
use visavis_server::{Server, ServerConfig};

use super::{KEYS, run, start, start_on};
use crate::support::{Client, SECRET, http};
use crate::webhooks::wait_for;

async fn settings(arguments: &[&str], environment: &[(&str, &str)]) -> Value {
    let server = start(arguments, environment).await;
    let (status, _, body) = http(server.address, "GET", "/api/v1/config/", "", "").await;
    assert_eq!(status, 200);
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn s2_54_it_starts_with_livekits_variables_alone() {
    let environment = [
        ("LIVEKIT_HOST", "wss://rooms.example.org"),
        KEYS[0],
        KEYS[1],
    ];
    let server = start(&[], &environment).await;
    assert_eq!(http(server.address, "GET", "/readyz", "", "").await.0, 200);
    // Another program with the same variables makes a token that opens a room.
    let mut host = Client::connect(server.address).await;
    let room = host.create(json!({"name": "Tea"})).await;
    let asked = [
        "token",
        "--identity",
        "9-a@b.c",
        "--room",
        &room,
        "--name",
        "Ann",
    ];
    let (status, token, _) = run(&asked, &environment).await;
    assert_eq!(status, 0);
    let mut guest = Client::connect(server.address).await;
    let payload = json!({"roomId": room, "token": token.trim(), "features": ["members"]});
    let joined = guest
        .ask(json!({"type": "join-room", "payload": payload}))
        .await;
    assert_eq!(joined["type"], "room-joined", "{joined}");
    let payload = json!({"roomId": room, "token": "not.a.token"});
    let mut stranger = Client::connect(server.address).await;
    stranger
        .say(json!({"type": "join-room", "payload": payload}))
        .await;
    stranger.refused("unauthorized").await;
}

#[tokio::test]
async fn s2_55_dialling_in_is_off_until_its_variable_turns_it_on() {
    assert_eq!(settings(&[], &[]).await["sip_enabled"], false);
    let on = [("LIVEKIT_SIP_ENABLED", "True")];
    assert_eq!(settings(&[], &on).await["sip_enabled"], true);
}

#[tokio::test]
async fn s2_56_recording_is_off_until_its_variable_turns_it_on() {
    assert_eq!(settings(&[], &[]).await["default_recording_enabled"], false);
    let on = [("LIVEKIT_DEFAULT_RECORDING_ENABLED", "1")];
    assert_eq!(settings(&[], &on).await["default_recording_enabled"], true);
}

#[tokio::test]
async fn s2_57_the_settings_can_be_read() {
    let server = settings(&["--auto-create", "false"], &[]).await;
    assert_eq!(server["empty_timeout"], 300);
    assert_eq!(server["auto_create"], false);
    let kinds = server["room_types"].as_array().unwrap();
    let of = |kind: &str| {
        kinds
            .iter()
            .find(|entry| entry["room_type"] == kind)
            .unwrap()
    };
    assert_eq!(of("individual")["max_participants"], 2);
    assert_eq!(of("group")["max_participants"], 25);
    assert_eq!(of("webinar")["max_participants"], 100);
    assert_eq!(of("broadcast")["max_participants"], 0);
    assert!(kinds.iter().all(|kind| kind["recording_enabled"] == false));
    let default = settings(&[], &[("LIVEKIT_DEFAULT_RECORDING_ENABLED", "true")]).await;
    assert_eq!(default["auto_create"], true);
    let kinds = default["room_types"].as_array().unwrap();
    let recorded = |kind: &Value| kind["recording_enabled"] == (kind["room_type"] != "individual");
    assert!(kinds.iter().all(recorded), "{kinds:?}");
}

#[tokio::test]
async fn settings_that_contradict_each_other_are_said_so() {
    for (arguments, why) in [
        (&["--auth", "jwt"][..], "--auth jwt needs --api-key"),
        (&["--auth", "header"], "--auth header needs --trusted-proxy"),
        (&["--api-key", "k"], "--api-key needs --api-secret"),
        (&["--api-secret", "s"], "--api-secret needs --api-key"),
        (&["--tls-cert", "a.pem"], "--tls-cert needs --tls-key"),
        (&["--tls-key", "a.pem"], "--tls-key needs --tls-cert"),
        (
            &["--webhook", "http://127.0.0.1/"],
            "--webhook needs --api-key",
        ),
        (
            &[
                "--webhook",
                "hook",
                "--api-key",
                "k",
                "--api-secret",
                SECRET,
            ],
            "--webhook hook: it must be a URL",
        ),
        (
            &["--api-key", "k", "--api-secret", &SECRET[..31]],
            "--api-secret needs 32 bytes or more",
        ),
        (
            &[
                "--direct",
                "--auth",
                "jwt",
                "--api-key",
                "k",
                "--api-secret",
                SECRET,
            ],
            "--direct needs --auth open",
        ),
        (
            &[
                "--direct",
                "--auth",
                "header",
                "--trusted-proxy",
                "10.0.0.1",
            ],
            "--direct needs --auth open",
        ),
        (
            &["--allow-origin", "app.example.org"],
            "--allow-origin: app.example.org is not an origin",
        ),
        (
            &["--admin", "6f1c1c3e-0b4e-4d36-9d7e-6a7c8f3f0a11"],
            "--admin names users of --auth header",
        ),
        (
            &["--database", "mysql://a"],
            "--database: a database is memory",
        ),
        (
            &["--public-url", "ftp://a"],
            "--public-url: it must begin with",
        ),
        (&["doctor", "--auth", "jwt"], "--auth jwt needs --api-key"),
        (
            &["--keep-days", "0"],
            "it must be a whole number of days, 1 or more",
        ),
        (
            &["--keep-days", "-1"],
            "it must be a whole number of days, 1 or more",
        ),
        (
            &["--keep-history", "a week"],
            "it must be a whole number of days, 1 or more",
        ),
    ] {
        let (status, said, complaint) = run(arguments, &[]).await;
        assert_eq!((status, said.as_str()), (2, ""), "{arguments:?}");
        assert!(complaint.contains(why), "{arguments:?}: {complaint}");
    }
}

#[tokio::test]
async fn settings_without_effect_are_warned_of_at_the_start() {
    let warnings = async |arguments: &[&str]| {
        let log = start(arguments, &[]).await.log().await;
        (
            log.contains("--redis with"),
            log.contains("--turn-secret without"),
        )
    };
    let turn = [
        "--turn-secret",
        "x",
        "--ice-server",
        "turn:turn.example.org",
    ];
    assert_eq!(warnings(&turn).await, (false, false));
    let stun = [
        "--turn-secret",
        "x",
        "--ice-server",
        "stun:stun.example.org",
    ];
    assert_eq!(warnings(&stun).await, (false, true));
    let redis = ["--redis", "redis://127.0.0.1:1"];
    assert_eq!(warnings(&redis).await, (true, false));
}

#[tokio::test]
async fn a_udp_port_that_is_taken_is_warned_of_once_unless_stun_is_off() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let warnings = async |arguments: &[&str]| {
        let log = start_on(&listen, arguments, &[]).await.log().await;
        log.matches("cannot answer STUN").count()
    };
    assert_eq!(warnings(&[]).await, 1);
    assert_eq!(warnings(&["--stun", "off"]).await, 0);
}

#[tokio::test]
async fn empty_variables_count_as_none() {
    let empty = [
        "DATABASE_URL",
        "REDIS_URL",
        "LIVEKIT_HOST",
        "LIVEKIT_API_KEY",
    ];
    let empty = [
        &empty[..],
        &["LIVEKIT_API_SECRET", "VISAVIS_WEBHOOK", "VISAVIS_TLS_CERT"],
        &["VISAVIS_STUN"],
        &["VISAVIS_ALLOW_HOST", "VISAVIS_ALLOW_ORIGIN"],
    ];
    let empty: Vec<(&str, &str)> = empty.concat().into_iter().map(|name| (name, "")).collect();
    assert_eq!(settings(&[], &empty).await["auth"], "open");
}

#[tokio::test]
async fn s3_32_each_request_is_one_line_of_the_log() {
    let server = start(&["--log-format", "json"], &[]).await;
    http(server.address, "GET", "/rooms/abc-defg-hij", "", "").await;
    let log = server.log().await;
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let requests: Vec<Value> = lines
        .filter(|line| line["fields"]["message"] == "request")
        .collect();
    let [request] = &requests[..] else {
        panic!("{log}");
    };
    let fields = &request["fields"];
    assert_eq!(
        (&fields["method"], &fields["status"]),
        (&json!("GET"), &json!(404))
    );
    assert_eq!(fields["route"], "/rooms/{id}");
}

#[tokio::test]
async fn s2_66_the_log_of_one_part_can_be_chosen() {
    let server = start(&[], &[("RUST_LOG", "visavis_server::room=debug")]).await;
    Client::connect(server.address)
        .await
        .create(json!({"name": "Tea"}))
        .await;
    let log = server.log().await;
    assert!(log.contains("the room is active"), "{log}");
    assert!(
        log.lines()
            .all(|line| line.contains("visavis_server::room")),
        "{log}"
    );
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_is_not_ready_before_it_closes() {
    let drain = Duration::from_millis(500);
    let server = Server::bind(ServerConfig {
        drain,
        ..ServerConfig::default()
    });
    let server = server.await.unwrap();
    let address = server.local_addr();
    let mut client = Client::connect(address).await;
    let ready = async || http(address, "GET", "/readyz", "", "").await.0;
    assert_eq!(ready().await, 200);
    let stopping = tokio::spawn(server.shutdown());
    wait_for(async || (ready().await == 503).then_some(())).await;
    // Until then it serves.
    client.create(json!({"name": "Tea"})).await;
    assert_eq!(client.closed().await, Some(1001));
    stopping.await.unwrap();
}

//! What is counted.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::start;
use crate::database_file::DatabaseFile;
use crate::support::{Client, http, server};
use crate::webhooks::wait_for;

/// One of the figures of `/metrics`.
async fn figure(address: SocketAddr, name: &str) -> f64 {
    let (status, head, page) = http(address, "GET", "/metrics", "", "").await;
    assert_eq!(status, 200);
    assert!(
        head.contains("content-type: application/openmetrics-text"),
        "{head}"
    );
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

async fn becomes(address: SocketAddr, name: &str, wanted: f64) {
    wait_for(async || (figure(address, name).await == wanted).then_some(())).await;
}

#[tokio::test]
async fn s2_74_rooms_and_participants_are_measured() {
    let server = start(&["--empty-timeout", "0"], &[]).await;
    let address = server.address;
    let mut a = Client::connect(address).await;
    let room = a.create(json!({"name": "Tea", "maxParticipants": 2})).await;
    let mut b = Client::connect(address).await;
    b.join(&room).await;
    let mut c = Client::connect(address).await;
    assert_eq!(c.join(&room).await["code"], "room-full");
    a.expect("member-joined").await;
    a.ask(json!({"type": "chat", "payload": "hello"})).await;
    b.expect("chat").await;
    b.say(json!({"type": "offer", "roomId": room, "to": a.id, "payload": {}}))
        .await;
    a.expect("offer").await;
    for (name, value) in [
        ("visavis_rooms", 1.0),
        ("visavis_rooms_active", 1.0),
        ("visavis_participants", 2.0),
        ("visavis_connections", 3.0),
        ("visavis_joins_total{outcome=\"joined\"}", 2.0),
        ("visavis_joins_total{outcome=\"room-full\"}", 1.0),
        ("visavis_join_duration_seconds_count", 3.0),
        ("visavis_messages_total{type=\"chat\"}", 1.0),
        ("visavis_messages_total{type=\"offer\"}", 1.0),
        ("visavis_messages_total{type=\"join-room\"}", 2.0),
        ("visavis_events_total{label=\"participant_joined\"}", 2.0),
        ("visavis_webhooks_queued", 0.0),
        ("visavis_store_errors", 0.0),
    ] {
        assert_eq!(figure(address, name).await, value, "{name}");
    }
    assert!(figure(address, "process_resident_memory_bytes").await > 1e6);
    for client in [a, b, c] {
        client.close().await;
    }
    becomes(address, "visavis_rooms", 0.0).await;
    becomes(address, "visavis_connections", 0.0).await;
    becomes(address, "visavis_participants", 0.0).await;
    assert_eq!(
        figure(address, "visavis_stay_duration_seconds_count").await,
        2.0
    );
    assert_eq!(
        figure(address, "visavis_room_duration_seconds_count").await,
        1.0
    );
}

#[tokio::test]
async fn s3_58_a_room_has_a_report_and_the_service_its_figures() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let room = a.create(json!({"name": "Tea"})).await;
    for _ in 0..2 {
        let mut b = Client::connect(address).await;
        b.join(&room).await;
        a.expect("member-joined").await;
        b.close().await;
        a.expect("member-left").await;
    }
    a.ask(json!({"type": "chat", "payload": "hello"})).await;
    let report = async || {
        let path = format!("/api/v1/rooms/{room}/report");
        let (status, _, body) = http(address, "GET", &path, "", "").await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let report =
        wait_for(async || Some(report().await).filter(|report| report["participant_count"] == 1))
            .await;
    assert_eq!(
        (&report["code"], &report["lives"]),
        (&json!(room), &json!(1))
    );
    assert_eq!(
        (&report["joins"], &report["people"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(
        (&report["most_at_a_time"], &report["chat_messages"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(
        figure(address, "visavis_joins_total{outcome=\"joined\"}").await,
        3.0
    );
    let forwarded = "X-Forwarded-For: 203.0.113.9\r\n";
    let path = format!("/api/v1/rooms/{room}/report");
    assert_eq!(
        http(address, "GET", &path, forwarded, "").await.0,
        401,
        "not for strangers"
    );
}

#[tokio::test]
async fn s2_73_a_thousand_rooms_come_and_go_and_leave_nothing() {
    let file = DatabaseFile::new();
    let database = file.database().to_string();
    let server = start(&["--empty-timeout", "0", "--database", &database], &[]).await;
    let address = server.address;
    let cycles = async |count: usize| {
        for _ in 0..count {
            let mut a = Client::connect(address).await;
            a.create(json!({"name": "Tea"})).await;
            a.close().await;
        }
        becomes(address, "visavis_rooms", 0.0).await;
        becomes(address, "visavis_rooms_active", 0.0).await;
        becomes(address, "visavis_connections", 0.0).await;
        becomes(address, "visavis_participants", 0.0).await;
        figure(address, "process_resident_memory_bytes").await
    };
    let warm = cycles(300).await;
    let after = cycles(1_000).await;
    let grown = (after - warm) / 1024.0 / 1024.0;
    assert!(grown < 8.0, "{grown} MiB more after 1,000 rooms");
    // One row for each join, none lost and none written twice.
    for joins in [
        "COUNT(*)",
        "COUNT(left_at)",
        "COUNT(DISTINCT sid)",
        "COUNT(DISTINCT room)",
        "COUNT(DISTINCT client)",
    ] {
        let joined = file.number(&format!("SELECT {joins} FROM participants"));
        assert_eq!(joined, 1_300, "{joins}");
    }
}

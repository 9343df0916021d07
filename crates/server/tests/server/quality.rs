//! What members report of their connections.

use rusqlite::Connection;
use serde_json::{Value, json};
use visavis_server::{Server, ServerConfig};

use crate::support::{Client, server, wait_for_room};

fn report(peers: Value) -> Value {
    json!({"type": "report-quality", "payload": {"peers": peers}})
}

#[tokio::test]
async fn s3_12_two_who_report_each_other_connected_are_in_a_call() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    let room = a
        .create(json!({"name": "Tea", "features": ["quality"]}))
        .await;
    b.join_with(&room, json!(["quality"])).await;
    a.expect("member-joined").await;
    a.say(report(json!([{"id": b.id, "connected": true}])))
        .await;
    a.nothing_more().await;
    wait_for_room(address, &room, |info| info["room"]["state"] == "ACTIVE").await;
    b.expect("chat").await;
    b.say(report(json!([{"id": a.id, "connected": true}])))
        .await;
    wait_for_room(address, &room, |info| info["room"]["state"] == "IN_CALL").await;
    b.say(report(json!([{"id": a.id, "connected": false}])))
        .await;
    wait_for_room(address, &room, |info| info["room"]["state"] == "ACTIVE").await;
}

#[tokio::test]
async fn s2_12_a_report_is_kept_with_the_participant() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rooms.db");
    let database = format!("sqlite:{}", path.display());
    let server = Server::bind(ServerConfig {
        database: database.parse().unwrap(),
        ..ServerConfig::default()
    });
    let server = server.await.unwrap();
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    let room = a
        .create(json!({"name": "Tea", "features": ["quality"]}))
        .await;
    b.join(&room).await;
    a.expect("member-joined").await;
    let measured = json!({"id": b.id, "connected": true, "roundTripMs": 21.5, "lossPercent": 0.5, "jitterMs": 3.0});
    let nobody = json!({"id": "nobody", "connected": true});
    a.say(report(json!([measured, nobody]))).await;
    let many = vec![measured.clone(); 257];
    a.say(report(json!(many))).await;
    a.refused("bad-message").await;
    // Its last report is stored when it leaves at the latest.
    a.say(json!({"type": "leave-room"})).await;
    b.expect("member-left").await;
    let sql = "SELECT doc FROM participants WHERE client = $1";
    let doc = Connection::open(path)
        .and_then(|rows| rows.query_row(sql, [&a.id], |row| row.get::<_, String>(0)));
    let doc: Value = serde_json::from_str(&doc.unwrap()).unwrap();
    assert_eq!(doc["quality"], json!({"peers": [measured]}));
}

//! Rooms by name.

use serde_json::json;
use visavis_server::{Server, ServerConfig};

use super::{done, refused};
use crate::support::{Client, http, server};

#[tokio::test]
async fn a_room_is_created_once_under_its_name_joined_listed_and_deleted() {
    let server = server().await;
    let address = server.local_addr();
    let request =
        json!({"name": "tea-time", "emptyTimeout": 60, "maxParticipants": 2, "metadata": "green"});
    let made = done(address, "CreateRoom", request.clone()).await;
    assert_eq!(made["name"], "tea-time");
    assert_eq!(
        (&made["emptyTimeout"], &made["departureTimeout"]),
        (&json!(60), &json!(20))
    );
    assert_eq!(
        (&made["maxParticipants"], &made["metadata"]),
        (&json!(2), &json!("green"))
    );
    assert_eq!(done(address, "CreateRoom", request).await, made);
    let more = json!({"name": "tea-time", "maxParticipants": 3});
    let changed = done(address, "CreateRoom", more).await;
    assert_eq!(
        (&changed["maxParticipants"], &changed["metadata"]),
        (&json!(3), &json!("green"))
    );

    let listed = done(
        address,
        "ListRooms",
        json!({"names": ["tea-time", "no-such"]}),
    )
    .await;
    assert_eq!(listed["rooms"], json!([changed]));
    let mut a = Client::connect(address).await;
    assert_eq!(a.join("tea-time").await["type"], "room-joined");
    // A room that nobody has entered, and nobody made here, does not live yet.
    http(address, "POST", "/rooms", "", "").await;
    let listed = done(address, "ListRooms", json!({})).await;
    assert_eq!(listed["rooms"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["rooms"][0]["numParticipants"], 1);
    assert!(
        listed["rooms"][0]["sid"]
            .as_str()
            .unwrap()
            .starts_with("RM_")
    );

    let told = json!({"room": "tea-time", "metadata": "black"});
    let told = done(address, "UpdateRoomMetadata", told).await;
    assert_eq!(told["metadata"], "black");
    done(address, "DeleteRoom", json!({"room": "tea-time"})).await;
    a.hear().await;
    assert_eq!(a.join("tea-time").await["code"], "room-not-found");
    let gone = json!({"room": "tea-time"});
    refused(address, "DeleteRoom", gone, (404, "not_found")).await;
    // Its name is free.
    let again = done(address, "CreateRoom", json!({"name": "tea-time"})).await;
    assert_eq!(again["emptyTimeout"], 300);
    assert_eq!(a.join("tea-time").await["type"], "room-joined");
}

#[tokio::test]
async fn an_ended_room_keeps_its_name_until_it_is_deleted() {
    let server = server().await;
    let address = server.local_addr();
    done(address, "CreateRoom", json!({"name": "tea"})).await;
    let mut a = Client::connect(address).await;
    a.join_with("tea", json!(["controls"])).await;
    a.until("room-updated").await;
    a.say(json!({"type": "end-room", "roomId": "tea"})).await;
    a.until("room-closed").await;
    let again = json!({"name": "tea"});
    refused(
        address,
        "CreateRoom",
        again.clone(),
        (409, "already_exists"),
    )
    .await;
    let people = json!({"room": "tea"});
    refused(address, "ListParticipants", people, (404, "not_found")).await;
    done(address, "DeleteRoom", json!({"room": "tea"})).await;
    done(address, "CreateRoom", again).await;
}

#[tokio::test]
async fn a_created_room_has_its_sid_and_accepts_the_names_that_livekit_does() {
    let server = server().await;
    let address = server.local_addr();
    let long = "\u{e9}".repeat(256);
    for name in [
        "tea",
        " tea",
        "2c1ad52f-6d4e-4a0e-8d29-3f5c1d1b2a11",
        long.as_str(),
    ] {
        let made = done(address, "CreateRoom", json!({"name": name})).await;
        assert_eq!(made["name"], name);
        assert!(made["sid"].as_str().unwrap().starts_with("RM_"), "{made}");
        let again = done(address, "CreateRoom", json!({"name": name})).await;
        assert_eq!(again["sid"], made["sid"]);
        let mut client = Client::connect(address).await;
        let joined = client.join(name).await;
        assert_eq!(joined["type"], "room-joined", "{name}");
        let listed = done(address, "ListRooms", json!({"names": [name]})).await;
        assert_eq!(listed["rooms"][0]["sid"], made["sid"], "{listed}");
        assert_eq!(listed["rooms"][0]["numParticipants"], 1);
    }
}

#[tokio::test]
async fn the_empty_timeout_of_a_created_room_counts_from_its_creation() {
    let config = ServerConfig {
        manual_clock: true,
        ..ServerConfig::default()
    };
    let server = Server::bind(config).await.unwrap();
    let address = server.local_addr();
    let request = json!({"name": "tea", "emptyTimeout": 60});
    done(address, "CreateRoom", request).await;
    let advance = async |seconds: u32| {
        let body = json!({"seconds": seconds}).to_string();
        let (status, ..) = http(address, "POST", "/debug/clock/advance", "", &body).await;
        assert_eq!(status, 204);
    };
    let rooms = async || {
        let listed = done(address, "ListRooms", json!({})).await;
        listed["rooms"].as_array().map_or(0, Vec::len)
    };
    advance(59).await;
    assert_eq!(rooms().await, 1);
    advance(2).await;
    assert_eq!(rooms().await, 0);
}

//! Rooms without end: what one address may create without authentication, and the
//! list that shows the rooms.

use std::net::SocketAddr;

use serde_json::{Value, json};
use visavis_server::{Keys, Server, ServerConfig};

use crate::access::{from_now, here, token};
use crate::api::{Api, by_hand, server_of};
use crate::support::{Client, KEY, SECRET};

const OPERATOR: &str = "the operator's secret of this test";

/// In open mode behind a proxy on this machine, with an operator.
async fn proxied() -> Server {
    server_of(ServerConfig {
        keys: Keys::new(KEY, SECRET),
        trusted_proxies: here(),
        operator_secret: Some(OPERATOR.to_owned()),
        manual_clock: true,
        ..ServerConfig::default()
    })
    .await
}

fn from(address: SocketAddr, client: &str) -> Api {
    Api::new(address).with("X-Forwarded-For", client)
}

fn conference() -> Value {
    json!({"audience": "acme", "time": [1, null], "backend": "none"})
}

fn booked_room(session: &str) -> Value {
    json!({"room_type": "group", "service_session_id": session})
}

#[tokio::test]
async fn ten_rooms_of_an_address_are_created_at_once_and_the_next_is_refused_on_every_way_in() {
    let server = proxied().await;
    let address = server.local_addr();
    let flooder = from(address, "203.0.113.1");
    let headers = [("x-forwarded-for", "203.0.113.1")];
    let mut client = Client::connect_with(address, &headers).await;
    let create = json!({"type": "create-room", "payload": {"name": "Tea"}});
    // All ways in share the rate.
    assert_eq!(client.ask(create.clone()).await["type"], "room-created");
    flooder.post("/rooms", json!({})).await.expect(201);
    flooder
        .post("/api/v1/rooms", conference())
        .await
        .expect(201);
    flooder
        .post("/api/v1/rooms", booked_room("1"))
        .await
        .expect(201);
    let booking = json!({"kind": "group"});
    flooder
        .post("/api/v1/bookings", booking.clone())
        .await
        .expect(201);
    for _ in 0..5 {
        flooder.post("/rooms", json!({})).await.expect(201);
    }
    for (path, body) in [
        ("/rooms", json!({})),
        ("/api/v1/rooms", conference()),
        ("/api/v1/rooms", booked_room("2")),
        ("/api/v1/bookings", booking),
    ] {
        let refused = flooder.post(path, body).await;
        let wait = refused.head.split("retry-after: ").nth(1).unwrap();
        let wait: u64 = wait.lines().next().unwrap().parse().unwrap();
        assert!((1..=10).contains(&wait), "{wait}");
        refused.refused(429, "rate_limited");
    }
    client.say(json!({"type": "leave-room"})).await;
    client.say(create).await;
    let refused = client.refused("rate-limited").await;
    let wait = refused["retryAfter"].as_u64().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");

    // Others are served: another address, and authenticated requesters of this one.
    let other = from(address, "203.0.113.2");
    other.post("/rooms", json!({})).await.expect(201);
    let known = flooder.clone().with_grant(json!({}));
    known.post("/rooms", json!({})).await.expect(201);
    let operator = flooder.with("X-Visavis-Operator", OPERATOR);
    operator.post("/rooms", json!({})).await.expect(201);
    let payload = json!({"name": "Tea", "token": token("ann", json!({}))});
    client.create(payload).await;
}

#[tokio::test]
async fn addresses_of_one_ipv6_64_share_the_rate_of_new_rooms() {
    let server = proxied().await;
    let address = server.local_addr();
    for last in 0..10 {
        let one = from(address, &format!("2001:db8:0:1::{last}"));
        one.post("/rooms", json!({})).await.expect(201);
    }
    let same = from(address, "2001:db8:0:1:ffff::1");
    same.post("/rooms", json!({}))
        .await
        .refused(429, "rate_limited");
    let next = from(address, "2001:db8:0:2::1");
    next.post("/rooms", json!({})).await.expect(201);
}

#[tokio::test]
async fn this_machine_creates_rooms_without_a_limit() {
    let server = by_hand().await;
    let api = Api::new(server.local_addr());
    for _ in 0..12 {
        api.post("/rooms", json!({})).await.expect(201);
    }
}

#[tokio::test]
async fn a_room_of_a_stranger_that_nobody_entered_ends_after_seven_days() {
    let server = proxied().await;
    let address = server.local_addr();
    let stranger = from(address, "203.0.113.1");
    let operator = Api::new(address).with("X-Visavis-Operator", OPERATOR);
    let unentered = stranger.room().await;
    let entered = stranger.room().await;
    let headers = [("x-forwarded-for", "203.0.113.1")];
    let mut client = Client::connect_with(address, &headers).await;
    assert_eq!(client.join(&entered).await["type"], "room-joined");
    client.close().await;
    let known = stranger.clone().with_grant(json!({})).room().await;
    let timed = stranger.post("/api/v1/rooms", conference()).await;
    let booked = stranger.post("/api/v1/rooms", booked_room("1")).await;
    let [timed, booked] =
        [timed, booked].map(|made| made.expect(201)["id"].as_str().unwrap().to_owned());

    operator.advance(7 * 86_400 - 60).await;
    operator
        .get(&format!("/rooms/{unentered}"))
        .await
        .expect(200);
    operator.advance(60).await;
    operator
        .get(&format!("/rooms/{unentered}"))
        .await
        .refused(404, "room_not_found");
    for room in [entered, known, timed, booked] {
        let shown = operator.get(&format!("/api/v1/rooms/{room}")).await;
        assert_ne!(shown.expect(200)["status"], "ended", "{room}");
    }
}

#[tokio::test]
async fn the_list_is_paged_with_occupied_rooms_first_and_then_the_newest() {
    let server = by_hand().await;
    let address = server.local_addr();
    let api = Api::new(address);
    let mut rooms = Vec::new();
    for _ in 0..105 {
        rooms.push(api.room().await);
        api.advance(1).await;
    }
    // A room that opens later is not listed.
    let later = json!([from_now(86_400), null]);
    let later = json!({"audience": "acme", "time": later, "backend": "none"});
    api.post("/api/v1/rooms", later).await.expect(201);
    let mut inside = Client::connect(address).await;
    inside.join(&rooms[3]).await;
    let mut wanted = vec![rooms[3].clone()];
    let unoccupied = rooms.iter().rev().filter(|room| **room != rooms[3]);
    wanted.extend(unoccupied.cloned());

    let mut client = Client::connect(address).await;
    for (page, listed) in [
        (json!(null), &wanted[..100]),
        (json!({}), &wanted[..100]),
        (json!({"limit": 1_000}), &wanted[..100]),
        (json!({"offset": 100}), &wanted[100..]),
        (json!({"limit": 2}), &wanted[..2]),
        (json!({"offset": 1, "limit": 2}), &wanted[1..3]),
        (json!({"offset": 3, "limit": 0}), &[]),
        (json!({"offset": u32::MAX}), &[]),
    ] {
        let list = client
            .ask(json!({"type": "list-rooms", "payload": page}))
            .await;
        let codes = list["rooms"].as_array().unwrap().iter();
        let codes: Vec<_> = codes.map(|room| room["id"].as_str().unwrap()).collect();
        assert_eq!(codes, listed, "{page}");
    }
    let first = client.ask(json!({"type": "list-rooms"})).await;
    assert_eq!(first["rooms"][0]["participantCount"], 1);
    assert_eq!(first["rooms"][1]["participantCount"], 0);
    for page in [json!({"limit": "2"}), json!({"offset": -1}), json!(7)] {
        client
            .say(json!({"type": "list-rooms", "payload": page}))
            .await;
        client.refused("bad-message").await;
    }
}

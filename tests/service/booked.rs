//! Bookings and broadcasts on PostgreSQL, whose rows decide here too.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use visavis_tests::plain_client::PlainClient;
use visavis_tests::postgres::Postgres;
use visavis_tests::server::RoomServer;
use visavis_tests::wait::wait_until;

const LIMIT: Duration = Duration::from_secs(20);

async fn server(postgres: &Postgres) -> Result<RoomServer> {
    let database = postgres.url();
    RoomServer::start(&[
        "--database",
        &database,
        "--clock",
        "manual",
        "--api-key",
        "devkey",
        "--api-secret",
        "a secret of the tests, long enough for HS256",
    ])
    .await
}

/// Comes in with a ticket, and leaves.
async fn visit(server: &RoomServer, ticket: &Value) -> Result<()> {
    let mut client = PlainClient::connect(&server.url()).await?;
    let payload = json!({"roomId": ticket["room"], "token": ticket["token"]});
    let join = json!({"type": "join-room", "payload": payload});
    client.ask(join, "room-joined").await?;
    client.say(json!({"type": "leave-room"})).await
}

#[tokio::test]
async fn s1_11_s1_18_on_postgresql_of_twenty_sessions_made_at_once_one_is_made() -> Result<()> {
    let postgres = Postgres::start().await?;
    let server = server(&postgres).await?;
    let http = server.http();
    let channel = http.post("/channel", &json!({})).await?.expect(201)?;
    let said = json!({"channel_id": channel["channel_id"]});
    let asked = (0..20).map(|_| http.post("/session", &said));
    let answers = try_join_all(asked).await?;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.iter().filter(|answer| answer.status == 409).count();
    ensure!((made, refused) == (1, 19), "{made} {refused}");
    ensure!(postgres.query("SELECT COUNT(*) FROM rooms").await? == "1");

    let channel = channel["channel_id"].as_str().context("an id")?;
    let path = format!("/channel/{channel}");
    http.delete(&path).await?.expect(409)?;
    let list = format!("/session?channel_id={channel}");
    let session = http.get(&list).await?.expect(200)?[0].clone();
    let id = session["session_id"].as_str().context("an id")?;
    let ticket = http
        .post(&format!("/session/{id}/token"), &json!({}))
        .await?;
    visit(&server, &ticket.expect(200)?).await?;
    let shown = http.get(&format!("/session/{id}")).await?.expect(200)?;
    ensure!(shown["status"] == "READY", "{shown}");
    let room = format!(
        "/api/v1/rooms/{}",
        session["room_id"].as_str().context("an id")?
    );
    let state = async |count: u64, state: &str| {
        wait_until("the room is as wanted", LIMIT, async || {
            let shown = http.get(&room).await?.expect(200)?;
            let is = shown["participant_count"] == count && shown["status"] == state;
            Ok(is.then_some(()))
        })
        .await
    };
    state(0, "pending").await?;
    server.advance_clock(21).await?;
    state(0, "ended").await?;
    let shown = http.get(&format!("/session/{id}")).await?.expect(200)?;
    ensure!(shown["status"] == "CANCELLED", "{shown}");
    http.delete(&path).await?.expect(204)?;
    http.get(&format!("/session/{id}")).await?.expect(404)?;
    http.get("/metrics").await?;
    server.stop().await
}

#[tokio::test]
async fn s2_19_s2_27_on_postgresql_a_booking_is_begun_by_the_first_and_over_with_its_room()
-> Result<()> {
    let postgres = Postgres::start().await?;
    let server = server(&postgres).await?;
    let http = server.http();
    let booking = json!({"id": 7, "kind": "individual", "participants": [
        {"user_id": 9, "email": "ann@mail", "role": "practitioner"},
    ]});
    let made = http.post("/api/v1/bookings", &booking).await?.expect(201)?;
    ensure!(made["room"]["status"] == "pending", "{made}");
    let again = http.post("/api/v1/bookings", &booking).await?;
    again.expect_problem(409, "conflict")?;
    let path = "/api/v1/rooms/booking/7/join";
    let ticket = http.post(path, &json!({"user_id": 9})).await?.expect(200)?;
    visit(&server, &ticket).await?;
    let status = async |wanted: &str| {
        wait_until("the booking is as wanted", LIMIT, async || {
            let shown = http.get("/api/v1/bookings/7").await?.expect(200)?;
            let is = shown["status"] == wanted && shown["room"]["participant_count"] == 0;
            Ok(is.then_some(()))
        })
        .await
    };
    status("in_progress").await?;
    server.advance_clock(301).await?;
    status("completed").await?;
    let none = "/api/v1/bookings/%00";
    http.get(none).await?.expect_problem(404, "not_found")?;
    server.stop().await
}

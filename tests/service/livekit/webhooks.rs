//! Webhooks, ours to LiveKit's receiver and LiveKit's to ours.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use visavis_tests::acceptance::{Delivery, Sdk, send_webhook};
use visavis_tests::wait::wait_until;
use visavis_tests::webhook_sink::WebhookSink;

use super::{GUARDED, KEYS, LIMIT, done, enter, server};

#[tokio::test]
async fn s2_34_livekits_receiver_takes_our_webhooks_in_the_order_of_the_call() -> Result<()> {
    let sink = WebhookSink::start(KEYS).await?;
    let url = sink.url();
    let server = server(&[&GUARDED[..], &["--webhook", &url]].concat()).await?;
    let sdk = Sdk::Node;
    done(sdk, &server, "CreateRoom", json!({"name": "tea"})).await?;
    let mut ann = enter(sdk, &server, "ann", "tea", json!(["members"])).await?;
    for tracks in [json!([{"source": "camera", "muted": false}]), json!([])] {
        let update = json!({"type": "update-member", "payload": {"tracks": tracks}});
        ann.ask(update, "member-updated").await?;
    }
    ann.say(json!({"type": "leave-room", "roomId": "tea"}))
        .await?;
    wait_until("she has left", LIMIT, async || {
        let listed = done(sdk, &server, "ListParticipants", json!({"room": "tea"})).await?;
        Ok(listed["participants"]
            .as_array()
            .is_none_or(Vec::is_empty)
            .then_some(()))
    })
    .await?;
    done(sdk, &server, "DeleteRoom", json!({"room": "tea"})).await?;
    let wanted = [
        "room_started",
        "participant_joined",
        "track_published",
        "track_unpublished",
        "participant_left",
        "room_finished",
    ];
    let events = sink
        .wait_for("the room is finished", LIMIT, |events| {
            (events.len() >= wanted.len()).then(|| events.to_vec())
        })
        .await?;
    let names: Vec<_> = events.iter().map(|event| &event["event"]).collect();
    ensure!(names == wanted, "{names:?}");
    for event in &events {
        ensure!(event["room"]["name"] == "tea", "{event}");
    }
    ensure!(
        events[1]["participant"]["identity"] == "ann",
        "{}",
        events[1]
    );
    ensure!(
        sink.deliveries()?
            .iter()
            .all(|delivery| delivery.status == 200)
    );
    server.stop().await
}

#[tokio::test]
async fn s2_35_s2_36_livekits_sender_is_heard_once_and_only_unaltered() -> Result<()> {
    let server = server(&[]).await?;
    let booking = json!({"kind": "group", "status": "confirmed", "participants": []});
    let made = server.http().post("/api/v1/bookings", &booking).await?;
    let room = made.expect(201)?["room"].take();
    let id = room["id"].as_str().context("an id")?;
    let path = format!("/api/v1/rooms/{id}/participants/");
    let hook = format!("http://{}/api/webhooks/livekit/", server.address());
    let joined = json!({"event": "participant_joined", "id": "EV_1", "createdAt": "1763649030",
        "room": {"sid": "RM_theirs", "name": room["name"]},
        "participant": {"sid": "PA_1", "identity": "9-ann@mail", "name": "Ann",
            "state": "ACTIVE", "joinedAt": "1763649001"}});
    let statuses = send_webhook(KEYS, &hook, &joined, Delivery::Altered).await?;
    ensure!(statuses == [401], "{statuses:?}");
    let inside = server.http().get(&path).await?.expect(200)?;
    ensure!(inside == json!([]), "{inside}");
    let statuses = send_webhook(KEYS, &hook, &joined, Delivery::Repeated).await?;
    ensure!(statuses == [200, 200], "{statuses:?}");
    let inside = server.http().get(&path).await?.expect(200)?;
    let inside = inside.as_array().context("a list")?;
    ensure!(
        inside.len() == 1 && inside[0]["identity"] == "9-ann@mail",
        "{inside:?}"
    );
    server.stop().await
}

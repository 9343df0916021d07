//! The public SDKs that the service is held against agree among themselves.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use visavis_tests::acceptance::{
    Delivery, Keys, Sdk, make_token, room_service, send_webhook, verify_token,
};
use visavis_tests::ports;
use visavis_tests::webhook_sink::WebhookSink;

const KEYS: Keys<'_> = Keys {
    key: "key",
    secret: "a-secret-of-at-least-32-characters",
};
const ARRIVES_LIMIT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_token_of_either_sdk_is_verified_by_both() -> Result<()> {
    let grant = json!({"room": "ro_1", "roomJoin": true, "canPublish": false});
    for maker in Sdk::ALL {
        let wanted = json!({"identity": "9-a@b.c", "name": "Ann", "ttl": 60, "video": grant});
        let token = make_token(maker, KEYS, wanted).await?;
        for verifier in Sdk::ALL {
            let claims = verify_token(verifier, KEYS, &token).await?;
            ensure!(claims["name"] == "Ann", "{verifier:?}: {claims}");
            for (name, value) in grant.as_object().context("a grant")? {
                ensure!(claims["video"][name] == *value, "{verifier:?}: {claims}");
            }
            let wrong = Keys {
                secret: "another-secret-of-32-characters-or-more",
                ..KEYS
            };
            let refused = verify_token(verifier, wrong, &token).await;
            ensure!(refused.is_err(), "{verifier:?} takes a forged token");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_receiver_of_webhooks_verifies_fails_when_told_and_comes_back() -> Result<()> {
    let mut sink = WebhookSink::start(KEYS).await?;
    let event = |id: &str| json!({"event": "room_started", "id": id, "room": {"name": "ro_1"}});
    let url = sink.url();

    let statuses = send_webhook(KEYS, &url, &event("EV_1"), Delivery::Repeated).await?;
    ensure!(statuses == [200, 200]);
    let statuses = send_webhook(KEYS, &url, &event("EV_2"), Delivery::Altered).await?;
    ensure!(statuses == [401]);
    sink.answer_with(500).await?;
    let statuses = send_webhook(KEYS, &url, &event("EV_3"), Delivery::Plain).await?;
    ensure!(statuses == [500]);

    sink.stop().await?;
    let nobody = send_webhook(KEYS, &url, &event("EV_4"), Delivery::Plain).await;
    ensure!(nobody.is_err(), "nobody listens");
    sink.restart().await?;
    send_webhook(KEYS, &url, &event("EV_5"), Delivery::Plain).await?;

    let is_fifth = |event: &serde_json::Value| event["id"] == "EV_5";
    sink.wait_for("the fifth arrives", ARRIVES_LIMIT, |events| {
        events.iter().any(is_fifth).then_some(())
    })
    .await?;
    let events = sink.events()?;
    let ids: Vec<_> = events.iter().map(|event| event["id"].as_str()).collect();
    ensure!(ids == [Some("EV_1"), Some("EV_1"), Some("EV_5")], "{ids:?}");
    let deliveries = sink.deliveries()?;
    let statuses: Vec<_> = deliveries.iter().map(|each| each.status).collect();
    ensure!(statuses == [200, 200, 401, 500, 200], "{statuses:?}");
    let kind = &deliveries[0].content_type;
    ensure!(kind == "application/webhook+json", "{kind}");
    Ok(())
}

#[tokio::test]
async fn a_call_that_reaches_nobody_is_an_error_of_the_call() -> Result<()> {
    let url = format!("http://127.0.0.1:{}", ports::free()?);
    let calls = [("ListRooms", json!({}))];
    let answers = room_service(Sdk::Node, KEYS, &url, &calls).await?;
    ensure!(answers[0]["error"].is_object(), "{answers:?}");
    Ok(())
}

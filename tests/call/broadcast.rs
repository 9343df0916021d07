//! A broadcast: a host, viewers who stay while one session follows another.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use visavis_tests::headless::{Event, Headless, SMALL};
use visavis_tests::http::Http;
use visavis_tests::server::RoomServer;

const KEY: &str = "devkey";
const SECRET: &str = "a secret of the tests, long enough for HS256";
const LIMIT: Duration = Duration::from_secs(30);
/// Pictures of two seconds.
const FLOWING: u64 = 30;

/// The text of a value that is one.
fn text(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("no text: {value}"))
}

/// A webhook of a LiveKit server: the egress of this room has started.
async fn egress_starts(http: &Http, id: &str, room: &Value) -> Result<()> {
    let event = json!({
        "event": "egress_started",
        "id": format!("EV_{id}"),
        "egressInfo": {"egressId": id, "roomName": room},
    });
    let hash = STANDARD.encode(Sha256::digest(event.to_string()));
    let claims = json!({"iss": KEY, "nbf": 0, "exp": 4_102_444_800_u64, "sha256": hash});
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token = jsonwebtoken::encode(&Header::default(), &claims, &key)?;
    let http = http.with_header("Authorization", &token);
    http.post("/api/webhooks/livekit", &event)
        .await?
        .expect(200)?;
    Ok(())
}

/// A stream provider's report.
async fn provider_says(http: &Http, room: &Value, status: &str) -> Result<()> {
    let report = json!({"room_id": room, "status": status});
    let mut signature = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
    signature.update(report.to_string().as_bytes());
    let hex: String = signature
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let http = http.with_header("X-Signature", &hex);
    http.post("/api/webhooks/stream", &report)
        .await?
        .expect(200)?;
    Ok(())
}

#[tokio::test]
async fn s1_03_s1_25_s1_27_s2_60_viewers_stay_through_three_broadcasts_of_a_host_who_joined_once()
-> Result<()> {
    let server = RoomServer::start(&["--api-key", KEY, "--api-secret", SECRET]).await?;
    let http = server.http();
    let channel = http.post("/channel", &json!({})).await?.expect(201)?;
    let asked = json!({"channel_id": channel["channel_id"]});
    let first = http.post("/session", &asked).await?.expect(201)?;
    let room = first["room_id"].clone();
    let tokens = format!("/session/{}/token", text(&first["session_id"])?);
    let host = http.post(&tokens, &json!({})).await?.expect(200)?;
    let viewer = http.post(&tokens, &json!({"user_id": "9"})).await?;
    let viewer = viewer.expect(200)?;

    let enter = async |name: &str, ticket: &Value| {
        let place = [
            "--room",
            text(&ticket["room"])?,
            "--token",
            text(&ticket["token"])?,
        ];
        let scene = ["--video", SMALL, "--audio", "tone:440"];
        Headless::join(name, &server.url(), &[place, scene].concat()).await
    };
    let host = enter("host", &host).await?;
    let mut viewer = enter("viewer", &viewer).await?;
    viewer.sees(host.member(), FLOWING).await?;

    let sessions = async || -> Result<Vec<Value>> {
        let list = http
            .get(&format!("/session?room_id={}", text(&room)?))
            .await?;
        Ok(list.expect(200)?.as_array().context("a list")?.clone())
    };
    for number in 0..3 {
        let session = sessions().await?.pop().context("a session")?;
        ensure!(session["status"] == "READY", "{session}");
        egress_starts(http, &format!("EG_{number}"), &room).await?;
        provider_says(http, &room, "active").await?;
        viewer.sees(host.member(), FLOWING).await?;
        let end = format!("/session/{}/end", text(&session["session_id"])?);
        http.post(&end, &Value::Null).await?.expect(200)?;
        provider_says(http, &room, "idle").await?;
        viewer.sees(host.member(), FLOWING).await?;
    }
    ensure!(
        sessions().await?.len() == 4,
        "one that is ready follows the third"
    );

    let question = "Will there be a recording?";
    viewer
        .obeys(&json!({"command": "chat", "text": question}))
        .await?;
    host.reports("the question", LIMIT, |event| match event {
        Event::Chat { text, .. } => (text == question).then_some(()),
        _ => None,
    })
    .await?;
    for one in [&host, &viewer] {
        let (mut joins, mut states) = (0, Vec::new());
        for event in one.events() {
            match event {
                Event::Joined { .. } => joins += 1,
                Event::Peer { state, .. } => states.push(state),
                _ => {}
            }
        }
        ensure!(joins == 1, "{joins} joins");
        let last = states.last().map(String::as_str);
        ensure!(last == Some("connected"), "{states:?}");
        let broken = |state: &String| state == "closed" || state == "failed";
        ensure!(!states.iter().any(broken), "{states:?}");
    }
    let received = host
        .stats(viewer.member())
        .map(|stats| stats.frames_decoded);
    ensure!(
        matches!(received, None | Some(0)),
        "a viewer sent {received:?} pictures"
    );
    viewer.leave().await?;
    host.leave().await?;
    server.stop().await
}

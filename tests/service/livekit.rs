//! LiveKit's stock server SDKs, unmodified, work with our service as with a
//! LiveKit server: npm's `livekit-server-sdk` in JSON, PyPI's `livekit-api` in
//! protobuf.

mod rooms;
mod tokens;
mod webhooks;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use visavis_tests::acceptance::{Keys, Sdk, make_token, room_service};
use visavis_tests::plain_client::PlainClient;
use visavis_tests::server::RoomServer;

const KEYS: Keys<'_> = Keys {
    key: "key",
    secret: "a-secret-of-at-least-32-characters",
};
const LIMIT: Duration = Duration::from_secs(60);

/// A server with a key, which asks for tokens where it is told to.
async fn server(more: &[&str]) -> Result<RoomServer> {
    let keys = ["--api-key", KEYS.key, "--api-secret", KEYS.secret];
    RoomServer::start(&[&keys[..], more].concat()).await
}

const GUARDED: [&str; 2] = ["--auth", "jwt"];

/// One call, which is answered well.
async fn done(sdk: Sdk, server: &RoomServer, rpc: &str, request: Value) -> Result<Value> {
    let mut answer = call(sdk, server, rpc, request).await?;
    ensure!(answer.get("ok").is_some(), "{sdk:?} {rpc}: {answer}");
    Ok(answer["ok"].take())
}

/// One call, which is refused with this code.
async fn refused(
    sdk: Sdk,
    server: &RoomServer,
    rpc: &str,
    request: Value,
    code: &str,
) -> Result<()> {
    let answer = call(sdk, server, rpc, request).await?;
    ensure!(answer["error"]["code"] == code, "{sdk:?} {rpc}: {answer}");
    Ok(())
}

async fn call(sdk: Sdk, server: &RoomServer, rpc: &str, request: Value) -> Result<Value> {
    let url = format!("http://{}", server.address());
    let mut answers = room_service(sdk, KEYS, &url, &[(rpc, request)]).await?;
    answers.pop().context("an answer")
}

/// A client that came in with a token of this SDK.
async fn enter(
    sdk: Sdk,
    server: &RoomServer,
    identity: &str,
    room: &str,
    features: Value,
) -> Result<PlainClient> {
    let video = json!({"room": room, "roomJoin": true});
    let wanted = json!({"identity": identity, "name": identity.to_uppercase(), "video": video});
    let token = make_token(sdk, KEYS, wanted).await?;
    let mut client = PlainClient::connect(&server.url()).await?;
    let payload = json!({"roomId": room, "token": token, "features": features});
    let join = json!({"type": "join-room", "payload": payload});
    client.ask(join, "room-joined").await?;
    Ok(client)
}

//! A server that makes tokens, and what the tests of bookings and broadcasts
//! ask of it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use tokio::time::timeout;
use visavis_server::{Keys, Server, ServerConfig};

use crate::support::{Client, KEY, LIMIT, SECRET, http};

/// A running server, and who asks it.
pub struct Studio {
    pub server: Server,
    /// Headers of every request.
    pub head: String,
}

impl Studio {
    /// In open mode, with a clock that can be moved.
    pub async fn open() -> Self {
        Self::with(ServerConfig::default()).await
    }

    pub async fn with(config: ServerConfig) -> Self {
        let config = ServerConfig {
            keys: Keys::new(KEY, SECRET),
            manual_clock: true,
            ..config
        };
        Self {
            server: Server::bind(config).await.unwrap(),
            head: String::new(),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Status and body.
    pub async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.ask_as(&self.head, method, path, body).await
    }

    /// The same, with other headers.
    pub async fn ask_as(&self, head: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let text = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let (status, _, body) = http(self.address(), method, path, head, &text).await;
        (status, serde_json::from_str(&body).unwrap_or_default())
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, Value::Null).await;
        assert_eq!(status, 200, "{path} {body}");
        body
    }

    /// The answer to a request that is granted.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        let (status, body) = self.ask("POST", path, body).await;
        assert!((200..300).contains(&status), "{path} {status} {body}");
        body
    }

    /// Asks until the answer is as wanted.
    pub async fn wait(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let watch = async {
            loop {
                let (_, body) = self.ask("GET", path, Value::Null).await;
                if wanted(&body) {
                    return body;
                }
                tokio::task::yield_now().await;
            }
        };
        let body = timeout(LIMIT, watch).await;
        body.unwrap_or_else(|_| panic!("{path} as wanted in time"))
    }

    pub async fn advance(&self, seconds: u64) {
        let by = json!({"seconds": seconds});
        self.post("/debug/clock/advance", by).await;
    }

    /// Comes in with a token.
    pub async fn join(&self, join_credentials: &Value) -> Client {
        let mut client = Client::connect(self.address()).await;
        let joined = client.ask(entry(join_credentials)).await;
        assert_eq!(joined["type"], "room-joined", "{joined}");
        client
    }

    /// A LiveKit server's webhook, signed as it signs; its status.
    pub async fn tell(&self, event: Value) -> u16 {
        let body = event.to_string();
        let token = webhook_token(&body);
        let head = format!("Authorization: {token}\r\nContent-Type: application/webhook+json\r\n");
        let (status, _, _) = http(
            self.address(),
            "POST",
            "/api/webhooks/livekit/",
            &head,
            &body,
        )
        .await;
        status
    }

    /// A stream provider's report; its status.
    pub async fn report(&self, room: &str, status: &str) -> u16 {
        let body = json!({"room_id": room, "status": status}).to_string();
        let head = format!("X-Signature: {}\r\n", stream_signature(&body));
        let path = "/api/webhooks/stream/";
        http(self.address(), "POST", path, &head, &body).await.0
    }
}

/// Asks to come in with a token.
pub fn entry(join_credentials: &Value) -> Value {
    let payload = json!({
        "roomId": claims(join_credentials)["video"]["room"],
        "token": join_credentials["token"],
        "features": ["members"],
    });
    json!({"type": "join-room", "payload": payload})
}

/// What a ticket's token says.
pub fn claims(join_credentials: &Value) -> Value {
    let token = join_credentials["token"].as_str().unwrap();
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// What a LiveKit server puts into `Authorization`, made by its own library.
pub fn webhook_token(body: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest(body));
    let token = livekit_api::access_token::AccessToken::with_api_key(KEY, SECRET);
    token.with_sha256(&hash).to_jwt().unwrap()
}

pub fn stream_signature(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let tag = mac.finalize().into_bytes();
    tag.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A token signed by LiveKit's library.
pub fn token(identity: &str, grant: livekit_api::access_token::VideoGrants) -> String {
    let token = livekit_api::access_token::AccessToken::with_api_key(KEY, SECRET);
    let token = token.with_identity(identity).with_grants(grant);
    token.to_jwt().unwrap()
}

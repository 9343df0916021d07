//! Tokens that open nothing: not a room, not its administration, and in no
//! dialect.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use visavis_server::Server;

use crate::access::{check_entry, claims, from_now, guest, room, signed, strict};
use crate::api::Api;
use crate::support::{Client, SECRET};
use crate::twirp;

/// A room that asks everyone for a token, and who is inside.
struct Guarded {
    server: Server,
    host: Client,
    room: String,
}

impl Guarded {
    async fn new() -> Self {
        let server = strict().await;
        let (host, room) = room(&server, json!({})).await;
        Self { server, host, room }
    }

    /// What a token says that opens everything here.
    fn good(&self) -> Value {
        let mut video = guest(&self.room);
        video["roomAdmin"] = true.into();
        claims("ann", video)
    }

    /// Shows a token at every door; none opens, and who is inside notices nothing.
    async fn stays_shut(&mut self, token: &str, code: &str, status: u16) {
        let address = self.server.local_addr();
        let payload = json!({"roomId": self.room, "token": token});
        let answer = check_entry(&self.server, payload).await;
        assert_eq!(answer["code"], code, "{token}");
        let bearer = format!("Bearer {token}");
        let mut client = Client::connect_with(address, &[("authorization", bearer.as_str())]).await;
        assert_eq!(client.join(&self.room).await["code"], code, "{token}");

        let api = Api::new(address).with("Authorization", &bearer);
        let path = format!("/rooms/{}", self.room);
        api.patch(&path, json!({"name": "Mine"}))
            .await
            .expect(status);
        api.delete(&path).await.expect(status);
        let inside = format!("/api/v1/rooms/{}/participants", self.room);
        api.get(&inside).await.expect(status);
        let people = json!({"room": self.room});
        let asked = twirp::call(address, Some(token), "ListParticipants", people);
        let (answered, said) = asked.await;
        assert_eq!(answered, status, "{said}");
        self.host.nothing_more().await;
    }

    /// Shows that the doors do open.
    async fn opens(&mut self, token: &str) {
        let payload = json!({"roomId": self.room, "token": token});
        let answer = check_entry(&self.server, payload).await;
        assert_eq!(answer["type"], "room-joined");
        self.host.expect("member-joined").await;
    }
}

#[tokio::test]
async fn a_token_that_is_not_signed_opens_nothing() {
    let mut guarded = Guarded::new().await;
    let good = guarded.good();
    let part = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let signature = signed(&good, SECRET);
    let signature = signature.rsplit('.').next().unwrap();
    for algorithm in ["none", "None", "NONE", "HS512", "RS256"] {
        let head = part(&json!({"alg": algorithm, "typ": "JWT"}));
        let unsigned = format!("{head}.{}.", part(&good));
        guarded.stays_shut(&unsigned, "unauthorized", 401).await;
        // With the signature of the good one.
        let borrowed = format!("{unsigned}{signature}");
        guarded.stays_shut(&borrowed, "unauthorized", 401).await;
    }
    for none in ["", "no token", "x.y.z", ".."] {
        guarded.stays_shut(none, "unauthorized", 401).await;
    }
    guarded.opens(&signed(&good, SECRET)).await;
}

#[tokio::test]
async fn a_token_signed_with_a_wrong_key_opens_nothing() {
    let mut guarded = Guarded::new().await;
    let good = guarded.good();
    for secret in ["another secret, as long as it is", "", "devkey"] {
        let forged = signed(&good, secret);
        guarded.stays_shut(&forged, "unauthorized", 401).await;
    }
    // The secret is right, but not of this name.
    let mut foreign = good.clone();
    foreign["iss"] = "another".into();
    let foreign = signed(&foreign, SECRET);
    guarded.stays_shut(&foreign, "unauthorized", 401).await;
    // What was signed is not what is said.
    let said = BASE64_URL_SAFE_NO_PAD.encode(good.to_string());
    let mut other = good.clone();
    other["sub"] = "bob".into();
    let altered = signed(&other, SECRET);
    let parts: Vec<&str> = altered.split('.').collect();
    let altered = format!("{}.{said}.{}", parts[0], parts[2]);
    guarded.stays_shut(&altered, "unauthorized", 401).await;
    guarded.opens(&signed(&good, SECRET)).await;
}

#[tokio::test]
async fn a_token_out_of_its_time_opens_nothing() {
    let mut guarded = Guarded::new().await;
    let good = guarded.good();
    let at = |key: &str, seconds: i64| {
        let mut claims = good.clone();
        claims[key] = from_now(seconds).into();
        signed(&claims, SECRET)
    };
    for seconds in [-61, -86_400] {
        let over = at("exp", seconds);
        guarded.stays_shut(&over, "token-expired", 401).await;
    }
    let early = at("nbf", 120);
    guarded.stays_shut(&early, "unauthorized", 401).await;
    let mut endless = good.clone();
    endless.as_object_mut().unwrap().remove("exp");
    let endless = signed(&endless, SECRET);
    guarded.stays_shut(&endless, "unauthorized", 401).await;
    // Clocks differ by a little.
    guarded.opens(&at("exp", -20)).await;
}

#[tokio::test]
async fn a_token_of_another_room_opens_nothing() {
    let mut guarded = Guarded::new().await;
    let (mut neighbour, next_door) = room(&guarded.server, json!({})).await;
    for video in [
        json!({"roomJoin": true, "roomAdmin": true, "room": next_door}),
        json!({"roomJoin": true, "roomAdmin": true, "room": "abc-defg-hij"}),
        json!({"roomJoin": true, "roomAdmin": true, "room": ""}),
        json!({"roomJoin": true, "roomAdmin": true}),
    ] {
        let token = signed(&claims("ann", video), SECRET);
        guarded.stays_shut(&token, "forbidden", 403).await;
    }
    // One for the room that lets nobody in.
    let idle = signed(&claims("ann", json!({"room": guarded.room})), SECRET);
    guarded.stays_shut(&idle, "forbidden", 403).await;
    neighbour.nothing_more().await;
    guarded.opens(&signed(&guarded.good(), SECRET)).await;
}

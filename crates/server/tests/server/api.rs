//! A client of the REST side, and one that listens to events.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::time::timeout;
use visavis_server::{AuthMode, Keys, Server, ServerConfig, TrustedProxies};

use crate::support::{KEY, LIMIT, SECRET, http};

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// In lower case.
    pub head: String,
    /// Null where the body is no JSON.
    pub json: Value,
}

impl Answer {
    /// The body, where the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{} {}", self.head, self.json);
        self.json
    }

    /// Checks that it is a problem of this kind.
    #[track_caller]
    pub fn refused(self, status: u16, kind: &str) {
        let Self { head, json, .. } = &self;
        assert!(head.contains("application/problem+json"), "{head}");
        assert_eq!(
            (&json["type"], &json["status"]),
            (&json!(kind), &json!(status))
        );
        assert!(
            json["title"].is_string() && json["detail"].is_string(),
            "{json}"
        );
        self.expect(status);
    }
}

/// One who asks.
#[derive(Clone)]
pub struct Api {
    pub address: SocketAddr,
    head: String,
}

impl Api {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            head: String::new(),
        }
    }

    /// The same, with one more header.
    pub fn with(&self, name: &str, value: &str) -> Self {
        Self {
            address: self.address,
            head: format!("{}{name}: {value}\r\n", self.head),
        }
    }

    /// The same, with a token that grants this.
    pub fn with_grant(&self, video: Value) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let claims = json!({
            "iss": KEY, "sub": "ann", "exp": now.as_secs() + 600, "video": video,
        });
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key);
        self.with("Authorization", &format!("Bearer {}", token.unwrap()))
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let (status, head, body) = http(self.address, method, path, &self.head, body).await;
        Answer {
            status,
            head,
            json: serde_json::from_str(&body).unwrap_or_default(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "").await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, "").await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, &body.to_string()).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, &body.to_string()).await
    }

    /// Asks with a body that may be no JSON.
    pub async fn post_text(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, body).await
    }

    /// Makes a room for four; what people join by.
    pub async fn room(&self) -> String {
        let made = self.post_text("/rooms", "").await.expect(201);
        made["roomId"].as_str().unwrap().to_owned()
    }

    /// Makes an S0 room of audience `acme`, open from a minute ago.
    pub async fn conference(&self, close: Option<i64>) -> Value {
        let time = json!([self.now().await - 60, close]);
        let room = json!({"audience": "acme", "time": time, "backend": "none"});
        self.post("/api/v1/rooms", room).await.expect(201)
    }

    /// The service's time in seconds, as a room tells it.
    pub async fn now(&self) -> i64 {
        let room = json!({"audience": "clock", "time": [1, null], "backend": "none"});
        let room = self.post("/api/v1/rooms", room).await.expect(201);
        room["created_at"].as_i64().unwrap()
    }

    /// Moves a manual clock on.
    pub async fn advance(&self, seconds: u32) {
        let body = json!({"seconds": seconds});
        self.post("/debug/clock/advance", body).await.expect(204);
    }

    /// Listens to what is new.
    pub async fn listen(&self, uri: &str) -> Listener {
        Listener::start(self, uri).await.unwrap()
    }

    /// Listens on after this event.
    pub async fn listen_after(&self, uri: &str, id: &str) -> Listener {
        self.with("Last-Event-ID", id).listen(uri).await
    }
}

/// A server whose clock is moved by hand.
pub async fn by_hand() -> Server {
    server_of(ServerConfig {
        manual_clock: true,
        ..ServerConfig::default()
    })
    .await
}

/// A server behind a gateway on this machine.
pub async fn gated() -> Server {
    server_of(ServerConfig {
        auth: AuthMode::Header,
        keys: Keys::new(KEY, SECRET),
        trusted_proxies: TrustedProxies::parse(["127.0.0.1"]).unwrap(),
        ..ServerConfig::default()
    })
    .await
}

pub async fn server_of(config: ServerConfig) -> Server {
    Server::bind(config).await.unwrap()
}

/// One event as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    pub id: String,
    pub label: String,
    pub data: Value,
}

/// One who listens to events.
pub struct Listener(Lines<BufReader<TcpStream>>);

impl Listener {
    /// From when it returns on, nothing is missed. The status, where it is refused.
    pub async fn start(api: &Api, uri: &str) -> Result<Self, u16> {
        let stream = TcpStream::connect(api.address).await.unwrap();
        let mut stream = BufReader::new(stream);
        // HTTP/1.0 has no chunks.
        let Api { address, head } = api;
        let request =
            format!("GET /api/v1/events?uri={uri} HTTP/1.0\r\nHost: {address}\r\n{head}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut lines = stream.lines();
        let status = next_line(&mut lines).await.unwrap();
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        if status != 200 {
            return Err(status);
        }
        while !next_line(&mut lines).await.unwrap().is_empty() {}
        Ok(Self(lines))
    }

    /// The next event.
    pub async fn hear(&mut self) -> Incoming {
        let mut heard = Incoming {
            id: String::new(),
            label: String::new(),
            data: Value::Null,
        };
        loop {
            let line = next_line(&mut self.0).await.expect("it goes on");
            match line.split_once(": ") {
                Some(("id", id)) => heard.id = id.to_owned(),
                Some(("event", label)) => heard.label = label.to_owned(),
                Some(("data", data)) => heard.data = serde_json::from_str(data).unwrap(),
                _ if line.is_empty() && !heard.id.is_empty() => return heard,
                _ => assert!(line.is_empty() || line.starts_with(':'), "{line}"),
            }
        }
    }

    /// The next event, which bears this label.
    pub async fn expect(&mut self, label: &str) -> Incoming {
        let heard = self.hear().await;
        assert_eq!(heard.label, label, "{heard:?}");
        assert_eq!(heard.data["label"], label);
        heard
    }

    /// Waits for the end.
    pub async fn ended(mut self) {
        while next_line(&mut self.0).await.is_some() {}
    }
}

async fn next_line(lines: &mut Lines<BufReader<TcpStream>>) -> Option<String> {
    let line = timeout(LIMIT, lines.next_line()).await;
    line.expect("heard in time").unwrap()
}

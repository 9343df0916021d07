//! LiveKit's admin API: who may call what, in both writings, and what comes of
//! nonsense. That the stock SDKs work with it is shown in `tests/service`.

mod access;
mod people;
mod rooms;
mod wire;

use std::net::SocketAddr;
use std::time::Duration;

use livekit_api::access_token::{AccessToken, VideoGrants};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use visavis_server::{AuthMode, Keys, Server, ServerConfig};

use crate::support::{KEY, LIMIT, SECRET, http};

async fn guarded() -> Server {
    let config = ServerConfig {
        auth: AuthMode::Jwt,
        keys: Keys::new(KEY, SECRET),
        ..ServerConfig::default()
    };
    Server::bind(config).await.unwrap()
}

fn token(video: VideoGrants) -> String {
    signed(SECRET, 60, video)
}

fn signed(secret: &str, seconds: u64, video: VideoGrants) -> String {
    AccessToken::with_api_key(KEY, secret)
        .with_identity("operator")
        .with_ttl(Duration::from_secs(seconds))
        .with_grants(video)
        .to_jwt()
        .unwrap()
}

fn creator() -> VideoGrants {
    VideoGrants {
        room_create: true,
        ..VideoGrants::default()
    }
}

fn lister() -> VideoGrants {
    VideoGrants {
        room_list: true,
        ..VideoGrants::default()
    }
}

fn admin(room: &str) -> VideoGrants {
    VideoGrants {
        room_admin: true,
        room: room.to_owned(),
        ..VideoGrants::default()
    }
}

/// Calls a method in JSON; the status and the answer.
pub async fn call(
    address: SocketAddr,
    token: Option<&str>,
    method: &str,
    request: Value,
) -> (u16, Value) {
    let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let head = format!(
        "Content-Type: application/json\r\n{}",
        bearer.unwrap_or_default()
    );
    let path = format!("/twirp/livekit.RoomService/{method}");
    let (status, _, body) = http(address, "POST", &path, &head, &request.to_string()).await;
    (status, serde_json::from_str(&body).unwrap())
}

/// The same, by one who needs no token, and well answered.
async fn done(address: SocketAddr, method: &str, request: Value) -> Value {
    let (status, answer) = call(address, None, method, request).await;
    assert_eq!(status, 200, "{method}: {answer}");
    answer
}

/// The same, refused with this code.
async fn refused(address: SocketAddr, method: &str, request: Value, wanted: (u16, &str)) {
    let (status, answer) = call(address, None, method, request).await;
    assert_eq!(
        (status, answer["code"].as_str().unwrap()),
        wanted,
        "{method}: {answer}"
    );
    assert!(answer["msg"].is_string(), "{answer}");
}

/// Sends bytes in protobuf; the status and the answer's bytes.
async fn call_protobuf(address: SocketAddr, method: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!(
        "POST /twirp/livekit.RoomService/{method} HTTP/1.1\r\nHost: {address}\r\n\
         Connection: close\r\nContent-Type: application/protobuf\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // One who is told early that this is too much need not read the rest.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let read = timeout(LIMIT, stream.read_to_end(&mut answer)).await;
    read.expect("answered in time").unwrap();
    let status = str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    (status, answer.split_off(end.unwrap() + 4))
}

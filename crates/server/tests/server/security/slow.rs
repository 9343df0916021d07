//! Slow HTTP clients: those that send no request, or the rest of one too late.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use visavis_server::{HttpLimits, Limits, Server};

use crate::support::{Client, LIMIT, http};
use crate::unruly::server_with;

const SHORT: Duration = Duration::from_millis(300);
/// A deadline that does not pass during a test.
const LONG: Duration = Duration::from_secs(3_600);

/// Deadlines that never pass, for tests of a single one.
fn patient() -> HttpLimits {
    HttpLimits {
        handshake: LONG,
        header: LONG,
        body: LONG,
        idle: LONG,
        ..HttpLimits::default()
    }
}

async fn server_of(http: HttpLimits) -> Server {
    let limits = Limits {
        http,
        ..Limits::default()
    };
    server_with(limits).await
}

async fn sent(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    socket
}

/// Reads to the end of the connection.
async fn closed(socket: &mut TcpStream) -> String {
    let mut received = Vec::new();
    let read = timeout(LIMIT, socket.read_to_end(&mut received)).await;
    // An aborted connection has ended too.
    let _ = read.expect("closed in time");
    String::from_utf8(received).unwrap()
}

async fn is_healthy(address: SocketAddr) -> bool {
    http(address, "GET", "/healthz", "", "").await.0 == 200
}

#[tokio::test]
async fn five_hundred_slow_connections_are_closed_and_others_are_served_meanwhile() {
    let server = server_of(HttpLimits {
        header: SHORT,
        ..patient()
    })
    .await;
    let address = server.local_addr();
    let mut slow = Vec::new();
    for n in 0..500 {
        let begun = ["", "GET", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "][n % 3];
        slow.push(sent(address, begun.as_bytes()).await);
    }
    assert!(is_healthy(address).await);
    for socket in &mut slow {
        assert_eq!(closed(socket).await, "");
    }
    assert!(is_healthy(address).await);
}

#[tokio::test]
async fn a_trickled_header_has_a_deadline_in_all() {
    let server = server_of(HttpLimits {
        header: SHORT,
        ..patient()
    })
    .await;
    let mut socket = sent(server.local_addr(), b"GET /healthz HTTP/1.1\r\n").await;
    let started = Instant::now();
    let trickle = async {
        while socket.write_all(b"X-Slow: 1\r\n").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    timeout(LIMIT, trickle).await.expect("closed in time");
    assert!(started.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_body_has_a_deadline_and_a_connection_without_requests_has_one() {
    let late_body = HttpLimits {
        body: SHORT,
        ..patient()
    };
    let server = server_of(late_body).await;
    let post = b"POST /rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
    let mut socket = sent(server.local_addr(), post).await;
    assert_eq!(closed(&mut socket).await, "");

    let idle = HttpLimits {
        idle: SHORT,
        ..patient()
    };
    let server = server_of(idle).await;
    let get = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut socket = sent(server.local_addr(), get).await;
    assert!(closed(&mut socket).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_event_stream_and_a_websocket_have_no_http_deadline() {
    let server = server_of(HttpLimits {
        header: SHORT,
        body: SHORT,
        idle: SHORT,
        ..HttpLimits::default()
    })
    .await;
    let address = server.local_addr();
    let mut client = Client::connect(address).await;
    let get =
        b"GET /api/v1/events?uri=audiences/default/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut stream = sent(address, get).await;
    let mut head = [0; 15];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    // A connection that does have the deadlines ends three times meanwhile.
    for _ in 0..3 {
        closed(&mut sent(address, b"").await).await;
    }
    let mut rest = vec![0; 4_096];
    let more = async { while stream.read(&mut rest).await.unwrap() > 0 {} };
    assert!(timeout(SHORT, more).await.is_err(), "the stream is open");
    client.create(serde_json::json!({"name": "Tea"})).await;
}

#[tokio::test]
async fn slow_connections_make_room_for_others_when_all_places_are_taken() {
    let server = server_of(HttpLimits {
        connections: Some(20),
        ..patient()
    })
    .await;
    let address = server.local_addr();
    let mut slow = Vec::new();
    // 16 more are a reserve for peers on this machine.
    for _ in 0..60 {
        slow.push(sent(address, b"GET").await);
        if slow.len() % 10 == 0 {
            assert!(is_healthy(address).await, "{}", slow.len());
        }
    }
    let (oldest, _) = slow.split_at_mut(20);
    for socket in oldest {
        assert_eq!(closed(socket).await, "");
    }
}

#[tokio::test]
async fn an_address_past_its_connections_is_refused_with_429() {
    let limits = Limits {
        rates_on_loopback: true,
        http: HttpLimits {
            per_address: 2,
            ..patient()
        },
        ..Limits::default()
    };
    let server = server_with(limits).await;
    let address = server.local_addr();
    let slow = [sent(address, b"GET").await, sent(address, b"GET").await];
    let mut refused = sent(address, b"").await;
    let response = closed(&mut refused).await;
    assert!(response.starts_with("HTTP/1.1 429 "), "{response}");
    drop(slow);
    let freed = async {
        while !closed(&mut sent(address, b"GET /healthz HTTP/1.0\r\n\r\n").await)
            .await
            .starts_with("HTTP/1.0 200")
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, freed).await.expect("freed in time");
}

//! The STUN server on UDP at the listening port, and how clients learn of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdUdpSocket};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::time::timeout;
use visavis_server::{Server, ServerConfig, Stun, TrustedProxies};

use super::support::{Client, LIMIT, server};

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

fn message(kind: u16, transaction: u8, attributes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(attributes.len()).unwrap();
    let head = [kind.to_be_bytes(), length.to_be_bytes()].concat();
    [&head, &COOKIE[..], &[transaction; 12], attributes].concat()
}

/// The address in a response whose only attribute is XOR-MAPPED-ADDRESS.
fn mapped(response: &[u8], transaction: u8) -> SocketAddr {
    assert_eq!(response[..2], BINDING_SUCCESS.to_be_bytes());
    assert_eq!(response[4..20], message(0, transaction, &[])[4..]);
    assert_eq!(response[20..22], [0x00, 0x20]);
    let key = &response[4..20];
    let xor = |bytes: &[u8]| -> Vec<u8> {
        let pairs = bytes.iter().zip(key);
        pairs.map(|(byte, key)| byte ^ key).collect()
    };
    let port = u16::from_be_bytes(xor(&response[26..28]).try_into().unwrap());
    let address = xor(&response[28..]);
    let ip: IpAddr = match response[25] {
        1 => Ipv4Addr::from(<[u8; 4]>::try_from(address).unwrap()).into(),
        _ => Ipv6Addr::from(<[u8; 16]>::try_from(address).unwrap()).into(),
    };
    (ip, port).into()
}

async fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 1_500];
    let received = timeout(LIMIT, socket.recv(&mut buffer)).await;
    let length = received.expect("answered in time").unwrap();
    buffer[..length].to_vec()
}

/// A client's socket on this address, for this server.
async fn client(ip: impl Into<IpAddr>, server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((ip.into(), 0)).await.unwrap();
    socket.connect(server).await.unwrap();
    socket
}

/// Asks the server for the socket's address.
async fn ask(socket: &UdpSocket) -> SocketAddr {
    let request = message(BINDING_REQUEST, 7, &[]);
    socket.send(&request).await.unwrap();
    mapped(&receive(socket).await, 7)
}

async fn listening(address: &str, config: ServerConfig) -> Server {
    let listen = address.parse().unwrap();
    let config = ServerConfig { listen, ..config };
    Server::bind(config).await.unwrap()
}

/// A client that names the server by this host, and the reply to its `create-room`.
async fn created(server: &Server, host: &str, headers: &[(&'static str, &str)]) -> (Client, Value) {
    let address = (Ipv4Addr::LOCALHOST, server.local_addr().port()).into();
    let url = format!("ws://{host}/ws");
    let connected = Client::try_connect_to(address, &url, headers).await;
    let mut client = connected.unwrap();
    let payload = json!({"name": "Tea", "features": ["resume"]});
    let created = client
        .ask(json!({"type": "create-room", "payload": payload}))
        .await;
    assert_eq!(created["type"], "room-created", "{created}");
    (client, created)
}

/// The first ICE server's only URL.
fn first(message: &Value) -> &str {
    let urls = message["iceServers"][0]["urls"].as_array();
    urls.map_or("", |urls| urls[0].as_str().unwrap())
}

/// The first ICE server of a client that names the server by this host.
async fn listed(server: &Server, host: &str, headers: &[(&'static str, &str)]) -> String {
    let (_client, created) = created(server, host, headers).await;
    first(&created).to_owned()
}

#[tokio::test]
async fn a_binding_request_is_answered_at_the_port_of_the_listener() {
    let server = server().await;
    let client = client(Ipv4Addr::LOCALHOST, server.local_addr()).await;
    assert_eq!(ask(&client).await, client.local_addr().unwrap());
}

#[tokio::test]
async fn a_binding_request_over_ipv6_is_answered_with_the_ipv6_address() {
    if StdUdpSocket::bind("[::1]:0").is_err() {
        return;
    }
    let server = listening("[::1]:0", ServerConfig::default()).await;
    let client = client(Ipv6Addr::LOCALHOST, server.local_addr()).await;
    assert_eq!(ask(&client).await, client.local_addr().unwrap());
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_listener_on_all_addresses_answers_from_the_one_that_was_asked() {
    if StdUdpSocket::bind("[::1]:0").is_err() {
        return;
    }
    let server = listening("[::]:0", ServerConfig::default()).await;
    let port = server.local_addr().port();
    // A connected socket receives from the address that it sends to only. An IPv4 client
    // gets its IPv4 address, which the server's socket sees as a mapped one.
    for asked in ["127.0.0.1", "127.0.0.2", "::1"] {
        let asked: IpAddr = asked.parse().unwrap();
        let from: IpAddr = match asked {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        let client = client(from, (asked, port).into()).await;
        assert_eq!(ask(&client).await, client.local_addr().unwrap());
    }
}

#[tokio::test]
async fn what_is_no_binding_request_gets_no_answer() {
    let server = server().await;
    let client = client(Ipv4Addr::LOCALHOST, server.local_addr()).await;
    let mut no_cookie = message(BINDING_REQUEST, 1, &[]);
    no_cookie[4] = 0;
    for datagram in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        no_cookie,
        message(BINDING_REQUEST, 1, &[])[..19].to_vec(),
        message(
            BINDING_SUCCESS,
            1,
            b"\x00\x20\x00\x08\x00\x01\x00\x00\x00\x00\x00\x00",
        ),
        message(BINDING_ERROR, 1, &[]),
        message(0x0011, 1, &[]),
        // An Allocate request (RFC 8656).
        message(0x0003, 1, &[]),
        vec![0; 2_000],
    ] {
        client.send(&datagram).await.unwrap();
    }
    // The server reads in order: the first answer is to the request.
    assert_eq!(ask(&client).await, client.local_addr().unwrap());
}

#[tokio::test]
async fn an_unknown_comprehension_required_attribute_is_refused_by_name() {
    let server = server().await;
    let client = client(Ipv4Addr::LOCALHOST, server.local_addr()).await;
    let request = message(BINDING_REQUEST, 3, b"\x00\x24\x00\x04\0\0\0\0");
    client.send(&request).await.unwrap();
    let attributes = b"\x00\x09\x00\x04\x00\x00\x04\x14\x00\x0a\x00\x02\x00\x24\x00\x00";
    let expected = message(BINDING_ERROR, 3, attributes);
    assert_eq!(receive(&client).await, expected);
}

/// Asks from two addresses, and waits for either answer: the server has then handled all
/// earlier requests. One of the two addresses could share a rate with that of the flood.
#[cfg(target_os = "linux")]
async fn all_is_answered([one, other]: &[UdpSocket; 2]) {
    let request = message(BINDING_REQUEST, 9, &[]);
    for marker in [one, other] {
        marker.send(&request).await.unwrap();
    }
    tokio::select! {
        _ = receive(one) => {}
        _ = receive(other) => {}
    }
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_flood_from_one_address_is_answered_up_to_its_rate_and_others_are_served() {
    let server = server().await;
    let address = server.local_addr();
    let flood = client(Ipv4Addr::LOCALHOST, address).await;
    let markers = [
        client([127, 0, 0, 2], address).await,
        client([127, 0, 0, 3], address).await,
    ];
    let request = message(BINDING_REQUEST, 1, &[]);
    let start = std::time::Instant::now();
    let mut answered = 0;
    for _ in 0..60 {
        for _ in 0..50 {
            flood.send(&request).await.unwrap();
        }
        all_is_answered(&markers).await;
        while flood.try_recv(&mut [0; 100]).is_ok() {
            answered += 1;
        }
    }
    let refilled = start.elapsed().as_millis() / 5 + 1;
    assert!((1_000..3_000).contains(&answered), "{answered} answers");
    assert!(answered <= 1_000 + refilled, "{answered} answers");
}

#[tokio::test]
async fn each_way_into_a_room_begins_its_ice_servers_with_the_server_itself() {
    let server = listening("0.0.0.0:0", ServerConfig::default()).await;
    let port = server.local_addr().port();
    let (mut host, created) = created(&server, "rooms.example.org", &[]).await;
    let expected = format!("stun:rooms.example.org:{port}");
    assert_eq!(first(&created), expected);
    let room = created["room"]["id"].as_str().unwrap();

    let address = (Ipv4Addr::LOCALHOST, port).into();
    let url = format!("ws://[2001:db8::7]:{port}/ws");
    let guest = Client::try_connect_to(address, &url, &[]).await;
    let mut guest = guest.unwrap();
    let joined = guest.join_with(room, json!(["resume"])).await;
    assert_eq!(first(&joined), format!("stun:[2001:db8::7]:{port}"));

    host.until("member-joined").await;
    guest.cut();
    let resume = json!({"type": "resume", "payload": {"resumeToken": joined["resumeToken"]}});
    let url = format!("ws://192.0.2.7:{port}/ws");
    let again = Client::try_connect_to(address, &url, &[]).await;
    let resumed = again.unwrap().ask(resume).await;
    assert_eq!(resumed["type"], "resumed", "{resumed}");
    assert_eq!(first(&resumed), format!("stun:192.0.2.7:{port}"));
}

#[tokio::test]
async fn one_admitted_from_the_waiting_room_gets_the_server_by_the_host_that_it_used() {
    let server = listening("0.0.0.0:0", ServerConfig::default()).await;
    let port = server.local_addr().port();
    let address = (Ipv4Addr::LOCALHOST, port).into();
    let mut host = Client::connect(address).await;
    let payload = json!({"name": "Tea", "waitingRoom": true, "features": ["waiting"]});
    let room = host.create(payload).await;
    let guest = Client::try_connect_to(address, "ws://rooms.example.org/ws", &[]).await;
    let mut guest = guest.unwrap();
    let waiting = guest.join_with(&room, json!(["waiting"])).await;
    assert_eq!(waiting["type"], "join-waiting", "{waiting}");
    host.until("join-request").await;
    host.say(json!({"type": "admit-member", "roomId": room, "to": guest.id}))
        .await;
    let joined = guest.until("room-joined").await;
    assert_eq!(first(&joined), format!("stun:rooms.example.org:{port}"));
}

#[tokio::test]
async fn a_listed_proxy_names_the_host_that_the_client_used_and_no_other_peer_does() {
    let headers = [("x-forwarded-host", "meet.example.org, inner")];
    let server = listening("0.0.0.0:0", ServerConfig::default()).await;
    let port = server.local_addr().port();
    let expected = format!("stun:inner.example.org:{port}");
    assert_eq!(
        listed(&server, "inner.example.org", &headers).await,
        expected
    );
    let config = ServerConfig {
        trusted_proxies: TrustedProxies::parse(["127.0.0.1"]).unwrap(),
        ..ServerConfig::default()
    };
    let server = listening("0.0.0.0:0", config).await;
    let port = server.local_addr().port();
    let expected = format!("stun:meet.example.org:{port}");
    assert_eq!(
        listed(&server, "inner.example.org", &headers).await,
        expected
    );
}

#[tokio::test]
async fn the_operator_names_the_host_or_the_whole_place_or_switches_it_off() {
    let public = ServerConfig {
        public_url: Some("wss://rooms.example.org".to_owned()),
        ..ServerConfig::default()
    };
    let server = listening("0.0.0.0:0", public).await;
    let expected = format!("stun:rooms.example.org:{}", server.local_addr().port());
    assert_eq!(listed(&server, "192.0.2.7", &[]).await, expected);

    let place = ServerConfig {
        stun: "stun.example.org:3478".parse().unwrap(),
        ..ServerConfig::default()
    };
    let server = listening("127.0.0.1:0", place).await;
    let expected = "stun:stun.example.org:3478";
    assert_eq!(listed(&server, "192.0.2.7", &[]).await, expected);

    let off = ServerConfig {
        stun: Stun::Off,
        ..ServerConfig::default()
    };
    let server = listening("127.0.0.1:0", off).await;
    assert_eq!(listed(&server, "127.0.0.1", &[]).await, "");
    StdUdpSocket::bind(server.local_addr()).unwrap();
}

#[tokio::test]
async fn a_client_that_comes_through_a_proxy_to_a_loopback_listener_gets_no_url() {
    let server = server().await;
    assert_eq!(listed(&server, "rooms.example.org", &[]).await, "");
    let expected = format!("stun:localhost:{}", server.local_addr().port());
    assert_eq!(listed(&server, "localhost", &[]).await, expected);
}

#[tokio::test]
async fn a_server_whose_udp_port_is_taken_serves_without_listing_itself() {
    let taken = StdUdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let server = listening(&address, ServerConfig::default()).await;
    assert_eq!(listed(&server, "127.0.0.1", &[]).await, "");
}

/// Waits until the UDP port is free.
async fn is_free(address: SocketAddr) {
    let free = async {
        while StdUdpSocket::bind(address).is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, free).await.expect("free in time");
}

#[tokio::test]
async fn an_additional_listener_answers_at_its_own_port_until_it_is_dropped() {
    let server = server().await;
    let more = server.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = more.local_addr();
    let client = client(Ipv4Addr::LOCALHOST, address).await;
    assert_eq!(ask(&client).await, client.local_addr().unwrap());
    let mut member = Client::connect(address).await;
    let payload = json!({"name": "Tea", "features": ["chat"]});
    let created = member
        .ask(json!({"type": "create-room", "payload": payload}))
        .await;
    assert_eq!(first(&created), format!("stun:{address}"));
    drop(more);
    is_free(address).await;
}

#[tokio::test]
async fn a_server_that_has_stopped_has_freed_its_udp_port() {
    let server = server().await;
    let address = server.local_addr();
    assert!(StdUdpSocket::bind(address).is_err());
    server.shutdown().await;
    StdUdpSocket::bind(address).unwrap();
}

//! Which TURN credentials a connection uses.

use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use visavis_media::VideoCodec::Vp8;
use visavis_protocol::DescriptionKind;

use super::super::*;
use super::pair::*;

const ALLOCATE_REQUEST: [u8; 2] = [0x00, 0x03];
const ALLOCATE_ERROR: [u8; 2] = [0x01, 0x13];
const USERNAME: u16 = 0x0006;

/// Error 401 with REALM "test" and NONCE "once" (RFC 8489, section 9.2.4).
const CHALLENGE: &[u8] = b"\x00\x09\x00\x04\x00\x00\x04\x01\
    \x00\x14\x00\x04test\x00\x15\x00\x04once";

/// A TURN server that refuses everyone, and records the user names of those who try.
struct Turn {
    port: u16,
    users: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Turn {
    async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let users = Arc::<Mutex<Vec<String>>>::default();
        let seen = users.clone();
        let serving = tokio::spawn(async move {
            let mut buffer = [0; 1_500];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                let request = &buffer[..length];
                if !request.starts_with(&ALLOCATE_REQUEST) {
                    continue;
                }
                seen.lock().unwrap().extend(username(&request[20..]));
                let size = (CHALLENGE.len() as u16).to_be_bytes();
                let head = [&ALLOCATE_ERROR, &size, &request[4..20]].concat();
                let refusal = [&head, CHALLENGE].concat();
                socket.send_to(&refusal, from).await.unwrap();
            }
        });
        Self {
            port,
            users,
            serving,
        }
    }

    /// The server, with this user's credentials.
    fn with(&self, user: &str) -> Vec<IceServer> {
        vec![IceServer {
            urls: vec![format!("turn:127.0.0.1:{}", self.port)],
            username: Some(user.into()),
            credential: Some("secret".into()),
        }]
    }

    fn users(&self) -> Vec<String> {
        self.users.lock().unwrap().clone()
    }

    /// Waits until this user has tried to allocate an address.
    async fn sees(&self, user: &str) {
        let seen = || self.users().iter().any(|seen| seen == user);
        wait_until(seen, || format!("{:?}", self.users())).await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The USERNAME among the attributes.
fn username(mut attributes: &[u8]) -> Option<String> {
    while let [kind, kind_2, length, length_2, rest @ ..] = attributes {
        let length = usize::from(u16::from_be_bytes([*length, *length_2]));
        if u16::from_be_bytes([*kind, *kind_2]) == USERNAME {
            return String::from_utf8(rest.get(..length)?.to_vec()).ok();
        }
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

fn with_servers(ice_servers: Vec<IceServer>) -> PeerConfig {
    PeerConfig {
        ice_servers,
        ..config(Vp8)
    }
}

#[tokio::test]
async fn an_ice_restart_gathers_with_the_newest_credentials() {
    let turn = Turn::start().await;
    let (a, b) = pair(with_servers(turn.with("first")), config(Vp8));
    a.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    wait_until(|| a.is_connected() && b.is_connected(), String::new).await;
    turn.sees("first").await;
    a.command(PeerCommand::SetIceServers(turn.with("second")))
        .await;
    // A negotiation on the same sockets keeps what they have.
    a.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    wait_until(
        || a.count(|event| matches!(event, PeerEvent::AnswerAccepted)) == 2,
        String::new,
    )
    .await;
    a.receives(3, 10).await;
    assert!(turn.users().iter().all(|user| user == "first"));
    a.command(PeerCommand::MakeOffer { ice_restart: true })
        .await;
    turn.sees("second").await;
    a.receives(15, 50).await;
    b.receives(15, 50).await;
    assert_eq!(turn.users().last().map(String::as_str), Some("second"));
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn the_answer_to_an_ice_restart_gathers_with_the_newest_credentials() {
    let turn = Turn::start().await;
    let (a, b) = pair(config(Vp8), with_servers(turn.with("first")));
    a.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    wait_until(|| a.is_connected() && b.is_connected(), String::new).await;
    turn.sees("first").await;
    b.command(PeerCommand::SetIceServers(turn.with("second")))
        .await;
    a.command(PeerCommand::MakeOffer { ice_restart: true })
        .await;
    turn.sees("second").await;
    a.receives(15, 50).await;
    b.receives(15, 50).await;
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn the_first_offer_gathers_with_the_newest_credentials() {
    let turn = Turn::start().await;
    let (side, events) = Side::new(with_servers(turn.with("first")));
    record(events, &side);
    side.command(PeerCommand::SetIceServers(turn.with("second")))
        .await;
    side.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    description(&side, DescriptionKind::Offer, 1).await;
    turn.sees("second").await;
    assert!(turn.users().iter().all(|user| user == "second"));
    side.end().await;
}

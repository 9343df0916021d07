//! What joins cost in a large broadcast, in bytes on the sockets.

use futures_util::StreamExt;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Client, LIMIT, server};

/// Reads until the client knows that so many members are inside; the bytes of the
/// messages about members.
async fn membership_bytes(client: &mut Client, members: u64) -> usize {
    let mut bytes = 0;
    let read = async {
        loop {
            let Message::Text(text) = client.socket.next().await.expect("open").unwrap() else {
                continue;
            };
            let message: Value = serde_json::from_str(&text).unwrap();
            let kind = message["type"].as_str().unwrap();
            if kind.starts_with("member") {
                assert!(message.get("participants").is_none(), "{message}");
                bytes += text.len();
            }
            if message["count"].as_u64() == Some(members) {
                return;
            }
        }
    };
    timeout(LIMIT, read).await.expect("all are announced");
    bytes
}

#[tokio::test]
async fn what_a_member_gets_per_join_does_not_grow_with_a_broadcast() {
    const FIRST: u64 = 60;
    const SECOND: u64 = 200;
    let server = server().await;
    let address = server.local_addr();
    let mut host = Client::connect(address).await;
    let payload = json!({"name": "Talk", "kind": "broadcast", "features": ["members"]});
    let room = host.create(payload).await;
    let mut viewers = Vec::new();
    let mut per_join = Vec::new();
    for (from, to) in [(1, FIRST), (FIRST, SECOND)] {
        let joins = (from..to).map(|_| async {
            let mut viewer = Client::connect(address).await;
            let joined = viewer.join_with(&room, json!(["members"])).await;
            assert_eq!(joined["type"], "room-joined", "{joined}");
            assert_eq!(joined["room"]["members"].as_array().unwrap().len(), 2);
            viewer
        });
        viewers.extend(join_all(joins).await);
        let bytes = membership_bytes(&mut host, to).await;
        per_join.push(bytes as f64 / (to - from) as f64);
    }
    let [small, large] = per_join[..] else {
        panic!("{per_join:?}");
    };
    assert!(large < small * 1.2 && large < 500.0, "{per_join:?}");
    // Nobody was put out: the last change reaches every viewer.
    let all = viewers
        .iter_mut()
        .map(|viewer| membership_bytes(viewer, SECOND));
    let total: usize = join_all(all).await.into_iter().sum();
    let pairs = (SECOND * SECOND) as usize;
    assert!(total < pairs * 500, "{total} bytes");
}

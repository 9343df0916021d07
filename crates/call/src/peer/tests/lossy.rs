//! A network path between two peers that drops packets.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::net::UdpSocket;
use visavis_media::VideoCodec;

use super::super::*;
use super::pair::*;

/// One end of the path: a socket that stands in for a peer, and the peer's
/// real address.
struct End {
    socket: UdpSocket,
    real: Mutex<Option<SocketAddr>>,
}

impl End {
    async fn new() -> Arc<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        Arc::new(Self {
            socket,
            real: Mutex::default(),
        })
    }

    /// Passes the loopback candidate only, with this end's port.
    fn route(self: &Arc<Self>) -> Route {
        let end = self.clone();
        Arc::new(move |candidate| {
            let fields: Vec<&str> = candidate.split(' ').collect();
            if fields.get(4) != Some(&"127.0.0.1") {
                return None;
            }
            *end.real.lock().unwrap() = format!("{}:{}", fields[4], fields[5]).parse().ok();
            let port = end.socket.local_addr().unwrap().port().to_string();
            Some(candidate.replace(fields[5], &port))
        })
    }

    /// Forwards what the other peer sends to this end, from the other end's socket.
    fn carry(self: &Arc<Self>, other: &Arc<Self>, loss: f64, seed: u64) {
        let (from, via) = (self.clone(), other.clone());
        tokio::spawn(async move {
            let (mut buffer, mut random) = (vec![0; 2_000], StdRng::seed_from_u64(seed));
            while let Ok((length, _)) = from.socket.recv_from(&mut buffer).await {
                let real = *from.real.lock().unwrap();
                // Media only: RTP and RTCP (RFC 7983).
                let lost = (128..192).contains(&buffer[0]) && random.random_bool(loss);
                if let (false, Some(real)) = (lost, real) {
                    let _ = via.socket.send_to(&buffer[..length], real).await;
                }
            }
        });
    }
}

/// Two connected peers over a path that drops this share of the media packets.
pub async fn call(codec: VideoCodec, loss: f64, seed: u64) -> (Side, Side) {
    let ((a, from_a), (b, from_b)) = (Side::new(config(codec)), Side::new(config(codec)));
    let (as_a, as_b) = (End::new().await, End::new().await);
    as_a.carry(&as_b, loss, seed);
    as_b.carry(&as_a, loss, seed.wrapping_add(1));
    forward(from_a, &a, &b, true, as_a.route());
    forward(from_b, &b, &a, false, as_b.route());
    a.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    for side in [&a, &b] {
        wait_until(
            || side.is_connected(),
            || format!("{:?}", side.log.lock().unwrap()),
        )
        .await;
    }
    (a, b)
}

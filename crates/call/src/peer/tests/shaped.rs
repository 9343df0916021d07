//! Two peers over a path with a limited rate: the simulated link in real time.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::sync::Notify;
use visavis_media::{VideoCodec, VideoFormat, VideoSource};
use visavis_network_simulator::{Link, Profile};

use super::super::*;
use super::pair::*;
use crate::command::VideoSize;
use crate::state::allocation::VideoAllocation;

const WIDE: VideoFormat = VideoFormat {
    width: 1280,
    height: 720,
    frames_per_second: 30,
};

/// Whether a packet is lost before the link.
type Loses = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// One direction of the path.
#[derive(Clone)]
struct Shaper {
    start: Instant,
    link: Arc<Mutex<Link<Vec<u8>>>>,
    sent: Arc<Notify>,
    loses: Loses,
}

impl Shaper {
    fn new(profile: Profile) -> Self {
        Self {
            start: Instant::now(),
            link: Arc::new(Mutex::new(Link::new(profile, 1))),
            sent: Arc::default(),
            loses: Arc::new(|_| false),
        }
    }

    fn set(&self, profile: Profile) {
        let now = self.start.elapsed();
        self.link.lock().unwrap().set_profile(now, profile);
        self.sent.notify_one();
    }

    /// Sends the packet over the link; UDP and IPv4 have 28 bytes.
    fn push(&self, packet: Vec<u8>) {
        if (self.loses)(&packet) {
            return;
        }
        let now = self.start.elapsed();
        let bytes = packet.len() + 28;
        self.link.lock().unwrap().send(now, bytes, packet);
        self.sent.notify_one();
    }

    /// The next packet to arrive.
    async fn arrived(&self) -> Vec<u8> {
        loop {
            let next = {
                let mut link = self.link.lock().unwrap();
                if let Some(arrival) = link.receive(self.start.elapsed()) {
                    return arrival.packet;
                }
                link.next_event()
            };
            let due = async {
                match next {
                    Some(at) => tokio::time::sleep_until((self.start + at).into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = self.sent.notified() => {}
            }
        }
    }
}

/// A socket that stands in for a peer, and the peer's real address.
struct End {
    socket: UdpSocket,
    real: Mutex<Option<SocketAddr>>,
}

impl End {
    async fn new() -> Arc<Self> {
        Arc::new(Self {
            socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(),
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

    /// Forwards what the other peer sends to this end over the shaper.
    fn carry(self: &Arc<Self>, other: &Arc<Self>, shaper: Shaper) {
        let (from, into) = (self.clone(), shaper.clone());
        tokio::spawn(async move {
            let mut buffer = vec![0; 2_000];
            while let Ok((length, _)) = from.socket.recv_from(&mut buffer).await {
                into.push(buffer[..length].to_vec());
            }
        });
        let (to, via) = (self.clone(), other.clone());
        tokio::spawn(async move {
            loop {
                let packet = shaper.arrived().await;
                let real = *to.real.lock().unwrap();
                if let Some(real) = real {
                    let _ = via.socket.send_to(&packet, real).await;
                }
            }
        });
    }
}

fn rate(bits_per_second: f64) -> Profile {
    Profile {
        rate: Some(bits_per_second),
        queue_bytes: (bits_per_second / 8.0 * 0.5) as usize,
        delay: Duration::from_millis(10),
        ..Profile::default()
    }
}

/// The estimates that a side published.
fn estimates(side: &Side) -> Vec<crate::state::bandwidth::Estimate> {
    let log = side.log.lock().unwrap();
    let estimates = log.iter().filter_map(|event| match event {
        PeerEvent::Bandwidth(estimate) => Some(*estimate),
        _ => None,
    });
    estimates.collect()
}

/// Does what the call does: sets the encoder by the estimates. Runs until the condition
/// holds or the time is over; returns whether it holds.
async fn adapt(
    side: &Side,
    allocation: &mut VideoAllocation,
    time: Duration,
    condition: impl Fn() -> bool,
) -> bool {
    let end = Instant::now() + time;
    while Instant::now() < end {
        if condition() {
            return true;
        }
        if let Some(estimate) = estimates(side).last() {
            allocation.set(Instant::now(), LinkId(1), estimate);
        }
        let size = VideoSize {
            width: WIDE.width,
            height: WIDE.height,
        };
        for encoder in allocation.update(Instant::now(), [Some(size), None]) {
            side.media.video.set_target(encoder.layer, encoder.target);
        }
        let layers = allocation.layers(LinkId(1));
        side.command(PeerCommand::SetLayers(layers)).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    condition()
}

#[tokio::test(flavor = "multi_thread")]
async fn video_goes_on_through_a_cut_of_the_link_and_comes_back() {
    let ((a, from_a), (b, from_b)) = (
        Side::new(config(VideoCodec::Vp8)),
        Side::new(config(VideoCodec::Vp8)),
    );
    let (as_a, as_b) = (End::new().await, End::new().await);
    // What A sends goes to the stand-in of B.
    let uplink = Shaper::new(rate(2.5e6));
    as_b.carry(&as_a, uplink.clone());
    as_a.carry(&as_b, Shaper::new(rate(2.5e6)));
    forward(from_a, &a, &b, true, as_a.route());
    forward(from_b, &b, &a, false, as_b.route());
    a.media.video.set_source(VideoSource::Synthetic(WIDE), WIDE);
    a.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    let mut allocation = VideoAllocation::new();
    let target = || estimates(&a).last().map_or(0, |estimate| estimate.target);

    let found = adapt(&a, &mut allocation, LIMIT, || target() > 1_200_000).await;
    assert!(found, "the wide link is found: {}", target());

    uplink.set(rate(500_000.0));
    let noticed = adapt(&a, &mut allocation, LIMIT, || {
        (40_000..600_000).contains(&target())
    });
    assert!(noticed.await, "the cut is noticed: {}", target());
    adapt(&a, &mut allocation, Duration::from_secs(2), || false).await;
    for second in 0..6 {
        let before = b.video().frames_decoded;
        adapt(&a, &mut allocation, Duration::from_secs(1), || false).await;
        let frames = b.video().frames_decoded - before;
        assert!(frames >= 5, "{frames} in second {second}: {:?}", b.video());
    }

    uplink.set(rate(2.5e6));
    let back = adapt(&a, &mut allocation, LIMIT, || target() > 1_200_000).await;
    assert!(back, "the rate comes back: {}", target());
    let before = b.video().frames_decoded;
    let goes_on = adapt(&a, &mut allocation, LIMIT, || {
        b.video().frames_decoded >= before + 30
    });
    assert!(goes_on.await, "{:?}", b.video());
    a.end().await;
    b.end().await;
}

/// The time from the first packet of video to the first picture, where the first frame is
/// lost: the receiver has no keys yet.
async fn first_picture_after_a_loss() -> Duration {
    let ((a, from_a), (b, from_b)) = (
        Side::new(config(VideoCodec::Vp8)),
        Side::new(config(VideoCodec::Vp8)),
    );
    let (as_a, as_b) = (End::new().await, End::new().await);
    let first = Arc::new(OnceLock::<Instant>::new());
    let seen = first.clone();
    // RTP by the first byte (RFC 7983); packets of sound are smaller.
    let loses = move |packet: &[u8]| {
        let is_video = (128..192).contains(&packet[0]) && packet.len() > 400;
        is_video && seen.get_or_init(Instant::now).elapsed() < Duration::from_millis(30)
    };
    let uplink = Shaper {
        loses: Arc::new(loses),
        ..Shaper::new(rate(5e6))
    };
    as_b.carry(&as_a, uplink);
    as_a.carry(&as_b, Shaper::new(rate(5e6)));
    forward(from_a, &a, &b, true, as_a.route());
    forward(from_b, &b, &a, false, as_b.route());
    a.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    let stats = || format!("{:?}", b.video());
    wait_until(|| b.video().frames_decoded > 0, stats).await;
    let time = first.get().unwrap().elapsed();
    a.end().await;
    b.end().await;
    time
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_frame_that_is_lost_is_replaced_at_once() {
    let mut shortest = Duration::MAX;
    // Loaded cores delay some of them.
    for _ in 0..6 {
        shortest = shortest.min(first_picture_after_a_loss().await);
        if shortest < Duration::from_millis(400) {
            return;
        }
    }
    panic!("{shortest:?}");
}

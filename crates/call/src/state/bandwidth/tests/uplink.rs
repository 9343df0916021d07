//! Links that share an uplink: estimators, pacers and the allocation of video together.

use std::time::Duration;

use visavis_media::FrameRate;

use super::network::*;
use crate::command::VideoSize;
use crate::peer::LinkId;
use crate::state::allocation::VideoAllocation;

const SIZES: [Option<VideoSize>; 2] = [
    Some(VideoSize {
        width: 1280,
        height: 720,
    }),
    None,
];
/// What camera and microphone can use, with headroom.
const MAX: u64 = 2_300_000;

/// A participant that sends its camera to peers.
struct Participant {
    allocation: VideoAllocation,
    flows: Vec<usize>,
}

impl Participant {
    fn new() -> Self {
        Self {
            allocation: VideoAllocation::new(),
            flows: Vec::new(),
        }
    }

    fn add_peer(&mut self, network: &mut Network) {
        self.flows.push(network.add(FULL, MAX, 0));
    }

    /// Does what a call does after each estimate.
    fn update(&mut self, network: &mut Network) {
        let now = network.instant();
        for flow in &self.flows {
            let estimate = network.estimate(*flow);
            self.allocation.set(now, LinkId(*flow as u64), &estimate);
        }
        self.allocation.update(now, SIZES);
        for flow in &self.flows {
            let link = LinkId(*flow as u64);
            let [camera, _] = self.allocation.sent(link, SIZES);
            let [(_, sent), _] = self.allocation.layers(link);
            let is_half = sent.is_some_and(|sent| sent.frame_rate == FrameRate::Half);
            let source = &mut network.flows[*flow].source;
            // The encoder's rate, whatever the target of this link is.
            source.share = 1_000.0;
            source.has_video = sent.is_some();
            source.max = (camera.target as f64).max(30_000.0);
            source.frame_interval = FULL.frame_interval * if is_half { 2 } else { 1 };
        }
    }
}

fn run(network: &mut Network, participants: &mut [Participant], seconds: f64) {
    let end = network.now + Duration::from_secs_f64(seconds);
    while network.now < end {
        network.run(0.05);
        for participant in &mut *participants {
            participant.update(network);
        }
    }
}

/// Both have the same share within a quarter, their pictures move in every second, most of
/// the uplink is used, and little is queued.
fn assert_shared(network: &Network, seconds: std::ops::Range<usize>) {
    let rates = [0, 1].map(|flow| network.received(flow, seconds.clone()));
    let mean = (rates[0] + rates[1]) / 2.0;
    for (flow, rate) in rates.iter().enumerate() {
        assert!((rate / mean - 1.0).abs() <= 0.25, "{seconds:?}: {rates:?}");
        let received = &network.flows[flow].received[seconds.clone()];
        let least = received.iter().min().unwrap() * 8;
        // Sound alone has 48 kbit/s.
        assert!(least > 120_000, "{seconds:?}: {least} of flow {flow}");
    }
    assert!(mean > 300_000.0, "{seconds:?}: {rates:?}");
    let queue = network.queue(seconds.clone());
    assert!(queue < Duration::from_millis(400), "{seconds:?}: {queue:?}");
}

#[test]
fn two_peers_of_one_participant_share_its_uplink_of_1_mbit() {
    for (seed, delay_ms) in [(1, 10), (2, 25), (3, 60)] {
        let mut network = Network::new(link(1e6, delay_ms, 500), seed);
        let mut sender = Participant::new();
        sender.add_peer(&mut network);
        sender.add_peer(&mut network);
        let mut participants = [sender];
        run(&mut network, &mut participants, 60.0);
        assert_shared(&network, 10..35);
        assert_shared(&network, 35..60);
        assert_eq!(network.flows[0].dropped_frames, 0);
        assert_eq!(network.flows[1].dropped_frames, 0);
    }
}

#[test]
fn a_peer_that_comes_later_gets_its_share_of_the_uplink() {
    let mut network = Network::new(link(1e6, 25, 500), 1);
    let mut sender = Participant::new();
    sender.add_peer(&mut network);
    let mut participants = [sender];
    run(&mut network, &mut participants, 20.0);
    participants[0].add_peer(&mut network);
    run(&mut network, &mut participants, 40.0);
    assert_shared(&network, 35..60);
}

#[test]
fn two_participants_behind_one_uplink_of_1_mbit_share_it() {
    for (seed, delay_ms) in [(1, 10), (2, 25), (3, 60)] {
        let mut network = Network::new(link(1e6, delay_ms, 500), seed);
        let mut participants = [Participant::new(), Participant::new()];
        for participant in &mut participants {
            participant.add_peer(&mut network);
        }
        run(&mut network, &mut participants, 60.0);
        assert_shared(&network, 10..35);
        assert_shared(&network, 35..60);
    }
}

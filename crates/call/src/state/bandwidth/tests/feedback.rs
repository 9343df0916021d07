//! Feedback that starts anywhere, is repeated, lost, or stops.

use std::time::Duration;

use super::super::{BandwidthEstimator, BandwidthState, SentPacket};
use super::network::*;

#[test]
fn sequence_numbers_may_start_anywhere() {
    let run = |first| {
        let mut network = Network::new(link(2e6, 25, 500), 1);
        network.add(FULL, 20_000_000, first);
        network.run(30.0);
        network.targets[0].clone()
    };
    let expected = run(0);
    assert!(expected[29] > 1_500_000);
    for first in [32_767, 32_768, 40_000, 65_535] {
        assert_eq!(run(first), expected, "{first}");
    }
}

#[test]
fn repeated_feedback_changes_nothing() {
    let run = |repeats| {
        let mut network = Network::new(link(2e6, 25, 500), 1);
        network.add(FULL, 20_000_000, 0);
        network.flows[0].repeats_feedback = repeats;
        network.run(30.0);
        network.targets[0].clone()
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn feedback_lost_in_part_keeps_the_rate() {
    for share in [0.1, 0.3] {
        let mut network = Network::new(link(2e6, 25, 500), 1);
        network.add(FULL, 20_000_000, 0);
        network.flows[0].feedback_loss = share;
        network.run(40.0);
        let rate = network.received(0, 10..40);
        assert!(rate > 0.8 * 2e6, "{share}: {rate}");
        assert!(network.estimate(0).loss < 0.01);
        let queue = network.queue(5..40);
        assert!(queue < Duration::from_millis(250), "{share}: {queue:?}");
    }
}

#[test]
fn without_feedback_the_rate_falls_and_it_recovers_with_it() {
    let mut network = Network::new(link(2e6, 25, 500), 1);
    network.add(FULL, 20_000_000, 0);
    network.run(15.0);
    network.flows[0].has_feedback = false;
    network.run(10.0);
    assert_eq!(network.estimate(0).state, BandwidthState::Silent);
    assert!(network.target(0) < 100_000, "{}", network.target(0));
    network.flows[0].has_feedback = true;
    network.run(15.0);
    let rate = network.received(0, 32..40);
    assert!(rate > 0.8 * 2e6, "{rate}");
}

/// A peer without transport-wide feedback. Sends at the target and reports each second.
fn report(seconds: u32, loss: impl Fn(u32) -> f64, remb: Option<u64>) -> Vec<u64> {
    let start = std::time::Instant::now();
    let mut estimator = BandwidthEstimator::new(start, 3_000_000);
    let mut sequence = 0;
    let second = |second| {
        for tick in 0..100 {
            let now = start + Duration::from_millis(10 * (100 * u64::from(second) + tick));
            let target = estimator.estimate(now).target;
            sequence += 1;
            let packet = SentPacket {
                sequence,
                bytes: (target / 800) as usize,
                probe: None,
                is_audio: false,
            };
            estimator.sent(now, packet);
            estimator.elapsed(now);
        }
        let now = start + Duration::from_secs(u64::from(second) + 1);
        let loss = loss(second);
        if loss <= 1.0 {
            estimator.receiver_report(now, loss, Some(Duration::from_millis(40)));
        }
        if let Some(remb) = remb {
            estimator.remb(now, remb);
        }
        estimator.estimate(now).target
    };
    (0..seconds).map(second).collect()
}

#[test]
fn without_transport_feedback_the_rate_follows_reports() {
    let targets = report(40, |second| if second < 30 { 0.0 } else { 0.2 }, None);
    assert!(targets[29] > 2_000_000, "{targets:?}");
    assert!(targets[39] < targets[29] / 2, "{targets:?}");
}

#[test]
fn a_remb_bounds_the_rate_of_a_peer_without_transport_feedback() {
    let targets = report(10, |_| 0.0, Some(900_000));
    assert!(
        targets[1..].iter().all(|target| *target == 900_000),
        "{targets:?}"
    );
}

#[test]
fn without_any_report_the_rate_falls() {
    let silent = |second| if second < 5 { 0.0 } else { 2.0 };
    let targets = report(30, silent, None);
    assert!(targets[29] < 100_000, "{targets:?}");
}

//! Links that stay as they are.

use std::time::Duration;

use visavis_network_simulator::{Loss, Profile};

use super::network::*;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn run(profile: Profile, seed: u64, seconds: f64) -> Network {
    let mut network = Network::new(profile, seed);
    network.add(FULL, 20_000_000, 0);
    network.run(seconds);
    network
}

#[test]
fn a_steady_link_is_used_to_85_percent_with_a_short_queue() {
    for (rate, reached) in [(0.1e6, 4), (0.6e6, 2), (2e6, 3), (10e6, 4)] {
        let network = run(link(rate, 25, 1_000), 1, 40.0);
        let early = network.received(0, reached..reached + 4);
        let late = network.received(0, 10..40);
        assert!(early >= 0.8 * rate, "{rate}: {early} early");
        assert!(late >= 0.85 * rate, "{rate}: {late}");
        // The start is at three times the rate of the slowest link.
        let from = if rate < 0.5e6 { 10 } else { 3 };
        let queue = network.queue(from..40);
        assert!(queue < ms(200), "{rate}: {queue:?}");
    }
}

#[test]
fn a_long_way_does_not_slow_the_link_down() {
    let network = run(link(2e6, 150, 500), 1, 40.0);
    let rate = network.received(0, 10..40);
    assert!(rate >= 0.85 * 2e6, "{rate}");
    assert!(network.queue(5..40) < ms(150), "{:?}", network.queue(5..40));
}

#[test]
fn random_loss_of_10_percent_keeps_the_rate() {
    for seed in [1, 20, 300] {
        let loss = Loss::Random(0.1);
        let narrow = run(
            Profile {
                loss,
                ..link(1.25e6, 10, 500)
            },
            seed,
            40.0,
        );
        // Nine tenths of the link can arrive.
        let rate = narrow.received(0, 5..40);
        assert!(rate >= 0.85 * 0.9 * 1.25e6, "{seed}: {rate}");
        let mut wide = Network::new(
            Profile {
                loss,
                ..link(10e6, 10, 500)
            },
            seed,
        );
        let source = Source { max: 1.2e6, ..FULL };
        wide.add(source, 1_500_000, 0);
        wide.run(40.0);
        let rate = wide.received(0, 5..40);
        assert!(rate >= 0.95 * 0.9 * 1.248e6, "{seed}: {rate}");
        let loss = wide.estimate(0).loss;
        assert!((0.05..0.15).contains(&loss), "{loss}");
    }
}

#[test]
fn random_loss_of_20_percent_keeps_most_of_the_rate() {
    let loss = Loss::Random(0.2);
    let network = run(
        Profile {
            loss,
            ..link(2e6, 10, 500)
        },
        4,
        60.0,
    );
    let rate = network.received(0, 20..60);
    assert!(rate >= 0.65 * 0.8 * 2e6, "{rate}");
}

#[test]
fn loss_in_bursts_keeps_the_rate() {
    for seed in [1, 20, 300] {
        let loss = Loss::Bursts {
            share: 0.05,
            length: 4.0,
        };
        let network = run(
            Profile {
                loss,
                ..link(1.25e6, 10, 500)
            },
            seed,
            40.0,
        );
        let rate = network.received(0, 5..40);
        assert!(rate >= 0.85 * 0.95 * 1.25e6, "{seed}: {rate}");
    }
}

#[test]
fn jitter_with_loss_keeps_the_rate_and_a_short_queue() {
    for seed in [1, 20, 300] {
        let profile = Profile {
            jitter: ms(20),
            loss: Loss::Random(0.02),
            ..link(2e6, 50, 500)
        };
        let network = run(profile, seed, 40.0);
        let rate = network.received(0, 10..40);
        assert!(rate >= 0.8 * 0.98 * 2e6, "{seed}: {rate}");
        let queue = network.queue(5..40);
        assert!(queue < ms(200), "{seed}: {queue:?}");
    }
}

#[test]
fn reordered_and_duplicated_packets_keep_the_rate() {
    let profile = Profile {
        reordering: 0.05,
        reordering_delay: ms(15),
        duplication: 0.02,
        ..link(2e6, 30, 500)
    };
    let network = run(profile, 1, 40.0);
    let rate = network.received(0, 10..40);
    assert!(rate >= 0.85 * 2e6, "{rate}");
    assert!(network.estimate(0).loss < 0.02);
}

/// A shaper with hardly any queue: the delay never shows that it is full.
#[test]
fn a_link_that_only_drops_is_found_by_loss() {
    let network = run(link(1e6, 20, 25), 1, 60.0);
    let rate = network.received(0, 10..60);
    assert!(rate >= 0.85 * 1e6, "{rate}");
    let sent = network.sent(0, 10..60);
    assert!(sent <= 1.3e6, "{sent} sent for {rate}");
}

/// As the links of a mesh share the uplink of a participant.
#[test]
fn flows_share_a_link_whenever_they_start() {
    for (rate, count, apart) in [
        (1e6, 2, 0.0),
        (2e6, 2, 20.0),
        (3e6, 3, 5.0),
        (4e6, 4, 3.0),
        (7e6, 7, 1.0),
    ] {
        let mut network = Network::new(link(rate, 25, 500), 1);
        for _ in 0..count {
            network.add(FULL, 20_000_000, 0);
            network.run(apart);
        }
        network.run(120.0 - network.now.as_secs_f64());
        let rates: Vec<_> = (0..count)
            .map(|flow| network.received(flow, 30..120))
            .collect();
        let mean = rates.iter().sum::<f64>() / f64::from(count as u32);
        assert!(mean >= 0.85 * rate / f64::from(count as u32), "{rates:?}");
        let allowed = if count == 2 { 0.25 } else { 0.45 };
        for flow in &rates {
            assert!((flow / mean - 1.0).abs() < allowed, "{rates:?}");
        }
        assert!(network.queue(60..120) < ms(200));
    }
}

/// Frames of any rate, and key frames five times as large as the others.
#[test]
fn uneven_sources_use_the_link() {
    for (frame_interval, key_frames, used) in [
        (ms(200), None, 0.85),
        (ms(16), None, 0.85),
        (ms(33), Some(150), 0.7),
    ] {
        let mut network = Network::new(link(2e6, 25, 1_000), 1);
        let source = Source {
            frame_interval,
            key_frames,
            ..FULL
        };
        network.add(source, 20_000_000, 0);
        network.run(60.0);
        let rate = network.received(0, 15..60);
        assert!(
            rate >= used * 2e6,
            "{frame_interval:?} {key_frames:?}: {rate}"
        );
        let queue = network.queue(5..60);
        assert!(
            queue < ms(300),
            "{frame_interval:?} {key_frames:?}: {queue:?}"
        );
    }
}

#[test]
fn any_interval_of_feedback_will_do() {
    for interval in [25, 50, 250] {
        let mut network = Network::new(link(2e6, 25, 500), 1);
        network.add(FULL, 20_000_000, 0);
        network.flows[0].feedback_interval = ms(interval);
        network.run(40.0);
        let rate = network.received(0, 10..40);
        assert!(rate >= 0.85 * 2e6, "{interval}: {rate}");
        assert!(network.queue(5..40) < ms(150), "{interval}");
    }
}

#[test]
fn the_target_keeps_its_bounds() {
    let mut network = Network::new(link(10e6, 25, 500), 1);
    network.add(FULL, 1_000_000, 0);
    network.add(FULL, 0, 0);
    network.run(20.0);
    assert_eq!(network.target(0), 1_000_000);
    assert_eq!(network.target(1), super::super::MIN_TARGET);
    let now = network.instant();
    network.flows[0].estimator.set_max(now, 4_000_000);
    network.run(3.0);
    assert_eq!(
        network.target(0),
        4_000_000,
        "a probe follows a raised maximum"
    );
    let now = network.instant();
    network.flows[0].estimator.set_max(now, 200_000);
    assert_eq!(network.target(0), 200_000);
}

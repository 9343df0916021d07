//! Links and sources that change.

use std::time::Duration;

use visavis_network_simulator::Profile;

use super::super::BandwidthState;
use super::network::*;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_cut_is_followed_within_2_seconds_and_its_end_within_5() {
    for (rate, queue_ms) in [(1e6, 500), (2e6, 500), (2.5e6, 1_000), (8e6, 1_000)] {
        let mut network = Network::new(link(rate, 25, queue_ms), 1);
        network.add(FULL, 20_000_000, 0);
        network.run(15.0);
        let before = network.received(0, 10..15);
        network.set_link(link(0.5e6, 25, queue_ms));
        network.run(17.0);
        let (queue, during) = (network.queue(18..32), network.received(0, 18..32));
        // The second from 17 on starts two seconds after the cut.
        assert!(
            network.queue(17..18) < ms(300),
            "{rate}: {:?}",
            network.queue(17..18)
        );
        assert!(queue < ms(250), "{rate}: {queue:?}");
        assert!(during > 0.8 * 0.5e6, "{rate}: {during}");
        network.set_link(link(rate, 25, queue_ms));
        network.run(15.0);
        let after = network.received(0, 37..47);
        assert!(after > 0.8 * before, "{rate}: {after} of {before}");
        assert_eq!(network.flows[0].dropped_frames, 0);
    }
}

#[test]
fn a_source_that_offers_65_percent_learns_of_a_wider_link() {
    for offered in [0.6, 0.65, 0.7] {
        let mut network = Network::new(link(1e6, 25, 500), 1);
        let flow = network.add(FULL, 20_000_000, 0);
        network.run(20.0);
        network.flows[flow].source.share = offered;
        network.set_link(link(4e6, 25, 500));
        network.run(60.0);
        // What it offers grows with the target.
        let target = network.target(flow);
        assert!(target > 3_000_000, "{offered}: {target}");
    }
}

#[test]
fn the_rate_is_known_before_anything_but_audio_is_sent() {
    let mut network = Network::new(link(3e6, 25, 500), 1);
    let source = Source {
        has_video: false,
        ..FULL
    };
    let flow = network.add(source, 20_000_000, 0);
    network.run(10.0);
    let target = network.target(flow);
    assert!((2_000_000..3_500_000).contains(&target), "{target}");
    let estimate = network.estimate(flow);
    assert_eq!(estimate.state, BandwidthState::ApplicationLimited);
    assert!((40_000..60_000).contains(&estimate.audio));
}

#[test]
fn probes_are_sent_while_nothing_else_is() {
    let mut network = Network::new(link(3e6, 25, 500), 1);
    let source = Source {
        has_video: false,
        has_audio: false,
        ..FULL
    };
    let flow = network.add(source, 20_000_000, 0);
    network.run(10.0);
    let target = network.target(flow);
    assert!((2_000_000..3_500_000).contains(&target), "{target}");
}

#[test]
fn a_pause_of_30_seconds_keeps_the_rate() {
    let mut network = Network::new(link(2e6, 25, 500), 1);
    let flow = network.add(FULL, 20_000_000, 0);
    network.run(15.0);
    let source = network.flows[flow].source;
    network.flows[flow].source.has_video = false;
    network.flows[flow].source.has_audio = false;
    network.run(30.0);
    assert!(network.target(flow) > 1_500_000, "{}", network.target(flow));
    network.flows[flow].source = source;
    network.run(15.0);
    let rate = network.received(flow, 46..50);
    assert!(rate > 0.8 * 2e6, "{rate}");
    assert!(
        network.queue(46..60) < ms(200),
        "{:?}",
        network.queue(46..60)
    );
}

#[test]
fn a_link_that_narrowed_during_a_pause_is_noticed_before() {
    let mut network = Network::new(link(4e6, 25, 1_000), 1);
    let flow = network.add(FULL, 20_000_000, 0);
    network.run(15.0);
    network.flows[flow].source.has_video = false;
    network.set_link(link(0.5e6, 25, 1_000));
    network.run(30.0);
    network.flows[flow].source.has_video = true;
    network.run(10.0);
    assert!(
        network.queue(48..55) < ms(300),
        "{:?}",
        network.queue(48..55)
    );
    let rate = network.received(flow, 48..55);
    assert!(rate > 0.8 * 0.5e6, "{rate}");
}

#[test]
fn a_partition_lowers_the_rate_and_it_comes_back() {
    let profile = link(2e6, 25, 500);
    let mut network = Network::new(profile, 1);
    let flow = network.add(FULL, 20_000_000, 0);
    network.run(15.0);
    network.set_link(Profile {
        is_partitioned: true,
        ..profile
    });
    network.run(5.0);
    assert_eq!(network.estimate(flow).state, BandwidthState::Silent);
    assert!(network.target(flow) < 700_000, "{}", network.target(flow));
    network.set_link(profile);
    network.run(20.0);
    let rate = network.received(flow, 25..40);
    assert!(rate > 0.8 * 2e6, "{rate}");
}

/// The route becomes longer by 200 ms, which is no queue.
#[test]
fn a_longer_route_costs_the_rate_a_few_seconds_at_most() {
    let mut network = Network::new(link(2e6, 25, 500), 1);
    let flow = network.add(FULL, 20_000_000, 0);
    network.run(15.0);
    network.set_link(link(2e6, 225, 500));
    network.run(25.0);
    let rate = network.received(flow, 25..40);
    assert!(rate > 0.8 * 2e6, "{rate}");
}

#[test]
fn a_step_of_the_receivers_clock_changes_nothing() {
    for forward in [true, false] {
        let mut network = Network::new(link(2e6, 25, 500), 1);
        network.add(FULL, 20_000_000, 0);
        network.run(20.0);
        let hour = Duration::from_secs(3_600);
        network.clock = if forward {
            network.clock + hour
        } else {
            network.clock - hour
        };
        network.run(20.0);
        let rate = network.received(0, 20..40);
        assert!(rate > 0.85 * 2e6, "{forward}: {rate}");
    }
}

#[test]
fn a_cut_to_a_trickle_is_survived() {
    let mut network = Network::new(link(2e6, 25, 1_000), 1);
    network.add(FULL, 20_000_000, 0);
    network.run(15.0);
    network.set_link(link(0.1e6, 25, 1_000));
    network.run(20.0);
    // A full queue of a second takes long to drain beside the audio.
    assert!(
        network.queue(25..35) < ms(200),
        "{:?}",
        network.queue(25..35)
    );
    assert!(network.received(0, 20..35) > 0.85 * 0.1e6);
    network.set_link(link(2e6, 25, 1_000));
    network.run(10.0);
    let rate = network.received(0, 40..45);
    assert!(rate > 0.75 * 2e6, "{rate}");
}

#[test]
fn a_rate_that_goes_up_and_down_is_followed() {
    let mut network = Network::new(link(2e6, 25, 500), 1);
    network.add(FULL, 20_000_000, 0);
    network.run(10.0);
    for half in 0..6 {
        let rate = if half % 2 == 0 { 0.7e6 } else { 2e6 };
        network.set_link(link(rate, 25, 500));
        network.run(4.0);
    }
    // 1.35 Mbit/s pass on average.
    let rate = network.received(0, 10..34);
    assert!(rate > 0.7 * 1.35e6, "{rate}");
}

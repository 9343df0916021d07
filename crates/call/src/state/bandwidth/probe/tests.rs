use super::*;

const CALM: ProbeConditions = ProbeConditions {
    rate: 1e6,
    max: 8e6,
    sent: 0.95e6,
    is_application_limited: false,
    is_calm: true,
    queue: 0.0,
    jitter: 0.0,
    has_feedback: true,
};

/// Probes of a connection that has had a result.
fn started(start: Instant) -> Probes {
    Probes {
        has_result: true,
        starting: None,
        ..Probes::new(start, 0.3e6)
    }
}

fn taken(probes: &mut Probes) -> Vec<u64> {
    std::iter::from_fn(|| probes.take())
        .map(|probe| probe.bits_per_second)
        .collect()
}

/// The times in seconds and rates of the probes within a minute.
fn within_a_minute(
    probes: &mut Probes,
    start: Instant,
    conditions: ProbeConditions,
) -> Vec<(u64, u64)> {
    let mut made = Vec::new();
    for tick in 0..600 {
        let now = start + Duration::from_millis(100 * tick);
        probes.update(now, conditions);
        made.extend(taken(probes).into_iter().map(|rate| (tick / 10, rate)));
    }
    made
}

/// Lets a cluster arrive at a share of the speed at which it was sent.
fn arrive(probes: &mut Probes, start: Instant, probe: Probe, speed: f64, count: usize) {
    let interval = probe.packet_bytes as f64 * 8.0 / probe.bits_per_second as f64;
    for number in 0..count {
        let offset = interval * number as f64;
        probes.acknowledged(&Acknowledged {
            sent_at: start + Duration::from_secs_f64(offset),
            arrived_at: (1e6 * (5.0 + offset / speed)) as i64,
            bytes: probe.packet_bytes,
            probe: Some(probe.id),
            delivered_bytes: probe.packet_bytes,
            was_lost: false,
        });
    }
}

#[test]
fn the_first_probes_are_repeated_a_few_times_until_feedback_comes() {
    let start = Instant::now();
    let mut probes = Probes::new(start, 0.3e6);
    let without = ProbeConditions {
        has_feedback: false,
        ..CALM
    };
    let made = within_a_minute(&mut probes, start, without);
    assert_eq!(made.len(), 10);
    assert_eq!(made[..3], [(0, 900_000), (0, 1_800_000), (5, 900_000)]);
}

#[test]
fn the_first_probes_are_repeated_while_too_much_of_them_is_lost() {
    let start = Instant::now();
    let made = within_a_minute(&mut Probes::new(start, 0.3e6), start, CALM);
    let times: Vec<_> = made.iter().map(|(at, _)| *at).collect();
    assert_eq!(times[..10], [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
}

#[test]
fn the_rate_is_probed_each_2_seconds_until_the_first_drop_or_for_20_seconds() {
    let start = Instant::now();
    let fresh = || Probes {
        has_result: true,
        ..Probes::new(start, 0.3e6)
    };
    let made = within_a_minute(&mut fresh(), start, CALM);
    assert_eq!(made.len(), 11, "{made:?}");
    let mut dropped = fresh();
    dropped.dropped(start, 1.1e6);
    assert_eq!(within_a_minute(&mut dropped, start, CALM), []);
}

#[test]
fn a_usual_decrease_calls_for_no_probe() {
    let start = Instant::now();
    let mut probes = started(start);
    probes.dropped(start, 1.3e6);
    assert_eq!(within_a_minute(&mut probes, start, CALM), []);
}

#[test]
fn a_result_is_the_lower_of_the_rates_and_a_carried_rate_is_doubled() {
    for (speed, expected, next) in [(1.0, 0.9e6, Some(1_800_000)), (0.5, 0.4275e6, None)] {
        let start = Instant::now();
        let mut probes = Probes::new(start, 0.3e6);
        probes.start(start, CALM, &[0.9e6]);
        let probe = probes.take().unwrap();
        arrive(&mut probes, start, probe, speed, probe.packets);
        let result = probes.result().unwrap();
        assert!((result / expected - 1.0).abs() < 0.02, "{result}");
        assert_eq!(probes.result(), None);
        let conditions = ProbeConditions {
            rate: result,
            sent: result,
            ..CALM
        };
        probes.update(start + Duration::from_millis(100), conditions);
        let made = taken(&mut probes).first().copied();
        let is_expected = match (made, next) {
            (Some(made), Some(next)) => made.abs_diff(next) < 40_000,
            (made, next) => made == next,
        };
        assert!(is_expected, "{made:?} {next:?}");
    }
}

#[test]
fn a_cluster_that_lost_much_or_was_held_up_has_no_result() {
    for (speed, missing) in [(1.0, 2), (3.0, 0)] {
        let start = Instant::now();
        let mut probes = Probes::new(start, 0.3e6);
        probes.start(start, CALM, &[0.9e6]);
        let probe = probes.take().unwrap();
        arrive(&mut probes, start, probe, speed, probe.packets - missing);
        assert_eq!(probes.result(), None, "{speed} {missing}");
    }
}

#[test]
fn an_application_limited_source_is_probed_each_5_seconds_and_a_full_one_never() {
    let start = Instant::now();
    let limited = ProbeConditions {
        is_application_limited: true,
        sent: 0.0,
        ..CALM
    };
    let made = within_a_minute(&mut started(start), start, limited);
    assert_eq!(made.len(), 12, "{made:?}");
    assert!(made.iter().all(|(_, rate)| *rate == 2_000_000));
    assert_eq!(within_a_minute(&mut started(start), start, CALM), []);
}

#[test]
fn a_source_at_65_percent_is_probed_each_15_seconds_without_growth() {
    let start = Instant::now();
    let stagnant = ProbeConditions {
        sent: 0.65e6,
        ..CALM
    };
    let made = within_a_minute(&mut started(start), start, stagnant);
    let times: Vec<_> = made.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [15, 30, 45]);
}

#[test]
fn after_a_large_drop_the_former_rate_is_sought_often_and_then_seldom() {
    let start = Instant::now();
    let mut probes = started(start);
    probes.dropped(start, 1.5e6);
    let low = ProbeConditions {
        rate: 0.5e6,
        ..CALM
    };
    let made = within_a_minute(&mut probes, start, low);
    assert_eq!(made.len(), 18, "{made:?}");
    assert!(made.iter().all(|(_, rate)| *rate == 1_000_000));
    let recovered = ProbeConditions {
        rate: 1.4e6,
        ..CALM
    };
    assert_eq!(within_a_minute(&mut probes, start, recovered), []);
}

/// A short cluster passes on a link that others use; the rate does not.
#[test]
fn a_rate_that_dropped_soon_after_a_probe_raised_it_is_not_sought_again() {
    let start = Instant::now();
    let seconds = |seconds| start + Duration::from_secs(seconds);
    let low = ProbeConditions {
        rate: 0.5e6,
        ..CALM
    };
    for (held, expected) in [(1, 0), (10, 18)] {
        let mut probes = started(start);
        probes.raised(start, 0.5e6, 1.5e6);
        probes.dropped(seconds(held), 1.5e6);
        let made = within_a_minute(&mut probes, seconds(held), low);
        assert_eq!(made.len(), expected, "{held}: {made:?}");
    }
}

#[test]
fn nothing_is_probed_into_a_queue_or_at_the_maximum() {
    let start = Instant::now();
    for conditions in [
        ProbeConditions {
            is_calm: false,
            ..CALM
        },
        ProbeConditions { queue: 0.1, ..CALM },
        ProbeConditions { rate: 8e6, ..CALM },
    ] {
        let mut probes = started(start);
        probes.dropped(start, 9e6);
        probes.max_rose();
        assert_eq!(within_a_minute(&mut probes, start, conditions), []);
    }
}

#[test]
fn a_probe_lasts_15_milliseconds_or_longer_with_jitter_in_at_least_5_packets() {
    let start = Instant::now();
    for (jitter, duration) in [(0.0, 0.015), (0.008, 0.032), (1.0, 0.04)] {
        for rate in [0.2e6, 0.9e6, 5e6] {
            let mut probes = started(start);
            probes.start(start, ProbeConditions { jitter, ..CALM }, &[rate]);
            let probe = probes.take().unwrap();
            let bytes = (probe.packets * probe.packet_bytes) as f64;
            assert!(probe.packets >= PACKETS && (200..=1_200).contains(&probe.packet_bytes));
            assert!(bytes >= 0.95 * rate * duration / 8.0, "{probe:?}");
        }
    }
}

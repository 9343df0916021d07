use super::*;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Sends `count` packets of 1,000 bytes, one each `interval`, and returns arrivals.
fn run(link: &mut Link<u64>, count: u64, interval: Duration) -> Vec<Arrival<u64>> {
    for number in 0..count {
        link.send(interval * number as u32, 1_000, number);
    }
    drain(link)
}

fn drain(link: &mut Link<u64>) -> Vec<Arrival<u64>> {
    let mut arrivals = Vec::new();
    while let Some(at) = link.next_event() {
        arrivals.extend(std::iter::from_fn(|| link.receive(at)));
    }
    arrivals
}

fn numbers(arrivals: &[Arrival<u64>]) -> Vec<u64> {
    arrivals.iter().map(|arrival| arrival.packet).collect()
}

#[test]
fn the_same_seed_gives_the_same_arrivals() {
    let profile = Profile {
        rate: Some(1e6),
        delay: ms(50),
        jitter: ms(20),
        loss: Loss::Random(0.1),
        reordering: 0.05,
        reordering_delay: ms(30),
        duplication: 0.02,
        ..Profile::default()
    };
    let arrivals = |seed| run(&mut Link::new(profile, seed), 1_000, ms(10));
    assert_eq!(arrivals(1), arrivals(1));
    assert_ne!(arrivals(1), arrivals(2));
}

#[test]
fn packets_leave_at_the_rate_and_the_queue_delay_is_the_wait() {
    let profile = Profile {
        rate: Some(800_000.0),
        delay: ms(5),
        ..Profile::default()
    };
    let mut link = Link::new(profile, 1);
    for number in 0..10 {
        assert_eq!(link.queue_delay(ms(0)), ms(10 * number));
        link.send(ms(0), 1_000, number);
    }
    assert_eq!(link.queue_delay(ms(25)), ms(75));
    let arrivals = drain(&mut link);
    let times: Vec<_> = arrivals.iter().map(|arrival| arrival.at).collect();
    let expected: Vec<_> = (1..=10).map(|number| ms(10 * number + 5)).collect();
    assert_eq!(times, expected);
}

#[test]
fn a_full_queue_drops_the_newest_packet() {
    let profile = Profile {
        rate: Some(800_000.0),
        queue_bytes: 3_000,
        ..Profile::default()
    };
    let mut link = Link::new(profile, 1);
    let arrivals = run(&mut link, 6, ms(0));
    assert_eq!(numbers(&arrivals), [0, 1, 2, 3]);
    let counters = link.counters();
    assert_eq!((counters.sent, counters.dropped), (6, 2));
    assert_eq!((counters.delivered, counters.lost), (4, 0));
}

#[test]
fn a_changed_rate_holds_for_what_is_queued() {
    let profile = Profile {
        rate: Some(800_000.0),
        ..Profile::default()
    };
    let mut link = Link::new(profile, 1);
    link.send(ms(0), 1_000, 0);
    link.send(ms(0), 1_000, 1);
    let slower = Profile {
        rate: Some(400_000.0),
        ..profile
    };
    link.set_profile(ms(5), slower);
    let times: Vec<_> = drain(&mut link).iter().map(|arrival| arrival.at).collect();
    assert_eq!(times, [ms(15), ms(35)]);
}

#[test]
fn without_a_rate_packets_arrive_after_the_delay() {
    let profile = Profile {
        delay: ms(30),
        ..Profile::default()
    };
    let arrivals = run(&mut Link::new(profile, 1), 3, ms(1));
    let times: Vec<_> = arrivals.iter().map(|arrival| arrival.at).collect();
    assert_eq!(times, [ms(30), ms(31), ms(32)]);
}

#[test]
fn losses_have_their_share_and_length() {
    for (loss, share, length) in [
        (Loss::Random(0.1), 0.1, 1.1),
        (
            Loss::Bursts {
                share: 0.05,
                length: 4.0,
            },
            0.05,
            4.0,
        ),
    ] {
        let profile = Profile {
            loss,
            ..Profile::default()
        };
        let mut link = Link::new(profile, 5);
        let arrived = numbers(&run(&mut link, 50_000, ms(1)));
        let lost = link.counters().lost as f64;
        assert!((lost / 50_000.0 - share).abs() < 0.01, "{lost}");
        let gaps = arrived.windows(2).filter(|pair| pair[1] - pair[0] > 1);
        let mean = lost / gaps.count() as f64;
        assert!((mean - length).abs() < 0.3, "{mean}");
    }
}

#[test]
fn jitter_stays_in_its_bounds_and_keeps_the_order() {
    let profile = Profile {
        delay: ms(50),
        jitter: ms(20),
        ..Profile::default()
    };
    let arrivals = run(&mut Link::new(profile, 1), 2_000, ms(50));
    assert!(numbers(&arrivals).is_sorted());
    let delays: Vec<_> = arrivals
        .iter()
        .map(|arrival| arrival.at - ms(50) * arrival.packet as u32)
        .collect();
    let (least, most) = (delays.iter().min(), delays.iter().max());
    assert!(least.is_some_and(|least| (ms(30)..ms(32)).contains(least)));
    assert!(most.is_some_and(|most| (ms(68)..=ms(70)).contains(most)));
}

#[test]
fn packets_held_back_are_overtaken() {
    let profile = Profile {
        delay: ms(10),
        reordering: 0.1,
        reordering_delay: ms(25),
        ..Profile::default()
    };
    let arrived = numbers(&run(&mut Link::new(profile, 1), 10_000, ms(10)));
    assert_eq!(arrived.len(), 10_000);
    let overtaken = arrived.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!((700..1_100).contains(&overtaken), "{overtaken}");
}

#[test]
fn packets_are_duplicated() {
    let profile = Profile {
        duplication: 0.1,
        ..Profile::default()
    };
    let mut arrived = numbers(&run(&mut Link::new(profile, 1), 10_000, ms(1)));
    assert!((10_900..11_100).contains(&arrived.len()));
    arrived.dedup();
    assert_eq!(arrived.len(), 10_000);
}

#[test]
fn nothing_passes_a_partition_and_everything_after_it() {
    let profile = Profile {
        rate: Some(8e6),
        delay: ms(10),
        ..Profile::default()
    };
    let mut link = Link::new(profile, 1);
    for number in 0..300 {
        let now = ms(10 * number);
        let is_partitioned = (100..200).contains(&number);
        link.set_profile(
            now,
            Profile {
                is_partitioned,
                ..profile
            },
        );
        link.send(now, 1_000, number);
    }
    let arrived = numbers(&drain(&mut link));
    let expected: Vec<_> = (0..100).chain(200..300).collect();
    assert_eq!(arrived, expected);
}

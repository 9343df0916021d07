use proptest::prelude::*;

use super::*;

const FRAME: Duration = Duration::from_millis(20);
/// The flag of FEC data, in the first byte of a frame.
const FEC: u32 = 0x4000_0000;

/// An Opus table of contents that says 20 ms, then which packet it is.
fn packet(n: u32, sequence: u16, arrived_at: Instant) -> RtpPacket {
    // With the flag of FEC data.
    let mut payload = vec![0x78];
    payload.extend((n | FEC).to_be_bytes());
    RtpPacket {
        sequence,
        timestamp: n.wrapping_mul(960),
        marker: false,
        payload: payload.into(),
        arrived_at,
    }
}

/// The packet that an outcome plays.
fn played(outcome: &Outcome) -> Option<u32> {
    match outcome {
        Outcome::Packet(payload) if payload.len() < 5 => None,
        Outcome::Packet(payload) => {
            let number = u32::from_be_bytes(payload[1..].try_into().unwrap());
            Some(number & !FEC)
        }
        _ => None,
    }
}

/// Packets that arrive so late each, in milliseconds (`None`: never), pulled
/// every 20 ms until all had their time.
fn run(buffer: &mut JitterBuffer, first_sequence: u16, late: &[Option<u64>]) -> Vec<Outcome> {
    let start = Instant::now();
    let sent = |n: usize| start + FRAME * n as u32;
    let mut coming: Vec<(Instant, usize)> = late
        .iter()
        .enumerate()
        .filter_map(|(n, late)| Some((sent(n) + Duration::from_millis((*late)?), n)))
        .collect();
    coming.sort();
    let mut coming = coming.into_iter().peekable();
    (0..late.len() + 50)
        .map(|n| {
            let now = sent(n);
            while let Some((at, n)) = coming.next_if(|&(at, _)| at <= now) {
                buffer.push(packet(n as u32, first_sequence.wrapping_add(n as u16), at));
            }
            buffer.pull(now)
        })
        .collect()
}

#[test]
fn an_even_stream_is_played_whole_and_in_order_across_the_wraparound() {
    let mut buffer = JitterBuffer::new();
    let outcomes = run(&mut buffer, u16::MAX - 50, &[Some(0); 200]);
    assert!(outcomes.iter().filter_map(played).eq(0..200));
    let wait = outcomes
        .iter()
        .position(|outcome| played(outcome).is_some())
        .unwrap();
    assert!((2..=3).contains(&wait), "{wait}");
    assert_eq!(buffer.stats().lost, 0);
}

#[test]
fn a_lost_packet_is_recovered_from_the_next_and_of_two_the_first_is_concealed() {
    let late: Vec<_> = (0..100)
        .map(|n| {
            if [30, 60, 61].contains(&n) {
                None
            } else {
                Some(0)
            }
        })
        .collect();
    let mut buffer = JitterBuffer::new();
    let outcomes = run(&mut buffer, 0, &late);
    let after = |n| {
        outcomes
            .iter()
            .position(|outcome| played(outcome) == Some(n))
            .unwrap()
            + 1
    };
    assert!(
        matches!(&outcomes[after(29)], Outcome::Recover { samples: 960, .. })
            && played(&outcomes[after(29) + 1]) == Some(31)
    );
    assert_eq!(outcomes[after(59)], Outcome::Conceal(960));
    assert!(
        matches!(&outcomes[after(59) + 1], Outcome::Recover { .. })
            && played(&outcomes[after(59) + 2]) == Some(62)
    );
    assert_eq!(buffer.stats().lost, 3);
}

#[test]
fn when_nothing_comes_100_ms_are_concealed_and_silence_follows_until_enough_waits_again() {
    let late: Vec<_> = (0..100)
        .map(|n| if (30..70).contains(&n) { None } else { Some(0) })
        .collect();
    let mut buffer = JitterBuffer::new();
    let outcomes = run(&mut buffer, 0, &late);
    let end = outcomes
        .iter()
        .position(|outcome| played(outcome) == Some(29))
        .unwrap()
        + 1;
    assert!(
        outcomes[end..end + 5]
            .iter()
            .all(|outcome| *outcome == Outcome::Conceal(960))
    );
    assert_eq!(outcomes[end + 5], Outcome::Silence(960));
    let again = outcomes
        .iter()
        .position(|outcome| played(outcome) == Some(70))
        .unwrap();
    assert!(
        (71..=72).contains(&again) && buffer.stats().lost == 40,
        "{again}, {:?}",
        buffer.stats()
    );
}

#[test]
fn a_sender_that_paused_is_followed_by_silence_at_once() {
    let (mut buffer, now) = (JitterBuffer::new(), Instant::now());
    (0..5).for_each(|n| buffer.push(packet(n, n as u16, now)));
    buffer.pause();
    let outcomes: Vec<_> = (0..7).map(|n| buffer.pull(now + FRAME * n)).collect();
    assert!(outcomes.iter().filter_map(played).eq(0..5));
    assert!(
        outcomes[5..]
            .iter()
            .all(|outcome| *outcome == Outcome::Silence(960))
    );
}

#[test]
fn jitter_lengthens_the_delay_until_packets_are_in_time_and_calm_shortens_it() {
    let late: Vec<_> = (0..1000)
        .map(|n| Some(if n < 500 { [0, 90, 30, 60][n % 4] } else { 0 }))
        .collect();
    let mut buffer = JitterBuffer::new();
    let outcomes = run(&mut buffer, 0, &late);
    let settled = &outcomes[300..480];
    assert!(
        settled.iter().all(|outcome| played(outcome).is_some()),
        "{settled:?}"
    );
    assert!(
        buffer.arrivals.target() <= Duration::from_millis(40),
        "{:?}",
        buffer.arrivals.target()
    );
}

#[test]
fn a_burst_far_beyond_the_target_is_cut_at_once() {
    let (mut buffer, now) = (JitterBuffer::new(), Instant::now());
    (0..90).for_each(|n| buffer.push(packet(n, n as u16, now)));
    assert!(
        played(&buffer.pull(now)).is_some_and(|n| n >= 69)
            && buffer.delay() <= Duration::from_millis(400)
    );
}

#[test]
fn a_sender_that_starts_anew_elsewhere_is_followed_and_one_stray_packet_is_not() {
    let (mut buffer, start) = (JitterBuffer::new(), Instant::now());
    let mut heard = Vec::new();
    for n in 0..100_u32 {
        let now = start + FRAME * n;
        if n == 20 {
            buffer.push(packet(999_999, 40_000, now));
        }
        let (number, sequence) = if n < 50 {
            (n, n as u16)
        } else {
            (n + 1_000_000, 30_000 + n as u16)
        };
        buffer.push(packet(number, sequence, now));
        heard.extend(played(&buffer.pull(now)));
    }
    assert!(!heard.contains(&999_999) && heard[..40].iter().copied().eq(0..40));
    assert!(heard.contains(&1_000_090), "{heard:?}");
}

#[test]
fn packets_that_are_no_opus_and_duplicates_change_nothing() {
    let (mut buffer, now) = (JitterBuffer::new(), Instant::now());
    for payload in [vec![], vec![0x7b], vec![0x7b, 0x00], vec![0xff; 9_000]] {
        buffer.push(RtpPacket {
            payload: payload.into(),
            ..packet(0, 0, now)
        });
    }
    assert_eq!((buffer.delay(), buffer.next), (Duration::ZERO, None));
    (0..3).for_each(|_| buffer.push(packet(0, 0, now)));
    assert_eq!((buffer.delay(), buffer.stats().received), (FRAME, 7));
}

/// Packets as a sender brings them: when each is sent, in frames of 20 ms, and its
/// payload; what is lost has none. Pulled every 20 ms to the end.
fn play(sent: &[(u32, Option<Bytes>)], frames: u32) -> (JitterBuffer, Vec<Outcome>) {
    let (mut buffer, start) = (JitterBuffer::new(), Instant::now());
    let mut sequences = sent.iter().zip(7_u16..).peekable();
    let outcomes = (0..frames).map(|frame| {
        let now = start + FRAME * frame;
        while let Some(((at, payload), sequence)) = sequences.next_if(|((at, _), _)| *at <= frame) {
            if let Some(payload) = payload {
                buffer.push(RtpPacket {
                    payload: payload.clone(),
                    ..packet(*at, sequence, now)
                });
            }
        }
        buffer.pull(now)
    });
    let outcomes = outcomes.collect();
    (buffer, outcomes)
}

fn speech(at: u32) -> (u32, Option<Bytes>) {
    (at, Some(packet(at, 0, Instant::now()).payload))
}

#[test]
fn the_pauses_of_a_sender_with_dtx_are_filled_with_noise_and_are_not_concealment() {
    let mut sent: Vec<_> = (0..50).map(speech).collect();
    // A packet without sound, and in the pause two packets every 400 ms.
    sent.push((50, Some(Bytes::from_static(&[0x78]))));
    for refresh in [70, 90, 110] {
        sent.extend([
            speech(refresh),
            (refresh + 1, Some(Bytes::from_static(&[0x78]))),
        ]);
    }
    sent.extend((130..200).map(speech));
    let (buffer, outcomes) = play(&sent, 200);
    assert_eq!(buffer.concealed(), ConcealmentCounts::default());
    assert_eq!(buffer.stats().lost, 0);
    let begin = outcomes
        .iter()
        .position(|one| played(one).is_some())
        .unwrap();
    let is_sound = |one: &Outcome| matches!(one, Outcome::Packet(_) | Outcome::Noise(960));
    assert!(outcomes[begin..].iter().all(is_sound), "{outcomes:?}");
    // Speech after the pause is played whole, as late as the speech before it.
    let again = outcomes
        .iter()
        .position(|one| played(one) == Some(130))
        .unwrap();
    assert!((1..=begin).contains(&(again - 130)), "{again}");
    let heard = outcomes[again..].iter().filter_map(played).zip(130..);
    assert!(heard.clone().count() > 60 && heard.clone().all(|(one, due)| one == due));
}

#[test]
fn a_pause_of_a_sender_without_dtx_is_not_concealment_once_packets_come_again() {
    let mut sent: Vec<_> = (0..50).map(speech).collect();
    sent.extend((150..200).map(speech));
    let (buffer, outcomes) = play(&sent, 200);
    assert!(outcomes.contains(&Outcome::Conceal(960)) && !outcomes.contains(&Outcome::Noise(960)));
    assert_eq!(buffer.concealed(), ConcealmentCounts::default());
    // Nor where its clock stood still meanwhile.
    let (mut buffer, start) = (JitterBuffer::new(), Instant::now());
    for n in 0..400_u32 {
        let now = start + FRAME * n;
        match n {
            0..50 => buffer.push(packet(n, n as u16, now)),
            300.. => buffer.push(packet(n - 250, (n - 250) as u16, now)),
            _ => {}
        }
        buffer.pull(now);
    }
    assert_eq!(buffer.concealed(), ConcealmentCounts::default());
}

#[test]
fn samples_in_place_of_lost_packets_are_concealed_and_those_of_a_long_outage_silent() {
    // Without FEC data in what follows.
    let plain = |(at, payload): (u32, Option<Bytes>)| {
        let payload = payload.map(|payload| Bytes::from([&payload[..1], &[0, 7, 7]].concat()));
        (at, payload)
    };
    let stream = |lost: std::ops::Range<u32>| {
        let packet = move |at| {
            if lost.contains(&at) {
                (at, None)
            } else {
                plain(speech(at))
            }
        };
        (0..200).map(packet).collect::<Vec<_>>()
    };
    let (buffer, _) = play(&stream(50..52), 200);
    let two = ConcealmentCounts {
        samples: 2 * 960,
        silent_samples: 0,
        events: 1,
    };
    assert_eq!((buffer.concealed(), buffer.stats().lost), (two, 2));
    let (buffer, _) = play(&stream(50..100), 200);
    let long = buffer.concealed();
    // The delay may have become a packet shorter meanwhile.
    assert!((49 * 960..=50 * 960).contains(&long.samples), "{long:?}");
    assert_eq!(long.samples - long.silent_samples, 5 * 960);
    assert_eq!((long.events, buffer.stats().lost), (1, 50));
    // What the packet after carries is no concealment.
    let (buffer, _) = play(
        &(0..200)
            .map(|at| if at == 50 { (at, None) } else { speech(at) })
            .collect::<Vec<_>>(),
        200,
    );
    assert_eq!(buffer.concealed(), ConcealmentCounts::default());
    assert_eq!(buffer.stats().lost, 1);
}

#[test]
fn samples_in_place_of_late_packets_are_concealed() {
    let mut buffer = JitterBuffer::new();
    // The network stands still from the 50th packet for 140 ms.
    let late: Vec<_> = (0..100_u64)
        .map(|n| {
            Some(if (50..57).contains(&n) {
                (57 - n) * 20
            } else {
                0
            })
        })
        .collect();
    run(&mut buffer, 0, &late);
    let counts = buffer.concealed();
    assert!(
        counts.samples >= 4 * 960 && counts.events == 1,
        "{counts:?}"
    );
    assert_eq!(buffer.stats().lost, 0);
}

#[test]
fn packets_that_were_dropped_on_purpose_during_a_pause_are_not_lost() {
    let (mut buffer, start) = (JitterBuffer::new(), Instant::now());
    for n in 0..200_u32 {
        match n {
            0..50 | 90.. => buffer.push(packet(n, n as u16, start + FRAME * n)),
            50 => buffer.pause(),
            _ => {}
        }
        buffer.pull(start + FRAME * n);
    }
    assert_eq!(buffer.stats().lost, 0);
    assert_eq!(buffer.concealed(), ConcealmentCounts::default());
}

#[test]
fn packets_before_the_first_that_came_are_not_lost() {
    let (mut buffer, start) = (JitterBuffer::new(), Instant::now());
    for sequence in [50_u16, 49, 20, 51, 52, 53] {
        buffer.push(packet(u32::from(sequence), sequence, start));
    }
    buffer.pause();
    let outcomes: Vec<_> = (0..5).map(|n| buffer.pull(start + FRAME * n)).collect();
    assert!(
        outcomes.iter().filter_map(played).eq(49..54),
        "{outcomes:?}"
    );
    assert_eq!(buffer.stats().lost, 0);
    assert_eq!(buffer.delay(), Duration::ZERO);
}

proptest! {
    #[test]
    fn whatever_the_network_does_order_holds_delay_and_memory_are_bounded_and_what_came_in_time_is_heard(
        first in any::<u16>(),
        late in prop::collection::vec(prop::option::weighted(0.9, 0_u64..120), 100..600),
    ) {
        let mut buffer = JitterBuffer::new();
        let outcomes = run(&mut buffer, first, &late);
        let heard: Vec<_> = outcomes.iter().filter_map(played).collect();
        prop_assert!(heard.windows(2).all(|pair| pair[0] < pair[1]));
        let came = late.iter().flatten().count();
        prop_assert!(heard.len() * 10 >= came * 8, "{} of {came}", heard.len());
    }

    #[test]
    fn packets_without_sense_never_fill_it_stall_it_or_break_it(
        packets in prop::collection::vec((any::<u16>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..4), 0_u64..40), 0..400),
    ) {
        let (mut buffer, mut now) = (JitterBuffer::new(), Instant::now());
        for (sequence, timestamp, payload, later) in packets {
            now += Duration::from_millis(later);
            buffer.push(RtpPacket { sequence, timestamp, marker: false, payload: payload.into(), arrived_at: now });
            let outcome = buffer.pull(now);
            if buffer.advise() != Speed::Normal {
                buffer.note_stretched(-240);
            }
            if let Outcome::Recover { samples, .. } | Outcome::Conceal(samples) | Outcome::Noise(samples) | Outcome::Silence(samples) = outcome {
                prop_assert!(samples > 0 && samples.is_multiple_of(120));
            }
            let held: usize = buffer.packets.values().map(|held| held.samples).sum();
            prop_assert!(buffer.packets.len() <= MAX_PACKETS && held == buffer.held_samples);
        }
    }
}

//! Streams over bad networks, in virtual time.

use super::*;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const DECODE_TIME: Duration = Duration::from_millis(2);
/// What the sender's and the receiver's clock differ by.
const OFFSET: Duration = Duration::from_secs(1_000);

/// A frame on its way: when it was sent, and when it came.
#[derive(Debug, Clone, Copy)]
struct Sent {
    at: Duration,
    arrives: Duration,
    timestamp: u32,
    is_repaired: bool,
}

/// A frame on the screen.
#[derive(Debug, Clone, Copy)]
struct Shown {
    sent: Duration,
    at: Duration,
}

impl Shown {
    fn delay(&self) -> Duration {
        self.at - self.sent
    }
}

/// A random sequence that is the same in each run (an LCG with Knuth's constants).
struct Random(u64);

impl Random {
    /// From 0 up to 1.
    fn next(&mut self) -> f64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A stream of `rate` frames/s for so long. `path` says of each frame, by its number
/// and the time at which it is sent, how long it takes and whether it was repaired.
fn stream(
    rate: u32,
    time: Duration,
    mut path: impl FnMut(u32, Duration) -> (Duration, bool),
) -> Vec<Sent> {
    let count = (time.as_secs_f64() * f64::from(rate)) as u32;
    let frame = |number: u32| {
        let at = SECOND * number / rate;
        let (takes, is_repaired) = path(number, at);
        Sent {
            at,
            arrives: at + takes,
            timestamp: ((u64::from(number) * 90_000 / u64::from(rate)) as u32)
                .wrapping_add(4_294_000_000),
            is_repaired,
        }
    };
    (0..count).map(frame).collect()
}

/// What reaches the screen, with what was left of the playout.
struct Played {
    shown: Vec<Shown>,
    playout: Playout,
    decoded: usize,
}

impl Played {
    fn intervals(&self, after: Duration) -> Vec<f64> {
        let shown: Vec<_> = self
            .shown
            .iter()
            .filter(|shown| shown.at >= after)
            .collect();
        let interval = |pair: &[&Shown]| (pair[1].at - pair[0].at).as_secs_f64() * 1_000.0;
        shown.windows(2).map(interval).collect()
    }

    /// Standard deviation of the intervals in milliseconds.
    fn deviation(&self, after: Duration) -> f64 {
        let intervals = self.intervals(after);
        let mean = intervals.iter().sum::<f64>() / intervals.len() as f64;
        let squares: f64 = intervals.iter().map(|ms| (ms - mean).powi(2)).sum();
        (squares / intervals.len() as f64).sqrt()
    }

    fn longest(&self, after: Duration) -> f64 {
        self.intervals(after).into_iter().fold(0.0, f64::max)
    }

    /// The delay that a share of the frames sent in a time did not exceed.
    fn delay(&self, share: f64, sent: std::ops::Range<Duration>) -> Duration {
        let sent = self.shown.iter().filter(|shown| sent.contains(&shown.sent));
        let mut delays: Vec<_> = sent.map(Shown::delay).collect();
        delays.sort();
        delays[((delays.len() - 1) as f64 * share) as usize]
    }
}

fn play(sent: &[Sent]) -> Played {
    play_with(Playout::default(), sent)
}

/// Frames are given out in the order in which they were sent, as by the assembler.
fn play_with(mut playout: Playout, sent: &[Sent]) -> Played {
    let epoch = Instant::now() + OFFSET;
    let (mut shown, mut decoded) = (Vec::new(), 0);
    let mut ready = Duration::ZERO;
    let mut coming = sent.iter().enumerate().peekable();
    // The decoder is free again at this time.
    let mut now = Duration::ZERO;
    let mut waiting = std::collections::VecDeque::new();
    loop {
        let next = coming.peek().map(|(_, frame)| ready.max(frame.arrives));
        let due = playout
            .deadline()
            .map(|due| due.saturating_duration_since(epoch));
        let Some(at) = next.into_iter().chain(due).min() else {
            break;
        };
        now = now.max(at);
        while let Some((number, frame)) = coming.next_if(|(_, sent)| ready.max(sent.arrives) <= now)
        {
            ready = ready.max(frame.arrives);
            waiting.push_back(frame.at);
            playout.push(AssembledFrame {
                data: vec![0; 100],
                key_frame: number == 0,
                timestamp: frame.timestamp,
                first_arrival: epoch + frame.arrives,
                last_arrival: epoch + frame.arrives,
                is_repaired: frame.is_repaired,
            });
        }
        if playout.pop(epoch + now).is_some() {
            now += DECODE_TIME;
            decoded += 1;
            let sent = waiting.pop_front().unwrap();
            if playout.decoded(epoch + now, DECODE_TIME) {
                shown.push(Shown { sent, at: now });
            }
        }
    }
    assert!(shown.is_sorted_by_key(|shown| shown.sent), "out of order");
    Played {
        shown,
        playout,
        decoded,
    }
}

#[test]
fn on_an_even_network_frames_are_decoded_as_they_arrive() {
    let mut random = Random(1);
    for rate in [15, 30, 60] {
        let played = play(&stream(rate, 20 * SECOND, |_, _| {
            (1 * MS + MS.mul_f64(4.0 * random.next()), false)
        }));
        assert_eq!(played.shown.len(), 20 * rate as usize);
        let longest = played.delay(1.0, Duration::ZERO..20 * SECOND);
        assert!(longest <= 5 * MS + DECODE_TIME, "{longest:?}");
        assert_eq!(played.playout.target_delay(), Duration::ZERO);
    }
}

#[test]
fn frames_of_an_uneven_network_are_shown_evenly() {
    for rate in [15, 30] {
        let mut random = Random(2);
        let played = play(&stream(rate, 20 * SECOND, |_, _| {
            (30 * MS + MS.mul_f64(40.0 * random.next()), false)
        }));
        let deviation = played.deviation(2 * SECOND);
        assert!(deviation < 10.0, "{deviation} ms");
        assert!(played.longest(SECOND) < 183.0);
        let median = played.delay(0.5, 2 * SECOND..20 * SECOND);
        assert!(median <= 75 * MS, "{median:?}");
        let skipped = played.playout.frames_skipped();
        assert!(skipped <= u64::from(rate) / 3, "{skipped} not shown");
    }
}

#[test]
fn repairs_of_lost_packets_raise_the_delay_and_do_not_freeze_the_video() {
    let mut random = Random(3);
    let repair = 100 * MS;
    let played = play(&stream(30, 30 * SECOND, |_, _| {
        // Each of five packets is lost in one of fifty cases.
        let is_lost = random.next() < 1.0 - 0.98_f64.powi(5);
        (
            20 * MS + if is_lost { repair } else { Duration::ZERO },
            is_lost,
        )
    }));
    let longest = played.longest(Duration::ZERO);
    // The repair, and the decode time of the frames behind it.
    assert!(longest <= 34.0 + 100.0 + 4.0, "{longest} ms");
    let settled = played.longest(5 * SECOND);
    assert!(settled <= 34.0 + 30.0 + 4.0, "{settled} ms");
    let target = played.playout.target_delay();
    assert!((50 * MS..=100 * MS).contains(&target), "{target:?}");
    let skipped = played.playout.frames_skipped();
    assert!(skipped < 10, "{skipped}");
}

#[test]
fn bursts_of_loss_are_repaired_without_a_freeze_and_the_delay_falls_after_them() {
    let mut random = Random(4);
    // Bursts of four packets at 5 %: one for each 16 frames of five packets.
    let played = play(&stream(30, 40 * SECOND, |_, at| {
        let is_lost = at < 10 * SECOND && random.next() < 1.0 / 16.0;
        let again = if is_lost {
            60 + (60.0 * random.next()) as u32
        } else {
            0
        };
        (10 * MS + again * MS, is_lost)
    }));
    let longest = played.longest(Duration::ZERO);
    assert!(longest < 183.0, "{longest} ms");
    let during = played.delay(0.5, 5 * SECOND..10 * SECOND);
    let after = played.delay(0.5, 30 * SECOND..40 * SECOND);
    assert!(during > 20 * MS, "{during:?}");
    assert_eq!(after, 10 * MS + DECODE_TIME);
}

#[test]
fn a_few_repairs_do_not_delay_all_frames() {
    let played = play(&stream(30, 30 * SECOND, |number, _| {
        let is_lost = number % 200 == 100;
        (
            10 * MS + if is_lost { 100 * MS } else { Duration::ZERO },
            is_lost,
        )
    }));
    let median = played.delay(0.5, Duration::ZERO..30 * SECOND);
    assert_eq!(median, 10 * MS + DECODE_TIME);
}

#[test]
fn clock_drift_is_followed() {
    for ppm in [100.0, -100.0] {
        let mut random = Random(5);
        let played = play(&stream(30, 600 * SECOND, |_, at| {
            let drift = at.as_secs_f64() * ppm * 1e-6 + 0.1;
            let jitter = MS.mul_f64(40.0 * random.next());
            (Duration::from_secs_f64(drift) + jitter, false)
        }));
        // The whole drift is 60 ms.
        let drift = SECOND.mul_f64(0.1 + 580.0 * ppm * 1e-6);
        let delay = played.delay(0.5, 560 * SECOND..600 * SECOND);
        assert!(delay.abs_diff(drift + 40 * MS) < 8 * MS, "{delay:?}");
        assert!(played.deviation(2 * SECOND) < 10.0);
        let target = played.playout.target_delay();
        assert!((30 * MS..45 * MS).contains(&target), "{target:?}");
    }
}

#[test]
fn a_frame_a_second_and_long_pauses_are_shown_as_they_come() {
    let mut random = Random(6);
    let played = play(&stream(1, 600 * SECOND, |_, _| {
        (20 * MS + MS.mul_f64(8.0 * random.next()), false)
    }));
    assert!(played.delay(1.0, Duration::ZERO..600 * SECOND) <= 30 * MS);
    let mut sent = stream(30, 90 * SECOND, |_, _| (20 * MS, false));
    sent.retain(|frame| !(10 * SECOND..80 * SECOND).contains(&frame.at));
    let played = play(&sent);
    assert_eq!(played.shown.len(), 600);
    assert_eq!(
        played.delay(1.0, Duration::ZERO..90 * SECOND),
        20 * MS + DECODE_TIME
    );
}

#[test]
fn after_a_stall_only_the_newest_frame_of_the_burst_is_shown() {
    let stall = 10 * SECOND..13 * SECOND;
    let played = play(&stream(30, 20 * SECOND, |_, at| {
        let held = if stall.contains(&at) {
            stall.end - at
        } else {
            Duration::ZERO
        };
        (20 * MS + held, false)
    }));
    assert_eq!(played.decoded, 600);
    let late: Vec<_> = played
        .shown
        .iter()
        .filter(|shown| shown.delay() > 250 * MS)
        .collect();
    assert!(late.is_empty(), "{late:?}");
    let after = played.delay(1.0, stall.end + 2 * MS..20 * SECOND);
    assert!(after <= 200 * MS + 22 * MS, "{after:?}");
    let settled = played.delay(1.0, stall.end + SECOND / 2..20 * SECOND);
    assert_eq!(settled, 20 * MS + DECODE_TIME);
    assert_eq!(played.playout.target_delay(), Duration::ZERO);
}

#[test]
fn a_new_subscriber_catches_up_with_the_frames_since_the_key_frame_at_once() {
    let start = SECOND / 2;
    let played = play(&stream(30, 10 * SECOND, |_, at| {
        (20 * MS + start.saturating_sub(at), false)
    }));
    let [first, second, ..] = played.shown[..] else {
        panic!("{:?}", played.shown);
    };
    assert_eq!((first.sent, first.at), (Duration::ZERO, start + 22 * MS));
    assert!(second.sent >= start - 34 * MS, "{second:?}");
    assert!(second.at <= start + 60 * MS, "{second:?}");
    let settled = played.delay(1.0, start + SECOND / 10..10 * SECOND);
    assert_eq!(settled, 20 * MS + DECODE_TIME);
}

#[test]
fn a_jump_of_the_timestamps_is_followed_at_once() {
    for (jump, transit) in [
        (900_000_u32, 20),
        (0x9000_0000, 20),
        (u32::MAX - 300, 20),
        (0, 400),
    ] {
        let mut random = Random(7);
        let mut sent = stream(30, 20 * SECOND, |_, at| {
            let path = if at < 10 * SECOND { 20 } else { transit };
            (path * MS + MS.mul_f64(30.0 * random.next()), false)
        });
        for frame in &mut sent[300..] {
            frame.timestamp = frame.timestamp.wrapping_add(jump);
        }
        let played = play(&sent);
        let gap = played.longest(9 * SECOND);
        assert!(
            gap < 34.0 + 40.0 + f64::from(transit - 20),
            "{jump}: {gap} ms"
        );
        let delay = played.delay(0.5, 10 * SECOND..20 * SECOND);
        assert!(delay < (transit + 40) * MS, "{jump}: {delay:?}");
    }
}

#[test]
fn a_sender_that_paused_its_clock_is_followed() {
    let mut sent = stream(30, 30 * SECOND, |_, _| (20 * MS, false));
    for frame in &mut sent[300..] {
        frame.at += 4 * SECOND;
        frame.arrives += 4 * SECOND;
    }
    let played = play(&sent);
    assert_eq!(played.shown.len(), 900);
    assert_eq!(
        played.delay(1.0, Duration::ZERO..40 * SECOND),
        20 * MS + DECODE_TIME
    );
    assert_eq!(played.playout.target_delay(), Duration::ZERO);
}

#[test]
fn a_decoder_that_is_too_slow_still_shows_frames() {
    let mut playout = Playout::default();
    let start = Instant::now();
    let mut shown = 0;
    for number in 0..100_u32 {
        // Two frames come while one is decoded.
        let now = start + 40 * number * MS;
        for half in 0..2 {
            playout.push(frame(number * 3_600 + half * 1_800, false, now));
        }
        assert!(playout.pop(now).is_some());
        shown += u32::from(playout.decoded(now, 40 * MS));
    }
    assert!((15..30).contains(&shown), "{shown}");
    assert!(playout.frames.len() <= MAX_FRAMES);
}

fn frame(timestamp: u32, key_frame: bool, at: Instant) -> AssembledFrame {
    AssembledFrame {
        data: vec![0; 100_000],
        key_frame,
        timestamp,
        first_arrival: at,
        last_arrival: at,
        is_repaired: false,
    }
}

#[test]
fn frames_that_wait_are_bounded_in_number_and_bytes() {
    let mut playout = Playout::default();
    playout.set_extra_delay(60 * SECOND);
    assert_eq!(playout.target_delay(), MAX_EXTRA_DELAY);
    let start = Instant::now();
    for number in 0..1_000_u32 {
        let now = start + number * MS;
        playout.push(frame(number * 90, number == 0, now));
        while playout.pop(now).is_some() {}
        assert!(playout.bytes <= MAX_BYTES);
    }
    assert_eq!(playout.frames.len(), MAX_BYTES / 100_000);
}

#[test]
fn what_precedes_a_key_frame_that_is_due_is_not_decoded() {
    let mut playout = Playout::default();
    let start = Instant::now();
    for number in 0..10_u32 {
        playout.push(frame(number * 3_000, number % 6 == 0, start));
    }
    assert_eq!(
        playout.pop(start).map(|frame| frame.timestamp),
        Some(18_000)
    );
    assert_eq!(playout.frames_skipped(), 6);
    playout.push(frame(40_000, true, start));
    assert!(playout.drop_to_key_frame());
    assert_eq!((playout.frames.len(), playout.frames_skipped()), (1, 9));
    playout.clear();
    assert!(!playout.drop_to_key_frame() && playout.deadline().is_none());
}

#[test]
fn an_extra_delay_is_added_to_each_frame() {
    let mut playout = Playout::default();
    playout.set_extra_delay(150 * MS);
    let played = play_with(playout, &stream(30, 5 * SECOND, |_, _| (20 * MS, false)));
    let delay = played.delay(0.5, Duration::ZERO..5 * SECOND);
    assert!(delay.abs_diff(172 * MS) < MS / 10, "{delay:?}");
    assert_eq!(played.playout.minimum_delay(), Duration::ZERO);
    let timing = played.playout.timing().unwrap();
    assert_eq!(timing.delay, 150 * MS + DECODE_TIME);
}

/// 50 ± 20 ms each way, 2 % loss, five packets a frame, 30 frames/s. A
/// retransmission is asked for when the next packet comes, again after a round trip.
#[test]
fn jitter_and_loss_together_do_not_freeze_the_video() {
    let mut random = Random(8);
    let mut way = || 30 * MS + MS.mul_f64(40.0 * random.next());
    let mut losses = Random(9);
    let played = play(&stream(30, 60 * SECOND, |_, _| {
        let is_lost = losses.next() < 1.0 - 0.98_f64.powi(5);
        let mut takes = way();
        if is_lost {
            takes += way() + way();
        }
        while is_lost && losses.next() < 0.04 {
            takes += 100 * MS;
        }
        (takes, is_lost)
    }));
    let intervals = played.intervals(SECOND).into_iter();
    let freezes: Vec<f64> = intervals.filter(|ms| *ms >= 183.0).collect();
    // Where the retransmission was lost too.
    assert!(freezes.len() <= 2, "{freezes:?}");
    let median = played.delay(0.5, 5 * SECOND..60 * SECOND);
    assert!(median < 149 * MS, "{median:?}");
}

/// A link that is cut to a third: a queue builds within 0.4 s and drains while the sender
/// sends less, with and without frames that are left out meanwhile.
#[test]
fn a_queue_that_builds_and_drains_freezes_no_video() {
    for (left_out, drain) in [(0.0, 0.35), (0.3, 0.35), (0.3, 0.7), (0.8, 1.0)] {
        let start = 5.0;
        let mut sent = stream(30, 15 * SECOND, |_, at| {
            let since = at.as_secs_f64() - start;
            let queue = if since < 0.4 {
                2.0 * since
            } else {
                0.8 - drain * (since - 0.4)
            };
            (20 * MS + SECOND.mul_f64(queue.max(0.0)), false)
        });
        sent.retain(|frame| {
            let since = frame.at.as_secs_f64() - start;
            !(0.4..0.4 + left_out).contains(&since)
        });
        let arrivals = sent
            .windows(2)
            .map(|pair| pair[1].arrives - pair[0].arrives);
        let longest = play(&sent).longest(SECOND);
        let allowed = arrivals.max().unwrap().max(LONGEST_HOLD).as_secs_f64() * 1_000.0;
        assert!(longest < allowed + 1.0, "{left_out} {drain}: {longest} ms");
    }
}

//! Feedback that no honest receiver sends.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::*;

fn status() -> impl Strategy<Value = PacketStatus> {
    prop_oneof![
        any::<u16>().prop_map(PacketStatus::Missing),
        any::<i16>().prop_map(PacketStatus::Received),
        (0..100_i16).prop_map(PacketStatus::Received),
        any::<u16>().prop_map(PacketStatus::ReceivedUntimed),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Send {
        count: u16,
        skip: u16,
        bytes: usize,
        probes: bool,
    },
    Feedback {
        behind: u16,
        reference_time: u32,
        statuses: Vec<PacketStatus>,
    },
    Report {
        loss: f64,
        round_trip: u64,
    },
    Remb(u64),
    Max(u64),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let statuses = prop::collection::vec(status(), 0..40);
    prop_oneof![
        4 => (1..50_u16, prop_oneof![Just(0), Just(0), any::<u16>()], 0..2_000_usize, any::<bool>())
            .prop_map(|(count, skip, bytes, probes)| Step::Send { count, skip, bytes, probes }),
        4 => (prop_oneof![0..60_u16, any::<u16>()], any::<u32>(), statuses).prop_map(
            |(behind, reference_time, statuses)| Step::Feedback { behind, reference_time, statuses }
        ),
        1 => (prop_oneof![Just(f64::NAN), -1.0..3.0], any::<u64>())
            .prop_map(|(loss, round_trip)| Step::Report { loss, round_trip }),
        1 => any::<u64>().prop_map(Step::Remb),
        1 => prop_oneof![0..10_000_000_u64, any::<u64>()].prop_map(Step::Max),
        3 => prop_oneof![0..50_u64, 0..100_000_u64].prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn any_feedback_keeps_the_target_in_its_bounds(
        first in any::<u16>(),
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut now = Instant::now();
        let mut max = 2_000_000;
        let mut estimator = BandwidthEstimator::new(now, max);
        let mut sequence = first;
        let mut probes = Vec::new();
        for step in steps {
            match step {
                Step::Send { count, skip, bytes, probes: marks } => {
                    sequence = sequence.wrapping_add(skip);
                    for _ in 0..count {
                        let probe = probes.last().copied().filter(|_| marks);
                        let packet = SentPacket { sequence, bytes, probe, is_audio: false };
                        estimator.sent(now, packet);
                        sequence = sequence.wrapping_add(1);
                        now += Duration::from_micros(300);
                    }
                }
                Step::Feedback { behind, reference_time, statuses } => {
                    let base_sequence = sequence.wrapping_sub(behind);
                    let feedback = TransportFeedback { base_sequence, reference_time, statuses };
                    estimator.feedback(now, &feedback);
                }
                Step::Report { loss, round_trip } => {
                    let round_trip = Duration::from_micros(round_trip);
                    estimator.receiver_report(now, loss, Some(round_trip));
                }
                Step::Remb(rate) => estimator.remb(now, rate),
                Step::Max(rate) => {
                    max = rate;
                    estimator.set_max(now, rate);
                }
                Step::Wait(millis) => {
                    now += Duration::from_millis(millis);
                    estimator.elapsed(now);
                }
            }
            let mut taken = 0;
            while let Some(probe) = estimator.take_probe() {
                probes.push(probe.id);
                taken += 1;
                prop_assert!(probe.bits_per_second <= max.max(MIN_TARGET));
                prop_assert!(probe.packets > 0 && probe.packet_bytes <= 1_200);
            }
            prop_assert!(taken <= 2);
            let max = max.clamp(MIN_TARGET, MAX_TARGET);
            let estimate = estimator.estimate(now);
            prop_assert!(estimate.target >= MIN_TARGET && estimate.target <= max);
            prop_assert!((0.0..=1.0).contains(&estimate.loss));
        }
    }
}

/// One feedback packet of 60 bytes may name 65,535 packets many times over.
#[test]
fn the_cost_of_feedback_is_that_of_its_own_size() {
    let start = Instant::now();
    let mut estimator = BandwidthEstimator::new(start, 10_000_000);
    for sequence in 0..8_000 {
        let packet = SentPacket {
            sequence,
            bytes: 1_000,
            probe: None,
            is_audio: false,
        };
        estimator.sent(
            start + Duration::from_micros(u64::from(sequence) * 500),
            packet,
        );
    }
    let now = start + Duration::from_secs(5);
    let feedback = TransportFeedback {
        base_sequence: 0,
        reference_time: 0,
        statuses: vec![PacketStatus::Missing(u16::MAX); 20],
    };
    let before = Instant::now();
    for _ in 0..100_000 {
        estimator.feedback(now, &feedback);
    }
    // Two million runs. Walking the history for each would take minutes.
    assert!(
        before.elapsed() < Duration::from_secs(5),
        "{:?}",
        before.elapsed()
    );
}

use super::steady::{GOOD_AFTER, POOR_AFTER};
use super::*;

const A: LinkId = LinkId(1);
const B: LinkId = LinkId(2);
const C: LinkId = LinkId(3);

/// A second without a fault.
fn clean() -> Sample {
    Sample {
        received: 100,
        round_trip: Some(Duration::from_millis(40)),
        jitter: Duration::from_millis(5),
        estimate: 2_000_000,
        demand: 1_000_000,
        ..Sample::default()
    }
}

fn lossy() -> Sample {
    Sample {
        lost: 10,
        received: 90,
        ..clean()
    }
}

/// Links that are connected.
fn connected(links: &[LinkId]) -> Quality {
    let mut quality = Quality::default();
    links.iter().for_each(|link| quality.connected(*link));
    quality
}

fn seconds(quality: &mut Quality, count: u32, samples: &[(LinkId, Sample)]) {
    for _ in 0..count {
        quality.measured(samples);
    }
}

/// The cause for which the quality of A is poor after the time that it takes, with B and
/// C as they are.
fn cause_with(samples: [Sample; 3]) -> Option<QualityCause> {
    let mut quality = connected(&[A, B, C]);
    let samples: Vec<_> = [A, B, C].into_iter().zip(samples).collect();
    seconds(&mut quality, POOR_AFTER - 1, &samples);
    assert_eq!(quality.of(A).unwrap().level, ConnectionQuality::Good);
    seconds(&mut quality, 1, &samples);
    quality.of(A).unwrap().cause
}

fn cause_of(sample: Sample) -> Option<QualityCause> {
    cause_with([sample, clean(), clean()])
}

#[test]
fn loss_of_one_participant_is_their_uplink() {
    assert_eq!(cause_of(lossy()), Some(QualityCause::TheirUplink));
}

#[test]
fn concealed_sound_of_one_participant_is_their_uplink() {
    let sample = Sample {
        concealed: 0.06,
        ..clean()
    };
    assert_eq!(cause_of(sample), Some(QualityCause::TheirUplink));
}

#[test]
fn freezes_of_one_participant_are_their_uplink() {
    let sample = Sample {
        frozen: Duration::from_millis(300),
        ..clean()
    };
    assert_eq!(cause_of(sample), Some(QualityCause::TheirUplink));
}

#[test]
fn loss_of_most_participants_at_once_is_my_downlink() {
    let cause = cause_with([lossy(), lossy(), clean()]);
    assert_eq!(cause, Some(QualityCause::MyDownlink));
}

#[test]
fn freezes_while_the_decoder_is_busy_are_the_processor() {
    let sample = Sample {
        decoding: 0.9,
        frozen: Duration::from_millis(500),
        ..clean()
    };
    let samples = [sample.clone(), sample.clone(), sample];
    assert_eq!(cause_with(samples), Some(QualityCause::Processor));
}

#[test]
fn a_long_round_trip_is_delay() {
    let sample = Sample {
        round_trip: Some(Duration::from_millis(450)),
        ..clean()
    };
    assert_eq!(cause_of(sample), Some(QualityCause::Delay));
}

#[test]
fn high_jitter_is_delay() {
    let sample = Sample {
        jitter: Duration::from_millis(80),
        ..clean()
    };
    assert_eq!(cause_of(sample), Some(QualityCause::Delay));
}

#[test]
fn clean_seconds_are_good() {
    assert_eq!(cause_of(clean()), None);
    assert_eq!(cause_of(Sample::default()), None, "nothing is sent");
}

/// The cause for which the local user's quality is poor.
fn local_cause(samples: [Sample; 3]) -> Option<QualityCause> {
    let mut quality = connected(&[A, B, C]);
    let samples: Vec<_> = [A, B, C].into_iter().zip(samples).collect();
    seconds(&mut quality, POOR_AFTER, &samples);
    assert!(samples.iter().all(|(link, _)| {
        let of = quality.of(*link).unwrap();
        of.level == ConnectionQuality::Good
    }));
    quality.of_local().unwrap().cause
}

#[test]
fn narrow_links_to_most_participants_are_my_uplink() {
    let narrow = Sample {
        limitation: QualityLimitationReason::Bandwidth,
        estimate: 300_000,
        ..clean()
    };
    let cause = local_cause([narrow.clone(), narrow.clone(), clean()]);
    assert_eq!(cause, Some(QualityCause::MyUplink));
    assert_eq!(local_cause([narrow, clean(), clean()]), None);
}

#[test]
fn what_most_participants_report_as_lost_is_my_uplink() {
    let lost = Sample {
        remote_loss: 0.1,
        ..clean()
    };
    let cause = local_cause([lost.clone(), lost, clean()]);
    assert_eq!(cause, Some(QualityCause::MyUplink));
}

#[test]
fn a_busy_encoder_is_the_processor() {
    let busy = Sample {
        limitation: QualityLimitationReason::Cpu,
        ..clean()
    };
    let cause = local_cause([busy, clean(), clean()]);
    assert_eq!(cause, Some(QualityCause::Processor));
}

#[test]
fn the_quality_does_not_flap() {
    let mut quality = connected(&[A]);
    let (bad, good) = ([(A, lossy())], [(A, clean())]);
    // Neither single bad seconds nor values between the limits change it.
    let between = [(
        A,
        Sample {
            lost: 4,
            received: 96,
            ..clean()
        },
    )];
    for _ in 0..20 {
        seconds(&mut quality, POOR_AFTER - 1, &bad);
        seconds(&mut quality, 1, &good);
        seconds(&mut quality, 20, &between);
        assert_eq!(quality.of(A).unwrap().level, ConnectionQuality::Good);
    }
    seconds(&mut quality, POOR_AFTER, &bad);
    for _ in 0..20 {
        seconds(&mut quality, GOOD_AFTER - 1, &good);
        seconds(&mut quality, 1, &between);
        assert_eq!(quality.of(A).unwrap().level, ConnectionQuality::Poor);
    }
    seconds(&mut quality, GOOD_AFTER, &good);
    assert_eq!(quality.of(A).unwrap().level, ConnectionQuality::Good);
}

#[test]
fn another_cause_is_shown_only_once_it_lasts() {
    let mut quality = connected(&[A]);
    let delayed = [(
        A,
        Sample {
            round_trip: Some(Duration::from_secs(1)),
            ..clean()
        },
    )];
    seconds(&mut quality, POOR_AFTER, &[(A, lossy())]);
    seconds(&mut quality, POOR_AFTER - 1, &delayed);
    let cause = |quality: &Quality| quality.of(A).unwrap().cause;
    assert_eq!(cause(&quality), Some(QualityCause::TheirUplink));
    seconds(&mut quality, 1, &delayed);
    assert_eq!(cause(&quality), Some(QualityCause::Delay));
}

#[test]
fn a_disconnected_link_is_lost_at_once_and_good_as_soon_as_it_is_connected() {
    let mut quality = Quality::default();
    assert_eq!((quality.of(A), quality.of_local()), (None, None));
    quality.disconnected(A);
    assert_eq!(quality.of(A), None, "it never was connected");
    quality.connected(A);
    quality.connected(B);
    seconds(&mut quality, POOR_AFTER, &[(A, lossy()), (B, clean())]);
    quality.disconnected(A);
    let level = |view: Option<QualityView>| view.unwrap().level;
    assert_eq!(level(quality.of(A)), ConnectionQuality::Lost);
    seconds(&mut quality, GOOD_AFTER, &[(A, clean()), (B, clean())]);
    assert_eq!(level(quality.of(A)), ConnectionQuality::Lost);
    assert_eq!(level(quality.of_local()), ConnectionQuality::Good);
    quality.replaced(A, C);
    assert_eq!(
        (quality.of(A), level(quality.of(C))),
        (None, ConnectionQuality::Lost)
    );
    quality.disconnected(B);
    assert_eq!(level(quality.of_local()), ConnectionQuality::Lost);
    quality.connected(C);
    assert_eq!(level(quality.of(C)), ConnectionQuality::Good);
}

use std::collections::BTreeSet;

use serde_json::Value;
use visavis_call::{ConnectionQuality, QualityCause};
use visavis_media::video::{StageDelays, VideoReceiveStats};

use super::*;

fn statistics() -> PeerStatistics {
    PeerStatistics {
        member: "m".into(),
        bytes_sent: 1,
        frames_sent: 2,
        remote_loss_percent: 3.0,
        round_trip_ms: Some(4.0),
        available_bits_per_second: 5_000,
        video_bits_per_second: 6_000,
        candidate_pair: Some(CandidatePair {
            local_candidate_type: "host".into(),
            remote_candidate_type: "srflx".into(),
            protocol: "udp".into(),
            current_round_trip_time: Some(0.004),
            total_round_trip_time: 0.1,
            responses_received: 10,
        }),
        clock_offset_ms: Some(5_000.0),
        quality: Some(QualityView {
            level: ConnectionQuality::Poor,
            cause: Some(QualityCause::Delay),
        }),
        video: VideoReceiveStats {
            stages: StageDelays {
                frames: 2,
                capture: 0.002,
                network: 0.1,
                ..StageDelays::default()
            },
            ..VideoReceiveStats::default()
        },
        ..PeerStatistics::default()
    }
}

/// The keys of an object and of those within it.
fn keys(value: &Value, into: &mut BTreeSet<String>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        into.insert(key.clone());
        keys(value, into);
    }
}

#[test]
fn every_key_of_the_report_is_documented() {
    let statistics = statistics();
    let stats = || line(&statistics, None, 1.0);
    let summary = Summary {
        peers: vec![stats()],
        frames_captured: 0,
        frames_encoded: 0,
        cpu_seconds: None,
        peak_rss_bytes: None,
    };
    let mut found = BTreeSet::new();
    for line in [Line::Stats(Box::new(stats())), Line::Summary(summary)] {
        keys(&serde_json::to_value(&line).unwrap(), &mut found);
    }
    assert!(found.len() > 80, "{found:?}");
    let page = include_str!("../../../../docs/statistics.md");
    let missing: Vec<_> = found
        .iter()
        .filter(|key| !page.contains(&format!("`{key}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_stages_are_means_of_the_frames_since_the_line_before() {
    let before = statistics();
    let mut now = statistics();
    now.video.stages.frames += 4;
    now.video.stages.network += 0.1;
    let line = line(&now, Some(&before), 1.0);
    let stages = line.delay_by_stage_ms.unwrap();
    assert_eq!((stages.frames, stages.capture), (4, 0.0));
    assert!((stages.network - 25.0).abs() < 1e-6 && (stages.total - 25.0).abs() < 1e-6);
    assert!(line.screen_delay_by_stage_ms.is_none());
}

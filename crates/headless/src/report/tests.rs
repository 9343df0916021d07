use std::collections::BTreeSet;

use serde_json::Value;
use visavis_media::audio::AudioReceiveStats;
use visavis_media::video::VideoReceiveStats;

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
        outbound: HashMap::new(),
        inbound: HashMap::new(),
        video: VideoReceiveStats::default(),
        screen: VideoReceiveStats::default(),
        audio: AudioReceiveStats::default(),
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

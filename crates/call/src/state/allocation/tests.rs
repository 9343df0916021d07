use std::time::Duration;

use super::*;
use crate::state::bandwidth::BandwidthState;

const HD: VideoSize = VideoSize {
    width: 1280,
    height: 720,
};
const SMALL: VideoSize = VideoSize {
    width: 640,
    height: 360,
};
const FULL: SentLayer = SentLayer::full(VideoLayer::Full);
const HALF: SentLayer = SentLayer::full(VideoLayer::Half);
const QUARTER: SentLayer = SentLayer::full(VideoLayer::Quarter);

struct Scene {
    now: Instant,
    allocation: VideoAllocation,
    camera: Option<VideoSize>,
    screen: Option<VideoSize>,
}

impl Scene {
    fn new(camera: VideoSize) -> Self {
        Self {
            now: Instant::now(),
            allocation: VideoAllocation::new(),
            camera: Some(camera),
            screen: None,
        }
    }

    fn set(&mut self, link: u64, target: u64, state: BandwidthState) {
        let estimate = Estimate {
            target,
            capacity: target,
            audio: 40_000,
            state,
            ..Estimate::default()
        };
        self.allocation.set(self.now, LinkId(link), &estimate);
        self.update();
    }

    fn known(&mut self, link: u64, target: u64) {
        self.set(link, target, BandwidthState::Growing);
    }

    fn demand(&mut self, link: u64, layer: Option<VideoLayer>) {
        self.allocation.demand(LinkId(link), [layer; 2]);
        self.update();
    }

    fn update(&mut self) -> Vec<EncoderRate> {
        self.allocation.update(self.now, [self.camera, self.screen])
    }

    /// Lets time pass.
    fn wait(&mut self, seconds: f64) {
        let end = self.now + Duration::from_secs_f64(seconds);
        while self.now < end {
            self.now += Duration::from_millis(100);
            self.update();
        }
    }

    fn sent(&self, link: u64) -> Option<SentLayer> {
        self.allocation.layers(LinkId(link))[0].1
    }

    fn screen(&self, link: u64) -> Option<SentLayer> {
        self.allocation.layers(LinkId(link))[1].1
    }

    fn target(&self, layer: VideoLayer) -> EncoderTarget {
        self.allocation.encoders[&(0, layer)]
    }

    fn rate(&self, layer: VideoLayer) -> u32 {
        self.target(layer).max_bits_per_second
    }

    /// The bits per second of video that a peer gets.
    fn bits(&self, link: u64) -> f64 {
        let sent = self.sent(link);
        sent.map_or(0.0, |sent| {
            f64::from(self.rate(sent.layer)) * share(sent.frame_rate)
        })
    }
}

#[test]
fn the_smallest_layer_that_covers_the_demand_is_sent() {
    use VideoLayer::{Full, Half, Quarter};
    let hd = Some(VideoSize {
        width: 1280,
        height: 720,
    });
    for (source, demand, layer) in [
        (hd, None, Some(Full)),
        (hd, Some((0, 0)), None),
        (hd, Some((320, 0)), None),
        (hd, Some((1, 1)), Some(Quarter)),
        (hd, Some((320, 180)), Some(Quarter)),
        (hd, Some((352, 198)), Some(Quarter)),
        (hd, Some((360, 203)), Some(Half)),
        (hd, Some((640, 360)), Some(Half)),
        (hd, Some((1280, 720)), Some(Full)),
        (hd, Some((u32::MAX, u32::MAX)), Some(Full)),
        // The box is higher than the frame that it shows.
        (hd, Some((320, 2_000)), Some(Quarter)),
        (None, Some((320, 180)), Some(Full)),
        (Some(VideoSize::default()), Some((320, 180)), Some(Full)),
    ] {
        let demand = demand.map(|(width, height)| DemandedTrack {
            source: TrackSource::Camera,
            width,
            height,
        });
        let found = layer_for(source, demand.as_ref());
        assert_eq!(found, layer, "{source:?} {demand:?}");
    }
}

#[test]
fn a_weak_link_gets_a_smaller_layer_and_the_others_keep_the_full_rate() {
    let mut scene = Scene::new(HD);
    for link in [1, 2, 3] {
        scene.known(link, 3_000_000);
    }
    assert_eq!(scene.rate(VideoLayer::Full), 1_500_000);
    scene.known(3, 900_000);
    // For a moment the rate is lower: not every dip of an estimate is a narrow link.
    assert_eq!(scene.rate(VideoLayer::Full), 770_000);
    scene.known(3, 200_000);
    assert_eq!(scene.sent(3), Some(QUARTER));
    assert_eq!(scene.rate(VideoLayer::Quarter), 140_000);
    assert_eq!((scene.sent(1), scene.sent(2)), (Some(FULL), Some(FULL)));
    assert_eq!(scene.rate(VideoLayer::Full), 1_500_000);
    scene.known(3, 3_000_000);
    scene.wait(1.2);
    assert_eq!(scene.sent(3), Some(FULL));
    assert_eq!(scene.rate(VideoLayer::Full), 1_500_000);
}

#[test]
fn the_frame_rate_goes_down_before_the_size() {
    let mut scene = Scene::new(HD);
    let mut found = Vec::new();
    scene.known(1, 3_000_000);
    for target in (60..=3_000).rev().step_by(20) {
        scene.known(1, target * 1_000);
        scene.wait(0.6);
        if found.last() != Some(&scene.sent(1)) {
            found.push(scene.sent(1));
        }
    }
    let half = |layer| SentLayer {
        layer,
        frame_rate: FrameRate::Half,
    };
    let expected = [
        FULL,
        half(VideoLayer::Full),
        HALF,
        half(VideoLayer::Half),
        QUARTER,
        half(VideoLayer::Quarter),
    ];
    assert_eq!(found, expected.map(Some));
}

#[test]
fn half_of_the_frames_go_to_a_narrower_link_from_the_same_encoder() {
    let mut scene = Scene::new(SMALL);
    scene.known(1, 3_000_000);
    assert_eq!(scene.target(VideoLayer::Full).frame_rates, FrameRates::Full);
    scene.known(2, 350_000);
    scene.wait(1.0);
    assert_eq!(scene.sent(1), Some(FULL));
    let thinned = SentLayer {
        layer: VideoLayer::Full,
        frame_rate: FrameRate::Half,
    };
    assert_eq!(scene.sent(2), Some(thinned));
    let target = scene.target(VideoLayer::Full);
    assert_eq!(target.frame_rates, FrameRates::Both);
    assert!(scene.bits(2) <= 275_000.0, "{}", scene.bits(2));
    scene.allocation.retain(|link| link == LinkId(2));
    scene.update();
    assert_eq!(scene.target(VideoLayer::Full).frame_rates, FrameRates::Half);
}

#[test]
fn an_encoder_has_the_rate_of_the_narrowest_link_that_takes_it() {
    let mut scene = Scene::new(HD);
    for (link, target) in [(1, 1_400_000), (2, 1_100_000), (3, 400_000)] {
        scene.known(link, target);
    }
    scene.wait(1.0);
    assert_eq!(scene.rate(VideoLayer::Full), 950_000);
    assert_eq!(scene.rate(VideoLayer::Half), 320_000);
    scene.allocation.retain(|link| link != LinkId(2));
    let changed = scene.update();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].target.max_bits_per_second, 1_220_000);
    scene.known(1, 1_420_000);
    assert_eq!(
        scene.rate(VideoLayer::Full),
        1_220_000,
        "not worth a change"
    );
}

#[test]
fn a_link_that_swings_goes_up_ever_later() {
    let mut scene = Scene::new(HD);
    scene.known(1, 1_100_000);
    let mut switches = Vec::new();
    let mut before = scene.sent(1);
    for number in 0..40 {
        scene.known(1, if number % 2 == 0 { 600_000 } else { 1_100_000 });
        for _ in 0..2 {
            scene.wait(1.0);
            if scene.sent(1) != before {
                switches.push(number);
                before = scene.sent(1);
            }
        }
    }
    assert!(switches.len() <= 5, "{switches:?}");
    scene.known(1, 1_100_000);
    scene.wait(20.0);
    assert_eq!(scene.sent(1), Some(FULL));
}

#[test]
fn a_dip_that_ends_in_half_a_second_changes_no_layer() {
    let mut scene = Scene::new(HD);
    scene.known(1, 2_000_000);
    scene.known(1, 800_000);
    scene.wait(0.3);
    scene.known(1, 2_000_000);
    assert_eq!(scene.sent(1), Some(FULL));
    scene.wait(1.0);
    assert_eq!(scene.sent(1), Some(FULL));
}

#[test]
fn a_queue_that_drains_lowers_the_rate_and_changes_no_layer() {
    let mut scene = Scene::new(HD);
    scene.known(1, 2_000_000);
    let estimate = Estimate {
        target: 800_000,
        capacity: 2_000_000,
        audio: 40_000,
        state: BandwidthState::Congested,
        ..Estimate::default()
    };
    scene.allocation.set(scene.now, LinkId(1), &estimate);
    scene.wait(2.0);
    assert_eq!(scene.sent(1), Some(FULL));
    assert_eq!(scene.rate(VideoLayer::Full), 680_000);
}

#[test]
fn a_link_that_is_cut_goes_to_the_step_that_it_carries_at_once() {
    let mut scene = Scene::new(HD);
    scene.known(1, 1_800_000);
    scene.known(1, 425_000);
    assert_eq!(scene.sent(1), Some(HALF));
}

#[test]
fn without_room_for_the_smallest_layer_video_is_suspended_and_the_others_do_not_notice() {
    let mut scene = Scene::new(HD);
    scene.known(1, 3_000_000);
    scene.known(2, 100_000);
    scene.wait(2.0);
    assert!(scene.sent(2).is_some(), "a moment is not enough");
    scene.wait(2.0);
    assert_eq!(scene.sent(2), None);
    assert_eq!(scene.allocation.suspended(LinkId(2)), VIDEO[..1]);
    assert_eq!(scene.rate(VideoLayer::Full), 1_500_000);
    scene.known(2, 130_000);
    assert_eq!(scene.sent(2), None, "it resumes with a margin");
    scene.known(2, 200_000);
    assert!(scene.sent(2).is_some());
    assert_eq!(scene.allocation.suspended(LinkId(2)), []);
}

#[test]
fn the_camera_is_suspended_before_the_screen() {
    let mut scene = Scene::new(HD);
    scene.screen = Some(VideoSize {
        width: 1920,
        height: 1080,
    });
    scene.known(1, 6_000_000);
    assert_eq!((scene.sent(1), scene.screen(1)), (Some(FULL), Some(FULL)));
    let mut camera = Vec::new();
    for target in (40..=6_000).rev().step_by(40) {
        scene.known(1, target * 1_000);
        scene.wait(4.0);
        camera.push((scene.sent(1).is_some(), scene.screen(1).is_some()));
    }
    camera.dedup();
    let both_then_screen = [(true, true), (false, true), (false, false)];
    assert_eq!(camera, both_then_screen);
}

#[test]
fn a_newcomer_lowers_nothing_before_its_link_is_known_or_silent() {
    let mut scene = Scene::new(HD);
    scene.set(1, 300_000, BandwidthState::Unknown);
    assert_eq!(scene.rate(VideoLayer::Full), 230_000);
    scene.known(1, 3_000_000);
    scene.set(2, 300_000, BandwidthState::Unknown);
    assert_eq!(scene.sent(2), Some(FULL));
    assert_eq!(scene.rate(VideoLayer::Full), 1_500_000);
    scene.wait(2.0);
    assert_eq!(scene.rate(VideoLayer::Full), 1_500_000);
    assert_eq!(scene.sent(2).unwrap().layer, VideoLayer::Half);
    assert!(scene.bits(2) <= 230_000.0, "{}", scene.bits(2));
}

#[test]
fn a_layer_that_only_one_peer_demands_has_a_rate_of_its_own() {
    let mut scene = Scene::new(HD);
    scene.known(1, 3_000_000);
    scene.known(2, 3_000_000);
    scene.demand(2, Some(VideoLayer::Quarter));
    assert_eq!(scene.sent(2), Some(QUARTER));
    assert_eq!(scene.rate(VideoLayer::Quarter), 240_000);
    scene.demand(2, None);
    assert_eq!(scene.sent(2), None);
    assert_eq!(scene.allocation.suspended(LinkId(2)), []);
    scene.demand(2, Some(VideoLayer::Full));
    assert_eq!(
        scene.sent(2),
        Some(FULL),
        "what is demanded is sent at once"
    );
}

/// Two links behind one uplink: each grows until the uplink is full, then falls.
#[test]
fn two_peers_behind_one_uplink_get_shares_within_a_quarter() {
    let mut scene = Scene::new(HD);
    let mut targets = [300_000.0, 900_000.0];
    let mut sent = [0.0, 0.0];
    for step in 0..600 {
        let bits = [scene.bits(1) + 40_000.0, scene.bits(2) + 40_000.0];
        let is_full = bits.iter().sum::<f64>() > 1_000_000.0;
        for (link, target) in targets.iter_mut().enumerate() {
            // As the estimators do: equal steps up, shares down.
            *target = if is_full {
                (bits[link] * 0.85_f64).max(100_000.0)
            } else {
                (*target + 6_000.0_f64).min(bits[link] * 1.5 + 10_000.0)
            };
            scene.known(link as u64 + 1, *target as u64);
        }
        scene.wait(0.1);
        if step >= 200 {
            sent[0] += scene.bits(1);
            sent[1] += scene.bits(2);
        }
    }
    let each = sent.map(|bits| bits / 400.0);
    assert!(each[0].min(each[1]) > 250_000.0, "{each:?}");
    assert!((each[0] / each[1] - 1.0).abs() < 0.25, "{each:?}");
}

#[test]
fn after_a_common_fall_one_probe_does_not_take_the_uplink_of_the_others() {
    let mut scene = Scene::new(HD);
    scene.known(1, 800_000);
    scene.known(2, 800_000);
    scene.known(1, 500_000);
    scene.known(2, 500_000);
    scene.known(1, 1_500_000);
    scene.wait(2.0);
    let total = scene.bits(1) + scene.bits(2);
    assert!(total <= 1_000_000.0, "{total}");
    scene.wait(6.0);
    assert!(scene.bits(1) > 1_000_000.0, "{}", scene.bits(1));
}

//! Peers over real loopback UDP.

mod pair;

use visavis_media::VideoCodec::{H264, Vp8};

use pair::*;

#[tokio::test]
async fn sound_and_pictures_flow_both_ways_in_either_codec() {
    for codec in [H264, Vp8] {
        let (a, b) = call(codec).await;
        for side in [&a, &b] {
            let picture = side.handle.video.stats();
            assert_eq!(
                (picture.width, picture.height),
                (FORMAT.width, FORMAT.height),
                "{codec:?}"
            );
            wait_until(
                || side.handle.audio.level().rms > 0.03,
                || format!("{:?}", side.handle.audio.level()),
            )
            .await;
            wait_until(
                || {
                    let figures = side.handle.statistics.borrow();
                    figures.frames_sent > 0
                        && figures.bytes_sent > 0
                        && figures.reports > 0
                        && figures.round_trip_ms.is_some()
                },
                || format!("{:?}", side.handle.statistics.borrow()),
            )
            .await;
        }
        a.end().await;
        b.end().await;
    }
}

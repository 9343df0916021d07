//! Which layer of a video track a peer gets.

use visavis_media::VideoLayer;
use visavis_protocol::DemandedTrack;

use crate::command::VideoSize;
use crate::state::demand::is_hidden;

/// How much a layer may be enlarged where it is shown. Without it, a tile of a few
/// pixels more would take four times the bits.
const LARGEST_ENLARGEMENT: f64 = 1.1;

/// The layer for a peer that demands a track of this size: the smallest that covers
/// the demand, or none where the track is hidden. Without a demand, or while the size
/// of the source is not known, it is the full size.
pub(crate) fn layer_for(
    source: Option<VideoSize>,
    demand: Option<&DemandedTrack>,
) -> Option<VideoLayer> {
    let Some(demand) = demand else {
        return Some(VideoLayer::Full);
    };
    if is_hidden(demand) {
        return None;
    }
    let Some(source) = source.filter(|size| size.width > 0 && size.height > 0) else {
        return Some(VideoLayer::Full);
    };
    // The whole frame is shown within the demanded box.
    let across = f64::from(demand.width) / f64::from(source.width);
    let down = f64::from(demand.height) / f64::from(source.height);
    let scale = across.min(down);
    let covers = |layer: &VideoLayer| {
        let of_layer = 1.0 / f64::from(layer.divisor());
        scale <= of_layer * LARGEST_ENLARGEMENT
    };
    let smallest = VideoLayer::ALL.into_iter().find(covers);
    Some(smallest.unwrap_or(VideoLayer::Full))
}

#[cfg(test)]
mod tests {
    use visavis_protocol::TrackSource;

    use super::*;

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
}

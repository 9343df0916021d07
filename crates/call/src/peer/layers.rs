//! The encoded frames of one track in the layer that the peer gets.

use tokio::sync::watch;
use visavis_media::video::{Start, VideoSender};
use visavis_media::{EncodedVideo, FrameRate, Queue, VideoCodec, VideoLayer};

use crate::state::allocation::SentLayer;

/// Follows the layer of a track. A switch is made at the new layer's first frame,
/// which is a key frame: until then the old layer continues. At half the frame rate it
/// leaves out the frames that no other is predicted from.
///
/// Frames wait here while the pacer has no room. If too many wait they are dropped, and a
/// key frame is made once there is room: earlier it would be dropped, too, and cost the
/// other peers.
pub(super) struct LayerQueue {
    sender: VideoSender,
    codec: VideoCodec,
    /// None while the track is not sent.
    sent: watch::Receiver<Option<SentLayer>>,
    /// Whether the pacer has room for a frame.
    has_room: watch::Receiver<bool>,
    current: Option<(VideoLayer, Queue<EncodedVideo>)>,
    next: Option<(VideoLayer, Queue<EncodedVideo>)>,
    /// Where it begins.
    start: Start,
    /// The RTP timestamp that was sent last.
    timestamp: Option<u32>,
}

impl LayerQueue {
    pub(super) fn new(
        sender: VideoSender,
        codec: VideoCodec,
        sent: watch::Receiver<Option<SentLayer>>,
        has_room: watch::Receiver<bool>,
        start: Start,
    ) -> Self {
        let mut queue = Self {
            sender,
            codec,
            sent,
            has_room,
            current: None,
            next: None,
            start,
            timestamp: None,
        };
        queue.follow();
        queue
    }

    /// The next frame, once there is room for it; `None` once the encoder or the
    /// connection is gone.
    pub(super) async fn next(&mut self) -> Option<EncodedVideo> {
        loop {
            let has_room = *self.has_room.borrow_and_update();
            if has_room {
                self.request_key_frame();
            }
            tokio::select! {
                biased;
                changed = self.sent.changed() => {
                    changed.ok()?;
                    self.follow();
                }
                changed = self.has_room.changed(), if !has_room => changed.ok()?,
                frame = next_of(&mut self.next), if has_room => {
                    self.current = self.next.take();
                    return Some(self.in_order(frame?));
                }
                frame = next_of(&mut self.current), if has_room => {
                    let frame = frame?;
                    if !(frame.is_discardable && self.is_at_half_rate()) {
                        return Some(self.in_order(frame));
                    }
                }
            }
        }
    }

    /// Asks for the key frame that a queue waits for.
    fn request_key_frame(&self) {
        let queue = self.next.as_ref().or(self.current.as_ref());
        if let Some((layer, queue)) = queue
            && queue.awaits_independent()
        {
            self.sender.request_key_frame(self.codec, *layer);
        }
    }

    fn is_at_half_rate(&self) -> bool {
        let sent = self.sent.borrow();
        sent.is_some_and(|sent| sent.frame_rate == FrameRate::Half)
    }

    fn follow(&mut self) {
        let sent = *self.sent.borrow_and_update();
        let wanted = sent.map(|sent| sent.layer);
        let Some(layer) = wanted else {
            (self.current, self.next) = (None, None);
            return;
        };
        let is =
            |queue: &Option<(VideoLayer, _)>| queue.as_ref().map(|(layer, _)| *layer) == wanted;
        if is(&self.current) {
            self.next = None;
        } else if !is(&self.next) {
            // Frames since an earlier key frame would lead back in time.
            let start = match self.timestamp {
                None => self.start,
                Some(_) => Start::NextKeyFrame,
            };
            let queue = self.sender.subscribe(self.codec, layer, start);
            // Nothing is shown meanwhile.
            if self.timestamp.is_some() && self.current.is_none() {
                self.sender.request_first_key_frame(self.codec, layer);
            }
            self.next = Some((layer, queue));
        }
    }

    /// The frame with a timestamp after that of the frame before: layers are encoded at
    /// the same time, and the first frame of one may be captured with, or before, the
    /// last of the other.
    fn in_order(&mut self, mut frame: EncodedVideo) -> EncodedVideo {
        if let Some(last) = self.timestamp
            && frame.timestamp.wrapping_sub(last).wrapping_sub(1) > u32::MAX / 2
        {
            frame.timestamp = last.wrapping_add(1);
        }
        self.timestamp = Some(frame.timestamp);
        frame
    }
}

/// The next frame of a queue; waits for ever where there is none.
async fn next_of(queue: &mut Option<(VideoLayer, Queue<EncodedVideo>)>) -> Option<EncodedVideo> {
    match queue {
        Some((_, queue)) => queue.next().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;
    use visavis_media::video::{EncoderTarget, FrameRates};
    use visavis_media::{VideoFormat, VideoSource};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn publisher() -> VideoSender {
        let format = VideoFormat {
            width: 320,
            height: 180,
            frames_per_second: 30,
        };
        let sender = VideoSender::new();
        sender.set_source(VideoSource::Synthetic(format), format);
        sender
    }

    fn full(layer: VideoLayer) -> Option<SentLayer> {
        Some(SentLayer::full(layer))
    }

    /// A queue for a pacer that always has room.
    fn queue_of(sender: VideoSender, sent: watch::Receiver<Option<SentLayer>>) -> LayerQueue {
        queue_for(sender, sent, watch::channel(true).1)
    }

    fn queue_for(
        sender: VideoSender,
        sent: watch::Receiver<Option<SentLayer>>,
        has_room: watch::Receiver<bool>,
    ) -> LayerQueue {
        LayerQueue::new(sender, VideoCodec::Vp8, sent, has_room, Start::Soonest)
    }

    async fn next(queue: &mut LayerQueue) -> EncodedVideo {
        timeout(LIMIT, queue.next()).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_switch_starts_with_a_key_frame_and_the_old_layer_continues_until_then() {
        let (layer, watched) = watch::channel(full(VideoLayer::Full));
        let mut queue = queue_of(publisher(), watched);
        let mut last = next(&mut queue).await;
        for wanted in [
            VideoLayer::Quarter,
            VideoLayer::Half,
            VideoLayer::Full,
            VideoLayer::Quarter,
        ] {
            let before = last.layer;
            layer.send_replace(full(wanted));
            loop {
                let frame = next(&mut queue).await;
                assert!(frame.timestamp.wrapping_sub(last.timestamp) < u32::MAX / 2);
                assert_ne!(frame.timestamp, last.timestamp);
                last = frame;
                if last.layer == wanted {
                    break;
                }
                assert_eq!(last.layer, before);
            }
            assert!(last.key_frame);
        }
    }

    #[tokio::test]
    async fn frames_wait_for_room_and_too_many_give_way_to_a_key_frame() {
        let (_layer, watched) = watch::channel(full(VideoLayer::Full));
        let (room, has_room) = watch::channel(true);
        let publisher = publisher();
        let mut queue = queue_for(publisher.clone(), watched, has_room);
        let first = next(&mut queue).await;
        room.send_replace(false);
        let made = publisher.stats();
        let (preview, mut seen) = (publisher.preview(), 0);
        // More than wait at the most.
        while publisher.stats().frames_encoded < made.frames_encoded + 20 {
            (seen, _) = preview.changed(seen).await;
            assert!(timeout(Duration::ZERO, queue.next()).await.is_err());
        }
        let key_frames = publisher.stats().key_frames;
        assert_eq!(key_frames, made.key_frames, "none while there is no room");
        room.send_replace(true);
        let after = next(&mut queue).await;
        assert!(after.key_frame && after.captured_at > first.captured_at);
    }

    #[tokio::test]
    async fn a_switch_leaves_out_what_waits_of_the_old_layer() {
        let (layer, watched) = watch::channel(full(VideoLayer::Full));
        let (room, has_room) = watch::channel(true);
        let publisher = publisher();
        let mut queue = queue_for(publisher.clone(), watched, has_room);
        next(&mut queue).await;
        room.send_replace(false);
        layer.send_replace(full(VideoLayer::Quarter));
        let made = publisher.stats();
        let (preview, mut seen) = (publisher.preview(), 0);
        while publisher.stats().key_frames == made.key_frames {
            (seen, _) = preview.changed(seen).await;
            assert!(timeout(Duration::ZERO, queue.next()).await.is_err());
        }
        room.send_replace(true);
        let after = next(&mut queue).await;
        assert!(after.key_frame && after.layer == VideoLayer::Quarter);
    }

    #[tokio::test]
    async fn nothing_is_sent_without_a_layer_and_a_key_frame_comes_with_the_next() {
        let (layer, watched) = watch::channel(None);
        let mut queue = queue_of(publisher(), watched);
        let nothing = Duration::from_millis(200);
        assert!(timeout(nothing, queue.next()).await.is_err());
        layer.send_replace(full(VideoLayer::Half));
        let first = next(&mut queue).await;
        assert!(first.key_frame && first.layer == VideoLayer::Half);
        layer.send_replace(None);
        assert!(timeout(nothing, queue.next()).await.is_err());
        layer.send_replace(full(VideoLayer::Half));
        let again = next(&mut queue).await;
        assert!(again.key_frame && again.captured_at > first.captured_at);
        drop(layer);
        assert!(timeout(LIMIT, queue.next()).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn at_half_the_frame_rate_every_second_frame_is_left_out() {
        let publisher = publisher();
        publisher.set_target(
            VideoLayer::Full,
            EncoderTarget {
                max_bits_per_second: 200_000,
                frame_rates: FrameRates::Both,
            },
        );
        let (sent, watched) = watch::channel(full(VideoLayer::Full));
        let mut queue = queue_of(publisher, watched);
        let mut intervals = Vec::new();
        for frame_rate in [FrameRate::Full, FrameRate::Half, FrameRate::Full] {
            let layer = VideoLayer::Full;
            sent.send_replace(Some(SentLayer { layer, frame_rate }));
            // Those that were encoded before may still wait.
            let mut last = next(&mut queue).await;
            let mut discardable = 0;
            for _ in 0..20 {
                let frame = next(&mut queue).await;
                discardable += u32::from(frame.is_discardable);
                intervals.push(frame.timestamp.wrapping_sub(last.timestamp));
                last = frame;
            }
            let is_half = frame_rate == FrameRate::Half;
            assert_eq!(discardable == 0, is_half, "{discardable}");
        }
        let median = |range: std::ops::Range<usize>| {
            let mut part = intervals[range].to_vec();
            part.sort_unstable();
            part[part.len() / 2]
        };
        let (whole, half) = (median(0..20), median(20..40));
        assert!(half > whole * 3 / 2, "{whole} {half}");
    }

    #[tokio::test]
    async fn timestamps_grow_across_the_wrap() {
        let (_layer, watched) = watch::channel(full(VideoLayer::Full));
        let mut queue = queue_of(publisher(), watched);
        let frame = next(&mut queue).await;
        queue.timestamp = None;
        let mut stamped = |timestamp| {
            let frame = EncodedVideo {
                timestamp,
                ..frame.clone()
            };
            queue.in_order(frame).timestamp
        };
        let given = [u32::MAX - 1, u32::MAX - 1, u32::MAX - 50, 3_000, 3_000];
        let sent = [u32::MAX - 1, u32::MAX, 0, 3_000, 3_001];
        assert_eq!(given.map(&mut stamped), sent);
    }
}

use std::collections::HashMap;
use std::io::Write;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::*;

const SMALL: VideoFormat = VideoFormat {
    width: 320,
    height: 180,
    frames_per_second: 30,
};
const LIMIT: Duration = Duration::from_secs(20);

fn subscribe(sender: &VideoSender, codec: VideoCodec) -> Queue<EncodedVideo> {
    sender.subscribe(codec, VideoLayer::Full, Start::Soonest)
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn synthetic(format: VideoFormat) -> VideoSender {
    let sender = VideoSender::new();
    sender.set_source(VideoSource::Synthetic(format), VideoFormat::default());
    sender
}

fn wait_for_state(sender: &VideoSender, wanted: &CaptureState) {
    wait_until(&format!("{wanted:?}"), || {
        sender.state().get().as_ref() == Some(wanted)
    });
}

fn next(queue: &mut Queue<EncodedVideo>) -> EncodedVideo {
    let mut item = None;
    wait_until("an encoded picture", || {
        item = queue.try_next();
        item.is_some()
    });
    item.unwrap()
}

fn has_ended(queue: &mut Queue<EncodedVideo>) -> bool {
    let next = pin!(queue.next());
    matches!(
        next.poll(&mut Context::from_waker(Waker::noop())),
        Poll::Ready(None)
    )
}

#[test]
fn each_picture_is_encoded_once_however_many_subscribe() {
    for codec in [VideoCodec::H264, VideoCodec::Vp8] {
        let sender = synthetic(SMALL);
        let mut queues = vec![subscribe(&sender, codec)];
        for subscribers in [1, 3] {
            queues.resize_with(subscribers, || subscribe(&sender, codec));
            let mut seen: Vec<HashMap<u32, EncodedVideo>> = vec![HashMap::new(); subscribers];
            wait_until("40 pictures each", || {
                for (queue, seen) in queues.iter_mut().zip(&mut seen) {
                    let new = std::iter::from_fn(|| queue.try_next());
                    seen.extend(new.map(|video| (video.timestamp, video)));
                }
                seen.iter().all(|seen| seen.len() >= 40)
            });
            let same_bytes = |other: &HashMap<u32, EncodedVideo>| {
                let pairs = other
                    .iter()
                    .filter_map(|(timestamp, video)| Some((video, seen[0].get(timestamp)?)));
                pairs
                    .map(|(a, b)| assert_eq!(a.data.as_ptr(), b.data.as_ptr()))
                    .count()
            };
            assert!(seen.iter().all(|other| same_bytes(other) > 0));
            let stats = sender.stats();
            assert!(stats.frames_encoded <= stats.frames_captured, "{stats:?}");
            assert!(stats.bytes_encoded > 0);
        }
    }
}

#[test]
fn nothing_is_encoded_while_nobody_subscribes() {
    let sender = synthetic(SMALL);
    let (preview, mut seen) = (sender.preview(), 0);
    let mut watch = |pictures: u64| {
        wait_until("captured pictures", || {
            seen = preview.versioned().0;
            seen >= pictures
        })
    };
    watch(10);
    assert_eq!(sender.stats(), VideoSendStats::default());
    assert!(sender.measured_rate() > 0.0);
    let mut queue = subscribe(&sender, VideoCodec::Vp8);
    next(&mut queue);
    drop(queue);
    wait_until("the encoder's end", || {
        !sender
            .pipeline()
            .encoder(VideoCodec::Vp8, VideoLayer::Full)
            .has_subscribers()
    });
    let before = sender.stats();
    let now = sender.preview().versioned().0;
    watch(now + 10);
    let after = sender.stats();
    assert!(
        after.frames_captured <= before.frames_captured + 1
            && after.frames_encoded <= before.frames_encoded + 1
    );
}

#[test]
fn a_subscriber_starts_with_a_key_frame_and_requests_are_rationed() {
    let sender = synthetic(SMALL);
    for codec in [VideoCodec::H264, VideoCodec::Vp8] {
        let mut first = subscribe(&sender, codec);
        assert!(next(&mut first).key_frame);
        let mut second = subscribe(&sender, codec);
        assert!(next(&mut second).key_frame);
        // A request right after a key frame is answered, but not at once.
        let mut captured = Vec::new();
        wait_until("two more key frames", || {
            sender.request_key_frame(codec, VideoLayer::Full);
            let pictures = std::iter::from_fn(|| second.try_next());
            captured.extend(
                pictures
                    .filter(|video| video.key_frame)
                    .map(|video| video.captured_at),
            );
            while first.try_next().is_some() {}
            captured.len() >= 2
        });
        // The interval runs between encodings; loaded cores delay each after
        // its capture by more or less.
        assert!(captured[1] - captured[0] > Duration::from_millis(250));
    }
}

#[test]
fn who_subscribes_just_after_a_key_frame_gets_it_and_the_frames_since_at_once() {
    let codec = VideoCodec::Vp8;
    // On loaded cores the second may come too late: then it is tried again.
    let mut attempts = 0;
    let (mut sent, mut received, mut first, mut second) = loop {
        let sender = synthetic(SMALL);
        let mut first = subscribe(&sender, codec);
        let sent = vec![next(&mut first)];
        let mut second = subscribe(&sender, codec);
        let received = vec![next(&mut second)];
        if received[0].timestamp == sent[0].timestamp {
            break (sent, received, (first, sender), second);
        }
        attempts += 1;
        assert!(attempts < 20, "it never gets the frames before");
    };
    wait_until("four frames each", || {
        sent.extend(std::iter::from_fn(|| first.0.try_next()));
        received.extend(std::iter::from_fn(|| second.try_next()));
        sent.len().min(received.len()) >= 4
    });
    for (sent, received) in sent.iter().zip(&received) {
        assert_eq!(sent.data.as_ptr(), received.data.as_ptr());
    }
}

#[test]
fn a_first_picture_does_not_wait_for_the_interval_of_repairs() {
    let sender = synthetic(SMALL);
    let codec = VideoCodec::Vp8;
    let mut first = subscribe(&sender, codec);
    let key_frame = |queue: &mut Queue<EncodedVideo>| loop {
        let video = next(queue);
        if video.key_frame {
            return video.captured_at;
        }
    };
    let before = key_frame(&mut first);
    let (mut shortest, mut last) = (Duration::MAX, before);
    // A loaded machine delays some of them.
    for _ in 0..5 {
        let asked = Instant::now();
        sender.request_first_key_frame(codec, VideoLayer::Full);
        let made = key_frame(&mut first);
        assert!(made > before);
        shortest = shortest.min(asked.elapsed());
        last = made;
    }
    assert!(shortest < Duration::from_millis(400), "{shortest:?}");
    // One that subscribes meanwhile neither waits nor gets many frames at once.
    while next(&mut first).captured_at < last + Duration::from_millis(200) {}
    let asked = Instant::now();
    let mut second = subscribe(&sender, codec);
    let video = next(&mut second);
    assert!(video.key_frame && video.captured_at + Duration::from_millis(200) > asked);
}

#[test]
fn a_switch_begins_at_a_key_frame_of_its_own() {
    let sender = synthetic(SMALL);
    let mut first = subscribe(&sender, VideoCodec::Vp8);
    let made = next(&mut first);
    let (codec, start) = (VideoCodec::Vp8, Start::NextKeyFrame);
    let mut second = sender.subscribe(codec, VideoLayer::Full, start);
    let begun = next(&mut second);
    assert!(begun.key_frame && begun.captured_at > made.captured_at);
}

#[test]
fn each_layer_in_use_is_encoded_in_its_size_and_no_other() {
    let sender = synthetic(SMALL);
    for codec in [VideoCodec::H264, VideoCodec::Vp8] {
        for (layer, size) in [
            (VideoLayer::Quarter, (80, 44)),
            (VideoLayer::Half, (160, 90)),
            (VideoLayer::Full, (320, 180)),
        ] {
            let mut queue = sender.subscribe(codec, layer, Start::Soonest);
            let video = next(&mut queue);
            assert_eq!(
                (video.width, video.height, video.layer),
                (size.0, size.1, layer)
            );
            assert!(video.key_frame && video.codec == codec);
        }
    }
    let _queue = sender.subscribe(VideoCodec::Vp8, VideoLayer::Half, Start::Soonest);
    let is_in_use = |encoder: &&EncoderTask| encoder.has_subscribers();
    wait_until("the ends of the other encoders", || {
        sender.pipeline().encoders.iter().filter(is_in_use).count() == 1
    });
}

#[test]
fn a_source_that_is_larger_than_the_codecs_take_is_scaled() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"YUV4MPEG2 W4096 H2304 F30:1\nFRAME\n")
        .unwrap();
    file.write_all(&vec![50; 4096 * 2304 * 3 / 2]).unwrap();
    file.flush().unwrap();
    for codec in [VideoCodec::H264, VideoCodec::Vp8] {
        let sender = VideoSender::new();
        let mut queue = subscribe(&sender, codec);
        sender.set_source(VideoSource::Y4m(file.path().into()), SMALL);
        let video = next(&mut queue);
        assert_eq!((video.width, video.height), (3840, 2160));
    }
}

#[test]
fn muting_releases_the_source_and_unmuting_starts_with_a_key_frame() {
    let sender = synthetic(SMALL);
    let mut queue = subscribe(&sender, VideoCodec::H264);
    next(&mut queue);
    wait_for_state(&sender, &CaptureState::Live(SMALL));
    sender.set_muted(true);
    wait_for_state(&sender, &CaptureState::Off);
    assert!(sender.preview().get().is_none());
    assert_eq!(sender.measured_rate(), 0.0);
    let muted_at = Instant::now();
    // A source set while muted is not opened.
    sender.set_source(VideoSource::Synthetic(SMALL), SMALL);
    let (version, _) = sender.state().versioned();
    sender
        .state()
        .wait_newer(version, Duration::from_millis(50));
    assert_eq!(sender.state().get(), Some(CaptureState::Off));
    sender.set_muted(false);
    wait_for_state(&sender, &CaptureState::Live(SMALL));
    wait_until("a key frame", || {
        queue
            .try_next()
            .is_some_and(|video| video.key_frame && video.captured_at > muted_at)
    });
}

#[test]
fn a_source_that_fails_shows_its_error_and_another_takes_over() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"YUV4MPEG2 W64 H64 F30:1\n").unwrap();
    // Only the newest frame is kept: the encoder may start later than the first.
    for _ in 0..60 {
        file.write_all(b"FRAME\n").unwrap();
        file.write_all(&[50; 64 * 64 * 3 / 2]).unwrap();
    }
    file.write_all(b"JUNK\n").unwrap();
    file.flush().unwrap();
    let sender = VideoSender::new();
    let mut queue = subscribe(&sender, VideoCodec::Vp8);
    assert_eq!(sender.state().get(), Some(CaptureState::Off));
    let failed = || {
        matches!(
            sender.state().get(),
            Some(CaptureState::Failed(DeviceError::File { .. }))
        )
    };
    sender.set_source(VideoSource::Y4m("missing.y4m".into()), SMALL);
    wait_until("a missing file", failed);
    sender.set_source(VideoSource::Y4m(file.path().into()), SMALL);
    let picture = next(&mut queue);
    assert_eq!(
        (picture.width, picture.height, picture.key_frame),
        (64, 64, true)
    );
    wait_until("a damaged file", failed);
    assert!(sender.preview().get().is_none());
    sender.set_source(VideoSource::Camera("nobody's".into()), SMALL);
    wait_for_state(&sender, &CaptureState::Failed(DeviceError::Absent));
    sender.set_source(VideoSource::Synthetic(SMALL), SMALL);
    wait_until("another size", || {
        queue
            .try_next()
            .is_some_and(|video| video.width == 320 && video.key_frame)
    });
}

#[cfg(unix)]
fn make_pipe(folder: &std::path::Path) -> std::path::PathBuf {
    let pipe = folder.join("pipe.y4m");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    pipe
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nobody_writes_blocks_no_other_source() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = make_pipe(folder.path());
    let sender = VideoSender::new();
    sender.set_source(VideoSource::Y4m(pipe.clone()), SMALL);
    wait_for_state(&sender, &CaptureState::Starting);
    sender.set_muted(true);
    wait_for_state(&sender, &CaptureState::Off);
    sender.set_muted(false);
    sender.set_source(VideoSource::Synthetic(SMALL), SMALL);
    wait_for_state(&sender, &CaptureState::Live(SMALL));
    // What is written late is not shown.
    let mut late = std::fs::File::create(&pipe).unwrap();
    let _ = late.write_all(b"YUV4MPEG2 W64 H64 F30:1\n");
    wait_until("a frame of the other source", || {
        sender
            .preview()
            .get()
            .is_some_and(|frame| frame.width() == SMALL.width)
    });
}

#[cfg(unix)]
#[test]
fn a_pipe_plays_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = make_pipe(folder.path());
    let sender = VideoSender::new();
    sender.set_source(VideoSource::Y4m(pipe.clone()), SMALL);
    let mut file = std::fs::File::create(&pipe).unwrap();
    file.write_all(b"YUV4MPEG2 W64 H64 F30:1\nFRAME\n").unwrap();
    file.write_all(&[50; 64 * 64 * 3 / 2]).unwrap();
    wait_until("its frame", || sender.preview().get().is_some());
    drop(file);
    wait_until("its end", || {
        matches!(
            sender.state().get(),
            Some(CaptureState::Failed(DeviceError::File { reason, .. })) if reason == "the pipe has ended"
        )
    });
}

#[test]
fn dropping_the_last_clone_ends_everything() {
    let sender = synthetic(SMALL);
    let clone = sender.clone();
    let (preview, state) = (sender.preview(), sender.state());
    let mut queue = subscribe(&sender, VideoCodec::H264);
    drop(sender);
    next(&mut queue);
    let pipeline = Arc::downgrade(clone.pipeline());
    drop(clone);
    wait_until("the subscription's end", || has_ended(&mut queue));
    // The threads hold the pipeline: when it is gone, they are.
    wait_until("the threads' end", || pipeline.strong_count() == 0);
    assert!(preview.get().is_none() && state.get().is_some());
}

#[test]
fn the_bit_rate_is_that_of_the_size_within_its_bounds() {
    let sender = VideoSender::new();
    let target = || sender.pipeline().targets.get(VideoLayer::Full);
    let rate = || target().bits_per_second(640, 360, true);
    assert_eq!(rate(), bitrate_for(640, 360));
    for (max, kept) in [(500_000, 500_000), (2_000_000, 600_000), (0, 30_000)] {
        let frame_rates = FrameRates::Full;
        let max_bits_per_second = max;
        sender.set_target(
            VideoLayer::Full,
            EncoderTarget {
                max_bits_per_second,
                frame_rates,
            },
        );
        assert_eq!(rate(), kept);
    }
}

//! What of the person and of the room is seen.

use std::io::Cursor;
use std::path::Path;
use std::time::{Duration, Instant};

use super::segmenter::Segmenter;
use super::stage::Stage;
use super::*;
use crate::frame::Frame;
use crate::source::{VideoFormat, VideoSource};
use crate::video::{VideoSender, convert};

/// A portrait and which pixels are the person; see `testdata/README.md`.
struct Portrait {
    name: &'static str,
    frame: Frame,
    person: Vec<bool>,
}

fn portraits() -> [Portrait; 3] {
    [
        portrait(
            "astronaut",
            include_bytes!("testdata/astronaut.jpg"),
            include_bytes!("testdata/astronaut-mask.png"),
        ),
        portrait(
            "hopper",
            include_bytes!("testdata/hopper.jpg"),
            include_bytes!("testdata/hopper-mask.png"),
        ),
        portrait(
            "coelho",
            include_bytes!("testdata/coelho.jpg"),
            include_bytes!("testdata/coelho-mask.png"),
        ),
    ]
}

fn portrait(name: &'static str, jpeg: &[u8], mask: &[u8]) -> Portrait {
    let frame = convert::mjpeg(jpeg, Instant::now()).unwrap();
    let mut decoder = png::Decoder::new(Cursor::new(mask));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    // Odd sides lose a pixel.
    let rows = pixels.chunks_exact(info.width as usize);
    let rows = rows.take(frame.height() as usize);
    let person = rows
        .flat_map(|row| &row[..frame.width() as usize])
        .map(|value| *value > 127)
        .collect();
    Portrait {
        name,
        frame,
        person,
    }
}

/// The mask in the size of the frame.
fn mask(segmenter: &Segmenter, frame: &Frame) -> Vec<u8> {
    let size = (frame.width(), frame.height());
    let mut mask = vec![0; planes::len(size)];
    planes::Scaler::new().scale(segmenter.mask(), segmenter.size(), &mut mask, size);
    mask
}

/// Intersection over union.
fn overlap(mask: &[u8], person: &[bool]) -> f64 {
    let count = |both: fn(bool, bool) -> bool| {
        let places = mask.iter().zip(person);
        places.filter(|(m, p)| both(**m > 127, **p)).count() as f64
    };
    count(|m, p| m && p) / count(|m, p| m || p)
}

fn segmenter() -> Segmenter {
    Segmenter::load().expect("`cargo xtask models` fetches the model")
}

#[test]
fn s2_71_the_person_is_found_in_three_portraits() {
    for portrait in portraits() {
        let mut segmenter = segmenter();
        segmenter.update(&portrait.frame);
        let overlap = overlap(&mask(&segmenter, &portrait.frame), &portrait.person);
        println!("{}: IoU {overlap:.3}", portrait.name);
        assert!(overlap >= 0.93, "{}: {overlap:.3}", portrait.name);
    }
}

/// The frame with the noise of a camera in dim light.
fn noisy(frame: &Frame, seed: &mut u32) -> Frame {
    let mut data = frame.data().to_vec();
    for value in &mut data {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // The sum of four is nearly a normal distribution, with a deviation of 4.6.
        let sum: i32 = seed
            .to_le_bytes()
            .iter()
            .map(|byte| i32::from(*byte >> 4))
            .sum();
        *value = (i32::from(*value) + (sum - 30) / 2).clamp(16, 235) as u8;
    }
    Frame::new(frame.width(), frame.height(), data.into(), Instant::now()).unwrap()
}

fn mean_change(one: &[u8], other: &[u8]) -> f64 {
    let changes = one
        .iter()
        .zip(other)
        .map(|(a, b)| u64::from(a.abs_diff(*b)));
    changes.sum::<u64>() as f64 / one.len() as f64
}

#[test]
fn s2_71_edges_do_not_flicker_while_nothing_moves() {
    let [portrait, ..] = portraits();
    let mut steady = segmenter();
    let mut seed = 7;
    let (mut plain, mut smooth) = (Vec::new(), Vec::new());
    for _ in 0..30 {
        let frame = noisy(&portrait.frame, &mut seed);
        steady.update(&frame);
        smooth.push(steady.mask().to_vec());
        // Without memory of the frames before.
        let mut fresh = segmenter();
        fresh.update(&frame);
        plain.push(fresh.mask().to_vec());
    }
    let mean = |masks: &[Vec<u8>]| {
        // The first frames are still settling.
        let changes = masks[10..]
            .windows(2)
            .map(|two| mean_change(&two[0], &two[1]));
        changes.sum::<f64>() / (masks.len() - 11) as f64
    };
    let (plain, smooth) = (mean(&plain), mean(&smooth));
    println!("mean change a frame, of 255: {plain:.3} without smoothing, {smooth:.3} with");
    assert!(
        smooth < 0.4 * plain && smooth < 0.4,
        "{smooth:.3} of {plain:.3}"
    );
}

/// The frame moved to the right; what comes in repeats the border.
fn moved(frame: &Frame, by: usize) -> Frame {
    let width = frame.width() as usize;
    let mut data = Vec::new();
    for (plane, width, by) in [
        (frame.y(), width, by),
        (frame.u(), width / 2, by / 2),
        (frame.v(), width / 2, by / 2),
    ] {
        for row in plane.chunks_exact(width) {
            data.extend(std::iter::repeat_n(row[0], by));
            data.extend(&row[..width - by]);
        }
    }
    Frame::new(frame.width(), frame.height(), data.into(), Instant::now()).unwrap()
}

#[test]
fn s2_71_a_movement_is_followed_at_once() {
    let [portrait, ..] = portraits();
    let mut segmenter = segmenter();
    for _ in 0..10 {
        segmenter.update(&portrait.frame);
    }
    let there = moved(&portrait.frame, 40);
    segmenter.update(&there);
    let width = portrait.frame.width() as usize;
    let rows = portrait.person.chunks_exact(width);
    let person: Vec<bool> = rows
        .flat_map(|row| std::iter::repeat_n(row[0], 40).chain(row[..width - 40].iter().copied()))
        .collect();
    let overlap = overlap(&mask(&segmenter, &there), &person);
    assert!(overlap >= 0.93, "{overlap:.3}");
}

fn png_file(folder: &Path, size: (u32, u32), pixel: [u8; 3]) -> std::path::PathBuf {
    let path = folder.join("wall.png");
    let file = std::fs::File::create(&path).unwrap();
    let mut encoder = png::Encoder::new(file, size.0, size.1);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    let pixels = pixel.repeat((size.0 * size.1) as usize);
    writer.write_image_data(&pixels).unwrap();
    path
}

/// Places at least this far from the border between person and room.
fn clear_of_the_edge(portrait: &Portrait, margin: usize) -> Vec<usize> {
    let (width, height) = (
        portrait.frame.width() as usize,
        portrait.frame.height() as usize,
    );
    let is_clear = |at: usize| {
        let (x, y) = (at % width, at / width);
        let rows = y.saturating_sub(margin)..(y + margin + 1).min(height);
        rows.flat_map(|y| {
            let columns = x.saturating_sub(margin)..(x + margin + 1).min(width);
            columns.map(move |x| (x, y))
        })
        .step_by(3)
        .all(|(x, y)| portrait.person[y * width + x] == portrait.person[at])
    };
    (0..width * height).filter(|at| is_clear(*at)).collect()
}

#[test]
fn s2_71_a_picture_is_behind_the_person_in_all_three_planes() {
    let folder = tempfile::tempdir().unwrap();
    let path = png_file(folder.path(), (97, 31), [200, 60, 40]);
    // BT.601, limited range.
    let wall = [102, 98, 191];
    for portrait in portraits() {
        let choice = Choice::new();
        choice.set(Background::Picture(path.clone()));
        assert_eq!(choice.state.get(), Some(BackgroundState::Pending));
        let changed = Stage::default().apply(portrait.frame.clone(), &choice);
        let shown = BackgroundState::On(MaskRate::Every);
        assert_eq!(choice.state.get(), Some(shown));
        assert_eq!(changed.captured_at(), portrait.frame.captured_at());
        let width = portrait.frame.width() as usize;
        let places = clear_of_the_edge(&portrait, 12);
        let right = places.iter().filter(|at| {
            let colour = **at / width / 2 * (width / 2) + **at % width / 2;
            let pixel = |frame: &Frame| [frame.y()[**at], frame.u()[colour], frame.v()[colour]];
            let (before, after) = (pixel(&portrait.frame), pixel(&changed));
            let wanted = if portrait.person[**at] { before } else { wall };
            after
                .iter()
                .zip(wanted)
                .all(|(got, wanted)| got.abs_diff(wanted) <= 3)
        });
        let share = right.count() as f64 / places.len() as f64;
        println!(
            "{}: {:.1} % of the pixels are right",
            portrait.name,
            share * 100.0
        );
        assert!(share > 0.97, "{}: {share:.3}", portrait.name);
    }
}

#[test]
fn s2_71_a_blurred_room_has_no_detail_and_the_person_has_all() {
    let [portrait, ..] = portraits();
    let choice = Choice::new();
    choice.set(Background::Blur);
    let changed = Stage::default().apply(portrait.frame.clone(), &choice);
    let width = portrait.frame.width() as usize;
    // The squares of the differences between neighbours: an edge that becomes wide keeps
    // their sum, and loses that of their squares.
    let detail = |frame: &Frame, is_person: bool| {
        let places = clear_of_the_edge(&portrait, 12);
        let places = places.iter().filter(|at| *at % width != 0);
        let places = places.filter(|at| portrait.person[**at] == is_person);
        let y = frame.y();
        let squares = places.map(|at| u64::from(y[*at].abs_diff(y[*at - 1])).pow(2));
        squares.sum::<u64>() as f64
    };
    let left = detail(&changed, false) / detail(&portrait.frame, false);
    let kept = detail(&changed, true) / detail(&portrait.frame, true);
    println!("detail that is left: {left:.2} of the room, {kept:.2} of the person");
    assert!(
        left < 0.2 && (0.95..=1.02).contains(&kept),
        "{left:.3} {kept:.3}"
    );
}

#[test]
fn frames_of_any_size_are_changed_and_may_change_their_size() {
    let choice = Choice::new();
    choice.set(Background::Blur);
    let mut stage = Stage::default();
    for (width, height) in [(2, 2), (34, 1282), (1922, 1082), (322, 242), (8192, 2)] {
        let data = vec![90; Frame::len_of(width, height)];
        let frame = Frame::new(width, height, data.into(), Instant::now()).unwrap();
        let changed = stage.apply(frame, &choice);
        assert_eq!((changed.width(), changed.height()), (width, height));
        assert!(changed.data().iter().all(|value| value.abs_diff(90) <= 1));
    }
}

#[test]
fn none_costs_nothing_and_a_bad_picture_is_reported_until_another_is_chosen() {
    let [portrait, ..] = portraits();
    let frame = portrait.frame;
    let choice = Choice::new();
    let mut stage = Stage::default();
    let is_same = |changed: &Frame| changed.data().as_ptr() == frame.data().as_ptr();
    assert!(is_same(&stage.apply(frame.clone(), &choice)));
    assert_eq!(choice.state.get(), Some(BackgroundState::Off));
    choice.set(Background::Picture("missing.png".into()));
    assert!(is_same(&stage.apply(frame.clone(), &choice)));
    let Some(BackgroundState::Failed(error)) = choice.state.get() else {
        panic!("{:?}", choice.state.get());
    };
    assert!(
        error.to_string().contains("missing.png cannot be used"),
        "{error}"
    );
    assert!(!choice.step_down(), "nothing is shown");
    choice.set(Background::Blur);
    assert!(!is_same(&stage.apply(frame.clone(), &choice)));
    choice.set(Background::None);
    assert!(is_same(&stage.apply(frame.clone(), &choice)));
    assert_eq!(choice.state.get(), Some(BackgroundState::Off));
}

#[test]
fn steps_down_keep_the_room_hidden_and_a_new_choice_begins_again() {
    let [portrait, ..] = portraits();
    let frame = portrait.frame;
    let choice = Choice::new();
    choice.set(Background::Blur);
    let mut stage = Stage::default();
    stage.apply(frame.clone(), &choice);
    for rate in [MaskRate::Second, MaskRate::Third] {
        assert!(choice.step_down());
        assert_eq!(choice.state.get(), Some(BackgroundState::On(rate)));
    }
    assert!(!choice.step_down());
    let changed = stage.apply(frame.clone(), &choice);
    assert_ne!(changed.data().as_ptr(), frame.data().as_ptr());
    let lowest = BackgroundState::On(MaskRate::Third);
    assert_eq!(choice.state.get(), Some(lowest));
    choice.set(Background::Blur);
    stage.apply(frame, &choice);
    assert_eq!(
        choice.state.get(),
        Some(BackgroundState::On(MaskRate::Every))
    );
}

#[test]
fn a_background_reads_as_it_is_written() {
    assert_eq!("none".parse(), Ok(Background::None));
    assert_eq!("blur".parse(), Ok(Background::Blur));
    assert_eq!("a/b.png".parse(), Ok(Background::Picture("a/b.png".into())));
    assert!("".parse::<Background>().is_err());
}

#[test]
fn the_preview_shows_the_background_that_is_sent() {
    let [portrait, ..] = portraits();
    let frame = portrait.frame;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("still.y4m");
    let header = format!(
        "YUV4MPEG2 W{} H{} F30:1\nFRAME\n",
        frame.width(),
        frame.height()
    );
    std::fs::write(&path, [header.as_bytes(), frame.data()].concat()).unwrap();
    let sender = VideoSender::new();
    sender.set_background(Background::Blur);
    sender.set_source(VideoSource::Y4m(path), VideoFormat::default());
    let wait_for = |is_wanted: &dyn Fn(&Frame) -> bool| {
        let (preview, mut seen) = (sender.preview(), 0);
        loop {
            let newer = preview.wait_newer(seen, Duration::from_secs(20));
            let (version, shown) = newer.expect("a frame is shown");
            if shown.is_some_and(|shown| is_wanted(&shown)) {
                return;
            }
            seen = version;
        }
    };
    // Not one frame shows the room.
    wait_for(&|shown| {
        assert_ne!(shown.data(), frame.data());
        true
    });
    assert!(matches!(
        sender.background().get(),
        Some(BackgroundState::On(_))
    ));
    sender.set_background(Background::None);
    wait_for(&|shown| shown.data() == frame.data());
    assert_eq!(sender.background().get(), Some(BackgroundState::Off));
}

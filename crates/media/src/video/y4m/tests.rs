use std::io::{Cursor, Write};

use super::*;

fn stream(header: &str, frames: &[&[u8]]) -> Vec<u8> {
    let mut stream = Vec::new();
    writeln!(stream, "{header}").unwrap();
    for frame in frames {
        stream.write_all(b"FRAME Ip\n").unwrap();
        stream.write_all(frame).unwrap();
    }
    stream
}

fn y4m(header: &str, frames: &[&[u8]]) -> Result<Y4m<Cursor<Vec<u8>>>, String> {
    Y4m::new(Cursor::new(stream(header, frames)), true)
}

fn first(header: &str, frame: &[u8]) -> Frame {
    y4m(header, &[frame])
        .unwrap()
        .next_frame(Instant::now())
        .unwrap()
}

fn values(frame: &Frame) -> (u8, u8, u8) {
    (frame.y()[0], frame.u()[0], frame.v()[0])
}

#[test]
fn a_file_plays_over_and_over() {
    let frames = [[10; 24], [20; 24], [30; 24]];
    let mut y4m = y4m(
        "YUV4MPEG2 W4 H4 F30000:1001 Ip A1:1 C420jpeg XNOTE",
        &frames.each_ref().map(|frame| &frame[..]),
    )
    .unwrap();
    let expected = VideoFormat {
        width: 4,
        height: 4,
        frames_per_second: 30,
    };
    assert_eq!((y4m.format(), y4m.rate()), (expected, (30_000, 1_001)));
    let lumas: Vec<u8> = (0..7)
        .map(|_| y4m.next_frame(Instant::now()).unwrap().y()[0])
        .collect();
    assert_eq!(lumas, [10, 20, 30, 10, 20, 30, 10]);
}

#[test]
fn odd_and_grey_files_play_too() {
    let frame = first("YUV4MPEG2 W5 H3 F25:1", &[9; 15 + 2 * 6]);
    assert_eq!((frame.width(), frame.height()), (4, 2));
    let frame = first("YUV4MPEG2 W4 H2 F25:1 Cmono", &[9; 8]);
    assert_eq!(values(&frame), (9, 128, 128));
}

/// Planes of a 5x3 frame, each of one value.
fn planes(sizes: [usize; 3], values: [&[u8]; 3]) -> Vec<u8> {
    let planes = sizes.into_iter().zip(values);
    planes
        .flat_map(|(size, value)| value.repeat(size))
        .collect()
}

#[test]
fn every_subsampling_and_depth_becomes_i420() {
    for (colour, [luma, chroma], alpha) in [
        ("420jpeg", [15, 6], 0),
        ("420mpeg2", [15, 6], 0),
        ("422", [15, 9], 0),
        ("411", [15, 6], 0),
        ("444", [15, 15], 0),
        ("444alpha", [15, 15], 15),
    ] {
        let mut stored = planes([luma, chroma, chroma], [&[50], &[100], &[200]]);
        stored.extend(vec![1; alpha]);
        let frame = first(&format!("YUV4MPEG2 W5 H3 F25:1 C{colour}"), &stored);
        assert_eq!(values(&frame), (50, 100, 200), "{colour}");
        let all = |plane: &[u8], value| plane.iter().all(|sample| *sample == value);
        assert!(all(frame.u(), 100) && all(frame.v(), 200), "{colour}");
    }
    for (colour, bits, chroma) in [
        ("420p10", 10, 6),
        ("422p10", 10, 9),
        ("444p12", 12, 15),
        ("420p16", 16, 6),
    ] {
        let deep = |value: u16| (value << (bits - 8)).to_le_bytes();
        let stored = planes([15, chroma, chroma], [&deep(50), &deep(100), &deep(200)]);
        let frame = first(&format!("YUV4MPEG2 W5 H3 F25:1 C{colour}"), &stored);
        assert_eq!(values(&frame), (50, 100, 200), "{colour}");
    }
    let deep = 200_u16.to_le_bytes().repeat(8);
    assert_eq!(first("YUV4MPEG2 W4 H2 F25:1 Cmono10", &deep).y()[0], 50);
}

#[test]
fn chroma_of_4_4_4_is_averaged_over_what_it_covers() {
    let mut stored = vec![50; 8];
    // Two rows of four: 10 20 30 40, 50 60 70 80.
    let chroma: Vec<u8> = (1..=8).map(|n| n * 10).collect();
    stored.extend(chroma.repeat(2));
    let frame = first("YUV4MPEG2 W4 H2 F25:1 C444", &stored);
    assert_eq!(frame.u(), [35, 55]);
}

#[test]
fn full_range_becomes_limited() {
    let stored = planes([16, 4, 4], [&[255], &[0], &[128]]);
    let frame = first("YUV4MPEG2 W4 H4 F25:1 C420jpeg XCOLORRANGE=FULL", &stored);
    assert_eq!(values(&frame), (235, 16, 128));
}

#[test]
fn a_rate_that_is_not_known_is_25() {
    for rate in ["0:0", "25:0", "0:1"] {
        let header = format!("YUV4MPEG2 W4 H4 F{rate}");
        assert_eq!(y4m(&header, &[]).unwrap().rate(), (25, 1), "{rate}");
    }
}

#[test]
fn a_last_frame_that_is_cut_off_is_left_out() {
    for cut in [0, 1, 20] {
        let mut y4m = y4m(
            "YUV4MPEG2 W4 H4 F30:1",
            &[&[1; 24], &[2; 24], &[3; 24][..cut]],
        )
        .unwrap();
        let lumas = (0..5).map(|_| y4m.next_frame(Instant::now()).unwrap().y()[0]);
        assert_eq!(lumas.collect::<Vec<_>>(), [1, 2, 1, 2, 1], "{cut}");
    }
}

#[test]
fn what_cannot_be_played_says_why() {
    let missing = open(Path::new("missing.y4m")).unwrap_err();
    assert!(
        matches!(missing, DeviceError::File { ref path, .. } if path == "missing.y4m"),
        "{missing:?}"
    );
    for (header, why) in [
        ("RIFF", "not a Y4M"),
        ("YUV4MPEG2 W4 H4 F30:1 C440", "\"440\""),
        ("YUV4MPEG2 W4 H4 F30:1 C420p17", "\"420p17\""),
        ("YUV4MPEG2 W4 F30:1", "4x0"),
        ("YUV4MPEG2 W99999 H4 F30:1", "99999x4"),
        ("YUV4MPEG2 W8192 H8192 F30:1", "8192x8192"),
        ("YUV4MPEG2 W-4 H4 F30:1", "\"W-4\""),
        ("YUV4MPEG2 W4 H4 F1000:1", "frame rate"),
        ("YUV4MPEG2 W4 H4 Fx", "frame rate"),
    ] {
        let reason = y4m(header, &[]).unwrap_err();
        assert!(reason.contains(why), "{header}: {reason}");
    }
    let next = |frames: &[&[u8]], repeats| {
        let stream = Cursor::new(stream("YUV4MPEG2 W4 H4 F30:1", frames));
        let mut y4m = Y4m::new(stream, repeats).unwrap();
        (
            y4m.next_frame(Instant::now()).err(),
            y4m.next_frame(Instant::now()).err(),
        )
    };
    let none = Some("it holds no whole frame".to_owned());
    assert_eq!(next(&[], true), (none.clone(), none.clone()));
    assert_eq!(next(&[&[1; 20]], true).0, none);
    assert_eq!(
        next(&[&[1; 24]], false),
        (None, Some("the pipe has ended".into()))
    );
    assert!(
        next(&[&[1; 30], &[1; 24]], true)
            .1
            .unwrap()
            .contains("begin")
    );
    assert_eq!(
        Y4m::new(Cursor::new(vec![]), true).unwrap_err(),
        "it is empty"
    );
}

#[test]
fn a_huge_frame_that_is_not_there_takes_no_memory() {
    let mut y4m = y4m("YUV4MPEG2 W8192 H4320 F30:1 C444p16", &[]).unwrap();
    assert!(y4m.next_frame(Instant::now()).is_err());
    assert_eq!(y4m.buffer.capacity(), 0);
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        header in "YUV4MPEG2 W[0-9]{1,2} H[0-9]{1,2} F[0-9]{1,3}:[0-9] C(420|422|411|444alpha|mono|444p10|mono9)( XCOLORRANGE=FULL)?",
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2_000),
    ) {
        if let Ok(mut y4m) = y4m(&header, &[&bytes, &bytes]) {
            for _ in 0..3 {
                let _ = y4m.next_frame(Instant::now());
            }
        }
    }
}

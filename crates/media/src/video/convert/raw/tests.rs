use Pixels::{Bgr, Grey, Mjpeg, Nv12, Nv21, Rgb, Uyvy, Yu12, Yuyv, Yv12, Yvyu};

use super::*;
use crate::frame::MAX_SIDE;

const ALL: [Pixels; 11] = [
    Yuyv, Uyvy, Yvyu, Nv12, Nv21, Yu12, Yv12, Grey, Rgb, Bgr, Mjpeg,
];

/// Y of a pixel; U and V of a pixel's pair of columns, the same in both rows.
const fn luma(x: usize, y: usize) -> u8 {
    (16 + 10 * y + x) as u8
}
const fn blue(x: usize) -> u8 {
    (100 + x / 2) as u8
}
const fn red(x: usize) -> u8 {
    (150 + x / 2) as u8
}

/// The buffer of a camera whose rows are padded with 255 by this many bytes.
fn buffer(pixels: Pixels, width: usize, height: usize, padding: usize) -> Vec<u8> {
    let pairs = || (0..width).step_by(2);
    let pad = |mut row: Vec<u8>, padding: usize| {
        row.resize(row.len() + padding, 255);
        row
    };
    let rows = |row: &dyn Fn(usize) -> Vec<u8>, count: usize, padding: usize| {
        (0..count)
            .flat_map(|y| pad(row(y), padding))
            .collect::<Vec<u8>>()
    };
    let packed = |order: [usize; 4]| {
        let row = |y: usize| {
            pairs()
                .flat_map(|x| {
                    let pair = [luma(x, y), blue(x), luma(x + 1, y), red(x)];
                    order.map(|sample| pair[sample])
                })
                .collect()
        };
        rows(&row, height, padding)
    };
    let y = || {
        rows(
            &|y| (0..width).map(|x| luma(x, y)).collect(),
            height,
            padding,
        )
    };
    let half = height.div_ceil(2);
    let plane =
        |sample: fn(usize) -> u8| rows(&|_| pairs().map(sample).collect(), half, padding / 2);
    let in_turn = |first: fn(usize) -> u8, second: fn(usize) -> u8| {
        rows(
            &|_| pairs().flat_map(|x| [first(x), second(x)]).collect(),
            half,
            padding,
        )
    };
    match pixels {
        Yuyv => packed([0, 1, 2, 3]),
        Uyvy => packed([1, 0, 3, 2]),
        Yvyu => packed([0, 3, 2, 1]),
        Nv12 => [y(), in_turn(blue, red)].concat(),
        Nv21 => [y(), in_turn(red, blue)].concat(),
        Yu12 => [y(), plane(blue), plane(red)].concat(),
        Yv12 => [y(), plane(red), plane(blue)].concat(),
        Grey => y(),
        Rgb => rows(&|_| [200, 60, 40].repeat(width), height, padding),
        Bgr => rows(&|_| [40, 60, 200].repeat(width), height, padding),
        Mjpeg => include_bytes!("../../testdata/red420-16x16.jpg").to_vec(),
    }
}

/// Bytes of a row without padding.
fn row(pixels: Pixels, width: usize) -> usize {
    match pixels {
        Yuyv | Uyvy | Yvyu => width.next_multiple_of(2) * 2,
        Rgb | Bgr => width * 3,
        _ => width,
    }
}

fn check(pixels: Pixels, (width, height): (usize, usize), padding: usize) {
    let case = format!("{pixels:?} {width}x{height} padded by {padding}");
    let layout = Layout {
        stride: (row(pixels, width) + padding) as u32,
        ..Layout::tight(pixels, width as u32, height as u32)
    };
    let data = buffer(pixels, width, height, padding);
    let frame = from_camera(&layout, &data, Instant::now()).unwrap();
    let (width, height) = (width & !1, height & !1);
    assert_eq!(
        (frame.width(), frame.height()),
        (width as u32, height as u32),
        "{case}"
    );
    if matches!(pixels, Rgb | Bgr | Mjpeg) {
        // BT.601, limited range, of (200, 60, 40).
        let close = |plane: &[u8], value: u8| plane.iter().all(|got| got.abs_diff(value) <= 3);
        assert!(
            close(frame.y(), 102) && close(frame.u(), 98) && close(frame.v(), 191),
            "{case}"
        );
        return;
    }
    let pixel = |n: usize| luma(n % width, n / width);
    let chroma = |sample: fn(usize) -> u8| {
        let sample = move |n: usize| sample(n % (width / 2) * 2);
        let grey = move |_| 128;
        let samples = 0..width * height / 4;
        if pixels == Grey {
            samples.map(grey).collect::<Vec<u8>>()
        } else {
            samples.map(sample).collect()
        }
    };
    assert_eq!(
        frame.y(),
        (0..width * height).map(pixel).collect::<Vec<_>>(),
        "{case}"
    );
    assert_eq!(frame.u(), chroma(blue), "{case}");
    assert_eq!(frame.v(), chroma(red), "{case}");
}

#[test]
fn each_format_becomes_the_same_frame_with_and_without_padded_rows() {
    for pixels in ALL {
        for size in [(16, 16), (40, 6), (2, 2)] {
            if pixels == Mjpeg && size != (16, 16) {
                continue;
            }
            for padding in [0, 2, 14, 64] {
                check(pixels, size, padding);
            }
        }
    }
}

#[test]
fn odd_sides_are_cropped_by_a_pixel() {
    for pixels in [Yuyv, Uyvy, Yvyu, Grey, Rgb, Bgr] {
        for size in [(17, 16), (16, 9), (33, 7)] {
            check(pixels, size, 0);
            check(pixels, size, 6);
        }
    }
    // Planes of chroma have even rows, so their luma has a byte of padding.
    for pixels in [Nv12, Nv21, Yu12, Yv12] {
        check(pixels, (16, 9), 0);
        let stride = |pixels, width: usize| {
            let layout = Layout {
                stride: width as u32 + 1,
                ..Layout::tight(pixels, width as u32, 6)
            };
            let even = buffer(pixels, width + 1, 6, 0);
            from_camera(&layout, &even, Instant::now()).unwrap()
        };
        let frame = stride(pixels, 17);
        assert_eq!((frame.width(), frame.height()), (16, 6));
        assert_eq!(
            (frame.y()[16], frame.u()[8], frame.v()[8]),
            (luma(0, 1), blue(0), red(0))
        );
    }
}

#[test]
fn a_buffer_that_is_a_byte_short_is_an_error() {
    for pixels in ALL {
        for (width, height, padding) in [(16, 16, 0), (16, 16, 8), (17, 9, 3)] {
            let layout = Layout {
                stride: (row(pixels, width) + padding) as u32,
                ..Layout::tight(pixels, width as u32, height as u32)
            };
            let whole = buffer(pixels, width, height, padding);
            for length in [0, 1, whole.len() / 2, whole.len() - whole.len() / 20 - 1] {
                let got = from_camera(&layout, &whole[..length], Instant::now());
                assert!(got.is_err(), "{pixels:?} {width}x{height}: {length} bytes");
            }
        }
    }
    let short = |pixels| {
        let whole = buffer(pixels, 16, 16, 0);
        let layout = Layout::tight(pixels, 16, 16);
        from_camera(&layout, &whole[..whole.len() - 1], Instant::now()).is_err()
    };
    assert!(ALL.into_iter().all(short));
}

#[test]
fn sizes_and_strides_that_no_frame_has_are_errors() {
    for pixels in ALL {
        for (width, height) in [
            (0, 16),
            (16, 0),
            (1, 16),
            (MAX_SIDE + 2, 16),
            (u32::MAX, u32::MAX),
        ] {
            let layout = Layout::tight(pixels, width, height);
            assert!(
                from_camera(&layout, &[0; 1000], Instant::now()).is_err(),
                "{layout:?}"
            );
        }
        let layout = Layout {
            stride: u32::MAX,
            ..Layout::tight(pixels, 16, 16)
        };
        assert!(
            from_camera(&layout, &[0; 1000], Instant::now()).is_err(),
            "{layout:?}"
        );
    }
}

#[test]
fn the_full_range_of_a_camera_becomes_the_limited_one_of_frames() {
    let full = |pixels, data: &[u8]| {
        let layout = Layout {
            full_range: true,
            ..Layout::tight(pixels, 2, 2)
        };
        from_camera(&layout, data, Instant::now())
            .unwrap()
            .data()
            .to_vec()
    };
    assert_eq!(
        full(Yu12, &[0, 255, 128, 1, 0, 255]),
        [16, 235, 126, 17, 16, 240]
    );
    assert_eq!(
        full(Nv12, &[0, 255, 128, 1, 128, 64]),
        [16, 235, 126, 17, 128, 72]
    );
    assert_eq!(
        full(Yuyv, &[0, 255, 255, 0, 0, 255, 255, 0]),
        [16, 235, 16, 235, 240, 16]
    );
    assert_eq!(
        full(Grey, &[0, 255, 128, 254]),
        [16, 235, 126, 234, 128, 128]
    );
    // RGB has the full range in any case.
    assert_eq!(full(Rgb, &[255; 12]), [235, 235, 235, 235, 128, 128]);
}

//! A blurred copy of what is behind the person.
//!
//! It is made small, where few pixels are wide, and enlarged. The person is left out of
//! the sums, which otherwise would spread a shine of its colours around it.

use super::planes::{Scaler, Size, half, len};
use crate::frame::Frame;

/// The shorter side of the small copy, in pixels.
const SHORT_SIDE: u32 = 90;
/// The radius of each of the two boxes, in pixels of the small copy. Together they
/// nearly make a normal distribution with a deviation of 2.8.
const RADIUS: usize = 3;
/// The weight of a pixel of the person: enough to have a colour where nothing else is.
const LEAST: f32 = 1e-3;

/// Buffers for frames of one size.
pub(super) struct Blur {
    size: Size,
    small: Size,
    mask: Vec<u8>,
    plane: Vec<u8>,
    weights: Vec<f32>,
    sums: Vec<f32>,
    rows: Vec<f32>,
    /// The three planes in full size.
    behind: Vec<u8>,
}

impl Blur {
    pub(super) fn new(size: Size) -> Self {
        let short = size.0.min(size.1);
        let side = |side: u32| (side * SHORT_SIDE.min(short) / short).max(2) & !1;
        let small = (side(size.0), side(size.1));
        Self {
            size,
            small,
            mask: vec![0; len(small)],
            plane: vec![0; len(small)],
            weights: vec![0.0; len(small)],
            sums: vec![0.0; len(small)],
            rows: vec![0.0; len(small)],
            behind: vec![0; Frame::len_of(size.0, size.1)],
        }
    }

    /// The three planes of the frame without its person, blurred.
    pub(super) fn render(
        &mut self,
        frame: &Frame,
        mask: (&[u8], Size),
        scaler: &mut Scaler,
    ) -> &[u8] {
        let mut behind = std::mem::take(&mut self.behind);
        let (y, colours) = behind.split_at_mut(len(self.size));
        let (u, v) = colours.split_at_mut(len(half(self.size)));
        self.weigh(mask, self.small, scaler);
        self.plane(frame.y(), self.size, y, self.small, scaler);
        self.weigh(mask, half(self.small), scaler);
        for (from, to) in [(frame.u(), u), (frame.v(), v)] {
            self.plane(from, half(self.size), to, half(self.small), scaler);
        }
        self.behind = behind;
        &self.behind
    }

    /// Sets the blurred weights of the background in this size.
    fn weigh(&mut self, (mask, size): (&[u8], Size), small: Size, scaler: &mut Scaler) {
        let count = len(small);
        scaler.scale(mask, size, &mut self.mask[..count], small);
        for (weight, share) in self.weights.iter_mut().zip(&self.mask[..count]) {
            *weight = weight_of(*share);
        }
        blur(&mut self.weights[..count], &mut self.rows[..count], small);
    }

    fn plane(
        &mut self,
        from: &[u8],
        from_size: Size,
        to: &mut [u8],
        small: Size,
        scaler: &mut Scaler,
    ) {
        let count = len(small);
        let plane = &mut self.plane[..count];
        scaler.scale(from, from_size, plane, small);
        let weighted = plane.iter().zip(&self.mask);
        for (sum, (value, share)) in self.sums.iter_mut().zip(weighted) {
            *sum = f32::from(*value) * weight_of(*share);
        }
        blur(&mut self.sums[..count], &mut self.rows[..count], small);
        for ((value, sum), weight) in plane.iter_mut().zip(&self.sums).zip(&self.weights) {
            *value = (sum / weight + 0.5) as u8;
        }
        scaler.enlarge(plane, small, to, from_size);
    }
}

fn weight_of(share: u8) -> f32 {
    f32::from(255 - share) / 255.0 + LEAST
}

/// Two boxes, across and down. The border is continued outwards.
fn blur(plane: &mut [f32], rows: &mut [f32], size: Size) {
    let (width, height) = (size.0 as usize, size.1 as usize);
    for _ in 0..2 {
        for (from, to) in plane.chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
            let inside = |at: usize| from[at.saturating_sub(RADIUS).min(width - 1)];
            let mut sum: f32 = (0..2 * RADIUS).map(inside).sum();
            for (at, value) in to.iter_mut().enumerate() {
                sum += inside(at + 2 * RADIUS);
                *value = sum;
                sum -= inside(at);
            }
        }
        let share = 1.0 / ((2 * RADIUS + 1) * (2 * RADIUS + 1)) as f32;
        for (row, to) in plane.chunks_exact_mut(width).enumerate() {
            to.fill(0.0);
            for offset in 0..=2 * RADIUS {
                let row = (row + offset).saturating_sub(RADIUS).min(height - 1);
                let from = &rows[row * width..][..width];
                for (sum, value) in to.iter_mut().zip(from) {
                    *sum += value;
                }
            }
            to.iter_mut().for_each(|sum| *sum *= share);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn frame(size: Size, value: impl Fn(u32, u32) -> u8) -> Frame {
        let mut data = Vec::new();
        for size in [size, half(size), half(size)] {
            let places = (0..size.1).flat_map(|y| (0..size.0).map(move |x| (x, y)));
            data.extend(places.map(|(x, y)| value(x * 1000 / size.0, y * 1000 / size.1)));
        }
        Frame::new(size.0, size.1, data.into(), Instant::now()).unwrap()
    }

    #[test]
    fn a_plain_frame_stays_what_it_is_in_any_size() {
        for size in [(1280, 720), (722, 1282), (34, 32), (2, 2), (4096, 2)] {
            let frame = frame(size, |_, _| 90);
            let mask = vec![0; 64];
            let mut scaler = Scaler::new();
            let mut blur = Blur::new(size);
            let behind = blur.render(&frame, (&mask, (8, 8)), &mut scaler);
            assert_eq!(behind.len(), frame.data().len());
            assert!(behind.iter().all(|value| *value == 90), "{size:?}");
        }
    }

    #[test]
    fn an_edge_becomes_wide_and_keeps_its_mean() {
        let frame = frame((1280, 720), |x, _| if x < 500 { 40 } else { 200 });
        let mut blur = Blur::new((1280, 720));
        let mask = vec![0; 64];
        let behind = blur.render(&frame, (&mask, (8, 8)), &mut Scaler::new());
        let row = &behind[360 * 1280..][..1280];
        assert!(row.is_sorted());
        let between = row.iter().filter(|value| (56..184).contains(*value));
        let between = between.count();
        assert!((40..160).contains(&between), "{between} pixels wide");
        assert!(row[640].abs_diff(120) < 12 && row[0] == 40 && row[1279] == 200);
    }

    #[test]
    fn the_colours_of_the_person_do_not_spread() {
        // A bright person in the left half, before a dark wall.
        let frame = frame((640, 360), |x, _| if x < 500 { 230 } else { 30 });
        let mask: Vec<u8> = (0..64 * 36)
            .map(|n| if n % 64 < 32 { 255 } else { 0 })
            .collect();
        let mut blur = Blur::new((640, 360));
        let behind = blur.render(&frame, (&mask, (64, 36)), &mut Scaler::new());
        let beside = behind[180 * 640 + 330];
        assert!(beside < 60, "{beside}");
    }
}

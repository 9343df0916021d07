//! A drawn, moving picture that carries its time: somebody in a warm room.
//!
//! The room's wall and the person are painted once; each frame moves them:
//! the wall pans slowly, the person sways, lights drift. So it has detail and
//! movement as a camera's picture has, and costs a copy and a few blends.

mod paint;

use std::time::Instant;

use bytes::Bytes;

use self::paint::{Sprite, hue};
use crate::frame::{Frame, FrameError};
use crate::video::timecode;

/// The wall is painted this much wider than the picture, to pan: 1 / 20.
const PAN_SHARE: u32 = 20;
const PAN_PERIOD_SECONDS: f32 = 17.0;
const SWAY_PERIOD_SECONDS: f32 = 4.3;
const NOD_PERIOD_SECONDS: f32 = 2.9;
const LIGHTS: usize = 3;
const NEUTRAL: u8 = 128;

/// Draws the picture.
pub struct Synthetic {
    width: u32,
    height: u32,
    /// The painted wall, `wall_width` wide, as high as the picture.
    wall: Vec<u8>,
    wall_width: u32,
    person: Sprite,
    light: Sprite,
}

impl Synthetic {
    /// Paints the scene. `hue_degrees` colours the person's clothes, the
    /// pattern on the wall and the lights, so that participants look different.
    ///
    /// # Errors
    /// When a side is zero, odd or too large.
    pub fn new(width: u32, height: u32, hue_degrees: f32) -> Result<Self, FrameError> {
        Frame::new(
            width,
            height,
            vec![0; Frame::len_of(width, height)].into(),
            Instant::now(),
        )?;
        let wall_width = width + ((width / PAN_SHARE) & !1);
        let light_side = (height / 7) & !1;
        Ok(Self {
            width,
            height,
            wall: paint::wall(wall_width, height, hue_degrees),
            wall_width,
            person: paint::person(height, hue_degrees),
            light: Sprite::paint(light_side, light_side, |x, y| {
                let r = ((x - 0.5).powi(2) + (y - 0.5).powi(2)).sqrt() * 2.0;
                (
                    hue(hue_degrees + 35.0, 0.35, 1.0),
                    (1.0 - r).clamp(0.0, 1.0).powf(1.5) * 0.55,
                )
            }),
        })
    }

    /// The picture at `seconds` since the beginning, with `unix_ms` as its
    /// time code ([`timecode`]).
    pub fn draw(&self, seconds: f32, unix_ms: u64, captured_at: Instant) -> Frame {
        let mut data = self.panned_wall(seconds);
        let (width, height) = (self.width as f32, self.height as f32);
        let turn = |period: f32| (seconds / period * std::f32::consts::TAU).sin();
        let mut canvas = paint::Canvas::new(&mut data, self.width, self.height);
        for n in 0..LIGHTS {
            let phase = n as f32 / LIGHTS as f32;
            let across = (seconds / (11.0 + 3.0 * n as f32) + phase).fract() * 1.3 - 0.15;
            let down = 0.2 + 0.2 * phase + 0.05 * turn(5.0 + n as f32);
            canvas.blend(&self.light, (across * width) as i32, (down * height) as i32);
        }
        let left =
            (width - self.person.width() as f32) / 2.0 + turn(SWAY_PERIOD_SECONDS) * width * 0.03;
        let top = height - self.person.height() as f32
            + (1.0 + turn(NOD_PERIOD_SECONDS)) * height * 0.008;
        canvas.blend(&self.person, left as i32, top as i32);
        self.stamp(&mut data, unix_ms);
        Frame::new(self.width, self.height, Bytes::from(data), captured_at)
            .expect("the size was checked by new")
    }

    fn panned_wall(&self, seconds: f32) -> Vec<u8> {
        let slack = (self.wall_width - self.width) as f32;
        let turn = (seconds / PAN_PERIOD_SECONDS * std::f32::consts::TAU).sin();
        let pan = ((1.0 + turn) / 2.0 * slack) as usize & !1;
        let mut data = Vec::with_capacity(Frame::len_of(self.width, self.height));
        let luma = self.wall_width as usize * self.height as usize;
        let (y, chroma) = self.wall.split_at(luma);
        for (plane, halving) in [(y, 1), (&chroma[..luma / 4], 2), (&chroma[luma / 4..], 2)] {
            let (stride, pan, width) = (
                self.wall_width as usize / halving,
                pan / halving,
                self.width as usize / halving,
            );
            for row in plane.chunks_exact(stride) {
                data.extend_from_slice(&row[pan..pan + width]);
            }
        }
        data
    }

    fn stamp(&self, data: &mut [u8], unix_ms: u64) {
        let luma = self.width as usize * self.height as usize;
        let (y, chroma) = data.split_at_mut(luma);
        timecode::write(y, self.width, self.height, unix_ms);
        let rows = timecode::rows(self.height).div_ceil(2) * (self.width as usize / 2);
        for plane in chroma.chunks_exact_mut(luma / 4) {
            plane[..rows].fill(NEUTRAL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::timecode;

    fn difference(a: &Frame, b: &Frame) -> f64 {
        let sum: u64 = a
            .y()
            .iter()
            .zip(b.y())
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .sum();
        sum as f64 / a.y().len() as f64
    }

    #[test]
    fn the_picture_moves_and_carries_its_time() {
        for (width, height) in [
            (128, 72),
            (320, 180),
            (640, 360),
            (1280, 720),
            (360, 640),
            (1920, 1080),
        ] {
            let scene = Synthetic::new(width, height, 20.0).unwrap();
            let now = Instant::now();
            let frames: Vec<Frame> = (0..10)
                .map(|n| scene.draw(n as f32 * 0.5, 1_795_000_000_123 + n, now))
                .collect();
            for (n, frame) in frames.iter().enumerate() {
                assert_eq!(
                    timecode::read(frame),
                    Some(((1_795_000_000_123 + n as u64) & 0xFF_FFFF) as u32)
                );
            }
            for pair in frames.windows(2) {
                assert!(difference(&pair[0], &pair[1]) > 0.5, "{width}x{height}");
            }
        }
    }

    #[test]
    fn hues_look_different_and_the_picture_is_not_flat() {
        let now = Instant::now();
        let [warm, cold] =
            [20.0, 200.0].map(|hue| Synthetic::new(320, 180, hue).unwrap().draw(1.0, 1, now));
        let chroma: u64 = warm
            .u()
            .iter()
            .zip(cold.u())
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .sum();
        assert!(chroma as f64 / warm.u().len() as f64 > 5.0);
        let mean =
            warm.y().iter().map(|&luma| f64::from(luma)).sum::<f64>() / warm.y().len() as f64;
        let variance = warm
            .y()
            .iter()
            .map(|&luma| (f64::from(luma) - mean).powi(2))
            .sum::<f64>()
            / warm.y().len() as f64;
        assert!(variance > 400.0, "{variance}");
    }

    #[test]
    fn sizes_that_are_no_picture_are_refused() {
        assert!(Synthetic::new(0, 0, 0.0).is_err());
        assert!(Synthetic::new(321, 180, 0.0).is_err());
        // The smallest that the command line takes.
        Synthetic::new(32, 32, 0.0)
            .unwrap()
            .draw(0.0, 0, Instant::now());
        Synthetic::new(2, 2, 0.0)
            .unwrap()
            .draw(9.9, 0, Instant::now());
    }
}

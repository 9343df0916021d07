//! Finds the person in a frame.

use super::BackgroundError;
use super::mask::Mask;
use super::model;
use super::network::{Network, Shape};
use super::planes::{Scaler, half, len};
use crate::frame::Frame;
use crate::video::convert;

/// The model with its buffers, and the mask of the last frames.
pub(super) struct Segmenter {
    network: Network,
    mask: Mask,
    scaler: Scaler,
}

impl Segmenter {
    /// Reads the model, which takes some milliseconds.
    pub(super) fn load() -> Result<Self, BackgroundError> {
        Self::read(&model::load()?)
    }

    pub(super) fn read(file: &[u8]) -> Result<Self, BackgroundError> {
        let damaged = |reason: &str| BackgroundError::ModelDamaged(reason.into());
        let network = Network::read(file).map_err(|error| damaged(&error.to_string()))?;
        let (from, to) = (network.input_shape(), network.output_shape());
        let is_even = from.width.is_multiple_of(2) && from.height.is_multiple_of(2);
        if from.channels != 3 || to.channels != 1 || !is_even {
            return Err(damaged("it is for another kind of picture"));
        }
        let mask = Mask::new(to.height * to.width);
        Ok(Self {
            network,
            mask,
            scaler: Scaler::new(),
        })
    }

    /// Width and height of the mask.
    pub(super) fn size(&self) -> (u32, u32) {
        let Shape { height, width, .. } = self.network.output_shape();
        (width as u32, height as u32)
    }

    /// The share of the person in each place of the last frame, from 0 to 255.
    pub(super) fn mask(&self) -> &[u8] {
        self.mask.values()
    }

    /// Searches for the person in a new frame, which is distorted to the model's shape.
    pub(super) fn update(&mut self, frame: &Frame) {
        let Shape { height, width, .. } = self.network.input_shape();
        let small = (width as u32, height as u32);
        let size = (frame.width(), frame.height());
        let mut data = vec![0; Frame::len_of(small.0, small.1)];
        let (y, colours) = data.split_at_mut(len(small));
        let (u, v) = colours.split_at_mut(len(half(small)));
        self.scaler.scale(frame.y(), size, y, small);
        self.scaler.scale(frame.u(), half(size), u, half(small));
        self.scaler.scale(frame.v(), half(size), v, half(small));
        let small = Frame::new(small.0, small.1, data.into(), frame.captured_at())
            .expect("the model's sides are even and at most 1024");
        let pixels = convert::rgb(&small);
        for (input, value) in self.network.input().iter_mut().zip(pixels) {
            *input = f32::from(value) / 255.0;
        }
        self.mask.update(self.network.run());
    }
}

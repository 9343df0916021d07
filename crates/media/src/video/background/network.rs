//! A convolutional network, read from a TensorFlow Lite file and run on one thread.
//!
//! It has the operations of the segmentation model and no others. Everything that the
//! loops rely on is checked while the file is read: a file that breaks a rule is an
//! error, and running never fails.

mod build;
mod flatbuffer;
mod kernels;
mod matrix;
mod operator;

use self::kernels::run_all;
use self::operator::Operator;

/// What of a model's file breaks the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} in its file is invalid")]
pub(super) struct Malformed(pub(super) &'static str);

/// Height, width and channels of a tensor; the batch is always 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
}

impl Shape {
    const NONE: Self = Self {
        height: 0,
        width: 0,
        channels: 0,
    };

    fn len(self) -> usize {
        self.height * self.width * self.channels
    }
}

/// A network with its weights and buffers.
pub(super) struct Network {
    operators: Vec<Operator>,
    shapes: Vec<Shape>,
    /// Each tensor in rows of pixels of channels; empty where it is a weight.
    tensors: Vec<Vec<f32>>,
    /// The patches of one row of a convolution.
    patches: Vec<f32>,
    input: usize,
    output: usize,
}

impl Network {
    /// Reads a model's file.
    pub(super) fn read(file: &[u8]) -> Result<Self, Malformed> {
        build::read(file)
    }

    pub(super) fn input_shape(&self) -> Shape {
        self.shapes[self.input]
    }

    pub(super) fn output_shape(&self) -> Shape {
        self.shapes[self.output]
    }

    /// To be filled before [`run`](Self::run).
    pub(super) fn input(&mut self) -> &mut [f32] {
        &mut self.tensors[self.input]
    }

    /// Computes the output of the input.
    pub(super) fn run(&mut self) -> &[f32] {
        run_all(self);
        &self.tensors[self.output]
    }
}

#[cfg(test)]
mod tests;

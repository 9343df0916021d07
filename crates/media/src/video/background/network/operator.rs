//! The operations, with their weights in the order in which the loops read them.

/// What is applied to each result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    None,
    Relu,
    Relu6,
    HardSwish,
    Sigmoid,
}

impl Activation {
    #[inline(always)]
    pub(super) fn apply(self, value: f32) -> f32 {
        match self {
            Self::None => value,
            Self::Relu => value.max(0.0),
            Self::Relu6 => value.clamp(0.0, 6.0),
            Self::HardSwish => value * (value + 3.0).clamp(0.0, 6.0) * (1.0 / 6.0),
            Self::Sigmoid => 1.0 / (1.0 + (-value).exp()),
        }
    }
}

/// The window of a convolution: the places at or beyond the border count as 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// Height and width.
    pub(super) size: (usize, usize),
    /// Down and across.
    pub(super) stride: (usize, usize),
    /// Rows above and columns left of the input.
    pub(super) padding: (usize, usize),
}

/// Reads one or two tensors and writes another, later one; named by their numbers.
#[derive(Debug)]
pub(super) struct Operator {
    pub(super) kind: Kind,
    pub(super) input: usize,
    pub(super) output: usize,
    pub(super) activation: Activation,
}

/// What an operation does.
#[derive(Debug)]
pub(super) enum Kind {
    /// The weights are one row for each place in the window and input channel, with a
    /// column for each output channel.
    Convolution {
        window: Window,
        weights: Vec<f32>,
        bias: Vec<f32>,
    },
    /// One weight for each place in the window and channel.
    Depthwise {
        window: Window,
        weights: Vec<f32>,
        bias: Vec<f32>,
    },
    /// Each pixel becomes two by two of one channel: a weight for each of the four and
    /// each input channel.
    Transposed { weights: Vec<f32>, bias: f32 },
    /// Only the activation.
    Activate,
    /// The mean of each channel.
    Mean,
    /// With a tensor of the same shape, or of one pixel that is used for all.
    Add(usize),
    /// As [`Kind::Add`].
    Multiply(usize),
    /// Bilinear, by the centres of pixels.
    Resize,
}

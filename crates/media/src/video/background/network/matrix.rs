//! The product of a matrix of pixels and a matrix of weights: most of the work.

use super::operator::Activation;

/// `a * b + c`. Without FMA, `mul_add` is a call of the C library.
#[inline(always)]
pub(super) fn multiply_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Each pixel of `depth` values times the weights, plus the bias, whose length is the
/// number of columns.
///
/// Sixteen columns at a time, for four pixels at once: four separate sums stay in
/// registers, which one array of four would not.
#[inline(always)]
pub(super) fn multiply<const FMA: bool>(
    pixels: &[f32],
    depth: usize,
    weights: &[f32],
    bias: &[f32],
    activation: Activation,
    out: &mut [f32],
) {
    let product = Product {
        pixels,
        depth,
        weights,
        bias,
        activation,
    };
    let mut column = 0;
    while column < bias.len() {
        column += match bias.len() - column {
            16.. => product.columns::<16, FMA>(column, out),
            8.. => product.columns::<8, FMA>(column, out),
            4.. => product.columns::<4, FMA>(column, out),
            _ => product.columns::<1, FMA>(column, out),
        };
    }
}

struct Product<'a> {
    pixels: &'a [f32],
    depth: usize,
    weights: &'a [f32],
    bias: &'a [f32],
    activation: Activation,
}

impl Product<'_> {
    /// `N` columns from this one on; returns `N`.
    #[inline(always)]
    fn columns<const N: usize, const FMA: bool>(&self, column: usize, out: &mut [f32]) -> usize {
        let width = self.bias.len();
        let bias: [f32; N] = block(self.bias, column);
        let mut fours = self.pixels.chunks_exact(4 * self.depth);
        let mut results = out.chunks_exact_mut(4 * width);
        for (pixels, out) in (&mut fours).zip(&mut results) {
            let (first, rest) = pixels.split_at(self.depth);
            let (second, rest) = rest.split_at(self.depth);
            let (third, fourth) = rest.split_at(self.depth);
            let (mut a, mut b, mut c, mut d) = (bias, bias, bias, bias);
            for n in 0..self.depth {
                let weights: [f32; N] = block(self.weights, n * width + column);
                add::<N, FMA>(&mut a, first[n], &weights);
                add::<N, FMA>(&mut b, second[n], &weights);
                add::<N, FMA>(&mut c, third[n], &weights);
                add::<N, FMA>(&mut d, fourth[n], &weights);
            }
            for (row, sums) in [a, b, c, d].into_iter().enumerate() {
                self.write(sums, &mut out[row * width + column..]);
            }
        }
        let rest = fours.remainder().chunks_exact(self.depth);
        for (pixel, out) in rest.zip(results.into_remainder().chunks_exact_mut(width)) {
            let mut sums = bias;
            for (n, value) in pixel.iter().enumerate() {
                let weights: [f32; N] = block(self.weights, n * width + column);
                add::<N, FMA>(&mut sums, *value, &weights);
            }
            self.write(sums, &mut out[column..]);
        }
        N
    }

    #[inline(always)]
    fn write<const N: usize>(&self, mut sums: [f32; N], out: &mut [f32]) {
        activate(self.activation, &mut sums);
        out[..N].copy_from_slice(&sums);
    }
}

#[inline(always)]
fn block<const N: usize>(from: &[f32], at: usize) -> [f32; N] {
    let mut block = [0.0; N];
    block.copy_from_slice(&from[at..at + N]);
    block
}

#[inline(always)]
fn add<const N: usize, const FMA: bool>(sums: &mut [f32; N], value: f32, weights: &[f32; N]) {
    for (sum, weight) in sums.iter_mut().zip(weights) {
        *sum = multiply_add::<FMA>(value, *weight, *sum);
    }
}

/// The activation is chosen once, outside of the loop.
#[inline(always)]
pub(super) fn activate(activation: Activation, values: &mut [f32]) {
    macro_rules! each {
        ($kind:expr) => {
            values
                .iter_mut()
                .for_each(|value| *value = $kind.apply(*value))
        };
    }
    match activation {
        Activation::None => {}
        Activation::Relu => each!(Activation::Relu),
        Activation::Relu6 => each!(Activation::Relu6),
        Activation::HardSwish => each!(Activation::HardSwish),
        Activation::Sigmoid => each!(Activation::Sigmoid),
    }
}

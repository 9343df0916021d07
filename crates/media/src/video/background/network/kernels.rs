//! The loops of each operation. All sizes were checked when the network was read.

use super::matrix::{activate, multiply, multiply_add};
use super::operator::{Activation, Kind, Window};
use super::{Network, Shape};

/// Runs every operation, with the processor's vector instructions where it has them.
pub(super) fn run_all(network: &mut Network) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has what the function is compiled for.
            unsafe { run_avx2(network) };
            return;
        }
        run::<false>(network);
    }
    #[cfg(not(target_arch = "x86_64"))]
    run::<{ cfg!(target_arch = "aarch64") }>(network);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2(network: &mut Network) {
    run::<true>(network);
}

/// Everything that it calls is inlined, so that it is compiled for the same processor.
#[inline(always)]
fn run<const FMA: bool>(network: &mut Network) {
    let Network {
        operators,
        shapes,
        tensors,
        patches,
        ..
    } = network;
    for operator in operators.iter() {
        let (from, to) = (shapes[operator.input], shapes[operator.output]);
        // An operation never reads what it writes.
        let mut out = std::mem::take(&mut tensors[operator.output]);
        let input = tensors[operator.input].as_slice();
        match &operator.kind {
            Kind::Convolution {
                window,
                weights,
                bias,
            } if window.size == (1, 1) && window.stride == (1, 1) => {
                multiply::<FMA>(
                    input,
                    from.channels,
                    weights,
                    bias,
                    operator.activation,
                    &mut out,
                );
            }
            Kind::Convolution {
                window,
                weights,
                bias,
            } => {
                let depth = window.size.0 * window.size.1 * from.channels;
                for (row, out) in out.chunks_exact_mut(to.width * to.channels).enumerate() {
                    gather(input, from, *window, row, &mut patches[..to.width * depth]);
                    let patches = &patches[..to.width * depth];
                    multiply::<FMA>(patches, depth, weights, bias, operator.activation, out);
                }
            }
            Kind::Depthwise {
                window,
                weights,
                bias,
            } => {
                depthwise::<FMA>(input, from, *window, weights, bias, to, &mut out);
                activate(operator.activation, &mut out);
            }
            Kind::Transposed { weights, bias } => {
                transposed::<FMA>(input, from, weights, *bias, &mut out);
                activate(operator.activation, &mut out);
            }
            Kind::Activate => {
                out.copy_from_slice(input);
                activate(operator.activation, &mut out);
            }
            Kind::Mean => mean(input, from, operator.activation, &mut out),
            Kind::Add(other) => {
                pointwise(input, &tensors[*other], &mut out, |a, b| a + b);
                activate(operator.activation, &mut out);
            }
            Kind::Multiply(other) => {
                pointwise(input, &tensors[*other], &mut out, |a, b| a * b);
                activate(operator.activation, &mut out);
            }
            Kind::Resize => {
                resize(input, from, to, &mut out);
                activate(operator.activation, &mut out);
            }
        }
        tensors[operator.output] = out;
    }
}

/// The places of a window, from its stride and padding, that are inside: each with its
/// number in the window.
#[inline(always)]
fn inside(
    at: usize,
    size: usize,
    stride: usize,
    padding: usize,
    limit: usize,
) -> (std::ops::Range<usize>, usize) {
    let start = at * stride;
    let first = padding.saturating_sub(start);
    let last = size.min((limit + padding).saturating_sub(start));
    (first..last.max(first), start)
}

/// Writes the values under the window at each place of a row, one after the other.
#[inline(always)]
fn gather(input: &[f32], from: Shape, window: Window, row: usize, patches: &mut [f32]) {
    let channels = from.channels;
    let depth = window.size.0 * window.size.1 * channels;
    let (down, top) = inside(
        row,
        window.size.0,
        window.stride.0,
        window.padding.0,
        from.height,
    );
    patches.fill(0.0);
    for (column, patch) in patches.chunks_exact_mut(depth).enumerate() {
        let (across, left) = inside(
            column,
            window.size.1,
            window.stride.1,
            window.padding.1,
            from.width,
        );
        for y in down.clone() {
            let line = (top + y - window.padding.0) * from.width;
            for x in across.clone() {
                let source = (line + left + x - window.padding.1) * channels;
                let target = (y * window.size.1 + x) * channels;
                patch[target..target + channels].copy_from_slice(&input[source..source + channels]);
            }
        }
    }
}

#[inline(always)]
fn depthwise<const FMA: bool>(
    input: &[f32],
    from: Shape,
    window: Window,
    weights: &[f32],
    bias: &[f32],
    to: Shape,
    out: &mut [f32],
) {
    let channels = from.channels;
    for (row, line) in out.chunks_exact_mut(to.width * channels).enumerate() {
        let (down, top) = inside(
            row,
            window.size.0,
            window.stride.0,
            window.padding.0,
            from.height,
        );
        for (column, sums) in line.chunks_exact_mut(channels).enumerate() {
            let (across, left) = inside(
                column,
                window.size.1,
                window.stride.1,
                window.padding.1,
                from.width,
            );
            sums.copy_from_slice(bias);
            for y in down.clone() {
                let line = (top + y - window.padding.0) * from.width;
                for x in across.clone() {
                    let source = (line + left + x - window.padding.1) * channels;
                    let values = &input[source..source + channels];
                    let weights = &weights[(y * window.size.1 + x) * channels..][..channels];
                    for ((sum, value), weight) in sums.iter_mut().zip(values).zip(weights) {
                        *sum = multiply_add::<FMA>(*value, *weight, *sum);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn transposed<const FMA: bool>(
    input: &[f32],
    from: Shape,
    weights: &[f32],
    bias: f32,
    out: &mut [f32],
) {
    let (channels, width) = (from.channels, 2 * from.width);
    for (row, two) in out.chunks_exact_mut(2 * width).enumerate() {
        for column in 0..from.width {
            let pixel = &input[(row * from.width + column) * channels..][..channels];
            for (place, weights) in weights.chunks_exact(channels).enumerate() {
                let mut sum = bias;
                for (value, weight) in pixel.iter().zip(weights) {
                    sum = multiply_add::<FMA>(*value, *weight, sum);
                }
                two[(place / 2) * width + 2 * column + place % 2] = sum;
            }
        }
    }
}

#[inline(always)]
fn mean(input: &[f32], from: Shape, activation: Activation, out: &mut [f32]) {
    out.fill(0.0);
    for pixel in input.chunks_exact(from.channels) {
        for (sum, value) in out.iter_mut().zip(pixel) {
            *sum += value;
        }
    }
    let share = 1.0 / (from.height * from.width) as f32;
    out.iter_mut().for_each(|sum| *sum *= share);
    activate(activation, out);
}

#[inline(always)]
fn pointwise(a: &[f32], b: &[f32], out: &mut [f32], operation: impl Fn(f32, f32) -> f32) {
    // One of them may be a single pixel.
    let (all, repeated) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let pixels = all.chunks_exact(repeated.len());
    for (out, pixel) in out.chunks_exact_mut(repeated.len()).zip(pixels) {
        for ((out, x), y) in out.iter_mut().zip(pixel).zip(repeated) {
            *out = operation(*x, *y);
        }
    }
}

/// The two neighbours of a place of the larger side, and the weight of the second.
#[inline(always)]
fn neighbours(at: usize, to: usize, from: usize) -> (usize, usize, f32) {
    let place = (at as f32 + 0.5) * from as f32 / to as f32 - 0.5;
    let place = place.clamp(0.0, (from - 1) as f32);
    let first = place as usize;
    (first, (first + 1).min(from - 1), place - first as f32)
}

#[inline(always)]
fn resize(input: &[f32], from: Shape, to: Shape, out: &mut [f32]) {
    let channels = from.channels;
    let pixel = |y: usize, x: usize| &input[(y * from.width + x) * channels..][..channels];
    for (row, line) in out.chunks_exact_mut(to.width * channels).enumerate() {
        let (top, bottom, down) = neighbours(row, to.height, from.height);
        for (column, out) in line.chunks_exact_mut(channels).enumerate() {
            let (left, right, across) = neighbours(column, to.width, from.width);
            let (a, b) = (pixel(top, left), pixel(top, right));
            let (c, d) = (pixel(bottom, left), pixel(bottom, right));
            for n in 0..channels {
                let upper = a[n] + (b[n] - a[n]) * across;
                let lower = c[n] + (d[n] - c[n]) * across;
                out[n] = upper + (lower - upper) * down;
            }
        }
    }
}

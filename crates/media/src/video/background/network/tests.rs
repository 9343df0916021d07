//! Each operation against its definition, and files that break the rules.

use super::operator::{Activation, Kind, Operator, Window};
use super::{Malformed, Network, Shape};

fn shape(height: usize, width: usize, channels: usize) -> Shape {
    Shape {
        height,
        width,
        channels,
    }
}

/// Numbers between -1 and 1 that follow no pattern.
fn noise(length: usize, mut seed: u32) -> Vec<f32> {
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..length).map(|_| next()).collect()
}

/// Runs one operation on tensors of these shapes, filled with noise.
fn run(kind: Kind, activation: Activation, shapes: &[Shape]) -> (Vec<Vec<f32>>, Vec<f32>) {
    let output = shapes.len() - 1;
    let mut tensors: Vec<_> = shapes
        .iter()
        .enumerate()
        .map(|(n, shape)| noise(shape.len(), n as u32))
        .collect();
    let inputs = tensors.clone();
    tensors[output].fill(f32::NAN);
    let operator = Operator {
        kind,
        input: 0,
        output,
        activation,
    };
    let mut network = Network {
        operators: vec![operator],
        shapes: shapes.to_vec(),
        tensors,
        patches: vec![0.0; 100_000],
        input: 0,
        output,
    };
    let result = network.run().to_vec();
    (inputs, result)
}

fn assert_close(got: &[f32], wanted: &[f32]) {
    assert_eq!(got.len(), wanted.len());
    for (n, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        assert!((got - wanted).abs() < 1e-4, "{n}: {got}, not {wanted}");
    }
}

/// The sum over the window at each place of the output, by the definition.
fn sums(
    input: &[f32],
    from: Shape,
    window: Window,
    to: Shape,
    weight: impl Fn(usize, usize, usize) -> Option<f32>,
    bias: &[f32],
) -> Vec<f32> {
    let mut out = Vec::new();
    for place in 0..to.height * to.width {
        for (channel, bias) in bias.iter().enumerate() {
            let mut sum = *bias;
            for cell in 0..window.size.0 * window.size.1 {
                let row = place / to.width * window.stride.0 + cell / window.size.1;
                let column = place % to.width * window.stride.1 + cell % window.size.1;
                let row = row
                    .checked_sub(window.padding.0)
                    .filter(|n| *n < from.height);
                let column = column
                    .checked_sub(window.padding.1)
                    .filter(|n| *n < from.width);
                let (Some(row), Some(column)) = (row, column) else {
                    continue;
                };
                for source in 0..from.channels {
                    let value = input[(row * from.width + column) * from.channels + source];
                    sum += weight(cell, source, channel).unwrap_or(0.0) * value;
                }
            }
            out.push(sum);
        }
    }
    out
}

const WINDOWS: [Window; 4] = [
    Window {
        size: (1, 1),
        stride: (1, 1),
        padding: (0, 0),
    },
    Window {
        size: (3, 3),
        stride: (2, 2),
        padding: (0, 0),
    },
    Window {
        size: (5, 5),
        stride: (1, 1),
        padding: (2, 2),
    },
    Window {
        size: (3, 2),
        stride: (2, 1),
        padding: (1, 0),
    },
];

fn places(from: usize, size: usize, stride: usize, padding: usize) -> usize {
    (from + 2 * padding - size) / stride + 1
}

#[test]
fn a_convolution_sums_over_its_window_and_counts_the_border_as_nothing() {
    for window in WINDOWS {
        for (inner, outer) in [(3, 16), (24, 88), (7, 13), (1, 1)] {
            let from = shape(9, 11, inner);
            let down = places(9, window.size.0, window.stride.0, window.padding.0);
            let across = places(11, window.size.1, window.stride.1, window.padding.1);
            let to = shape(down, across, outer);
            let weights = noise(window.size.0 * window.size.1 * inner * outer, 9);
            let bias = noise(outer, 8);
            let kind = Kind::Convolution {
                window,
                weights: weights.clone(),
                bias: bias.clone(),
            };
            let (inputs, got) = run(kind, Activation::None, &[from, to]);
            let weight = |cell: usize, source: usize, channel: usize| {
                Some(weights[(cell * inner + source) * outer + channel])
            };
            let wanted = sums(&inputs[0], from, window, to, weight, &bias);
            assert_close(&got, &wanted);
        }
    }
}

#[test]
fn a_depthwise_convolution_keeps_channels_apart() {
    for window in WINDOWS {
        let from = shape(9, 11, 5);
        let down = places(9, window.size.0, window.stride.0, window.padding.0);
        let across = places(11, window.size.1, window.stride.1, window.padding.1);
        let to = shape(down, across, 5);
        let weights = noise(window.size.0 * window.size.1 * 5, 9);
        let bias = noise(5, 8);
        let kind = Kind::Depthwise {
            window,
            weights: weights.clone(),
            bias: bias.clone(),
        };
        let (inputs, got) = run(kind, Activation::None, &[from, to]);
        let weight = |cell: usize, source: usize, channel: usize| {
            (source == channel).then(|| weights[cell * 5 + channel])
        };
        let wanted = sums(&inputs[0], from, window, to, weight, &bias);
        assert_close(&got, &wanted);
    }
}

#[test]
fn a_transposed_convolution_makes_four_places_of_each() {
    let (from, to) = (shape(3, 2, 4), shape(6, 4, 1));
    let weights = noise(16, 9);
    let kind = Kind::Transposed {
        weights: weights.clone(),
        bias: 0.5,
    };
    let (inputs, got) = run(kind, Activation::None, &[from, to]);
    let mut wanted = Vec::new();
    for (row, column) in (0..6).flat_map(|row| (0..4).map(move |column| (row, column))) {
        let pixel = &inputs[0][(row / 2 * 2 + column / 2) * 4..][..4];
        let weights = &weights[(row % 2 * 2 + column % 2) * 4..][..4];
        let sum: f32 = pixel.iter().zip(weights).map(|(a, b)| a * b).sum();
        wanted.push(0.5 + sum);
    }
    assert_close(&got, &wanted);
}

#[test]
fn pairs_work_place_by_place_and_with_one_pixel_for_all() {
    let all = shape(2, 3, 4);
    for other in [all, shape(1, 1, 4)] {
        let (inputs, got) = run(Kind::Add(1), Activation::None, &[all, other, all]);
        let repeated = inputs[1].iter().cycle();
        let sums: Vec<_> = inputs[0].iter().zip(repeated).map(|(a, b)| a + b).collect();
        assert_close(&got, &sums);
        let (inputs, got) = run(Kind::Multiply(1), Activation::None, &[all, other, all]);
        let repeated = inputs[1].iter().cycle();
        let products: Vec<_> = inputs[0].iter().zip(repeated).map(|(a, b)| a * b).collect();
        assert_close(&got, &products);
    }
}

#[test]
fn a_mean_is_that_of_each_channel() {
    let (inputs, got) = run(
        Kind::Mean,
        Activation::None,
        &[shape(3, 5, 2), shape(1, 1, 2)],
    );
    let mean = |channel: usize| {
        let values = inputs[0].iter().skip(channel).step_by(2);
        values.sum::<f32>() / 15.0
    };
    assert_close(&got, &[mean(0), mean(1)]);
}

#[test]
fn enlarging_is_linear_between_the_centres_of_pixels() {
    let (inputs, got) = run(
        Kind::Resize,
        Activation::None,
        &[shape(1, 2, 1), shape(1, 4, 1)],
    );
    let (a, b) = (inputs[0][0], inputs[0][1]);
    let wanted = [a, a * 0.75 + b * 0.25, a * 0.25 + b * 0.75, b];
    assert_close(&got, &wanted);
}

#[test]
fn activations_are_applied_to_each_value() {
    let all = shape(1, 1, 9);
    for (activation, wanted) in [
        (Activation::Relu, (|x| x.max(0.0)) as fn(f32) -> f32),
        (Activation::Relu6, |x| x.clamp(0.0, 6.0)),
        (Activation::HardSwish, |x| {
            x * (x + 3.0).clamp(0.0, 6.0) / 6.0
        }),
        (Activation::Sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
    ] {
        let (inputs, got) = run(Kind::Activate, activation, &[all, all]);
        let wanted: Vec<_> = inputs[0].iter().map(|x| wanted(*x)).collect();
        assert_close(&got, &wanted);
    }
}

/// The model's file.
fn model() -> Vec<u8> {
    super::super::model::load().expect("`cargo xtask models` fetches the model")
}

#[test]
fn a_file_that_is_cut_off_is_an_error() {
    let file = model();
    for length in (0..file.len()).step_by(499) {
        assert!(Network::read(&file[..length]).is_err(), "{length} bytes");
    }
    for file in [&[][..], &[0; 3], &[0xFF; 64], &[0; 1 << 10]] {
        assert!(Network::read(file).is_err());
    }
    let long = vec![0; 5 << 20];
    assert_eq!(Network::read(&long).err(), Some(Malformed("the length")));
}

#[test]
fn a_file_with_hostile_numbers_is_an_error_or_still_runs() {
    let file = model();
    let (mut read, mut refused) = (0, 0);
    let mut seed = 1_u32;
    let mut next = |limit: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 4) as usize % limit
    };
    for round in 0..1000 {
        let mut file = file.clone();
        // The root is at the beginning of the file, most tables at its end, and the weights
        // are in between.
        let span = 34_000;
        for _ in 0..1 + next(3) {
            let at = match round % 3 {
                0 => next(64),
                1 => next(span),
                _ => file.len() - span + next(span - 4),
            };
            let value = [
                0,
                1,
                0x7FFF_FFFF,
                0xFFFF_FFFF,
                next(1 << 28) as u32,
                next(4096) as u32,
            ];
            let value = value[next(value.len())];
            file[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        match Network::read(&file) {
            Err(_) => refused += 1,
            Ok(mut network) => {
                read += 1;
                if read % 20 == 0 {
                    network.run();
                }
            }
        }
    }
    assert!(refused > 150 && read > 50, "{refused} refused, {read} read");
}

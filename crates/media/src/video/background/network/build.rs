//! From a TensorFlow Lite file to a network whose sizes all fit.
//!
//! Numbers of fields, operations and types are those of TensorFlow Lite's schema, version 3.

use super::flatbuffer::Table;
use super::operator::{Activation, Kind, Operator, Window};
use super::{Malformed, Network, Shape};

/// The longest file that is read, in bytes.
const MAX_FILE: usize = 4 << 20;
/// The longest side and the most channels of a tensor.
const MAX_SIDE: usize = 1024;
/// The most values of all weights and tensors together: 64 MiB.
const MAX_VALUES: usize = 16 << 20;

const ADD: i32 = 0;
const AVERAGE_POOL: i32 = 1;
const CONVOLUTION: i32 = 3;
const DEPTHWISE: i32 = 4;
const DEQUANTIZE: i32 = 6;
const SIGMOID: i32 = 14;
const MULTIPLY: i32 = 18;
const RELU: i32 = 19;
const RESIZE_BILINEAR: i32 = 23;
const CUSTOM: i32 = 32;
const MEAN: i32 = 40;
const HARD_SWISH: i32 = 117;
/// MediaPipe's own operation: a transposed convolution of 2 x 2 with a bias.
const TRANSPOSED: &[u8] = b"Convolution2DTransposeBias";
/// Its options: padding, and the strides, each 2.
const TRANSPOSED_OPTIONS: [u8; 12] = [1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0];

/// Reads a model's file.
pub(super) fn read(file: &[u8]) -> Result<Network, Malformed> {
    if file.len() > MAX_FILE {
        return Err(Malformed("the length"));
    }
    let model = Table::root(file)?;
    let graphs = model.tables(2)?;
    let [graph] = graphs.as_slice() else {
        return Err(Malformed("the number of graphs"));
    };
    let mut builder = Builder::new(&model, graph)?;
    for operator in graph.tables(3)? {
        builder.operator(&operator)?;
    }
    builder.finish()
}

/// One input tensor of an operation and its other inputs.
struct Builder<'a> {
    codes: Vec<Table<'a>>,
    buffers: Vec<Table<'a>>,
    tensors: Vec<Tensor<'a>>,
    operators: Vec<Operator>,
    input: usize,
    output: usize,
    /// Values that may still be allocated.
    budget: usize,
}

struct Tensor<'a> {
    table: Table<'a>,
    dimensions: Vec<usize>,
    /// The tensor that holds its values, if it is not this one.
    source: Option<usize>,
    /// Operations that read it, and the caller.
    readers: usize,
    /// It is the input or an operation's output.
    is_written: bool,
}

impl<'a> Builder<'a> {
    fn new(model: &Table<'a>, graph: &Table<'a>) -> Result<Self, Malformed> {
        let mut tensors = Vec::new();
        for table in graph.tables(0)? {
            let dimensions = table.ints(0)?.into_iter().map(usize::try_from);
            tensors.push(Tensor {
                table,
                dimensions: dimensions
                    .collect::<Result<_, _>>()
                    .map_err(|_| Malformed("a dimension"))?,
                source: None,
                readers: 0,
                is_written: false,
            });
        }
        let only = |numbers: Vec<i32>| match numbers.as_slice() {
            [number] => index(*number, tensors.len()),
            _ => Err(Malformed("the number of inputs or outputs")),
        };
        let (input, output) = (only(graph.ints(1)?)?, only(graph.ints(2)?)?);
        tensors[input].is_written = true;
        tensors[output].readers += 1;
        let mut builder = Self {
            codes: model.tables(1)?,
            buffers: model.tables(4)?,
            tensors,
            operators: Vec::new(),
            input,
            output,
            budget: MAX_VALUES,
        };
        for operator in graph.tables(3)? {
            for number in operator.ints(1)? {
                let number = builder.number(number)?;
                builder.tensors[number].readers += 1;
            }
        }
        Ok(builder)
    }

    fn operator(&mut self, operator: &Table<'a>) -> Result<(), Malformed> {
        let code = index(operator.int(0)?, self.codes.len())?;
        let code = self.codes[code];
        let inputs: Vec<_> = operator.ints(1)?;
        let inputs: Vec<_> = inputs
            .into_iter()
            .map(|number| self.number(number))
            .collect::<Result<_, _>>()?;
        let outputs = operator.ints(2)?;
        let (&[output], Some(&input)) = (outputs.as_slice(), inputs.first()) else {
            return Err(Malformed("the number of inputs or outputs"));
        };
        let output = self.number(output)?;
        if self.tensors[output].is_written {
            return Err(Malformed("an output"));
        }
        self.tensors[output].is_written = true;
        // Newer files have the code in a wider field.
        let number = code.int(3)?.max(code.byte(0)?.into());
        if number == DEQUANTIZE {
            let source = self.tensors[input].source.unwrap_or(input);
            self.tensors[output].source = Some(source);
            return Ok(());
        }
        self.needs(input)?;
        let options = operator.table(4)?;
        let other = inputs.get(1).copied();
        let (kind, activation) = match number {
            CONVOLUTION => self.convolution(&inputs, output, options, false)?,
            DEPTHWISE => self.convolution(&inputs, output, options, true)?,
            CUSTOM if code.bytes(1)? == TRANSPOSED => {
                self.transposed(&inputs, output, operator.bytes(5)?)?
            }
            ADD => (
                Kind::Add(self.other(other, input, output)?),
                fused(options)?,
            ),
            MULTIPLY => (
                Kind::Multiply(self.other(other, input, output)?),
                fused(options)?,
            ),
            MEAN | AVERAGE_POOL => self.mean(input, output)?,
            RESIZE_BILINEAR => self.resize(input, output, options)?,
            RELU => return self.activate(input, output, Activation::Relu),
            HARD_SWISH => return self.activate(input, output, Activation::HardSwish),
            SIGMOID => return self.activate(input, output, Activation::Sigmoid),
            _ => return Err(Malformed("an operation")),
        };
        self.push(kind, input, output, activation);
        Ok(())
    }

    fn push(&mut self, kind: Kind, input: usize, output: usize, activation: Activation) {
        self.operators.push(Operator {
            kind,
            input,
            output,
            activation,
        });
    }

    fn number(&self, number: i32) -> Result<usize, Malformed> {
        index(number, self.tensors.len())
    }

    /// A tensor that is the network's input or that an operation has written.
    fn needs(&self, tensor: usize) -> Result<Shape, Malformed> {
        let tensor = &self.tensors[tensor];
        if !tensor.is_written || tensor.source.is_some() {
            return Err(Malformed("an input"));
        }
        shape(&tensor.dimensions)
    }

    fn shape(&self, tensor: usize) -> Result<Shape, Malformed> {
        shape(&self.tensors[tensor].dimensions)
    }

    fn spend(&mut self, values: usize) -> Result<(), Malformed> {
        let left = self.budget.checked_sub(values);
        self.budget = left.ok_or(Malformed("the number of values"))?;
        Ok(())
    }

    /// The values of a weight, which has as many as this.
    fn weights(&mut self, tensor: usize, wanted: usize) -> Result<Vec<f32>, Malformed> {
        self.spend(wanted)?;
        let tensor = self.tensors[tensor].source.unwrap_or(tensor);
        let table = self.tensors[tensor].table;
        let buffer = index(table.int(2)?, self.buffers.len())?;
        let bytes = self.buffers[buffer].bytes(0)?;
        let values: Vec<f32> = match table.byte(1)? {
            0 => {
                let values = bytes.as_chunks().0.iter();
                values.map(|bytes| f32::from_le_bytes(*bytes)).collect()
            }
            1 => {
                let values = bytes.as_chunks().0.iter();
                values
                    .map(|bytes| half(u16::from_le_bytes(*bytes)))
                    .collect()
            }
            _ => return Err(Malformed("a type")),
        };
        if values.len() != wanted || !values.iter().all(|value| value.is_finite()) {
            return Err(Malformed("a weight"));
        }
        Ok(values)
    }

    fn convolution(
        &mut self,
        inputs: &[usize],
        output: usize,
        options: Option<Table<'_>>,
        is_depthwise: bool,
    ) -> Result<(Kind, Activation), Malformed> {
        let (&[input, weights, bias], Some(options)) = (inputs, options) else {
            return Err(Malformed("a convolution"));
        };
        let (from, to) = (self.shape(input)?, self.shape(output)?);
        let dimensions = self.tensors[weights].dimensions.clone();
        let &[outer, height, width, inner] = dimensions.as_slice() else {
            return Err(Malformed("a weight"));
        };
        let wanted = if is_depthwise {
            (1, from.channels, from.channels)
        } else {
            (to.channels, from.channels, to.channels)
        };
        let side = |side: usize| (1..=16).contains(&side);
        if (outer, inner, to.channels) != wanted || !side(height) || !side(width) {
            return Err(Malformed("a weight"));
        }
        let window = window(&options, (height, width), from, to)?;
        let count = height * width * inner * outer;
        let read = self.weights(weights, count)?;
        let bias = self.weights(bias, to.channels)?;
        if is_depthwise {
            let dilation = [options.int(5)?, options.int(6)?];
            check_dilation(dilation)?;
            let activation = activation(options.byte(4)?)?;
            let weights = read;
            return Ok((
                Kind::Depthwise {
                    window,
                    weights,
                    bias,
                },
                activation,
            ));
        }
        check_dilation([options.int(4)?, options.int(5)?])?;
        // From one row for each output channel to one column for each.
        let depth = count / outer;
        let mut weights = vec![0.0; count];
        for (column, row) in read.chunks_exact(depth).enumerate() {
            for (n, value) in row.iter().enumerate() {
                weights[n * outer + column] = *value;
            }
        }
        let kind = Kind::Convolution {
            window,
            weights,
            bias,
        };
        Ok((kind, activation(options.byte(3)?)?))
    }

    fn transposed(
        &mut self,
        inputs: &[usize],
        output: usize,
        options: &[u8],
    ) -> Result<(Kind, Activation), Malformed> {
        let &[input, weights, bias] = inputs else {
            return Err(Malformed("a convolution"));
        };
        let (from, to) = (self.shape(input)?, self.shape(output)?);
        let twice = Shape {
            height: 2 * from.height,
            width: 2 * from.width,
            channels: 1,
        };
        if to != twice || options != TRANSPOSED_OPTIONS {
            return Err(Malformed("a convolution"));
        }
        if self.tensors[weights].dimensions != [1, 2, 2, from.channels] {
            return Err(Malformed("a weight"));
        }
        let weights = self.weights(weights, 4 * from.channels)?;
        let bias = self.weights(bias, 1)?[0];
        Ok((Kind::Transposed { weights, bias }, Activation::None))
    }

    /// The second input of an operation on pairs of values.
    fn other(&self, other: Option<usize>, input: usize, output: usize) -> Result<usize, Malformed> {
        let other = other.ok_or(Malformed("the number of inputs or outputs"))?;
        let (a, b, to) = (self.needs(input)?, self.needs(other)?, self.shape(output)?);
        let is_pixel =
            |shape: Shape| (shape.height, shape.width) == (1, 1) && shape.channels == to.channels;
        if (a == to && (b == to || is_pixel(b))) || (b == to && is_pixel(a)) {
            return Ok(other);
        }
        Err(Malformed("a shape"))
    }

    fn mean(&self, input: usize, output: usize) -> Result<(Kind, Activation), Malformed> {
        let (from, to) = (self.shape(input)?, self.shape(output)?);
        let pixel = Shape {
            height: 1,
            width: 1,
            channels: from.channels,
        };
        if to != pixel {
            return Err(Malformed("a shape"));
        }
        Ok((Kind::Mean, Activation::None))
    }

    fn resize(
        &self,
        input: usize,
        output: usize,
        options: Option<Table<'_>>,
    ) -> Result<(Kind, Activation), Malformed> {
        let (from, to) = (self.shape(input)?, self.shape(output)?);
        let options = options.ok_or(Malformed("an option"))?;
        let (aligns_corners, is_by_centres) = (options.byte(2)?, options.byte(3)?);
        if from.channels != to.channels || aligns_corners != 0 || is_by_centres != 1 {
            return Err(Malformed("an option"));
        }
        Ok((Kind::Resize, Activation::None))
    }

    /// An activation becomes part of the operation before it where nothing else reads
    /// that one's result.
    fn activate(
        &mut self,
        input: usize,
        output: usize,
        activation: Activation,
    ) -> Result<(), Malformed> {
        if self.shape(input)? != self.shape(output)? {
            return Err(Malformed("a shape"));
        }
        let is_only_reader = self.tensors[input].readers == 1;
        match self.operators.last_mut() {
            Some(last)
                if last.output == input
                    && last.activation == Activation::None
                    && is_only_reader =>
            {
                last.output = output;
                last.activation = activation;
            }
            _ => self.push(Kind::Activate, input, output, activation),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Network, Malformed> {
        let is_computed = |tensor| self.operators.iter().any(|last| last.output == tensor);
        if !is_computed(self.output) {
            return Err(Malformed("the output"));
        }
        let mut patches = 0;
        let mut shapes = vec![Shape::NONE; self.tensors.len()];
        let mut tensors = vec![Vec::new(); self.tensors.len()];
        let written: Vec<_> = self
            .operators
            .iter()
            .map(|operator| operator.output)
            .collect();
        for tensor in written.into_iter().chain([self.input]) {
            let shape = self.shape(tensor)?;
            self.spend(shape.len())?;
            shapes[tensor] = shape;
            tensors[tensor] = vec![0.0; shape.len()];
        }
        for operator in &self.operators {
            if let Kind::Convolution { window, .. } = &operator.kind {
                let depth = window.size.0 * window.size.1 * shapes[operator.input].channels;
                patches = patches.max(shapes[operator.output].width * depth);
            }
        }
        self.spend(patches)?;
        Ok(Network {
            operators: self.operators,
            shapes,
            tensors,
            patches: vec![0.0; patches],
            input: self.input,
            output: self.output,
        })
    }
}

fn index(number: i32, length: usize) -> Result<usize, Malformed> {
    let number = usize::try_from(number).map_err(|_| Malformed("a number"))?;
    (number < length)
        .then_some(number)
        .ok_or(Malformed("a number"))
}

fn shape(dimensions: &[usize]) -> Result<Shape, Malformed> {
    let side = |side: usize| (1..=MAX_SIDE).contains(&side);
    match *dimensions {
        [1, height, width, channels] if side(height) && side(width) && side(channels) => {
            Ok(Shape {
                height,
                width,
                channels,
            })
        }
        _ => Err(Malformed("a shape")),
    }
}

/// The window of a convolution, if the output has the size that follows from it.
fn window(
    options: &Table<'_>,
    size: (usize, usize),
    from: Shape,
    to: Shape,
) -> Result<Window, Malformed> {
    let stride = |number: usize| match options.int(number)? {
        stride @ 1..=8 => Ok(stride as usize),
        _ => Err(Malformed("a stride")),
    };
    let stride = (stride(2)?, stride(1)?);
    let is_same = match options.byte(0)? {
        0 => true,
        1 => false,
        _ => return Err(Malformed("a padding")),
    };
    let along = |from: usize, to: usize, size: usize, stride: usize| {
        let expected = if is_same {
            Some(from.div_ceil(stride))
        } else {
            from.checked_sub(size).map(|places| places / stride + 1)
        };
        if expected != Some(to) {
            return Err(Malformed("a shape"));
        }
        let covered = (to - 1) * stride + size;
        Ok(if is_same {
            covered.saturating_sub(from) / 2
        } else {
            0
        })
    };
    let down = along(from.height, to.height, size.0, stride.0)?;
    let across = along(from.width, to.width, size.1, stride.1)?;
    Ok(Window {
        size,
        stride,
        padding: (down, across),
    })
}

/// A dilation that is absent is 1.
fn check_dilation(dilation: [i32; 2]) -> Result<(), Malformed> {
    if dilation.iter().any(|dilation| !(0..=1).contains(dilation)) {
        return Err(Malformed("a dilation"));
    }
    Ok(())
}

fn fused(options: Option<Table<'_>>) -> Result<Activation, Malformed> {
    options.map_or(Ok(Activation::None), |options| activation(options.byte(0)?))
}

fn activation(number: i8) -> Result<Activation, Malformed> {
    match number {
        0 => Ok(Activation::None),
        1 => Ok(Activation::Relu),
        3 => Ok(Activation::Relu6),
        _ => Err(Malformed("an activation")),
    }
}

/// A half-precision number (IEEE 754 binary16).
fn half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10 & 31);
    let fraction = u32::from(bits & 1023);
    let magnitude = match exponent {
        0 => fraction as f32 * (-24f32).exp2(),
        31 => f32::from_bits(0x7F80_0000 | fraction << 13),
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    f32::from_bits(magnitude.to_bits() | sign)
}

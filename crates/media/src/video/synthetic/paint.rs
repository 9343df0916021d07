//! Painting once, slowly and smoothly; blending often and fast.

/// Red, green, blue, each 0 to 1.
pub(super) type Rgb = [f32; 3];

const SKIN: Rgb = [0.93, 0.73, 0.58];
const HAIR: Rgb = [0.26, 0.16, 0.11];
const EYE: Rgb = [0.17, 0.11, 0.09];
const MOUTH: Rgb = [0.70, 0.33, 0.30];

/// A colour of a hue in degrees, with saturation and value 0 to 1.
pub(super) fn hue(degrees: f32, saturation: f32, value: f32) -> Rgb {
    [0.0, 120.0, 240.0].map(|peak: f32| {
        let turn = ((degrees - peak) / 360.0).rem_euclid(1.0);
        let near = (turn.min(1.0 - turn) * 6.0 - 1.0).clamp(0.0, 1.0);
        value * (1.0 - saturation * near)
    })
}

fn mix(a: Rgb, b: Rgb, share: f32) -> Rgb {
    let share = share.clamp(0.0, 1.0);
    std::array::from_fn(|n| a[n] + (b[n] - a[n]) * share)
}

/// BT.601, limited range.
fn yuv([r, g, b]: Rgb) -> [u8; 3] {
    let y = 0.299 * r + 0.587 * g + 0.114 * b;
    let (u, v) = ((b - y) / 1.772, (r - y) / 1.402);
    [16.0 + 219.0 * y, 128.0 + 224.0 * u, 128.0 + 224.0 * v].map(|value| (value + 0.5) as u8)
}

/// 1 inside an ellipse, 0 outside, with an edge `soft` wide (of its radius).
fn ellipse(x: f32, y: f32, centre: (f32, f32), radius: (f32, f32), soft: f32) -> f32 {
    let distance =
        (((x - centre.0) / radius.0).powi(2) + ((y - centre.1) / radius.1).powi(2)).sqrt();
    ((1.0 - distance) / soft + 0.5).clamp(0.0, 1.0)
}

/// A value that looks random, the same for the same place.
fn grain(x: u32, y: u32) -> f32 {
    let mut n = x.wrapping_mul(0x9E37_79B9) ^ y.wrapping_mul(0x85EB_CA6B);
    n = (n ^ n >> 15).wrapping_mul(0x2C1B_3C6D);
    n = (n ^ n >> 12).wrapping_mul(0x297A_2D39);
    ((n ^ n >> 15) & 0xFFFF) as f32 / 65_535.0 - 0.5
}

/// A picture of this size in I420, of what `colour` says for each pixel.
fn i420(width: u32, height: u32, colour: impl Fn(u32, u32) -> Rgb) -> Vec<u8> {
    let luma = width as usize * height as usize;
    let mut data = vec![0; luma + luma / 2];
    for y in 0..height {
        for x in 0..width {
            let [luminance, u, v] = yuv(colour(x, y));
            data[(y * width + x) as usize] = luminance;
            if x % 2 == 0 && y % 2 == 0 {
                let place = luma + (y / 2 * (width / 2) + x / 2) as usize;
                data[place] = u;
                data[place + luma / 4] = v;
            }
        }
    }
    data
}

/// The wall: evening light from one side, a striped paper with fine grain, a
/// framed picture and a shelf.
pub(super) fn wall(width: u32, height: u32, degrees: f32) -> Vec<u8> {
    let scale = height as f32;
    let wide = width as f32 / scale;
    let accent = hue(degrees, 0.55, 0.75);
    i420(width, height, |column, row| {
        let (x, y) = (column as f32 / scale, row as f32 / scale);
        let light = ellipse(x, y, (wide * 0.2, 0.15), (wide * 0.9, 1.3), 1.4);
        let mut colour = mix([0.36, 0.22, 0.19], [0.98, 0.84, 0.66], light);
        let stripe = (x * 26.0).sin() * 0.5 + (x * 26.0 + (y * 40.0).sin() * 0.6).cos() * 0.5;
        colour = mix(colour, accent, 0.16 + 0.10 * stripe);
        // The framed picture: a landscape under a sun.
        let (px, py) = ((x - wide * 0.70) / 0.38, (y - 0.22) / 0.26);
        if (0.0..1.0).contains(&px) && (0.0..1.0).contains(&py) {
            let frame = !(0.06..0.94).contains(&px) || !(0.08..0.92).contains(&py);
            let hill = py > 0.62 + 0.12 * (px * 7.0).sin();
            let sky = mix([0.99, 0.80, 0.55], hue(degrees + 180.0, 0.35, 0.85), py);
            colour = match (frame, hill) {
                (true, _) => [0.35, 0.21, 0.13],
                (false, true) => mix(accent, [0.20, 0.24, 0.16], 0.5),
                (false, false) => mix(
                    sky,
                    [1.0, 0.95, 0.8],
                    ellipse(px, py, (0.7, 0.35), (0.12, 0.18), 0.2),
                ),
            };
        }
        // A shelf with books.
        let (sx, sy) = ((x - wide * 0.04) / (wide * 0.24), (y - 0.30) / 0.20);
        if (0.0..1.0).contains(&sx) && (0.0..1.0).contains(&sy) {
            let book = (sx * 12.0) as u32;
            let tall = 0.25 + 0.3 * (grain(book, 7) + 0.5);
            if sy > 0.9 {
                colour = [0.33, 0.20, 0.13];
            } else if sy > tall && (sx * 12.0).fract() > 0.08 {
                let title = (sy - tall) * 8.0 % 3.0 < 0.35;
                let cover = hue(
                    degrees + grain(book, 3) * 160.0,
                    0.55,
                    0.45 + 0.4 * (grain(book, 5) + 0.5),
                );
                colour = mix(cover, [0.95, 0.9, 0.8], if title { 0.6 } else { 0.0 });
            }
        }
        colour.map(|value| (value + grain(column / 2, row / 2) * 0.035).clamp(0.0, 1.0))
    })
}

/// Somebody from the chest up, as high as 78 % of a picture of this height.
pub(super) fn person(picture_height: u32, degrees: f32) -> Sprite {
    let height = (picture_height as f32 * 0.78) as u32 & !1;
    let width = (height as f32 * 1.05) as u32 & !1;
    let clothes = hue(degrees, 0.62, 0.72);
    Sprite::paint(width, height, |x, y| {
        let x = (x - 0.5) * 1.05;
        let edge = 0.03;
        let shade = 0.82 + 0.3 * (0.4 - x - y * 0.3);
        let mut colour = clothes;
        let knit = ((x * 90.0).sin() * (y * 90.0).sin()) * 0.05;
        let mut alpha = ellipse(x, y, (0.0, 1.05), (0.47, 0.42), edge);
        colour = colour.map(|value| value * (shade + knit));
        let mut over = |cover: f32, paint: Rgb| {
            let under = alpha * (1.0 - cover);
            alpha = cover + under;
            colour = mix(colour, paint, cover / alpha.max(f32::EPSILON));
        };
        over(ellipse(x, y, (0.0, 0.33), (0.235, 0.29), edge), HAIR);
        over(
            ellipse(x, y, (0.0, 0.62), (0.085, 0.13), 0.08),
            SKIN.map(|value| value * 0.86 * shade),
        );
        over(
            ellipse(x, y, (0.0, 0.40), (0.185, 0.235), edge),
            SKIN.map(|value| value * (shade + 0.04)),
        );
        let parting = ellipse(x, y, (-0.06, 0.19), (0.19, 0.10), 0.12)
            * ellipse(x, y, (0.0, 0.36), (0.22, 0.27), edge);
        let strands = 1.0 + 0.25 * (x * 130.0 + y * 30.0).sin();
        over(parting, HAIR.map(|value| value * strands));
        for side in [-0.075, 0.075] {
            over(
                ellipse(x, y, (side, 0.385), (0.036, 0.021), 0.2),
                [0.97, 0.95, 0.92],
            );
            over(ellipse(x, y, (side, 0.385), (0.017, 0.019), 0.2), EYE);
            over(ellipse(x, y, (side, 0.335), (0.045, 0.009), 0.5), HAIR);
            over(
                ellipse(x, y, (side * 1.35, 0.47), (0.04, 0.03), 1.2) * 0.25,
                [0.95, 0.45, 0.40],
            );
        }
        over(
            ellipse(x, y, (0.0, 0.45), (0.016, 0.03), 0.9) * 0.35,
            SKIN.map(|value| value * 0.7),
        );
        let smile = ellipse(x, y, (0.0, 0.505), (0.07, 0.045), 0.2)
            * (1.0 - ellipse(x, y, (0.0, 0.485), (0.085, 0.045), 0.2));
        over(smile, MOUTH);
        (colour, alpha)
    })
}

/// A small picture with a soft outline.
pub(super) struct Sprite {
    planes: [Plane; 3],
}

struct Plane {
    width: usize,
    height: usize,
    /// Value times alpha, and 255 minus alpha, of each sample.
    values: Vec<(u16, u16)>,
}

impl Sprite {
    /// Paints colour and opacity; `x` and `y` run from 0 to 1.
    pub(super) fn paint(width: u32, height: u32, paint: impl Fn(f32, f32) -> (Rgb, f32)) -> Self {
        let plane = |n: usize, halving: u32| {
            let (width, height) = (width / halving, height / halving);
            let sample = |place: u32| {
                let x = ((place % width) as f32 + 0.5) / width as f32;
                let y = ((place / width) as f32 + 0.5) / height as f32;
                let (colour, alpha) = paint(x, y);
                let alpha = (alpha * 255.0 + 0.5) as u16;
                (
                    u16::from(yuv(colour.map(|value| value.clamp(0.0, 1.0)))[n]) * alpha,
                    255 - alpha,
                )
            };
            Plane {
                width: width as usize,
                height: height as usize,
                values: (0..width * height).map(sample).collect(),
            }
        };
        Self {
            planes: [plane(0, 1), plane(1, 2), plane(2, 2)],
        }
    }

    pub(super) fn width(&self) -> u32 {
        self.planes[0].width as u32
    }

    pub(super) fn height(&self) -> u32 {
        self.planes[0].height as u32
    }
}

/// An I420 picture that sprites are blended into.
pub(super) struct Canvas<'a> {
    planes: [(&'a mut [u8], usize); 3],
}

impl<'a> Canvas<'a> {
    pub(super) fn new(data: &'a mut [u8], width: u32, height: u32) -> Self {
        let (width, luma) = (width as usize, width as usize * height as usize);
        let (y, chroma) = data.split_at_mut(luma);
        let (u, v) = chroma.split_at_mut(luma / 4);
        Self {
            planes: [(y, width), (u, width / 2), (v, width / 2)],
        }
    }

    /// Blends a sprite with its top left at an even place near this one; what
    /// lies outside is cut off.
    pub(super) fn blend(&mut self, sprite: &Sprite, left: i32, top: i32) {
        let (left, top) = (left & !1, top & !1);
        for (n, ((canvas, stride), plane)) in self.planes.iter_mut().zip(&sprite.planes).enumerate()
        {
            let halving = if n == 0 { 1 } else { 2 };
            let (left, top) = (left / halving, top / halving);
            let skip = (-left).max(0) as usize;
            let start = left.max(0) as usize;
            let columns = plane
                .width
                .saturating_sub(skip)
                .min(stride.saturating_sub(start));
            if columns == 0 {
                continue;
            }
            let rows = canvas.len() / *stride;
            for row in 0..plane.height {
                let Some(y) = usize::try_from(top + row as i32).ok().filter(|&y| y < rows) else {
                    continue;
                };
                let to = &mut canvas[y * *stride + start..][..columns];
                let from = &plane.values[row * plane.width + skip..][..columns];
                for (pixel, &(value, rest)) in to.iter_mut().zip(from) {
                    let sum = u32::from(value) + u32::from(*pixel) * u32::from(rest);
                    // Division by 255, rounded.
                    *pixel = ((sum + 128 + ((sum + 128) >> 8)) >> 8) as u8;
                }
            }
        }
    }
}

//! How many bits a picture's size asks for.

/// 1280x720 at 1,500 kbit/s, and 640x360 at 600: an exponent of log₄ 2.5.
const REFERENCE_PIXELS: f64 = 1280.0 * 720.0;
const REFERENCE_BITS_PER_SECOND: f64 = 1_500_000.0;
const EXPONENT: f64 = 0.660_964_047_443_681_2;

/// The bit rate, in bits per second, at which a picture of this size looks
/// well: 600 kbit/s at 640x360, 1,500 at 1280x720, and a power of the number
/// of pixels through both.
pub fn bitrate_for(width: u32, height: u32) -> u32 {
    let pixels = f64::from(width) * f64::from(height);
    (REFERENCE_BITS_PER_SECOND * (pixels / REFERENCE_PIXELS).powf(EXPONENT)).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_follows_the_size() {
        let sizes = [(320, 180), (640, 360), (1280, 720), (1920, 1080)];
        assert_eq!(
            sizes.map(|(width, height)| bitrate_for(width, height)),
            [240_000, 600_000, 1_500_000, 2_563_724]
        );
    }
}

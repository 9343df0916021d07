//! Noise suppression (RNNoise). It delays by 10 ms.

use nnnoiseless::DenoiseState;

use super::stage::Stage;
use super::{BLOCK_SAMPLES, Block};

/// The library's samples are those of 16-bit integers.
const SCALE: f32 = 32_768.0;

const _: () = assert!(BLOCK_SAMPLES == DenoiseState::FRAME_SIZE);

pub(super) struct NoiseSuppressor(Box<DenoiseState<'static>>);

impl NoiseSuppressor {
    pub(super) fn new() -> Self {
        Self(DenoiseState::new())
    }
}

impl Stage for NoiseSuppressor {
    fn process(&mut self, block: &mut Block) {
        let input = block.map(|sample| sample * SCALE);
        self.0.process_frame(block, &input);
        block.iter_mut().for_each(|sample| *sample /= SCALE);
    }
}

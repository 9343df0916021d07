//! Echo cancellation (AEC3).

use sonora::three_band_filter_bank::{NUM_BANDS, SPLIT_BAND_SIZE, ThreeBandFilterBank};
use sonora_aec3::block::Block as Aec3Block;
use sonora_aec3::block_framer::BlockFramer;
use sonora_aec3::block_processor::BlockProcessor;
use sonora_aec3::common::SUB_FRAME_LENGTH;
use sonora_aec3::config::EchoCanceller3Config;
use sonora_aec3::frame_blocker::FrameBlocker;

use super::Block;
use super::stage::Stage;
use crate::audio::SAMPLE_RATE;

/// Correlators for the delay between reference and echo, 96 ms apart. libwebrtc's 5 miss
/// Bluetooth speakers, which play up to 600 ms later.
const DELAY_FILTERS: usize = 10;

/// They work at 2 kHz instead of 4: as sure, in a quarter of the time.
const DELAY_DOWN_SAMPLING: usize = 8;

/// The library's samples are those of 16-bit integers.
const SCALE: f32 = 32_768.0;

/// From here the microphone is taken to be overdriven.
const SATURATED: f32 = 32_700.0 / SCALE;

type Bands = [[f32; SPLIT_BAND_SIZE]; NUM_BANDS];
/// By band and channel.
type SubFrame = Vec<Vec<Vec<f32>>>;

pub(super) struct EchoCanceller {
    far: Splitter,
    near: Splitter,
    offset: OffsetFilter,
    block: Aec3Block,
    processor: BlockProcessor,
    framer: BlockFramer,
    sub_frame: SubFrame,
}

/// Removes what lies below speech: a first-order high-pass at 20 Hz. The library's own, of
/// sixth order at 100 Hz, turns the phase of low voices.
#[derive(Default)]
struct OffsetFilter {
    last_input: f32,
    last_output: f32,
}

impl OffsetFilter {
    fn process(&mut self, block: &mut Block) {
        const POLE: f32 = 1.0 - std::f32::consts::TAU * 20.0 / SAMPLE_RATE as f32;
        for sample in block {
            let output = *sample - self.last_input + POLE * self.last_output;
            self.last_input = *sample;
            self.last_output = output;
            *sample = output;
        }
    }
}

/// Makes blocks of three bands of a stream of frames.
struct Splitter {
    bank: ThreeBandFilterBank,
    blocker: FrameBlocker,
}

impl Splitter {
    fn new() -> Self {
        Self {
            bank: ThreeBandFilterBank::new(),
            blocker: FrameBlocker::new(NUM_BANDS, 1),
        }
    }

    fn split(&mut self, frame: &Block) -> Bands {
        let mut bands = [[0.0; SPLIT_BAND_SIZE]; NUM_BANDS];
        self.bank
            .analysis(&frame.map(|sample| sample * SCALE), &mut bands);
        bands
    }

    /// The next block, from this half of a frame.
    fn insert(&mut self, bands: &Bands, half: usize, block: &mut Aec3Block) {
        let range = half * SUB_FRAME_LENGTH..(half + 1) * SUB_FRAME_LENGTH;
        let sub_frame: Vec<Vec<&[f32]>> = bands
            .iter()
            .map(|band| vec![&band[range.clone()]])
            .collect();
        self.blocker
            .insert_sub_frame_and_extract_block(&sub_frame, block);
    }
}

impl EchoCanceller {
    pub(super) fn new() -> Self {
        let mut config = EchoCanceller3Config::default();
        config.delay.num_filters = DELAY_FILTERS;
        config.delay.down_sampling_factor = DELAY_DOWN_SAMPLING;
        let sub_frame = vec![vec![vec![0.0; SUB_FRAME_LENGTH]; 1]; NUM_BANDS];
        Self {
            far: Splitter::new(),
            near: Splitter::new(),
            offset: OffsetFilter::default(),
            block: Aec3Block::new(NUM_BANDS, 1),
            processor: BlockProcessor::new(&config, SAMPLE_RATE as usize, 1, 1),
            framer: BlockFramer::new(NUM_BANDS, 1),
            sub_frame,
        }
    }

    fn cancel(&mut self, is_saturated: bool) {
        self.processor
            .process_capture(false, is_saturated, None, &mut self.block);
    }
}

impl Stage for EchoCanceller {
    fn hear_far_end(&mut self, far: &Block) {
        let bands = self.far.split(far);
        for half in 0..2 {
            self.far.insert(&bands, half, &mut self.block);
            self.processor.buffer_render(&self.block);
        }
        if self.far.blocker.is_block_available() {
            self.far.blocker.extract_block(&mut self.block);
            self.processor.buffer_render(&self.block);
        }
    }

    fn process(&mut self, block: &mut Block) {
        let is_saturated = block.iter().any(|sample| sample.abs() >= SATURATED);
        self.offset.process(block);
        let mut bands = self.near.split(block);
        for half in 0..2 {
            self.near.insert(&bands, half, &mut self.block);
            self.cancel(is_saturated);
            self.framer
                .insert_block_and_extract_sub_frame(&self.block, &mut self.sub_frame);
            let range = half * SUB_FRAME_LENGTH..(half + 1) * SUB_FRAME_LENGTH;
            for (band, sub_frame) in bands.iter_mut().zip(&self.sub_frame) {
                band[range.clone()].copy_from_slice(&sub_frame[0]);
            }
        }
        if self.near.blocker.is_block_available() {
            self.near.blocker.extract_block(&mut self.block);
            self.cancel(is_saturated);
            self.framer.insert_block(&self.block);
        }
        self.near.bank.synthesis(&bands, block);
        block.iter_mut().for_each(|sample| *sample /= SCALE);
    }
}

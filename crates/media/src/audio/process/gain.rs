//! Automatic gain, with a limiter behind it (AGC2).

use sonora::config::{AdaptiveDigital, GainController2, MaxProcessingRate, Pipeline};
use sonora::{AudioProcessing, Config, StreamConfig};

use super::Block;
use super::stage::Stage;
use crate::audio::SAMPLE_RATE;

/// Lower than the library's own 50 dB: more lifts what is left of the echo.
const MAX_GAIN_DB: f32 = 18.0;

pub(super) struct GainControl(AudioProcessing);

impl GainControl {
    pub(super) fn new() -> Self {
        let stream = StreamConfig::new(SAMPLE_RATE, 1);
        let config = Config {
            pipeline: Pipeline {
                maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz,
                ..Pipeline::default()
            },
            gain_controller2: Some(GainController2 {
                adaptive_digital: Some(AdaptiveDigital {
                    headroom_db: 6.0,
                    max_gain_db: MAX_GAIN_DB,
                    initial_gain_db: 3.0,
                    max_gain_change_db_per_second: 3.0,
                    max_output_noise_level_dbfs: -55.0,
                }),
                ..GainController2::default()
            }),
            ..Config::default()
        };
        let processing = AudioProcessing::builder()
            .config(config)
            .capture_config(stream)
            .render_config(stream)
            .build();
        Self(processing)
    }
}

impl Stage for GainControl {
    fn process(&mut self, block: &mut Block) {
        let input = *block;
        if self
            .0
            .process_capture_f32(&[&input], &mut [block.as_mut_slice()])
            .is_err()
        {
            // Never, with the configuration above.
            *block = input;
        }
    }
}

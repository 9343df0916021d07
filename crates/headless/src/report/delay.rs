//! The delay of received video by stage.

use serde::Serialize;
use visavis_media::video::StageDelays;

/// The mean of each stage in milliseconds, over the frames shown since the line before.
#[derive(Debug, Serialize)]
pub struct DelayByStage {
    pub frames: u64,
    pub capture: f64,
    pub encode: f64,
    pub pace: f64,
    pub network: f64,
    pub jitter_buffer: f64,
    pub decode: f64,
    pub total: f64,
}

impl DelayByStage {
    /// `None` where no frame was shown of which the sender's times are known.
    pub fn new(now: &StageDelays, before: Option<&StageDelays>) -> Option<Self> {
        let stages = before.map_or(*now, |before| now.since(before));
        let mean = |seconds: f64| seconds * 1_000.0 / stages.frames as f64;
        (stages.frames > 0).then(|| Self {
            frames: stages.frames,
            capture: mean(stages.capture),
            encode: mean(stages.encode),
            pace: mean(stages.pace),
            network: mean(stages.network),
            jitter_buffer: mean(stages.jitter_buffer),
            decode: mean(stages.decode),
            total: mean(stages.total()),
        })
    }
}

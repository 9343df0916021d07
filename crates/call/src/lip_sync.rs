//! Lip sync of one participant: feeds sender reports and playout times of its tracks into
//! [`LipSync`], and sets the delays that come of it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use visavis_media::audio::{AudioReceiver, SAMPLE_RATE};
use visavis_media::video::playout::sync::{LipSync, PlayoutTiming, SyncStream};
use visavis_media::video::{CLOCK, VideoReceiver};
use visavis_protocol::TrackSource;

use crate::peer::{Receiver, RemoteReports};

/// Interval of the updates.
pub(crate) const INTERVAL: Duration = Duration::from_millis(200);

/// The tracks that are captured together. A microphone is not in sync with a screen.
const PAIRS: [(TrackSource, TrackSource); 2] = [
    (TrackSource::Microphone, TrackSource::Camera),
    (TrackSource::ScreenShareAudio, TrackSource::ScreenShare),
];

/// A stream without media for so long no longer delays the other one.
const STALLED: Duration = Duration::from_secs(2);

/// The state of each of [`PAIRS`].
#[derive(Debug, Default)]
pub(crate) struct ParticipantSync([LipSync; 2]);

impl ParticipantSync {
    /// Updates the delays. `speaker_delay` is the time from the mix to the speaker; `None`
    /// while nothing plays, when no video waits for sound.
    pub(crate) fn update(
        &mut self,
        now: Instant,
        receivers: &HashMap<TrackSource, Receiver>,
        reports: &RemoteReports,
        speaker_delay: Option<Duration>,
    ) {
        for (sync, (audio, video)) in self.0.iter_mut().zip(PAIRS) {
            let (Some(Receiver::Audio(sound)), Some(Receiver::Video(frames))) =
                (receivers.get(&audio), receivers.get(&video))
            else {
                continue;
            };
            let delays = match streams(now, sound, frames, speaker_delay)
                .zip(reports.of_one_clock(audio, video))
            {
                Some(((sound, frames), (of_audio, of_video))) => sync.update(
                    now,
                    &SyncStream {
                        clock_rate: SAMPLE_RATE,
                        report: of_audio,
                        timing: sound,
                    },
                    &SyncStream {
                        clock_rate: CLOCK,
                        report: of_video,
                        timing: frames,
                    },
                ),
                None => sync.release(now),
            };
            sound.set_extra_delay(delays.audio);
            frames.set_extra_delay(delays.video);
        }
    }
}

/// The timing of both, while both have media.
fn streams(
    now: Instant,
    sound: &AudioReceiver,
    frames: &VideoReceiver,
    speaker_delay: Option<Duration>,
) -> Option<(PlayoutTiming, PlayoutTiming)> {
    let is_fresh =
        |timing: &PlayoutTiming| now.saturating_duration_since(timing.arrived_at) < STALLED;
    let mut sound = sound.timing().filter(is_fresh)?;
    let frames = frames.timing().filter(is_fresh)?;
    sound.delay += speaker_delay?;
    Some((sound, frames))
}

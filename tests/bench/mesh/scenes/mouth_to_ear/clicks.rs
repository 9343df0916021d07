//! Clicks: made, found in what is heard, and paired.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::Heard;

const RATE: u32 = 48_000;
/// Between two clicks; longer than any delay that is paired.
const INTERVAL: f64 = 0.8;
const LONGEST_DELAY: f64 = 0.7;
/// A click is a short syllable, a decaying pulse train at the pitch of a voice, so that
/// a noise suppressor lets it pass.
const LENGTH: f64 = 0.12;
const PITCH: f64 = 160.0;
/// An onset reaches this share of the loudest sample, after this long below it.
const ONSET: f64 = 0.3;
const QUIET: f64 = 0.3;
/// Below this there is no click at all.
const AUDIBLE: f64 = 0.01;

/// Writes a file of clicks of about this length.
pub fn write_clicks(file: &Path, length: Duration) -> Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(file, spec)?;
    let samples = (length.as_secs_f64() * f64::from(RATE)) as u32;
    for at in 0..samples {
        let time = f64::from(at) / f64::from(RATE) % INTERVAL;
        wav.write_sample((click(time) * 32_767.0) as i16)?;
    }
    Ok(wav.finalize()?)
}

/// The amplitude so many seconds after the start of a click.
fn click(time: f64) -> f64 {
    if time >= LENGTH {
        return 0.0;
    }
    let harmonics = (1..=12).map(|harmonic| {
        let harmonic = f64::from(harmonic);
        (std::f64::consts::TAU * PITCH * harmonic * time).cos() / harmonic.sqrt()
    });
    0.12 * harmonics.sum::<f64>() * (1.0 - time / LENGTH)
}

/// When clicks began, in seconds on the listeners' clock.
pub fn onsets(heard: &Heard) -> Vec<f64> {
    let loudest = heard
        .samples
        .iter()
        .fold(0.0, |loudest, sample| f64::max(loudest, sample.abs()));
    if loudest < AUDIBLE {
        return Vec::new();
    }
    let mut onsets = Vec::new();
    let mut last_loud = f64::NEG_INFINITY;
    for (at, sample) in heard.samples.iter().enumerate() {
        if sample.abs() < ONSET * loudest {
            continue;
        }
        let time = heard.from + at as f64 / f64::from(RATE);
        if time - last_loud >= QUIET {
            onsets.push(time);
        }
        last_loud = time;
    }
    onsets
}

/// Milliseconds from each click to the next that was heard, where it is near enough to
/// be the same.
pub fn delays(spoken: &[f64], heard: &[f64]) -> Vec<f64> {
    let pairs = spoken.iter().filter_map(|spoken| {
        let after = heard.iter().find(|heard| *heard >= spoken)?;
        Some(after - spoken)
    });
    pairs
        .filter(|delay| *delay <= LONGEST_DELAY)
        .map(|delay| delay * 1_000.0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(from: f64, loudness: f64, seconds: f64) -> Heard {
        let samples = (seconds * f64::from(RATE)) as u32;
        let samples =
            (0..samples).map(|at| loudness * click(f64::from(at) / f64::from(RATE) % INTERVAL));
        Heard {
            from,
            samples: samples.collect(),
        }
    }

    #[test]
    fn a_click_is_found_at_its_onset_however_loud_it_is() {
        for loudness in [1.0, 0.1] {
            let onsets = onsets(&heard(10.0, loudness, 2.0));
            assert_eq!(onsets.len(), 3);
            for (onset, expected) in onsets.iter().zip([10.0, 10.8, 11.6]) {
                assert!((onset - expected).abs() < 0.002, "{onset}");
            }
        }
    }

    #[test]
    fn silence_has_no_onsets() {
        assert_eq!(onsets(&heard(0.0, 0.0, 1.0)), [0.0; 0]);
        assert_eq!(onsets(&heard(0.0, 0.005, 1.0)), [0.0; 0]);
    }

    #[test]
    fn clicks_are_paired_with_the_next_that_is_heard_and_lost_ones_are_left_out() {
        let spoken = [1.0, 1.8, 2.6];
        let delays = delays(&spoken, &[1.15, 2.76]);
        let expected = [150.0, 160.0];
        assert_eq!(delays.len(), 2);
        for (delay, expected) in delays.iter().zip(expected) {
            assert!((delay - expected).abs() < 1e-6, "{delay}");
        }
    }

    #[test]
    fn the_file_of_clicks_holds_as_many_as_fit() {
        let file = tempfile::NamedTempFile::new().unwrap();
        write_clicks(file.path(), Duration::from_secs(4)).unwrap();
        let samples: Vec<f64> = hound::WavReader::open(file.path())
            .unwrap()
            .samples::<i16>()
            .map(|sample| f64::from(sample.unwrap()) / 32_768.0)
            .collect();
        assert_eq!(onsets(&Heard { from: 0.0, samples }).len(), 5);
    }
}

//! Speech made a pitch period longer or shorter, at the same pitch (WSOLA).

/// Shortest and longest period in samples: 2.5 to 10 ms, 400 to 100 Hz. Of lower voices
/// half a period or none is found.
const PERIODS: std::ops::RangeInclusive<usize> = 120..=480;

/// The search looks at each fourth period and sample first.
const COARSE: usize = 4;

/// Below −50 dBFS nothing is missed or heard twice.
const QUIET_RMS: f32 = 0.003;

/// Takes a period out of some sound of at least two periods, if it is at least so much like the next
/// one, 0 to 1. Gives how many samples it took.
pub(crate) fn shorten(sound: &mut Vec<f32>, likeness: f32) -> usize {
    let Some((period, alike)) = period(sound).filter(|(_, alike)| *alike >= likeness) else {
        return 0;
    };
    for n in 0..period {
        sound[period + n] = fade(sound[n], sound[period + n], n, period, alike);
    }
    sound.drain(..period);
    period
}

/// Repeats a period of some sound, likewise. Gives how many samples it added.
pub(crate) fn lengthen(sound: &mut Vec<f32>, likeness: f32) -> usize {
    let Some((period, alike)) = period(sound).filter(|(_, alike)| *alike >= likeness) else {
        return 0;
    };
    let repeated: Vec<f32> = (0..period)
        .map(|n| fade(sound[period + n], sound[n], n, period, alike))
        .collect();
    sound.splice(period..period, repeated);
    period
}

/// From one sound to another, `alike` each other, without a change of loudness.
fn fade(from: f32, to: f32, n: usize, count: usize, alike: f32) -> f32 {
    let share = n as f32 / count as f32;
    let (from_share, to_share) = (1.0 - share, share);
    let power =
        from_share.powi(2) + to_share.powi(2) + 2.0 * alike.clamp(0.0, 1.0) * from_share * to_share;
    (from * from_share + to * to_share) / power.sqrt()
}

/// The period after which the beginning repeats itself best, and how well; the longest
/// where all is quiet.
fn period(sound: &[f32]) -> Option<(usize, f32)> {
    // Of packets shorter than 20 ms only high voices have two periods.
    let longest = (sound.len() / 2).min(*PERIODS.end());
    if longest < *PERIODS.start() {
        return None;
    }
    let energy: f32 = sound.iter().map(|sample| sample * sample).sum();
    if (energy / sound.len() as f32).sqrt() < QUIET_RMS {
        return Some((longest, 1.0));
    }
    let best = |periods: &mut dyn Iterator<Item = usize>, step: usize| {
        periods
            .map(|period| (period, alike(sound, period, step)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
    };
    let periods = *PERIODS.start()..=longest;
    let (coarse, _) = best(&mut periods.step_by(COARSE), COARSE)?;
    let near = (coarse - COARSE).max(*PERIODS.start())..=(coarse + COARSE).min(longest);
    best(&mut near.into_iter(), 1)
}

/// Correlation of the first period with the second, −1 to 1.
fn alike(sound: &[f32], period: usize, step: usize) -> f32 {
    let (mut product, mut first, mut second) = (0.0, 0.0, 0.0);
    for n in (0..period).step_by(step) {
        let (a, b) = (sound[n], sound[period + n]);
        product += a * b;
        first += a * a;
        second += b * b;
    }
    product / (first * second).sqrt().max(f32::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::goertzel::power;

    fn tone(hertz: f32, count: usize) -> Vec<f32> {
        let turn = hertz * std::f32::consts::TAU / 48_000.0;
        (0..count).map(|n| 0.5 * (n as f32 * turn).sin()).collect()
    }

    /// A second in frames of 20 ms, each stretched.
    fn stretched(sound: &[f32], how: fn(&mut Vec<f32>, f32) -> usize) -> (Vec<f32>, usize) {
        let mut changed = 0;
        let output = sound.chunks_exact(960).flat_map(|frame| {
            let mut frame = frame.to_vec();
            changed += how(&mut frame, 0.8);
            frame
        });
        (output.collect(), changed)
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_loudness_and_has_no_clicks() {
        for hertz in [110.0, 250.0, 1_000.0] {
            let sound = tone(hertz, 48_000);
            let steepest = 0.5 * hertz * std::f32::consts::TAU / 48_000.0;
            let (shorter, removed) = stretched(&sound, shorten);
            let (longer, inserted) = stretched(&sound, lengthen);
            assert_eq!(shorter.len(), sound.len() - removed);
            assert_eq!(longer.len(), sound.len() + inserted);
            assert!(
                removed > 9_600 && inserted > 9_600,
                "{hertz}: {removed} {inserted}"
            );
            for output in [shorter, longer] {
                let steps = output.windows(2).map(|pair| (pair[1] - pair[0]).abs());
                let step = steps.fold(0.0, f32::max);
                assert!(
                    step < steepest * 2.0 + 0.01,
                    "{hertz}: {step} for {steepest}"
                );
                let rms = crate::audio::Level::of(&output).rms;
                assert!((rms - 0.353).abs() < 0.03, "{hertz}: {rms}");
                assert!(power(&output[..9_600], hertz) > 0.08, "{hertz}");
            }
        }
    }

    #[test]
    fn noise_is_left_as_it_is_until_less_is_asked_for_and_quiet_sound_gives_10_ms_at_once() {
        let mut seed = 1_u32;
        let noise: Vec<f32> = (0..960)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) as f32 / 16_777_216.0 - 0.5
            })
            .collect();
        let mut sound = noise.clone();
        assert_eq!(shorten(&mut sound, 0.8), 0);
        assert_eq!(sound, noise);
        assert!(shorten(&mut sound, 0.0) >= 120);
        let quiet = vec![0.001; 960];
        let (mut shorter, mut longer) = (quiet.clone(), quiet);
        assert_eq!(
            (shorten(&mut shorter, 0.9), lengthen(&mut longer, 0.9)),
            (480, 480)
        );
        // Of packets of 10 ms half goes, of 2.5 ms nothing.
        assert_eq!(shorten(&mut vec![0.0; 480], 0.9), 240);
        assert_eq!(shorten(&mut vec![0.0; 120], 0.0), 0);
    }
}

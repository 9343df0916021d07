//! Models of packet loss.

use crate::Random;

/// How packets are lost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Loss {
    /// None is.
    #[default]
    None,
    /// Each with this probability, independent of the others.
    Random(f64),
    /// In bursts: the Gilbert-Elliott model, a Markov chain with a good state, which
    /// loses nothing, and a bad state, which loses everything.
    Bursts {
        /// Share of packets lost in the long run.
        share: f64,
        /// Mean number of consecutive packets lost.
        length: f64,
    },
}

/// The state of a loss model.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LossState {
    is_bad: bool,
}

impl LossState {
    /// Whether the next packet is lost.
    pub(crate) fn loses(&mut self, loss: Loss, random: &mut Random) -> bool {
        match loss {
            Loss::None => false,
            Loss::Random(probability) => random.chance(probability),
            Loss::Bursts { share, length } => {
                let leaves_bad = 1.0 / length.max(1.0);
                // From the stationary share of the bad state.
                let enters_bad = leaves_bad * share / (1.0 - share).max(f64::EPSILON);
                self.is_bad = if self.is_bad {
                    !random.chance(leaves_bad)
                } else {
                    random.chance(enters_bad)
                };
                self.is_bad
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of 200,000 packets are lost.
    fn pattern(loss: Loss) -> Vec<bool> {
        let (mut random, mut state) = (Random::new(3), LossState::default());
        (0..200_000)
            .map(|_| state.loses(loss, &mut random))
            .collect()
    }

    fn share(pattern: &[bool]) -> f64 {
        pattern.iter().filter(|lost| **lost).count() as f64 / pattern.len() as f64
    }

    /// Mean length of consecutive losses.
    fn burst_length(pattern: &[bool]) -> f64 {
        let bursts = pattern.windows(2).filter(|pair| !pair[0] && pair[1]);
        share(pattern) * pattern.len() as f64 / bursts.count() as f64
    }

    #[test]
    fn random_loss_has_its_share_and_no_bursts() {
        let pattern = pattern(Loss::Random(0.1));
        assert!((share(&pattern) - 0.1).abs() < 0.005, "{}", share(&pattern));
        let length = burst_length(&pattern);
        assert!((length - 1.0 / 0.9).abs() < 0.03, "{length}");
    }

    #[test]
    fn losses_in_bursts_have_their_share_and_length() {
        let loss = Loss::Bursts {
            share: 0.05,
            length: 4.0,
        };
        let pattern = pattern(loss);
        assert!(
            (share(&pattern) - 0.05).abs() < 0.005,
            "{}",
            share(&pattern)
        );
        let length = burst_length(&pattern);
        assert!((length - 4.0).abs() < 0.2, "{length}");
    }

    #[test]
    fn nothing_is_lost_without_a_model() {
        assert_eq!(share(&pattern(Loss::None)), 0.0);
    }
}

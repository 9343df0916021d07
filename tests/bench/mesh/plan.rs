//! What is run: the command line, and rounds that alternate between the sides.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use visavis_tests::programs;

use crate::person::Side;
use crate::table::{Figures, Rounds};

pub const USAGE: &str = "usage: cargo xtask bench mesh [SCENE…] [--rounds N] [--seconds N]\n\
    scenes: cost delay rate shaped first-picture crowd mouth-to-ear";

/// The scenes, in the order in which they are run.
pub const SCENES: [&str; 7] = [
    "cost",
    "delay",
    "rate",
    "shaped",
    "first-picture",
    "crowd",
    "mouth-to-ear",
];

/// The command line.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    pub scenes: Vec<&'static str>,
    pub rounds: Option<usize>,
    /// How long a running call is measured.
    pub seconds: u64,
}

/// How long a call runs before it is measured, at most: encoders and jitter buffers have
/// settled. Chromium begins small and takes its time to the full size.
const SETTLE: [(Side, u64); 2] = [(Side::Ours, 10), (Side::Chromium, 30)];
const ROUNDS: usize = 3;
const SECONDS: u64 = 20;

impl Plan {
    /// Reads the command line.
    ///
    /// # Errors
    /// With the usage, when it is wrong.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut plan = Self {
            scenes: Vec::new(),
            rounds: None,
            seconds: SECONDS,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut number = || -> Result<u64> {
                let number = arguments.next().and_then(|text| text.parse().ok());
                number.filter(|number| *number > 0).context(USAGE)
            };
            match argument.as_str() {
                "--rounds" => plan.rounds = Some(usize::try_from(number()?)?),
                "--seconds" => plan.seconds = number()?,
                name => match SCENES.iter().find(|scene| **scene == name) {
                    Some(scene) => plan.scenes.push(scene),
                    None => bail!(USAGE),
                },
            }
        }
        if plan.scenes.is_empty() {
            plan.scenes = SCENES.to_vec();
        }
        Ok(plan)
    }

    pub fn measured(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// How long a call settles; less in a short run, which tries the benchmark out.
    pub fn settle(&self, side: Side) -> Duration {
        let usual = SETTLE.iter().find(|(of, _)| *of == side);
        let usual = usual.map_or(0, |(_, seconds)| *seconds);
        Duration::from_secs(usual.min(2 * self.seconds))
    }

    /// Runs a scene in rounds. In each, both sides run once, and the one that ran first
    /// is second in the next. A run that fails is reported and left out.
    pub async fn alternate(
        &self,
        scene: &str,
        sides: &[Side],
        rounds: usize,
        mut run: impl AsyncFnMut(Side) -> Result<Figures>,
    ) -> Rounds {
        let mut results = Rounds::default();
        for round in 0..self.rounds.unwrap_or(rounds) {
            for step in 0..sides.len() {
                let side = turn(sides, round, step);
                if side == Side::Chromium && programs::installed("chromium").is_err() {
                    continue;
                }
                match run(side).await {
                    Ok(figures) => {
                        eprintln!("bench: {scene}, {side:?}, round {}: {figures:?}", round + 1);
                        match side {
                            Side::Ours => results.ours.push(figures),
                            Side::Chromium => results.theirs.push(figures),
                        }
                    }
                    Err(error) => eprintln!("bench: {scene}, {side:?} failed: {error:#}"),
                }
            }
        }
        results
    }

    /// The same in the usual number of rounds with both sides.
    pub async fn both(&self, scene: &str, run: impl AsyncFnMut(Side) -> Result<Figures>) -> Rounds {
        let sides = [Side::Ours, Side::Chromium];
        self.alternate(scene, &sides, ROUNDS, run).await
    }
}

/// Whose turn it is in a step of a round.
fn turn(sides: &[Side], round: usize, step: usize) -> Side {
    sides[(round + step) % sides.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Plan> {
        Plan::parse(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn without_a_scene_all_are_run() {
        let plan = parse("").unwrap();
        assert_eq!(plan.scenes, SCENES);
        assert_eq!((plan.rounds, plan.seconds), (None, 20));
    }

    #[test]
    fn scenes_rounds_and_seconds_can_be_chosen() {
        let plan = parse("shaped --rounds 2 cost --seconds 5").unwrap();
        assert_eq!(plan.scenes, ["shaped", "cost"]);
        assert_eq!((plan.rounds, plan.seconds), (Some(2), 5));
        assert_eq!(plan.settle(Side::Chromium), Duration::from_secs(10));
    }

    #[test]
    fn a_wrong_command_line_gives_the_usage() {
        for wrong in ["dance", "--rounds", "--rounds 0", "--seconds x", "--fast"] {
            assert_eq!(parse(wrong).unwrap_err().to_string(), USAGE, "{wrong}");
        }
    }

    #[test]
    fn the_sides_take_turns_in_being_first() {
        let sides = [Side::Ours, Side::Chromium];
        let order = |round| [0, 1].map(|step| turn(&sides, round, step));
        assert_eq!(order(0), sides);
        assert_eq!(order(1), [Side::Chromium, Side::Ours]);
        assert_eq!(order(2), sides);
    }

    #[tokio::test]
    async fn a_failed_run_is_left_out() {
        let plan = parse("--rounds 2").unwrap();
        let mut ran = Vec::new();
        let sides = [Side::Ours, Side::Ours];
        let rounds = plan.alternate("test", &sides, 3, async |side| {
            ran.push(side);
            anyhow::ensure!(ran.len() != 2, "no");
            Ok(vec![("run", ran.len() as f64)])
        });
        let rounds = rounds.await;
        let runs: Vec<f64> = rounds.ours.iter().map(|figures| figures[0].1).collect();
        assert_eq!(runs, [1.0, 3.0, 4.0]);
    }
}

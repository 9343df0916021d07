//! Medians of the rounds beside the goals, as a Markdown table.

use std::fmt::Write as _;

use crate::statistics::median;

/// The figures of one run of a scene, by key.
pub type Figures = Vec<(&'static str, f64)>;

/// How a figure is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// It is shown only.
    None,
    /// Ours is at most this share of Chromium's.
    Share(f64),
    /// Ours is at most this.
    AtMost(f64),
    /// Ours is at least this.
    AtLeast(f64),
    /// Ours does not exceed Chromium's.
    NotAboveTheirs,
    /// Ours is at least Chromium's less this.
    NotBelowTheirsLess(f64),
}

/// A figure of a scene in the table.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    pub key: &'static str,
    /// With its unit.
    pub name: &'static str,
    pub decimals: usize,
    pub goal: Goal,
}

impl Line {
    pub const fn new(key: &'static str, name: &'static str, decimals: usize, goal: Goal) -> Self {
        Self {
            key,
            name,
            decimals,
            goal,
        }
    }
}

/// The rounds of one scene.
#[derive(Debug, Default)]
pub struct Rounds {
    pub ours: Vec<Figures>,
    pub theirs: Vec<Figures>,
}

/// A scene with what it came to.
pub struct Section {
    pub scene: String,
    pub lines: &'static [Line],
    pub rounds: Rounds,
}

/// The table of all scenes.
pub fn table(sections: &[Section]) -> String {
    let mut table = String::from(
        "| scene | figure | Visavis | Chromium | share | goal | |\n|---|---|---|---|---|---|---|\n",
    );
    for section in sections {
        for line in section.lines {
            let ours = value(&section.rounds.ours, line.key);
            let theirs = value(&section.rounds.theirs, line.key);
            if ours.is_none() && theirs.is_none() {
                continue;
            }
            // A String takes whatever is written.
            let _ = writeln!(
                table,
                "| {} | {} | {} | {} | {} | {} | {} |",
                section.scene,
                line.name,
                number(ours, line.decimals),
                number(theirs, line.decimals),
                number(share(ours, theirs), 2),
                goal(line.goal),
                match met(line.goal, ours, theirs) {
                    Some(true) => "met",
                    Some(false) => "**missed**",
                    None => "",
                }
            );
        }
    }
    table
}

/// The median over the rounds.
pub fn value(rounds: &[Figures], key: &str) -> Option<f64> {
    let of_key = |figures: &Figures| {
        let found = figures.iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| *value)
    };
    median(&rounds.iter().filter_map(of_key).collect::<Vec<_>>())
}

fn share(ours: Option<f64>, theirs: Option<f64>) -> Option<f64> {
    let share = ours? / theirs?;
    share.is_finite().then_some(share)
}

/// Whether a goal is met; `None` where there is none, or a figure is missing.
fn met(goal: Goal, ours: Option<f64>, theirs: Option<f64>) -> Option<bool> {
    let ours = ours?;
    Some(match goal {
        Goal::None => return None,
        Goal::Share(most) => ours <= most * theirs?,
        Goal::AtMost(most) => ours <= most,
        Goal::AtLeast(least) => ours >= least,
        Goal::NotAboveTheirs => ours <= theirs?,
        Goal::NotBelowTheirsLess(less) => ours >= theirs? - less,
    })
}

fn goal(goal: Goal) -> String {
    match goal {
        Goal::None => String::new(),
        Goal::Share(most) => format!("share ≤ {most}"),
        Goal::AtMost(most) => format!("≤ {most}"),
        Goal::AtLeast(least) => format!("≥ {least}"),
        Goal::NotAboveTheirs => "≤ Chromium's".into(),
        Goal::NotBelowTheirsLess(less) => format!("≥ Chromium's − {less}"),
    }
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or("–".into(), |value| format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [Line; 3] = [
        Line::new("cpu", "CPU, cores", 3, Goal::Share(0.3)),
        Line::new("psnr", "PSNR-Y, dB", 1, Goal::NotBelowTheirsLess(0.5)),
        Line::new("freezes", "freezes", 0, Goal::NotAboveTheirs),
    ];

    #[test]
    fn the_table_has_medians_shares_and_what_is_met() {
        let round = |cpu, psnr, freezes| vec![("cpu", cpu), ("psnr", psnr), ("freezes", freezes)];
        let section = Section {
            scene: "2 at 640x360".into(),
            lines: &LINES,
            rounds: Rounds {
                ours: vec![
                    round(0.1, 36.0, 0.0),
                    round(0.2, 35.0, 1.0),
                    round(0.1, 35.2, 0.0),
                ],
                theirs: vec![round(0.4, 36.0, 0.0)],
            },
        };
        let expected = "\
| scene | figure | Visavis | Chromium | share | goal | |
|---|---|---|---|---|---|---|
| 2 at 640x360 | CPU, cores | 0.100 | 0.400 | 0.25 | share ≤ 0.3 | met |
| 2 at 640x360 | PSNR-Y, dB | 35.2 | 36.0 | 0.98 | ≥ Chromium's − 0.5 | **missed** |
| 2 at 640x360 | freezes | 0 | 0 | – | ≤ Chromium's | met |
";
        assert_eq!(table(&[section]), expected);
    }

    #[test]
    fn a_goal_against_a_missing_side_is_neither_met_nor_missed() {
        assert_eq!(met(Goal::Share(0.3), Some(1.0), None), None);
        assert_eq!(met(Goal::AtMost(0.3), Some(0.2), None), Some(true));
        assert_eq!(met(Goal::AtLeast(28.0), Some(27.9), None), Some(false));
        assert_eq!(met(Goal::NotAboveTheirs, None, Some(1.0)), None);
    }

    #[test]
    fn figures_without_a_value_leave_no_row() {
        let section = Section {
            scene: "nothing".into(),
            lines: &LINES,
            rounds: Rounds::default(),
        };
        assert_eq!(table(&[section]).lines().count(), 2);
    }
}

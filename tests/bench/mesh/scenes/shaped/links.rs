//! The links of the shaped scenes. They apply to what a participant sends, in the
//! direction to all others; rates and queues are of IP packets.

use std::time::Duration;

use visavis_network_simulator::{Loss, Profile};

use crate::table::{Goal, Line};

/// A change of the links.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Seconds since the call was watched.
    pub at: f64,
    pub profile: Profile,
}

#[derive(Debug)]
pub struct Scene {
    pub name: &'static str,
    pub participants: usize,
    /// How many of them have shaped uplinks, from the first.
    pub shaped: usize,
    /// 1280x720 in place of 640x360.
    pub is_large: bool,
    pub before: Profile,
    pub steps: &'static [Step],
    /// Seconds between which the figures are taken.
    pub measured: (f64, f64),
    pub end: f64,
    pub lines: &'static [Line],
}

const NEAR: Profile = Profile {
    delay: Duration::from_millis(10),
    ..Profile::PERFECT
};

/// A queue of 200 ms at 2 Mbit/s.
const fn narrow(bits_per_second: f64) -> Profile {
    Profile {
        rate: Some(bits_per_second),
        queue_bytes: 50_000,
        ..NEAR
    }
}

const fn losing(profile: Profile, loss: Loss) -> Profile {
    Profile { loss, ..profile }
}

const CUT: [Step; 2] = [
    Step {
        at: 5.0,
        profile: narrow(500_000.0),
    },
    Step {
        at: 22.0,
        profile: narrow(2_000_000.0),
    },
];

/// What a loss begins after: the rate before is that of a clean link.
const CLEAN: f64 = 5.0;
const fn after_clean(profile: Profile) -> [Step; 1] {
    [Step { at: CLEAN, profile }]
}

const RANDOM_LOSS: [Step; 1] = after_clean(losing(NEAR, Loss::Random(0.1)));
const BURSTS: [Step; 1] = after_clean(losing(
    NEAR,
    Loss::Bursts {
        share: 0.05,
        length: 4.0,
    },
));
const FAR: [Step; 1] = after_clean(losing(
    Profile {
        delay: Duration::from_millis(50),
        jitter: Duration::from_millis(20),
        ..Profile::PERFECT
    },
    Loss::Random(0.02),
));

const RATE: Line = Line::new("rate", "received in a direction, kbit/s", 0, Goal::None);
const FREEZES: Line = Line::new("freezes", "freezes", 0, Goal::NotAboveTheirs);
const FROZEN: Line = Line::new("frozen", "time in freezes, s", 1, Goal::NotAboveTheirs);
const FRAMES: Line = Line::new("fps", "frames/s, worst direction", 1, Goal::None);
const CONCEALED: Line = Line::new("concealed", "sound concealed, %", 2, Goal::None);
const DELAY: Line = Line::new("delay_p50", "one-way delay p50, ms", 0, Goal::None);
const WORST_DELAY: Line = Line::new("delay_max", "worst delay, ms", 0, Goal::None);

const CUT_LINES: [Line; 10] = [
    Line::new("clean", "received before the cut, kbit/s", 0, Goal::None),
    RATE,
    Line::new("below_cap", "sent above the cap, s", 1, Goal::AtMost(1.0)),
    Line::new("freezes", "freezes", 0, Goal::None),
    Line::new("frozen", "time in freezes, s", 1, Goal::None),
    Line::new("longest", "longest freeze, s", 2, Goal::AtMost(0.5)),
    Line::new("fps", "frames/s, worst direction", 1, Goal::AtLeast(15.0)),
    Line::new("delay_max", "worst delay, ms", 0, Goal::AtMost(1_000.0)),
    Line::new(
        "recovered",
        "to the full rate after the rise, s",
        1,
        Goal::AtMost(5.0),
    ),
    Line::new("fps_after", "frames/s after the rise", 1, Goal::None),
];

const LOSS_LINES: [Line; 8] = [
    RATE,
    Line::new(
        "of_clean",
        "rate as a share of before the loss",
        2,
        Goal::AtLeast(0.8),
    ),
    FREEZES,
    FROZEN,
    FRAMES,
    DELAY,
    WORST_DELAY,
    Line::new("concealed", "sound concealed, %", 2, Goal::Share(0.5)),
];

const BURST_LINES: [Line; 7] = [RATE, FREEZES, FROZEN, FRAMES, DELAY, WORST_DELAY, CONCEALED];

const FAR_LINES: [Line; 7] = [
    RATE,
    FREEZES,
    FROZEN,
    FRAMES,
    Line::new("delay_p50", "one-way delay p50, ms", 0, Goal::Share(0.7)),
    WORST_DELAY,
    CONCEALED,
];

const SHARED_LINES: [Line; 6] = [
    RATE,
    Line::new(
        "evenness",
        "smaller share of the larger",
        2,
        Goal::AtLeast(0.75),
    ),
    Line::new("fps", "frames/s, worst direction", 1, Goal::AtLeast(5.0)),
    Line::new("freezes", "freezes", 0, Goal::None),
    Line::new("frozen", "time in freezes, s", 1, Goal::None),
    WORST_DELAY,
];

/// The scenes, each measured for this many seconds; the cut has times of its own.
pub fn scenes(seconds: u64) -> Vec<Scene> {
    let seconds = seconds as f64;
    // Two seconds in which what was under way arrives.
    let begin = CLEAN + 2.0;
    let two = |name, steps, lines| Scene {
        name,
        participants: 2,
        shaped: 2,
        is_large: false,
        before: NEAR,
        steps,
        measured: (begin, begin + seconds),
        end: begin + seconds,
        lines,
    };
    vec![
        Scene {
            is_large: true,
            before: narrow(2_000_000.0),
            measured: (5.0, 22.0),
            end: 42.0,
            ..two("cut to 500 kbit/s for 17 s, 1280x720", &CUT, &CUT_LINES)
        },
        two("10 % random loss, 10 ms", &RANDOM_LOSS, &LOSS_LINES),
        two("5 % loss in bursts of 4, 10 ms", &BURSTS, &BURST_LINES),
        two("50 ± 20 ms, 2 % loss", &FAR, &FAR_LINES),
        Scene {
            participants: 3,
            shaped: 1,
            before: narrow(1_000_000.0),
            measured: (0.0, seconds),
            end: seconds,
            ..two(
                "two peers behind one uplink of 1 Mbit/s",
                &[],
                &SHARED_LINES,
            )
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scene_ends_after_its_steps_and_is_measured_to_its_end_at_most() {
        for scene in scenes(5) {
            assert!(scene.shaped <= scene.participants, "{}", scene.name);
            assert!(scene.measured.0 < scene.measured.1, "{}", scene.name);
            assert!(scene.measured.1 <= scene.end, "{}", scene.name);
            let mut times = scene.steps.iter().map(|step| step.at);
            assert!(times.all(|at| at < scene.end), "{}", scene.name);
        }
    }
}

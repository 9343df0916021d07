//! A stage that is switched on and off while sound passes, and survives its panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{BLOCK_SAMPLES, Block};

/// Changes blocks of sound in place.
pub(super) trait Stage {
    /// Takes a block of what the speaker plays.
    fn hear_far_end(&mut self, _far: &Block) {}

    /// Processes the next block.
    fn process(&mut self, block: &mut Block);
}

/// Runs a stage while it is wanted.
///
/// ```text
///      wanted          warmed up          not wanted
/// Off ───────► Warming ─────────► On (fades in) ─────────► fades out, Off
///  ▲              │                │
///  └── 1 s ── panicked ◄───────────┘
/// ```
pub(super) struct Switch<S> {
    name: &'static str,
    make: fn() -> S,
    state: State<S>,
    panics: u64,
    has_logged: bool,
}

enum State<S> {
    Off,
    /// Runs beside the sound for some more blocks.
    Warming(S, usize),
    /// Has been heard before, or fades in with the next block.
    On(S, Fade),
    /// Sound passes by for so many blocks, then it is made again.
    Panicked(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fade {
    In,
    Over,
}

/// Blocks until a stage's first output has its normal loudness: 40 ms.
const WARM_UP_BLOCKS: usize = 4;

/// Blocks from a panic to the next attempt: a stage that panics at each block must not
/// take the processor.
const REST_BLOCKS: usize = 100;

impl<S: Stage> Switch<S> {
    /// A stage that is off.
    pub(super) fn new(name: &'static str, make: fn() -> S) -> Self {
        Self {
            name,
            make,
            state: State::Off,
            panics: 0,
            has_logged: false,
        }
    }

    /// Makes the stage again with the next block, if it runs: its state is void.
    pub(super) fn restart(&mut self) {
        self.state = State::Off;
    }

    /// Whether its output is heard.
    pub(super) fn is_on(&self) -> bool {
        matches!(self.state, State::On(_, Fade::Over))
    }

    /// Panics since this was last asked.
    pub(super) fn take_panics(&mut self) -> u64 {
        std::mem::take(&mut self.panics)
    }

    /// Processes a block. What is not finite becomes silence.
    pub(super) fn process(&mut self, block: &mut Block, wanted: bool, far: &[Block]) {
        let (mut stage, fade_in, warming) = match std::mem::replace(&mut self.state, State::Off) {
            State::Off if !wanted => return,
            State::Warming(..) if !wanted => return,
            State::Panicked(blocks) if blocks > 0 => {
                self.state = State::Panicked(blocks - 1);
                return;
            }
            State::Off | State::Panicked(_) => match catch_unwind(self.make) {
                Ok(stage) => (stage, false, WARM_UP_BLOCKS),
                Err(_) => return self.panicked(),
            },
            State::Warming(stage, blocks) => (stage, false, blocks),
            State::On(stage, fade) => (stage, fade == Fade::In, 0),
        };
        let mut output = *block;
        let run = AssertUnwindSafe(|| {
            far.iter().for_each(|far| stage.hear_far_end(far));
            stage.process(&mut output);
        });
        // The stage is dropped when it panicked: nothing sees what it left half done.
        if catch_unwind(run).is_err() {
            return self.panicked();
        }
        for sample in &mut output {
            if !sample.is_finite() {
                *sample = 0.0;
            }
        }
        self.state = match (warming, wanted) {
            (0, false) => {
                let input = *block;
                crossfade(&output, &input, block);
                return;
            }
            (0, true) if fade_in => {
                let input = *block;
                crossfade(&input, &output, block);
                State::On(stage, Fade::Over)
            }
            (0, true) => {
                *block = output;
                State::On(stage, Fade::Over)
            }
            (1, _) => State::On(stage, Fade::In),
            (blocks, _) => State::Warming(stage, blocks - 1),
        };
    }

    fn panicked(&mut self) {
        self.panics += 1;
        self.state = State::Panicked(REST_BLOCKS);
        if !std::mem::replace(&mut self.has_logged, true) {
            tracing::error!(stage = self.name, "sound processing panicked: made again");
        }
    }
}

fn crossfade(from: &[f32], to: &[f32], block: &mut Block) {
    for (n, sample) in block.iter_mut().enumerate() {
        let share = (n + 1) as f32 / BLOCK_SAMPLES as f32;
        *sample = from[n] * (1.0 - share) + to[n] * share;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Halves the sound.
    struct Half;

    impl Stage for Half {
        fn process(&mut self, block: &mut Block) {
            block.iter_mut().for_each(|sample| *sample /= 2.0);
        }
    }

    #[test]
    fn a_stage_is_switched_on_and_off_without_a_gap_or_a_click() {
        let mut switch = Switch::new("half", || Half);
        let mut sound = Vec::new();
        for n in 0..40 {
            let mut block = [0.5; BLOCK_SAMPLES];
            switch.process(&mut block, (10..30).contains(&n), &[]);
            sound.extend(block);
        }
        let step = sound.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        assert!(step.fold(0.0, f32::max) < 0.001);
        assert!(sound.iter().all(|sample| (0.25..=0.5).contains(sample)));
        assert_eq!((sound[20 * 480], sound[39 * 480]), (0.25, 0.5));
    }

    /// Panics at its 20th block.
    struct Fragile(usize);

    static MADE: AtomicUsize = AtomicUsize::new(0);

    impl Stage for Fragile {
        fn process(&mut self, block: &mut Block) {
            self.0 += 1;
            assert!(self.0 < 20, "announced");
            block.fill(0.25);
        }
    }

    #[test]
    fn a_stage_that_panics_is_made_again_and_sound_passes_meanwhile() {
        let make = || {
            MADE.fetch_add(1, Ordering::Relaxed);
            Fragile(0)
        };
        let mut switch = Switch::new("fragile", make);
        let heard: Vec<f32> = (0..200)
            .map(|_| {
                let mut block = [0.5; BLOCK_SAMPLES];
                switch.process(&mut block, true, &[]);
                block[479]
            })
            .collect();
        assert_eq!(MADE.load(Ordering::Relaxed), 2);
        // The 20th block of the first passes by, and all until the second has warmed up.
        assert!(heard[10..19].iter().all(|sample| *sample == 0.25));
        assert!(heard[19..120].iter().all(|sample| *sample == 0.5));
        assert!(heard[130..138].iter().all(|sample| *sample == 0.25));
        assert_eq!((switch.take_panics(), switch.take_panics()), (2, 0));
    }

    /// Gives what is no number.
    struct Broken;

    impl Stage for Broken {
        fn process(&mut self, block: &mut Block) {
            block.fill(f32::NAN);
        }
    }

    #[test]
    fn what_is_no_number_becomes_silence() {
        let mut switch = Switch::new("broken", || Broken);
        let mut block = [0.5; BLOCK_SAMPLES];
        for _ in 0..10 {
            block = [0.5; BLOCK_SAMPLES];
            switch.process(&mut block, true, &[]);
        }
        assert_eq!(block, [0.0; BLOCK_SAMPLES]);
    }
}

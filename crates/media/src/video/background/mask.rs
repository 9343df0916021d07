//! Where the person is, steady over time.

/// Below it a pixel is background, above the other person: faint ghosts of objects
/// vanish, and the edge is as soft as the model sees it.
const SURE: (f32, f32) = (0.3, 0.7);
/// The share of a small change that is taken over from a new mask. Noise of the camera
/// moves the edge by this much less.
const STEADY: f32 = 0.1;
/// A change of this much, from background to person, is a movement and taken over whole.
const MOVEMENT: f32 = 1.0;

/// The share of the person in each place, from 0 to 255.
pub(super) struct Mask {
    smooth: Vec<f32>,
    values: Vec<u8>,
    is_first: bool,
}

impl Mask {
    /// A mask of this many places, without a person.
    pub(super) fn new(length: usize) -> Self {
        Self {
            smooth: vec![0.0; length],
            values: vec![0; length],
            is_first: true,
        }
    }

    pub(super) fn values(&self) -> &[u8] {
        &self.values
    }

    /// Takes the probabilities of a new frame over.
    pub(super) fn update(&mut self, probabilities: &[f32]) {
        let places = self.smooth.iter_mut().zip(&mut self.values);
        for ((smooth, value), probability) in places.zip(probabilities) {
            let sure = step((probability - SURE.0) / (SURE.1 - SURE.0));
            let change = sure - *smooth;
            let share = if self.is_first {
                1.0
            } else {
                STEADY + (1.0 - STEADY) * step(change.abs() / MOVEMENT)
            };
            *smooth += change * share;
            *value = (*smooth * 255.0 + 0.5) as u8;
        }
        self.is_first = false;
    }
}

/// From 0 to 1 along a smooth curve; a value that is no number counts as 0.
fn step(value: f32) -> f32 {
    let value = if value > 0.0 { value.min(1.0) } else { 0.0 };
    value * value * (3.0 - 2.0 * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sure_is_whole_and_the_first_mask_counts_at_once() {
        let mut mask = Mask::new(5);
        mask.update(&[0.0, 0.3, 0.5, 0.7, 1.0]);
        assert_eq!(mask.values(), [0, 0, 128, 255, 255]);
        mask.update(&[f32::NAN; 5]);
        assert!(mask.values()[0] == 0);
    }

    #[test]
    fn a_movement_is_followed_in_one_frame_and_flicker_is_damped() {
        let mut mask = Mask::new(2);
        mask.update(&[0.0, 0.5]);
        mask.update(&[1.0, 0.54]);
        assert_eq!(mask.values()[0], 255);
        // Undamped it would be 166.
        assert!(
            (129..140).contains(&mask.values()[1]),
            "{:?}",
            mask.values()
        );
    }
}

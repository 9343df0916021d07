//! Whether to wait for the packet after a lost one, which may carry it.

/// Shares of the packets of late.
#[derive(Debug, Default)]
pub(super) struct Repair {
    lost: f32,
    with_fec: f32,
}

/// Packets over which shares are averaged: 5 s of 20 ms.
const WINDOW: f32 = 250.0;

/// From here lost packets are worth a longer delay: one a second or so,
const LOST: f32 = 0.01;
/// and that where enough of what follows carries them.
const WITH_FEC: f32 = 0.1;

impl Repair {
    /// A packet had its turn, or its turn passed without it.
    pub(super) fn note_turn(&mut self, is_lost: bool) {
        self.lost += (f32::from(u8::from(is_lost)) - self.lost) / WINDOW;
    }

    /// A packet came.
    pub(super) fn note_packet(&mut self, has_fec: bool) {
        self.with_fec += (f32::from(u8::from(has_fec)) - self.with_fec) / WINDOW;
    }

    /// Whether the delay is to be a packet longer: at the turn of a lost packet the one
    /// after it is there then.
    pub(super) fn is_worth_waiting(&self) -> bool {
        self.lost > LOST && self.with_fec > WITH_FEC
    }
}

//! Which samples were played in place of packets, as W3C webrtc-stats counts them.

/// Counts since the buffer was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ConcealmentCounts {
    /// Samples played in place of packets that were lost or late (`concealedSamples`).
    pub(crate) samples: u64,
    /// Those of them that were silence (`silentConcealedSamples`).
    pub(crate) silent_samples: u64,
    /// Runs of such samples (`concealmentEvents`).
    pub(crate) events: u64,
}

/// Counts concealment.
///
/// While nothing comes it is not known whether packets are missing or the sender sends
/// none, as with discontinuous transmission (DTX) or when it is muted. The sequence number
/// and the timestamp of the next packet show it; until then the samples are undecided.
#[derive(Debug, Default)]
pub(super) struct Concealment {
    counts: ConcealmentCounts,
    undecided: usize,
    undecided_silent: usize,
    /// Whether the newest sample that was counted is concealed.
    is_open: bool,
}

impl Concealment {
    pub(super) fn counts(&self) -> ConcealmentCounts {
        self.counts
    }

    /// Samples since the last packet that are undecided.
    pub(super) fn undecided(&self) -> usize {
        self.undecided + self.undecided_silent
    }

    /// Samples were played while nothing waited.
    pub(super) fn wait(&mut self, samples: usize, is_silent: bool) {
        if is_silent {
            self.undecided_silent += samples;
        } else {
            self.undecided += samples;
        }
    }

    /// Of the undecided samples, so many at the most stood for missing packets.
    pub(super) fn decide(&mut self, missing: usize) {
        let samples = self.undecided.min(missing);
        let silent = self.undecided_silent.min(missing - samples);
        (self.undecided, self.undecided_silent) = (0, 0);
        self.conceal(samples, false);
        self.conceal(silent, true);
    }

    /// Samples were played in place of packets that are known to be missing.
    pub(super) fn conceal(&mut self, samples: usize, is_silent: bool) {
        if samples == 0 {
            return;
        }
        self.counts.samples += samples as u64;
        if is_silent {
            self.counts.silent_samples += samples as u64;
        }
        if !std::mem::replace(&mut self.is_open, true) {
            self.counts.events += 1;
        }
    }

    /// A packet is played.
    pub(super) fn end(&mut self) {
        self.is_open = false;
    }
}

//! What the speaker plays, from the mixer to the microphone's thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use rtrb::{Consumer, Producer, RingBuffer};

use super::{BLOCK_SAMPLES, Block};

/// Sound that waits at the most: 500 ms. The microphone's thread empties it every 20 ms.
const CAPACITY: usize = 50 * BLOCK_SAMPLES;

/// A new queue without locks, both ends.
pub(crate) fn echo_reference() -> (ReferenceWriter, EchoReference) {
    let (producer, consumer) = RingBuffer::new(CAPACITY);
    let shared = Arc::new(Shared::default());
    let writer = ReferenceWriter {
        queue: producer,
        shared: Arc::clone(&shared),
    };
    let reader = EchoReference {
        queue: consumer,
        shared,
        seen: 0,
    };
    (writer, reader)
}

#[derive(Default)]
struct Shared {
    /// Counts interruptions: what waits from before one does not belong to what follows.
    interruptions: AtomicU32,
    /// Whether a device plays it.
    is_audible: AtomicBool,
}

/// The mixer's end.
pub(crate) struct ReferenceWriter {
    queue: Producer<f32>,
    shared: Arc<Shared>,
}

impl ReferenceWriter {
    /// Takes a block of the mix; `is_audible`: a device plays it. A full queue, since no
    /// microphone is open or its thread stands still, drops it.
    pub(crate) fn push(&mut self, block: &[[f32; 2]; BLOCK_SAMPLES], is_audible: bool) {
        self.shared.is_audible.store(is_audible, Ordering::Relaxed);
        if !is_audible {
            return;
        }
        match self.queue.write_chunk_uninit(BLOCK_SAMPLES) {
            Ok(chunk) => {
                chunk.fill_from_iter(block.iter().map(|[left, right]| (left + right) / 2.0));
            }
            Err(_) => self.interrupt(),
        }
    }

    /// Another device plays from now on.
    pub(crate) fn interrupt(&self) {
        self.shared.interruptions.fetch_add(1, Ordering::Release);
    }

    /// Whether the reader is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.queue.is_abandoned()
    }
}

impl Drop for ReferenceWriter {
    fn drop(&mut self) {
        self.shared.is_audible.store(false, Ordering::Relaxed);
    }
}

/// The microphone's end.
pub(crate) struct EchoReference {
    queue: Consumer<f32>,
    shared: Arc<Shared>,
    /// Interruptions that were taken into account.
    seen: u32,
}

/// What was in the queue.
pub(crate) struct Drained {
    /// A device plays; else there is no echo.
    pub(crate) is_audible: bool,
    /// What follows does not continue what came before.
    pub(crate) was_interrupted: bool,
}

impl EchoReference {
    /// Moves all that waits to `far`.
    pub(crate) fn drain(&mut self, far: &mut Vec<Block>) -> Drained {
        let interruptions = self.shared.interruptions.load(Ordering::Acquire);
        let was_interrupted = std::mem::replace(&mut self.seen, interruptions) != interruptions;
        if was_interrupted {
            self.flush();
        }
        let whole = self.queue.slots() / BLOCK_SAMPLES * BLOCK_SAMPLES;
        if let Ok(chunk) = self.queue.read_chunk(whole) {
            let mut samples = chunk.into_iter();
            far.extend((0..whole / BLOCK_SAMPLES).map(|_| {
                // There are as many as were asked for.
                std::array::from_fn::<f32, BLOCK_SAMPLES, _>(|_| samples.next().unwrap_or(0.0))
            }));
        }
        Drained {
            is_audible: self.shared.is_audible.load(Ordering::Relaxed),
            was_interrupted,
        }
    }

    /// Drops what waits.
    pub(crate) fn flush(&mut self) {
        if let Ok(chunk) = self.queue.read_chunk(self.queue.slots()) {
            chunk.commit_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_emptied_at_once_bounded_and_flushed_when_a_device_is_opened_again() {
        let (mut writer, mut reader) = echo_reference();
        let push = |writer: &mut ReferenceWriter, value: f32| {
            writer.push(&[[value; 2]; BLOCK_SAMPLES], true);
        };
        let drain = |reader: &mut EchoReference| {
            let mut far = Vec::new();
            let drained = reader.drain(&mut far);
            let values: Vec<f32> = far.iter().map(|block| block[0]).collect();
            (values, drained.was_interrupted)
        };
        (0..3).for_each(|n| push(&mut writer, n as f32));
        assert_eq!(drain(&mut reader), (vec![0.0, 1.0, 2.0], false));
        assert_eq!(drain(&mut reader), (vec![], false));
        // Nobody reads for 10 s.
        (0..1_000).for_each(|n| push(&mut writer, n as f32));
        assert_eq!(reader.queue.slots(), CAPACITY);
        assert_eq!(drain(&mut reader), (vec![], true));
        push(&mut writer, 1.0);
        writer.interrupt();
        assert_eq!(drain(&mut reader), (vec![], true));
        push(&mut writer, 2.0);
        assert_eq!(drain(&mut reader), (vec![2.0], false));
        let mut far = Vec::new();
        assert!(reader.drain(&mut far).is_audible);
        drop(writer);
        assert!(!reader.drain(&mut far).is_audible);
    }
}

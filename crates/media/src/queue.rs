//! Bounded queues of encoded media, from one encoder to one subscriber.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::packet::{EncodedAudio, EncodedVideo};

/// Encoded sound to one subscriber: 10 packets (200 ms); when full the oldest goes.
pub const ENCODED_AUDIO_CAPACITY: usize = 10;

/// Encoded frames to one subscriber: 10 (a third of a second); when full all go, and
/// nothing is taken until the next key frame, since what follows could not be decoded.
pub const ENCODED_VIDEO_CAPACITY: usize = 10;

/// What a full queue does with an item.
pub trait Queued {
    /// How many items wait at the most.
    const CAPACITY: usize;

    /// Whether a decoder can start at this item. Where every item can, a full
    /// queue drops its oldest; otherwise it is cleared up to the next such item.
    const INDEPENDENT: bool;

    /// Whether this item can be decoded without those before it.
    fn is_independent(&self) -> bool;
}

impl Queued for EncodedAudio {
    const CAPACITY: usize = ENCODED_AUDIO_CAPACITY;
    const INDEPENDENT: bool = true;

    fn is_independent(&self) -> bool {
        true
    }
}

impl Queued for EncodedVideo {
    const CAPACITY: usize = ENCODED_VIDEO_CAPACITY;
    const INDEPENDENT: bool = false;

    fn is_independent(&self) -> bool {
        self.key_frame
    }
}

/// What became of a pushed item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It waits for the reader.
    Queued,
    /// Something was dropped for want of room; a video queue now needs a key frame.
    Overflowed,
    /// The reader is gone: unsubscribe.
    Closed,
}

/// The reader's end; the encoder holds a [`QueueWriter`]. Dropping it unsubscribes.
#[derive(Debug)]
pub struct Queue<T> {
    shared: Arc<Mutex<State<T>>>,
}

/// The encoder's end of a [`Queue`]. Dropping it ends the reader.
#[derive(Debug)]
pub struct QueueWriter<T> {
    shared: Arc<Mutex<State<T>>>,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    capacity: usize,
    awaits_independent: bool,
    closed: bool,
    waker: Option<Waker>,
}

/// A new queue, both ends.
pub fn queue<T: Queued>() -> (QueueWriter<T>, Queue<T>) {
    queue_of([])
}

/// A queue with items in it, for which it has room beside its capacity. The first
/// must be one at which a decoder can start.
pub fn queue_of<T: Queued>(items: impl IntoIterator<Item = T>) -> (QueueWriter<T>, Queue<T>) {
    let items: VecDeque<T> = items.into_iter().collect();
    let state = State {
        capacity: T::CAPACITY + items.len(),
        awaits_independent: !T::INDEPENDENT && items.is_empty(),
        items,
        closed: false,
        waker: None,
    };
    let shared = Arc::new(Mutex::new(state));
    (
        QueueWriter {
            shared: Arc::clone(&shared),
        },
        Queue { shared },
    )
}

fn lock<T>(shared: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Queued> QueueWriter<T> {
    /// Hands an item over without waiting.
    pub fn push(&self, item: T) -> Pushed {
        let (pushed, waker) = {
            let mut state = lock(&self.shared);
            if state.closed {
                return Pushed::Closed;
            }
            (state.push(item), state.waker.take())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        pushed
    }

    /// Whether the reader is gone.
    pub fn is_closed(&self) -> bool {
        lock(&self.shared).closed
    }
}

impl<T: Queued> State<T> {
    fn push(&mut self, item: T) -> Pushed {
        if self.awaits_independent && !item.is_independent() {
            return Pushed::Overflowed;
        }
        self.awaits_independent = false;
        let full = self.items.len() >= self.capacity;
        if full && T::INDEPENDENT {
            self.items.pop_front();
        } else if full {
            self.items.clear();
            if !item.is_independent() {
                self.awaits_independent = true;
                return Pushed::Overflowed;
            }
        }
        self.items.push_back(item);
        if full {
            Pushed::Overflowed
        } else {
            Pushed::Queued
        }
    }
}

impl<T> Drop for QueueWriter<T> {
    fn drop(&mut self) {
        let waker = {
            let mut state = lock(&self.shared);
            state.closed = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Queue<T> {
    /// The next item, in any async runtime; `None` once the encoder is gone
    /// and everything was read. One reader at a time.
    pub async fn next(&mut self) -> Option<T> {
        poll_fn(|context| {
            let mut state = lock(&self.shared);
            if let Some(item) = state.items.pop_front() {
                return Poll::Ready(Some(item));
            }
            if state.closed {
                return Poll::Ready(None);
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Whether a video queue waits for a key frame.
    pub fn awaits_independent(&self) -> bool {
        lock(&self.shared).awaits_independent
    }

    /// The next item, if one is there.
    pub fn try_next(&mut self) -> Option<T> {
        lock(&self.shared).items.pop_front()
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        lock(&self.shared).closed = true;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;

    use super::*;
    use crate::packet::{VideoCodec, VideoLayer};

    fn frame(timestamp: u32, key_frame: bool) -> EncodedVideo {
        EncodedVideo {
            codec: VideoCodec::Vp8,
            layer: VideoLayer::Full,
            data: Bytes::new(),
            timestamp,
            key_frame,
            is_discardable: false,
            width: 2,
            height: 2,
            captured_at: Instant::now(),
            encode_started_at: Instant::now(),
            encoded_at: Instant::now(),
        }
    }

    #[test]
    fn a_video_queue_starts_at_a_key_frame_and_after_overflow_at_the_next() {
        let (writer, mut reader) = queue();
        assert_eq!(writer.push(frame(0, false)), Pushed::Overflowed);
        for n in 1..=10 {
            assert_eq!(writer.push(frame(n, n == 1)), Pushed::Queued);
        }
        assert_eq!(writer.push(frame(11, false)), Pushed::Overflowed);
        assert!(reader.awaits_independent() && reader.try_next().is_none());
        assert_eq!(writer.push(frame(12, false)), Pushed::Overflowed);
        assert_eq!(writer.push(frame(13, true)), Pushed::Queued);
        assert_eq!(reader.try_next().map(|frame| frame.timestamp), Some(13));
    }

    #[test]
    fn a_queue_that_starts_with_items_has_room_for_as_many_more_as_another() {
        let (writer, mut reader) = queue_of([frame(0, true), frame(1, false), frame(2, false)]);
        for n in 3..=12 {
            assert_eq!(writer.push(frame(n, false)), Pushed::Queued);
        }
        assert_eq!(writer.push(frame(13, false)), Pushed::Overflowed);
        assert!(reader.try_next().is_none());
    }

    #[test]
    fn a_sound_queue_drops_its_oldest() {
        let (writer, mut reader) = queue();
        for n in 0..=10 {
            let sound = EncodedAudio {
                data: Bytes::new(),
                timestamp: n,
                samples: 960,
                captured_at: Instant::now(),
            };
            writer.push(sound);
        }
        assert_eq!(reader.try_next().map(|s| s.timestamp), Some(1));
        drop(reader);
        let sound = EncodedAudio {
            data: Bytes::new(),
            timestamp: 0,
            samples: 960,
            captured_at: Instant::now(),
        };
        assert_eq!(writer.push(sound), Pushed::Closed);
    }
}

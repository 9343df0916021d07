//! From RTP packets to the frame that is shown.

mod decoding;
mod jitter;
mod stages;
mod stats;

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use self::decoding::Decoding;
use self::stages::Timings;
pub use self::stages::{FrameTiming, StageDelays};
pub use self::stats::VideoReceiveStats;
use crate::frame::Frame;
use crate::latest::Latest;
use crate::packet::{RtpPacket, VideoCodec};
use crate::video::playout::sync::PlayoutTiming;

/// Packets from the network to the decode thread: 1,024; when full, a packet
/// is dropped as if the network had lost it.
const PACKET_CAPACITY: usize = 1_024;

/// Decodes one remote video track: a frame assembler, a playout buffer and a decode
/// thread, which ends when this is dropped.
pub struct VideoReceiver {
    packets: SyncSender<(VideoCodec, RtpPacket)>,
    shared: Arc<Shared>,
}

struct Shared {
    frames: Latest<Frame>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    stats: VideoReceiveStats,
    /// What was received so far is to be forgotten by the decode thread.
    cleared: bool,
    /// The H.264 parameter sets of the session description.
    parameter_sets: Vec<Vec<u8>>,
    /// Whether the decode thread has yet to take them.
    has_new_sets: bool,
    /// What lip sync adds to the delay of each frame.
    extra_delay: Duration,
    /// Of the newest frame.
    timing: Option<PlayoutTiming>,
    /// What the sender says about frames that are not shown yet.
    sent: Timings,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl VideoReceiver {
    /// Starts the decode thread. `on_key_frame_needed` is called from it when
    /// decoding cannot go on without a key frame: packets lost and not
    /// repaired in time, a decoder's error, a stream joined in its middle. It
    /// is called again every 500 ms while that lasts and packets come, and
    /// must not block.
    pub fn new(on_key_frame_needed: impl Fn() + Send + Sync + 'static) -> Self {
        let (packets, inbox) = sync_channel(PACKET_CAPACITY);
        let shared = Arc::new(Shared {
            frames: Latest::new(),
            state: Mutex::default(),
        });
        let shared_too = Arc::clone(&shared);
        let decoding = move || Decoding::new(shared_too, Box::new(on_key_frame_needed)).run(&inbox);
        if let Err(error) = thread::Builder::new()
            .name("video decoder".into())
            .spawn(decoding)
        {
            tracing::error!(%error, "no thread to decode pictures");
        }
        Self { packets, shared }
    }

    /// Hands a packet over. Never blocks; when the decode thread is far
    /// behind, the packet is dropped.
    pub fn push(&self, codec: VideoCodec, packet: RtpPacket) {
        // Full or ended: either way the packet is lost, and counted as a gap.
        let _ = self.packets.try_send((codec, packet));
    }

    /// Sets the H.264 parameter sets of the session description (RFC 6184, section
    /// 8.1: `sprop-parameter-sets`), as NAL units. Those in the stream are used as well,
    /// and replace them where they have the same identifier.
    pub fn set_parameter_sets(&self, sets: &[Vec<u8>]) {
        let mut state = self.shared.lock();
        // Set again by a later description, they are older than those of the stream.
        if state.parameter_sets != sets {
            state.parameter_sets = sets.to_vec();
            state.has_new_sets = true;
        }
    }

    /// Takes what the sender says about the frame with this RTP timestamp. Called before
    /// [`push`](Self::push) of the frame's last packet.
    pub fn note_timing(&self, timestamp: u32, timing: FrameTiming) {
        self.shared.lock().sent.note(timestamp, timing);
    }

    /// Delays each frame by so much more than the network needs, at most 1 s
    /// ([`MAX_EXTRA_DELAY`](crate::video::playout::MAX_EXTRA_DELAY)), for lip sync. It
    /// takes effect with the next packet.
    pub fn set_extra_delay(&self, extra: Duration) {
        self.shared.lock().extra_delay = extra;
    }

    /// When the newest frame arrived and its present delay until it is shown, for
    /// [`LipSync`](crate::video::playout::sync::LipSync); `None` before the first frame
    /// and after [`clear`](Self::clear).
    pub fn timing(&self) -> Option<PlayoutTiming> {
        self.shared.lock().timing
    }

    /// The frame that is shown now.
    pub fn frames(&self) -> Latest<Frame> {
        self.shared.frames.clone()
    }

    /// Forgets the picture and waits for the next key frame, as when the other
    /// side has muted itself. The pause does not count as a freeze.
    pub fn clear(&self) {
        let mut state = self.shared.lock();
        state.cleared = true;
        state.timing = None;
        state.sent = Timings::default();
        self.shared.frames.clear();
    }

    /// What was seen so far.
    pub fn stats(&self) -> VideoReceiveStats {
        self.shared.lock().stats.clone()
    }
}

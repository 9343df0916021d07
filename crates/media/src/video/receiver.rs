//! From RTP packets to the newest decoded picture.

mod freezes;
mod jitter;

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use self::freezes::Freezes;
use self::jitter::Jitter;
use crate::codec::{VideoDecoder, video_decoder};
use crate::frame::Frame;
use crate::latest::Latest;
use crate::packet::{RtpPacket, VideoCodec};
use crate::time::unix_ms;
use crate::video::assembly::{AssembledFrame, Assembler, Inserted};
use crate::video::delay::DelayHistogram;
use crate::video::timecode;

/// Packets from the network to the decode thread: 1,024; when full, a packet
/// is dropped as if the network had lost it.
const PACKET_CAPACITY: usize = 1_024;

/// While a key frame is needed, it is asked for so often.
const ASK_INTERVAL: Duration = Duration::from_millis(500);

/// What a [`VideoReceiver`] has seen since it was made. Counts only grow.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VideoReceiveStats {
    /// Packets that came, in time and for the first time.
    pub packets_received: u64,
    /// Packets that did not come, or not in time to be used.
    pub packets_lost: u64,
    /// Payload bytes of the packets that came.
    pub bytes_received: u64,
    /// Pictures decoded.
    pub frames_decoded: u64,
    /// Pictures given up: incomplete, damaged, or in need of one that is missing.
    pub frames_dropped: u64,
    /// Key frames decoded.
    pub key_frames_decoded: u64,
    /// Width of the newest picture in pixels; 0 before the first.
    pub width: u32,
    /// Height of the newest picture in pixels; 0 before the first.
    pub height: u32,
    /// Interarrival jitter (RFC 3550, appendix A.8).
    pub jitter_ms: f32,
    /// Freezes, as webrtc-stats defines `freezeCount`: the time between two
    /// pictures reached max(3 × average, average + 150 ms), with the average
    /// of the last 30.
    pub freezes: u64,
    /// Time spent in freezes, in milliseconds (`totalFreezesDuration`).
    pub freeze_ms: u64,
    /// Delay from the other side's source to the decoded picture, of those
    /// pictures that carry a time code; both clocks have to agree.
    pub delay: DelayHistogram,
}

/// Decodes one remote picture: a frame assembler and a decode thread, which
/// ends when this is dropped.
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

    /// The newest decoded picture.
    pub fn frames(&self) -> Latest<Frame> {
        self.shared.frames.clone()
    }

    /// Forgets the picture and waits for the next key frame, as when the other
    /// side has muted itself. The pause does not count as a freeze.
    pub fn clear(&self) {
        let mut state = self.shared.lock();
        state.cleared = true;
        self.shared.frames.clear();
    }

    /// What was seen so far.
    pub fn stats(&self) -> VideoReceiveStats {
        self.shared.lock().stats.clone()
    }
}

/// What the decode thread owns.
struct Decoding {
    shared: Arc<Shared>,
    on_key_frame_needed: Box<dyn Fn() + Send + Sync>,
    codec: VideoCodec,
    assembler: Assembler,
    decoder: Option<Box<dyn VideoDecoder>>,
    jitter: Jitter,
    freezes: Freezes,
    asked_at: Option<Instant>,
    packet_since_asking: bool,
    decoder_failures: u64,
}

impl Decoding {
    fn new(shared: Arc<Shared>, on_key_frame_needed: Box<dyn Fn() + Send + Sync>) -> Self {
        let codec = VideoCodec::H264;
        Self {
            shared,
            on_key_frame_needed,
            codec,
            assembler: Assembler::new(codec),
            decoder: None,
            jitter: Jitter::default(),
            freezes: Freezes::default(),
            asked_at: None,
            packet_since_asking: false,
            decoder_failures: 0,
        }
    }

    fn run(mut self, inbox: &Receiver<(VideoCodec, RtpPacket)>) {
        loop {
            let received = match self.deadline() {
                Some(at) => inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            self.take_changes();
            match received {
                Ok((codec, packet)) => self.packet(codec, packet),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while let Some(frame) = self.assembler.pop(Instant::now()) {
                self.decode(&frame);
            }
            let counts = self.assembler.counts();
            let mut state = self.shared.lock();
            state.stats.packets_lost = counts.packets_lost;
            state.stats.frames_dropped = counts.frames_dropped + self.decoder_failures;
            drop(state);
            self.ask_for_key_frame(Instant::now());
        }
    }

    /// Does what was asked of the receiver since the packet before.
    fn take_changes(&mut self) {
        let mut state = self.shared.lock();
        let is_cleared = std::mem::take(&mut state.cleared);
        let sets = std::mem::take(&mut state.has_new_sets).then(|| state.parameter_sets.clone());
        drop(state);
        if is_cleared {
            self.start_anew(self.codec);
        }
        for set in sets.into_iter().flatten() {
            self.assembler.learn_parameter_set(&set);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let ask_again = self
            .asked_at
            .filter(|_| self.wants_to_ask())
            .map(|at| at + ASK_INTERVAL);
        self.assembler.deadline().into_iter().chain(ask_again).min()
    }

    fn start_anew(&mut self, codec: VideoCodec) {
        self.codec = codec;
        self.assembler.reset(codec);
        self.freezes = Freezes::default();
    }

    fn packet(&mut self, codec: VideoCodec, packet: RtpPacket) {
        if codec != self.codec {
            self.start_anew(codec);
            self.decoder = None;
        }
        let (arrived_at, timestamp, bytes) =
            (packet.arrived_at, packet.timestamp, packet.payload.len());
        if self.assembler.push(packet) == Inserted::New {
            self.packet_since_asking = true;
            self.jitter.packet(arrived_at, timestamp);
            let stats = &mut self.shared.lock().stats;
            stats.packets_received += 1;
            stats.bytes_received += bytes as u64;
            stats.jitter_ms = self.jitter.ms();
        }
    }

    fn decode(&mut self, frame: &AssembledFrame) {
        let decoder = match &mut self.decoder {
            Some(decoder) => Ok(decoder),
            empty => video_decoder(self.codec).map(|decoder| empty.insert(decoder)),
        };
        let decoded = decoder.and_then(|decoder| decoder.decode(&frame.data, Instant::now()));
        match decoded {
            Ok(Some(picture)) => self.publish(picture, frame.key_frame),
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "a picture was not decoded");
                self.decoder = None;
                self.decoder_failures += 1;
                self.assembler.require_key_frame();
            }
        }
    }

    fn publish(&mut self, picture: Frame, key_frame: bool) {
        let delay = timecode::read(&picture).map(|code| timecode::delay_ms(code, unix_ms()));
        let mut state = self.shared.lock();
        if state.cleared {
            return;
        }
        let stats = &mut state.stats;
        stats.frames_decoded += 1;
        stats.key_frames_decoded += u64::from(key_frame);
        (stats.width, stats.height) = (picture.width(), picture.height());
        if let Some(freeze) = self.freezes.picture(Instant::now()) {
            stats.freezes += 1;
            stats.freeze_ms += freeze.as_millis() as u64;
        }
        if let Some(delay) = delay {
            stats.delay.record(delay);
        }
        // Under the lock, so that `clear` is not undone.
        self.shared.frames.set(picture);
    }

    fn wants_to_ask(&self) -> bool {
        self.assembler.key_frame_needed() && self.packet_since_asking
    }

    fn ask_for_key_frame(&mut self, now: Instant) {
        let may_ask = self
            .asked_at
            .is_none_or(|at| now.saturating_duration_since(at) >= ASK_INTERVAL);
        if self.wants_to_ask() && may_ask {
            self.asked_at = Some(now);
            self.packet_since_asking = false;
            (self.on_key_frame_needed)();
        }
    }
}

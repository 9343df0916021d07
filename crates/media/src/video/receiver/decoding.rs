//! The decode thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::Shared;
use super::jitter::Jitter;
use super::stats::Intervals;
use crate::codec::{VideoDecoder, video_decoder};
use crate::frame::Frame;
use crate::packet::{RtpPacket, VideoCodec};
use crate::time::unix_ms;
use crate::video::assembly::{AssembledFrame, Assembler, Inserted};
use crate::video::playout::Playout;
use crate::video::timecode;

/// While a key frame is needed, it is asked for so often.
const ASK_INTERVAL: Duration = Duration::from_millis(500);

type Inbox = Receiver<(VideoCodec, RtpPacket)>;

/// What the decode thread owns. A frame is decoded when it is due, so that no raw frame
/// waits.
pub(super) struct Decoding {
    shared: Arc<Shared>,
    on_key_frame_needed: Box<dyn Fn() + Send + Sync>,
    codec: VideoCodec,
    assembler: Assembler,
    playout: Playout,
    decoder: Option<Box<dyn VideoDecoder>>,
    jitter: Jitter,
    intervals: Intervals,
    asked_at: Option<Instant>,
    packet_since_asking: bool,
    frames_received: u64,
    decoder_failures: u64,
}

impl Decoding {
    pub(super) fn new(
        shared: Arc<Shared>,
        on_key_frame_needed: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        let codec = VideoCodec::H264;
        Self {
            shared,
            on_key_frame_needed,
            codec,
            assembler: Assembler::new(codec),
            playout: Playout::default(),
            decoder: None,
            jitter: Jitter::default(),
            intervals: Intervals::default(),
            asked_at: None,
            packet_since_asking: false,
            frames_received: 0,
            decoder_failures: 0,
        }
    }

    pub(super) fn run(mut self, inbox: &Inbox) {
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
            self.assemble();
            // All that came while the last frame was decoded, to know the newest.
            while !self.playout.is_full()
                && let Ok((codec, packet)) = inbox.try_recv()
            {
                self.packet(codec, packet);
                self.assemble();
            }
            if let Some(frame) = self.playout.pop(Instant::now()) {
                self.decode(&frame);
            }
            self.count();
            self.ask_for_key_frame(Instant::now());
        }
    }

    /// Does what was asked of the receiver since the packet before.
    fn take_changes(&mut self) {
        let mut state = self.shared.lock();
        let is_cleared = std::mem::take(&mut state.cleared);
        let sets = std::mem::take(&mut state.has_new_sets).then(|| state.parameter_sets.clone());
        self.playout.set_extra_delay(state.extra_delay);
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
        let repair = self.assembler.deadline();
        let frame = self.playout.deadline();
        [ask_again, repair, frame].into_iter().flatten().min()
    }

    fn start_anew(&mut self, codec: VideoCodec) {
        self.codec = codec;
        self.assembler.reset(codec);
        self.playout.clear();
        self.intervals = Intervals::default();
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

    fn assemble(&mut self) {
        while let Some(frame) = self.assembler.pop(Instant::now()) {
            self.frames_received += 1;
            self.playout.push(frame);
        }
    }

    fn decode(&mut self, frame: &AssembledFrame) {
        let begun_at = Instant::now();
        self.emitted(frame, begun_at);
        let decoder = match &mut self.decoder {
            Some(decoder) => Ok(decoder),
            empty => video_decoder(self.codec).map(|decoder| empty.insert(decoder)),
        };
        let decoded = decoder.and_then(|decoder| decoder.decode(&frame.data, begun_at));
        let now = Instant::now();
        match decoded {
            Ok(Some(picture)) => self.decoded(frame, picture, begun_at, now),
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "a frame was not decoded");
                self.decoder = None;
                self.decoder_failures += 1;
                if !self.playout.drop_to_key_frame() {
                    self.assembler.require_key_frame();
                }
            }
        }
    }

    /// Counts a frame that leaves the playout buffer.
    fn emitted(&self, frame: &AssembledFrame, now: Instant) {
        let stats = &mut self.shared.lock().stats;
        stats.jitter_buffer_delay += now.saturating_duration_since(frame.first_arrival);
        stats.jitter_buffer_target_delay += self.playout.target_delay();
        stats.jitter_buffer_minimum_delay += self.playout.minimum_delay();
        stats.jitter_buffer_emitted_count += 1;
    }

    fn decoded(&mut self, frame: &AssembledFrame, picture: Frame, begun_at: Instant, now: Instant) {
        let decode_time = now.saturating_duration_since(begun_at);
        let is_shown = self.playout.decoded(now, decode_time);
        let delay = Some(&picture)
            .filter(|_| is_shown)
            .and_then(timecode::read)
            .map(|code| timecode::delay_ms(code, unix_ms()));
        let mut state = self.shared.lock();
        if state.cleared {
            return;
        }
        state.timing = self.playout.timing();
        let timing = state.sent.take(frame.timestamp);
        let stats = &mut state.stats;
        stats.frames_decoded += 1;
        stats.key_frames_decoded += u64::from(frame.key_frame);
        stats.total_decode_time += decode_time;
        stats.total_processing_delay += now.saturating_duration_since(frame.first_arrival);
        (stats.width, stats.height) = (picture.width(), picture.height());
        if !is_shown {
            return;
        }
        stats.frames_rendered += 1;
        if let Some(timing) = timing {
            stats
                .stages
                .record(&timing, frame.last_arrival, begun_at, now);
        }
        if let Some(interval) = self.intervals.shown(now) {
            stats.record(interval);
        }
        if let Some(delay) = delay {
            stats.delay.record(delay);
        }
        // Under the lock, so that `clear` is not undone.
        self.shared.frames.set(picture);
    }

    /// Publishes what is counted here.
    fn count(&self) {
        let counts = self.assembler.counts();
        let skipped = self.playout.frames_skipped();
        let stats = &mut self.shared.lock().stats;
        stats.packets_lost = counts.packets_lost;
        stats.frames_received = self.frames_received;
        stats.frames_dropped = counts.frames_dropped + self.decoder_failures + skipped;
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

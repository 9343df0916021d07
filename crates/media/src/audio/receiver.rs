//! One person's sound: jitter buffer, decoder, volume, level.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use crate::audio::jitter::{JitterBuffer, Outcome, Speed};
use crate::audio::process::VoiceActivity;
use crate::audio::stretch::{lengthen, shorten};
use crate::audio::{FRAME_SAMPLES, Level, SAMPLE_RATE, lock};
use crate::codec::opus::Decoder;
use crate::packet::RtpPacket;
use crate::video::playout::MAX_EXTRA_DELAY;
use crate::video::playout::sync::PlayoutTiming;

/// Counts of an [`AudioReceiver`] since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct AudioReceiveStats {
    /// Packets that came, late ones and duplicates too.
    pub packets_received: u64,
    /// Packets that never came, or came too late.
    pub packets_lost: u64,
    /// Bytes of payload that came.
    pub bytes_received: u64,
    /// Inter-arrival jitter in milliseconds (RFC 3550, section 6.4.1).
    pub jitter_ms: f32,
    /// Samples played in place of packets that were lost or late (W3C
    /// `concealedSamples`). What is played while the sender sends nothing, as with DTX
    /// or when it is muted, does not count. The next packet shows which of the two it
    /// was; they are counted then.
    pub concealed_samples: u64,
    /// Those of them that were silence (W3C `silentConcealedSamples`).
    pub silent_concealed_samples: u64,
    /// Runs of concealed samples (W3C `concealmentEvents`).
    pub concealment_events: u64,
    /// Samples taken out to shorten the delay (W3C `removedSamplesForAcceleration`).
    pub removed_samples: u64,
    /// Samples put in to lengthen the delay (W3C `insertedSamplesForDeceleration`).
    pub inserted_samples: u64,
    /// Samples of packets that left the buffer (W3C `jitterBufferEmittedCount`).
    pub emitted_samples: u64,
    /// How long each of them waited, in all, in seconds (W3C `jitterBufferDelay`); by
    /// `emitted_samples` the mean delay.
    pub jitter_buffer_delay_seconds: f64,
    /// What the delay should have been for each, in all (W3C `jitterBufferTargetDelay`).
    pub jitter_buffer_target_delay_seconds: f64,
    /// What the delay should be now, in milliseconds.
    pub target_delay_ms: f32,
    /// Samples of lost packets that were decoded from the FEC data of the packet after.
    pub fec_samples: u64,
    /// Packets that carry the one before them, too (W3C `fecPacketsReceived`).
    pub fec_packets_received: u64,
    /// Those of them that repaired a loss; the others are W3C's `fecPacketsDiscarded`.
    pub fec_packets_used: u64,
    /// Samples handed to the mix, silence too (W3C `totalSamplesReceived`).
    pub total_samples_played: u64,
    /// Sound that waits in the buffer now, in milliseconds.
    pub buffer_delay_ms: f32,
    /// Sum of the squared level times duration in seconds, before the volume
    /// (W3C `totalAudioEnergy`).
    pub total_energy: f64,
}

/// The network's end of one person's sound. Dropping it takes the person out
/// of the mix.
pub struct AudioReceiver {
    shared: Arc<Shared>,
}

struct Shared {
    inbox: Mutex<VecDeque<Incoming>>,
    /// Bits of an `f32`.
    volume: AtomicU32,
    played: Mutex<(Level, AudioReceiveStats)>,
    speaking: AtomicBool,
    /// What lip sync adds to the delay, in microseconds.
    extra_delay: AtomicU64,
    timing: Mutex<Option<PlayoutTiming>>,
}

enum Incoming {
    Packet(RtpPacket),
    Pause,
}

/// Packets between the network and the mixer, which empties it every 10 ms;
/// when it is full the oldest goes.
const INBOX_CAPACITY: usize = 128;

impl AudioReceiver {
    /// Takes a packet. Never waits; bounded.
    pub fn push(&self, packet: RtpPacket) {
        self.put(Incoming::Packet(packet));
    }

    /// How loud was what was just played of this person, before the volume.
    pub fn level(&self) -> Level {
        lock(&self.shared.played).0
    }

    /// Whether the person speaks in what was just played: voice activity of the decoded
    /// sound, so that noise and music do not make an active speaker.
    pub fn is_speaking(&self) -> bool {
        self.shared.speaking.load(Ordering::Relaxed)
    }

    /// Factor on the samples, 0 to 2, reached over 10 ms.
    pub fn set_volume(&self, volume: f32) {
        let volume = if volume.is_nan() {
            1.0
        } else {
            volume.clamp(0.0, 2.0)
        };
        self.shared
            .volume
            .store(volume.to_bits(), Ordering::Relaxed);
    }

    /// Delays the sound by so much more than the network needs, at most 1 s
    /// ([`MAX_EXTRA_DELAY`]), for lip sync. The sound is stretched until it is reached.
    pub fn set_extra_delay(&self, extra: Duration) {
        let extra = extra.min(MAX_EXTRA_DELAY).as_micros() as u64;
        self.shared.extra_delay.store(extra, Ordering::Relaxed);
    }

    /// When what is mixed now arrived and its delay until it is mixed, for
    /// [`LipSync`](crate::video::playout::sync::LipSync); `None` before the first packet.
    /// The time from the mix to the speaker is [`PlayoutStats::delay`](super::PlayoutStats).
    pub fn timing(&self) -> Option<PlayoutTiming> {
        *lock(&self.shared.timing)
    }

    /// Nothing more is expected until the next packet (the other side muted):
    /// what waits is played, and what is missing then is silence, not loss.
    pub fn clear(&self) {
        self.put(Incoming::Pause);
    }

    /// Counts so far.
    pub fn stats(&self) -> AudioReceiveStats {
        lock(&self.shared.played).1
    }

    fn put(&self, incoming: Incoming) {
        let mut inbox = lock(&self.shared.inbox);
        if inbox.len() == INBOX_CAPACITY {
            inbox.pop_front();
        }
        inbox.push_back(incoming);
    }
}

/// The mixer's end of an [`AudioReceiver`].
pub(crate) struct SpeakerStream {
    shared: Weak<Shared>,
    jitter: JitterBuffer,
    decoder: Decoder,
    /// Decoded and not yet played.
    ready: VecDeque<f32>,
    /// Of those, up to the last that came of a packet: what follows is silence or the
    /// noise of a pause.
    audible: usize,
    /// What the last call decoded.
    sound: Vec<f32>,
    /// Samples concealed in a row.
    concealed_run: usize,
    /// The volume of the last sample.
    volume: f32,
    activity: VoiceActivity,
    stats: AudioReceiveStats,
}

/// Concealment fades from here until nothing is left.
const FADE: std::ops::Range<usize> = 1_920..4_800;

impl SpeakerStream {
    /// Both ends of a new person.
    pub(crate) fn new() -> (AudioReceiver, Self) {
        let shared = Arc::new(Shared {
            inbox: Mutex::default(),
            volume: AtomicU32::new(1.0_f32.to_bits()),
            played: Mutex::default(),
            speaking: AtomicBool::new(false),
            extra_delay: AtomicU64::new(0),
            timing: Mutex::default(),
        });
        let speaker_stream = Self {
            shared: Arc::downgrade(&shared),
            jitter: JitterBuffer::new(),
            decoder: Decoder::new(),
            ready: VecDeque::new(),
            audible: 0,
            sound: Vec::new(),
            concealed_run: 0,
            volume: 1.0,
            activity: VoiceActivity::new(),
            stats: AudioReceiveStats::default(),
        };
        (AudioReceiver { shared }, speaker_stream)
    }

    /// Adds this person's next samples to the mix; says whether the person is
    /// still there.
    pub(crate) fn mix_into(&mut self, mix: &mut [f32], now: Instant) -> bool {
        let Some(shared) = self.shared.upgrade() else {
            return false;
        };
        let incoming = std::mem::take(&mut *lock(&shared.inbox));
        for incoming in incoming {
            match incoming {
                Incoming::Packet(packet) => self.jitter.push(packet),
                Incoming::Pause => self.jitter.pause(),
            }
        }
        let extra = shared.extra_delay.load(Ordering::Relaxed);
        self.jitter.set_extra_delay(Duration::from_micros(extra));
        while self.ready.len() < mix.len() {
            self.decode(now);
        }
        *lock(&shared.timing) = self.jitter.timing();
        let block: Vec<f32> = self.ready.drain(..mix.len()).collect();
        let wanted = f32::from_bits(shared.volume.load(Ordering::Relaxed));
        let before = std::mem::replace(&mut self.volume, wanted);
        let step = (wanted - before) / block.len() as f32;
        for (n, (sum, sample)) in mix.iter_mut().zip(&block).enumerate() {
            *sum += sample * (before + step * (n + 1) as f32);
        }
        let is_speaking = if self.audible > 0 {
            self.activity.hear(&block)
        } else {
            self.activity.pause(block.len())
        };
        self.audible = self.audible.saturating_sub(block.len());
        shared.speaking.store(is_speaking, Ordering::Relaxed);
        let level = Level::of(&block);
        self.count(level, block.len());
        *lock(&shared.played) = (level, self.stats);
        true
    }

    /// Makes some more samples ready.
    fn decode(&mut self, now: Instant) {
        self.sound.clear();
        // They are played after those that are ready.
        let now = now + self.ready_time();
        let mut is_audible = true;
        match self.jitter.pull(now) {
            Outcome::Packet(packet) => match self.decoder.decode(&packet, &mut self.sound) {
                Ok(_) => {
                    self.concealed_run = 0;
                    self.stretch();
                }
                Err(_) => {
                    self.jitter.conceal_undecodable(FRAME_SAMPLES);
                    self.conceal(FRAME_SAMPLES);
                }
            },
            Outcome::Recover {
                following,
                samples,
                has_fec,
            } => match self.decoder.recover(&following, samples, &mut self.sound) {
                Ok(samples) if has_fec => {
                    self.stats.fec_samples += samples as u64;
                    self.stats.fec_packets_used += 1;
                }
                Ok(_) => {}
                Err(_) => self.conceal(samples),
            },
            Outcome::Conceal(samples) => self.conceal(samples),
            Outcome::Noise(samples) => {
                is_audible = false;
                if self.decoder.conceal(samples, &mut self.sound).is_err() {
                    self.sound.resize(samples, 0.0);
                }
            }
            Outcome::Silence(samples) => {
                is_audible = false;
                self.sound.resize(samples, 0.0);
            }
        }
        self.ready.extend(&self.sound);
        if is_audible {
            self.audible = self.ready.len();
        }
    }

    /// Makes the packet that was just decoded a little longer or shorter where the delay is
    /// off its target.
    fn stretch(&mut self) {
        match self.jitter.advise() {
            Speed::Normal => {}
            Speed::Faster(likeness) => {
                let removed = shorten(&mut self.sound, likeness);
                self.stats.removed_samples += removed as u64;
                if removed > 0 {
                    self.jitter.note_stretched(-(removed as isize));
                }
            }
            Speed::Slower(likeness) => {
                let inserted = lengthen(&mut self.sound, likeness);
                self.stats.inserted_samples += inserted as u64;
                if inserted > 0 {
                    self.jitter.note_stretched(inserted as isize);
                }
            }
        }
    }

    fn ready_time(&self) -> Duration {
        Duration::from_secs_f64(self.ready.len() as f64 / f64::from(SAMPLE_RATE))
    }

    fn conceal(&mut self, samples: usize) {
        self.sound.clear();
        if self.decoder.conceal(samples, &mut self.sound).is_err() {
            self.sound.resize(samples, 0.0);
        }
        for sample in &mut self.sound {
            let faded = self.concealed_run.clamp(FADE.start, FADE.end) - FADE.start;
            *sample *= 1.0 - faded as f32 / FADE.len() as f32;
            self.concealed_run += 1;
        }
    }

    fn count(&mut self, level: Level, samples: usize) {
        let (jitter, concealed) = (self.jitter.stats(), self.jitter.concealed());
        let seconds = samples as f64 / f64::from(SAMPLE_RATE);
        self.stats = AudioReceiveStats {
            packets_received: jitter.received,
            packets_lost: jitter.lost,
            bytes_received: jitter.bytes,
            jitter_ms: self.jitter.jitter().as_secs_f32() * 1000.0,
            total_samples_played: self.stats.total_samples_played + samples as u64,
            concealed_samples: concealed.samples,
            silent_concealed_samples: concealed.silent_samples,
            concealment_events: concealed.events,
            buffer_delay_ms: (self.jitter.delay() + self.ready_time()).as_secs_f32() * 1000.0,
            emitted_samples: jitter.emitted_samples,
            fec_packets_received: jitter.fec_packets,
            jitter_buffer_delay_seconds: jitter.delay_seconds,
            jitter_buffer_target_delay_seconds: jitter.target_seconds,
            target_delay_ms: self.jitter.target().as_secs_f32() * 1000.0,
            total_energy: self.stats.total_energy + f64::from(level.rms).powi(2) * seconds,
            ..self.stats
        };
    }
}

#[cfg(test)]
mod tests;

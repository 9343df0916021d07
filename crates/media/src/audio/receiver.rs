//! One person's sound: jitter buffer, decoder, volume, level.

use crate::audio::Level;
use crate::packet::RtpPacket;

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
    /// Samples invented by concealment (W3C `concealedSamples`).
    pub concealed_samples: u64,
    /// Samples restored from the next packet's FEC data.
    pub fec_samples: u64,
    /// Samples handed to the mix, silence too (W3C `totalSamplesReceived`).
    pub total_samples_played: u64,
    /// Sound that waits in the buffer now, in milliseconds.
    pub buffer_delay_ms: f32,
    /// Sum of the squared level times duration in seconds (W3C `totalAudioEnergy`).
    pub total_energy: f64,
}

/// The network's end of one person's sound. Dropping it takes the person out
/// of the mix.
pub struct AudioReceiver {}

impl AudioReceiver {
    /// Takes a packet. Never waits; bounded.
    pub fn push(&self, _packet: RtpPacket) {}

    /// How loud was what was just played of this person.
    pub fn level(&self) -> Level {
        Level::default()
    }

    /// Factor on the samples, 0 to 2.
    pub fn set_volume(&self, _volume: f32) {}

    /// Nothing more is expected until the next packet (the other side muted):
    /// what is missing is silence, not loss.
    pub fn clear(&self) {}

    /// Counts so far.
    pub fn stats(&self) -> AudioReceiveStats {
        AudioReceiveStats::default()
    }
}

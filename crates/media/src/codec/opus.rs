//! Opus (RFC 6716): 48 kHz, mono, 20 ms packets out; any packet in.

use opusic_c::{Application, Bitrate, Channels, ErrorCode, InbandFec, SampleRate};

use crate::audio::FRAME_SAMPLES;

/// Bit rate of what is sent, in bits per second.
pub const BITS_PER_SECOND: u32 = 32_000;

/// Longest packet that is taken from the network: 120 ms at the highest rate
/// of 20 ms frames (RFC 6716, section 3.2.1).
pub const MAX_PACKET_BYTES: usize = 6 * MAX_FRAME_BYTES;

/// Longest packet in samples: 120 ms.
pub const MAX_PACKET_SAMPLES: usize = 5_760;

/// The longest packet of discontinuous transmission (DTX), in bytes: a frame of at most
/// one byte carries no sound (RFC 6716, section 3.1), and none may follow for up to 400 ms.
pub const MAX_DTX_BYTES: usize = 2;

const MAX_FRAME_BYTES: usize = 1_275;
const COMPLEXITY: u8 = 9;

/// What libopus refused.
#[derive(Debug, thiserror::Error)]
#[error("Opus: {0}")]
pub struct OpusError(&'static str);

impl From<ErrorCode> for OpusError {
    fn from(code: ErrorCode) -> Self {
        Self(code.message())
    }
}

/// Makes one packet of each 20 ms.
pub struct Encoder(opusic_c::Encoder);

impl Encoder {
    /// An encoder for speech with in-band FEC (RFC 6716, section 2.1.7).
    ///
    /// # Errors
    /// When libopus does not take its settings.
    pub fn new() -> Result<Self, OpusError> {
        let mut encoder =
            opusic_c::Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::Voip)?;
        encoder.set_bitrate(Bitrate::Value(BITS_PER_SECOND))?;
        encoder.set_complexity(COMPLEXITY)?;
        encoder.set_inband_fec(InbandFec::Mode1)?;
        Ok(Self(encoder))
    }

    /// How much loss the receivers see, in percent: decides what FEC may cost.
    ///
    /// # Errors
    /// Never for 0 to 100.
    pub fn set_expected_loss(&mut self, percent: u8) -> Result<(), OpusError> {
        Ok(self.0.set_packet_loss(percent.min(100))?)
    }

    /// Whether frames without voice become packets of at most [`MAX_DTX_BYTES`], of which
    /// only the first must be sent (DTX).
    ///
    /// # Errors
    /// Never.
    pub fn set_dtx(&mut self, dtx: bool) -> Result<(), OpusError> {
        Ok(self.0.set_dtx(dtx)?)
    }

    /// Encodes 20 ms.
    ///
    /// # Errors
    /// When libopus fails; the next frame may succeed.
    pub fn encode(&mut self, frame: &[f32; FRAME_SAMPLES]) -> Result<Vec<u8>, OpusError> {
        let mut packet = Vec::with_capacity(MAX_FRAME_BYTES);
        self.0.encode_float_to_vec(frame, &mut packet)?;
        Ok(packet)
    }
}

/// Decodes packets of one sender, stereo ones too, to mono.
pub struct Decoder(opusic_c::Decoder);

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder.
    pub fn new() -> Self {
        let decoder = opusic_c::Decoder::new(Channels::Mono, SampleRate::Hz48000);
        Self(decoder.expect("48 kHz mono is a valid configuration, and memory does not run out"))
    }

    /// Appends a packet's sound; says how many samples.
    ///
    /// # Errors
    /// When the bytes are not an Opus packet.
    pub fn decode(&mut self, packet: &[u8], sound: &mut Vec<f32>) -> Result<usize, OpusError> {
        if packet.is_empty() || packet.len() > MAX_PACKET_BYTES {
            return Err(ErrorCode::InvalidPacket.into());
        }
        Ok(self
            .0
            .decode_float_to_vec(packet, sound, MAX_PACKET_SAMPLES, false)?)
    }

    /// Appends the `samples` before `following`, out of its FEC data where it
    /// has some and by concealment where it has none.
    ///
    /// # Errors
    /// When `following` is not an Opus packet, or `samples` no multiple of 2.5 ms.
    pub fn recover(
        &mut self,
        following: &[u8],
        samples: usize,
        sound: &mut Vec<f32>,
    ) -> Result<usize, OpusError> {
        if following.is_empty() || following.len() > MAX_PACKET_BYTES {
            return Err(ErrorCode::InvalidPacket.into());
        }
        Ok(self
            .0
            .decode_float_to_vec(following, sound, samples, true)?)
    }

    /// Appends `samples` that continue what was heard last.
    ///
    /// # Errors
    /// When `samples` is no multiple of 2.5 ms.
    pub fn conceal(&mut self, samples: usize, sound: &mut Vec<f32>) -> Result<usize, OpusError> {
        Ok(self.0.decode_float_to_vec(&[], sound, samples, false)?)
    }
}

/// How many samples a packet holds at 48 kHz, by its first two bytes (RFC 6716,
/// section 3.1); `None` when it cannot be one.
pub fn packet_samples(packet: &[u8]) -> Option<u32> {
    let &toc = packet
        .first()
        .filter(|_| packet.len() <= MAX_PACKET_BYTES)?;
    let config = u32::from(toc >> 3);
    let frame = match config {
        0..12 => [480, 960, 1_920, 2_880][config as usize % 4],
        12..16 => 480 << (config % 2),
        _ => 120 << (config % 4),
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    let samples = frame * frames;
    (frames > 0 && samples as usize <= MAX_PACKET_SAMPLES).then_some(samples)
}

//! What the engine is given and told.

use visavis_media::VideoCodec;
use visavis_media::audio::{AudioSender, Playout};
use visavis_media::video::VideoSender;
use visavis_protocol::IceServer;

/// Commands waiting for the engine: 64; when full the sender waits.
pub const COMMANDS_CAPACITY: usize = 64;

/// How to make a call.
#[derive(Debug, Clone)]
pub struct CallConfig {
    /// The server's URL: `ws`, `wss`, `http` or `https`, used unchanged but for
    /// the scheme; without a path too.
    pub server: String,
    /// Which room.
    pub room: RoomChoice,
    /// The name that others see; may be empty.
    pub display_name: String,
    /// Offered first; what the other side cannot do is not used.
    pub preferred_codec: VideoCodec,
    /// STUN and TURN servers, besides those that the server gives.
    pub ice_servers: Vec<IceServer>,
    /// Only relayed candidates.
    pub relay_only: bool,
    /// Enter with the microphone muted.
    pub microphone_muted: bool,
    /// Enter with the camera muted.
    pub camera_muted: bool,
}

/// Which room to enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomChoice {
    /// The room with this id.
    Join(String),
    /// A new room.
    Create {
        /// What a person calls it.
        name: String,
        /// Not listed.
        private: bool,
    },
}

/// The local media, made before the call (the device test uses it too) and
/// left open after it. The call mutes and unmutes it.
#[derive(Clone)]
pub struct Media {
    /// Camera and picture encoders.
    pub video: VideoSender,
    /// Microphone and sound encoder.
    pub audio: AudioSender,
    /// Mixer and speaker.
    pub playout: Playout,
}

/// What the local user asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallCommand {
    /// Send no sound, or send it again.
    SetMicrophoneMuted(bool),
    /// Send no picture and release the camera, or open it again.
    SetCameraMuted(bool),
    /// Say something to everyone.
    SendChat(String),
    /// End the call.
    Leave,
}

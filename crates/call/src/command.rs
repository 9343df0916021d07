//! Configuration and commands of a call.

use std::str::FromStr;

use visavis_media::audio::{AudioSender, Playout, SoundProcessing};
use visavis_media::video::VideoSender;
use visavis_media::{AudioSource, VideoCodec};
use visavis_protocol::{IceServer, TrackSource};

/// Commands queued for the engine; when full, the sender waits.
pub const COMMANDS_CAPACITY: usize = 64;

/// The configuration of a call.
#[derive(Debug, Clone)]
pub struct CallConfig {
    /// The server's URL with scheme `ws`, `wss`, `http` or `https`; the path is
    /// optional. Only the scheme is changed, to `ws` or `wss`.
    pub server: String,
    /// The room to join or create.
    pub room: RoomChoice,
    /// The name that others see; may be empty.
    pub display_name: String,
    /// Offered first, and sent to peers that support it.
    pub preferred_codec: VideoCodec,
    /// STUN and TURN servers, used besides those of the server.
    pub ice_servers: Vec<IceServer>,
    /// Use relayed candidates only.
    pub relay_only: bool,
    /// The sources that are muted at the join.
    pub muted: Vec<TrackSource>,
    /// Wait in the queue of a full room, and in a waiting room. Otherwise the join
    /// is refused there.
    pub wait: bool,
    /// The room's passcode, where it has one.
    pub passcode: Option<String>,
    /// The access token, where the server requires one.
    pub token: Option<String>,
}

/// The room to join or create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomChoice {
    /// The room with this id.
    Join(String),
    /// A new room.
    Create {
        /// The display name of the room.
        name: String,
        /// Whether the server leaves the room out of its list.
        private: bool,
    },
}

/// The local media. It exists before the call, for the device test, and stays
/// open after it. The call mutes and unmutes it.
#[derive(Clone)]
pub struct Media {
    /// Camera and video encoders.
    pub video: VideoSender,
    /// Shared screen and its video encoders. It is shared while it captures.
    pub screen: VideoSender,
    /// Microphone and audio encoder.
    pub audio: AudioSender,
    /// Mixer and speaker.
    pub playout: Playout,
}

impl Media {
    /// Media without sources. The echo of the speaker is known to the microphone.
    pub fn new() -> Self {
        let (audio, playout) = (AudioSender::new(), Playout::new());
        audio.cancel_echo_of(&playout);
        Self {
            video: VideoSender::new(),
            screen: VideoSender::new(),
            audio,
            playout,
        }
    }

    /// Sets the source of audio. What a microphone captures is processed, and its
    /// pauses are not sent; a tone or a file is sent as it is.
    pub fn set_audio_source(&self, source: AudioSource) {
        let is_microphone = matches!(
            source,
            AudioSource::DefaultMicrophone | AudioSource::Microphone(_)
        );
        self.audio.set_processing(if is_microphone {
            SoundProcessing::default()
        } else {
            SoundProcessing::OFF
        });
        self.audio.set_dtx(is_microphone);
        self.audio.set_source(source);
    }
}

impl Default for Media {
    fn default() -> Self {
        Self::new()
    }
}

/// Commands of the local user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallCommand {
    /// Mute or unmute a local source. A muted camera is released. A source that the
    /// call does not have is ignored.
    SetMuted {
        /// The source.
        source: TrackSource,
        /// Whether to mute it.
        muted: bool,
    },
    /// Try to join with this passcode, after the server refused the last one.
    EnterPasscode(String),
    /// Send a chat message to everyone, at most
    /// [`MAX_CHAT_TEXT_BYTES`](visavis_protocol::limits::MAX_CHAT_TEXT_BYTES). An
    /// empty or longer one is ignored.
    SendChat(String),
    /// Show this remote video from now on. Participants send no larger video, and
    /// none of what is hidden; hidden video is not decoded.
    Show(ShownVideo),
    /// Play a remote participant's sound louder or softer from now on, that of a shared
    /// screen too. It stays when the participant rejoins, or its connection is replaced.
    SetVolume {
        /// The participant's id in the view. Another one is ignored.
        participant: String,
        /// From 0, which is silence, to 200; at first 100. A higher one is 200.
        percent: u8,
    },
    /// Leave the room and end the call.
    Leave,
}

/// The remote video that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShownVideo {
    /// All of it, in full size.
    Full,
    /// All of it, each frame within a box of this size.
    Within(VideoSize),
    /// These tracks in these sizes. A track without an entry is sent in full size.
    Only(Vec<ShownTrack>),
}

/// A remote video track that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownTrack {
    /// The participant's id in the view.
    pub participant: String,
    /// The source of the track.
    pub source: TrackSource,
    /// The box that the whole frame is shown in. An empty one hides the track.
    pub size: VideoSize,
}

/// A size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VideoSize {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl FromStr for VideoSize {
    type Err = String;

    /// Reads a size such as 320x180.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || format!("{text:?} is no size such as 320x180");
        let (width, height) = text.split_once('x').ok_or_else(error)?;
        let side = |side: &str| side.parse().map_err(|_| error());
        Ok(Self {
            width: side(width)?,
            height: side(height)?,
        })
    }
}

impl VideoSize {
    /// The smallest size that covers both.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            width: self.width.max(other.width),
            height: self.height.max(other.height),
        }
    }
}

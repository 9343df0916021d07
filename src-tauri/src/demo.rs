//! The demonstration's guests: two more participants in this process, with
//! drawn pictures, so that a person alone sees a call.

use visavis_call::{Call, CallConfig, CallHandle, Media, RoomChoice, StartError};
use visavis_media::{VideoCodec, VideoFormat, VideoSource};

/// What the demonstration's room is called.
pub(crate) const ROOM_NAME: &str = "Demo call";

const NAMES: [&str; 2] = ["Ada (demo)", "Ben (demo)"];
const PICTURE: VideoFormat = VideoFormat {
    width: 640,
    height: 360,
    frames_per_second: 24,
};

/// The guests of one demonstration; they leave when this is dropped. They are
/// silent: a person with speakers is not to be startled.
pub(crate) struct Guests {
    _handles: Vec<CallHandle>,
}

impl Guests {
    /// Lets them into a room. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the server's URL is none.
    pub fn enter(server: &str, room: &str) -> Result<Self, StartError> {
        let handles = NAMES.map(|name| enter(name, server, room));
        Ok(Self {
            _handles: handles.into_iter().collect::<Result<_, _>>()?,
        })
    }
}

fn enter(name: &str, server: &str, room: &str) -> Result<CallHandle, StartError> {
    let media = Media::new();
    media
        .video
        .set_source(VideoSource::Synthetic(PICTURE), PICTURE);
    let config = CallConfig {
        server: server.into(),
        room: RoomChoice::Join(room.into()),
        display_name: name.into(),
        preferred_codec: VideoCodec::Vp8,
        ice_servers: Vec::new(),
        relay_only: false,
        muted: Vec::new(),
        wait: false,
        passcode: None,
        token: None,
    };
    Call::start(config, media)
}

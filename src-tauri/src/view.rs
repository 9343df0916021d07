//! What the page is shown: one whole view, pushed when it changed. The page
//! holds no rules; it draws this and sends [`crate::commands`].

mod processing;
mod share;
mod statistics;

use serde::{Deserialize, Serialize};
use visavis_call::CallView;
use visavis_protocol::{ErrorCode, ListedRoom, RoomInfo};

pub use self::processing::{BackgroundChoice, BackgroundProblem, BackgroundView, SoundSwitches};
pub use self::share::{ShareChoice, ShareKind, ShareView};
pub use self::statistics::{ConnectionStatistics, VideoStatistics};

/// Everything that is on the screen.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct AppView {
    /// Which screen.
    pub screen: Screen,
    /// The local user's name; empty until told.
    pub name: String,
    /// The room service in use.
    pub server: ServerView,
    /// Public rooms of the server.
    pub rooms: Vec<ListedRoom>,
    /// Why the settings could not be saved; none when they are.
    pub settings_problem: Option<String>,
    /// Whether single keys act in the room: M, V, S, C and P.
    pub shortcuts: bool,
    /// A link to a server that the user does not know waits for consent.
    pub link: Option<LinkView>,
    /// Rooms that the user was in, newest first.
    pub recent: Vec<RecentRoom>,
    /// Camera, microphone and speaker.
    pub devices: DevicesView,
    /// What the microphone's sound passes.
    pub sound: SoundSwitches,
    /// What is behind the local user.
    pub background: BackgroundView,
    /// What the local user shares in the call.
    pub share: ShareView,
    /// The revision of the chat; `read_chat` returns what changed.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub chat: u64,
    /// The running or the last call. Its chat is left out.
    pub call: Option<CallView>,
}

/// Which screen.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[cfg_attr(
    feature = "ts",
    derive(ts_rs::TS),
    ts(export, rename_all_fields = "camelCase")
)]
pub enum Screen {
    /// Ways in.
    Lobby,
    /// The device test before a room.
    PreJoin {
        /// The room's id; none for a room that is to be made.
        room_id: Option<String>,
        /// The room's name where it is known, else its id.
        title: String,
        /// Who is inside, where the server tells.
        info: Option<RoomInfo>,
        /// The demonstration room.
        demo: bool,
    },
    /// The room; `call` tells.
    Room {
        /// The demonstration room.
        demo: bool,
    },
    /// After a call; `call.phase` tells why.
    Ended {
        /// The room's id, to join again; none where it never came to one.
        room_id: Option<String>,
        /// How long the user was inside.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        seconds: u64,
    },
}

/// A link to a server that the user has not used before. Nothing is sent to it until
/// the user agrees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct LinkView {
    /// The room's id.
    pub room: String,
    /// The server's URL.
    pub server: String,
    /// Whether others on the way can read and change what is exchanged with it.
    pub is_cleartext: bool,
}

/// The room service in use.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct ServerView {
    /// Its URL, for people.
    pub url: String,
    /// Whether this application hosts it.
    pub hosted: bool,
    /// Whether others on this network may come in; hosted only.
    pub shared: bool,
    /// Under which URLs others on this network reach it; empty unless shared.
    pub addresses: Vec<String>,
    /// Whether it answers.
    pub reach: Reach,
}

/// Whether the room service answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum Reach {
    /// Not known yet.
    Checking,
    /// It does.
    Reachable,
    /// It does not.
    Unreachable,
}

/// A room that the user was in, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct RecentRoom {
    /// Its server's URL; none: this application hosts it.
    pub server: Option<String>,
    /// The room.
    pub room: VisitedRoom,
}

/// A room that the user was in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct VisitedRoom {
    /// The room's id.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// When the user was last in, in milliseconds since the Unix epoch.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub at: u64,
}

/// Camera, microphone and speaker.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct DevicesView {
    /// The camera.
    pub camera: DeviceView,
    /// The microphone.
    pub microphone: DeviceView,
    /// The speaker.
    pub speaker: DeviceView,
    /// The picture as it is really captured; none while there is none.
    pub format: Option<PictureFormat>,
}

/// A picture's measured format.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct PictureFormat {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Measured over the last second.
    pub frames_per_second: f32,
}

/// One device and its choice.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct DeviceView {
    /// What can be chosen.
    pub choices: Vec<DeviceChoice>,
    /// The chosen one's id; none = the system's choice.
    pub chosen: Option<String>,
    /// The name of the system's choice, where the system says it.
    pub default: Option<String>,
    /// The remembered one's name, when it is gone and the system's choice stands in.
    pub missing: Option<String>,
    /// The user's choice to send nothing; never set for the speaker.
    pub muted: bool,
    /// How it is.
    pub state: DeviceState,
}

/// A device to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct DeviceChoice {
    /// For `choose_device`.
    pub id: String,
    /// What a person calls it.
    pub name: String,
}

/// How a device is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum DeviceState {
    /// Not in use.
    Off,
    /// Being opened.
    Starting,
    /// It works.
    Live,
    /// It does not.
    Failed {
        /// Why.
        problem: DeviceProblem,
        /// What the system said; for the curious.
        detail: String,
    },
}

/// Why a device does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum DeviceProblem {
    /// There is none.
    Absent,
    /// Another program holds it.
    Busy,
    /// The system refused it.
    Refused,
    /// It went away.
    Lost,
    /// A file that cannot be used.
    File,
    /// Anything else.
    Failed,
}

/// Loudness of the microphone, pushed about 15 times a second while it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct LevelView {
    /// Root mean square, linear, 1 = full scale.
    pub rms: f32,
    /// Peak, linear, 1 = full scale.
    pub peak: f32,
}

/// Where the page fetches pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct VideoEndpoint {
    /// `ws://127.0.0.1:PORT/TOKEN`.
    pub url: String,
}

/// Which device a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum DeviceKind {
    /// Takes pictures.
    Camera,
    /// Takes sound.
    Microphone,
    /// Plays sound.
    Speaker,
}

/// Why a command was refused. The page branches on the code, never on text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum CommandError {
    /// The text names no room.
    NotARoom,
    /// The text is no server's URL.
    NotAServer,
    /// The server does not answer.
    ServerUnreachable,
    /// The server refused.
    Refused {
        /// Why.
        code: ErrorCode,
    },
    /// Nothing of the desktop can be shared.
    CannotShare {
        /// Why.
        problem: DeviceProblem,
        /// What the system said; for the curious.
        detail: String,
    },
    /// The screen or window is not there any longer.
    NothingToShare,
    /// Others cannot reach the room: it is hosted here, for this computer alone.
    NotShared,
    /// Others cannot reach the room: this computer is on no network.
    NoNetwork,
    /// A port could not be opened, a setting could not be written, …
    System {
        /// What the system said.
        detail: String,
    },
}

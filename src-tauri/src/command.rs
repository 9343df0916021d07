//! What the page asks for.

use tokio::sync::oneshot;

use crate::chat::ChatUpdate;
use crate::view::{
    BackgroundChoice, CommandError, ConnectionStatistics, DeviceKind, ShareChoice, SoundSwitches,
};

/// Something to do. A command that does not fit the screen does nothing: the
/// page was a moment behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Use the room service with this URL; none: host one here.
    SetServer(Option<String>),
    /// Let others on this network in, or no longer.
    ShareOnNetwork(bool),
    /// Ask the room service for its rooms now.
    RefreshRooms,
    /// Open the device test for a room that joining makes.
    NewRoom {
        /// What a person calls it.
        name: String,
        /// Not listed.
        private: bool,
    },
    /// Open the device test for the demonstration.
    TryDemo,
    /// The local user's name from now on.
    SetName(String),
    /// Let single keys act in the room, or not.
    SetShortcuts(bool),
    /// Use this device; none: the system's choice.
    ChooseDevice {
        /// Which.
        kind: DeviceKind,
        /// As the view lists it.
        id: Option<String>,
    },
    /// Let the microphone's sound pass these from now on.
    SetSound(SoundSwitches),
    /// Show this behind the local user; choosing it again tries it again.
    SetBackground(BackgroundChoice),
    /// Send nothing, or send again.
    SetMuted {
        /// Camera or microphone.
        kind: DeviceKind,
        /// Send nothing.
        muted: bool,
    },
    /// Play the test tone.
    TestSpeaker,
    /// From the device test into the room.
    Join,
    /// From the device test or the ended screen.
    BackToLobby,
    /// From the ended screen to the device test of the same room.
    Rejoin,
    /// Try to join with this passcode.
    EnterPasscode(String),
    /// Say something to everyone.
    SendChat(String),
    /// Play a participant's sound louder or softer for the rest of the call.
    SetVolume {
        /// As the view has it.
        participant: String,
        /// 0 to 200; 100 is as it comes.
        percent: u8,
    },
    /// Share this screen or window in the call; none: share nothing.
    ShareScreen(Option<String>),
    /// End the call.
    Leave,
}

/// A room that the user was in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentVisit {
    /// Its server's URL; none: this application hosts it.
    pub server: Option<String>,
    /// The room's id.
    pub room: String,
}

/// Where the answer to a request goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, CommandError>>;

/// What reaches the controller.
#[derive(Debug)]
pub(crate) enum Request {
    /// Do it.
    Do(Command, Reply<()>),
    /// Look for a room, and open its device test.
    OpenRoom(String, Reply<()>),
    /// Open the device test of a room that the user was in.
    OpenRecent(RecentVisit, Reply<()>),
    /// Follow the link that waits for consent, or forget it.
    AnswerLink(bool, Reply<()>),
    /// The link to copy.
    Invitation(Reply<String>),
    /// What changed in the chat since a revision.
    Chat(u64, Reply<ChatUpdate>),
    /// What is measured of the connections of the call.
    Statistics(Reply<Vec<ConnectionStatistics>>),
    /// What can be shared.
    Screens(Reply<Vec<ShareChoice>>),
    /// Leave, put everything away and end.
    Quit(oneshot::Sender<()>),
}

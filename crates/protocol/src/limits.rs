//! Numbers that both sides of the wire know.

use std::ops::RangeInclusive;
use std::time::Duration;

/// A larger message is refused with `message-too-large`; the connection stays.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;
/// A larger message ends the connection with close code 1009.
pub const CLOSING_MESSAGE_BYTES: usize = 1024 * 1024;
/// The server pings this often.
pub const PING_INTERVAL: Duration = Duration::from_secs(10);
/// A socket silent for this long is dropped.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(25);
/// A client that can resume keeps its place for this long after its socket broke.
pub const RESUME_WINDOW: Duration = Duration::from_secs(30);
/// Relayed messages kept meanwhile; past it the oldest go.
pub const RESUME_BACKLOG: usize = 256;
/// Chat messages that a newcomer is given.
pub const CHAT_HISTORY: usize = 50;
/// Sustained messages per second from one client.
pub const MESSAGES_PER_SECOND: u32 = 200;
/// Messages at once from one client.
pub const MESSAGE_BURST: u32 = 1_000;
/// A client over its rate for this long is closed with 4029.
pub const RATE_LIMIT_PATIENCE: Duration = Duration::from_secs(10);
/// New connections per minute from one address.
pub const CONNECTIONS_PER_MINUTE: u32 = 120;
/// The longest name of a room or a person, in characters.
pub const MAX_NAME_CHARS: usize = 100;
/// The longest description of a room, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 1_000;
/// The longest id that a client gives its own chat message, in bytes.
pub const MAX_CHAT_ID_BYTES: usize = 64;
/// How many characters a passcode has.
pub const PASSCODE_CHARS: RangeInclusive<usize> = 1..=128;
/// Wrong or right, passcodes a minute for each room and address.
pub const PASSCODE_TRIES_PER_MINUTE: u32 = 10;
/// The most who wait for one room; the next is refused as `room-full`.
pub const MAX_WAITING: usize = 256;
/// The longest payload of a reaction, in bytes.
pub const MAX_REACTION_BYTES: usize = 1024;
/// A client reports how well it hears its peers this often.
pub const QUALITY_INTERVAL: Duration = Duration::from_secs(5);
/// The most peers in such a report.
pub const MAX_REPORTED_PEERS: usize = 256;

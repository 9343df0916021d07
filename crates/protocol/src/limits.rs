//! Limits and intervals that client and server share.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Message size of a client in a room. A larger message is refused with
/// `message-too-large`; the connection stays open.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;
/// A larger message closes the connection with close code 1009.
pub const CLOSING_MESSAGE_BYTES: usize = 1024 * 1024;
/// Message size of a client that is not in a room. A larger message closes the
/// connection with close code 1009.
pub const MAX_MESSAGE_BYTES_BEFORE_JOIN: usize = 64 * 1024;
/// Interval of the server's pings.
pub const PING_INTERVAL: Duration = Duration::from_secs(10);
/// The server closes a socket that was silent for this long.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(25);
/// Membership of a client with feature `resume` survives a broken socket for
/// this long.
pub const RESUME_WINDOW: Duration = Duration::from_secs(30);
/// Relayed messages kept for a client whose socket broke; the oldest are dropped
/// first.
pub const RESUME_BACKLOG: usize = 256;
/// Rooms in one `rooms-list`.
pub const MAX_LISTED_ROOMS: u32 = 100;
/// Chat messages in the history that a joining client gets.
pub const CHAT_HISTORY: usize = 50;
/// Sustained messages per second from one client.
pub const MESSAGES_PER_SECOND: u32 = 200;
/// Burst of messages from one client.
pub const MESSAGE_BURST: u32 = 1_000;
/// A client that exceeds its rate for this long is closed with 4029.
pub const RATE_LIMIT_PATIENCE: Duration = Duration::from_secs(10);
/// New connections per minute from one address.
pub const CONNECTIONS_PER_MINUTE: u32 = 120;
/// Longest name of a room or a person, in characters.
pub const MAX_NAME_CHARS: usize = 100;
/// Longest description of a room, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 1_000;
/// Longest chat message id chosen by a sender, in bytes.
pub const MAX_CHAT_ID_BYTES: usize = 64;
/// Length of a passcode, in characters.
pub const PASSCODE_CHARS: RangeInclusive<usize> = 1..=128;
/// Wrong passcodes that each room accepts from one address before it delays the
/// next attempt. Loopback addresses are included.
pub const PASSCODE_TRIES: u32 = 10;
/// The budget of [`PASSCODE_TRIES`] refills by one attempt per interval.
pub const PASSCODE_REFILL: Duration = Duration::from_secs(6);
/// Attempts that wait for the budget of one room and address. The next one is
/// refused with `rate-limited`.
pub const PASSCODE_QUEUE: usize = 8;
/// IPv6 addresses that share this prefix share a passcode budget, in bits.
pub const PASSCODE_IPV6_PREFIX: u8 = 64;
/// Clients that may wait for one room; the next is refused with `room-full`.
pub const MAX_WAITING: usize = 256;
/// Largest payload of a reaction, in bytes.
pub const MAX_REACTION_BYTES: usize = 1024;
/// Interval of a client's quality reports.
pub const QUALITY_INTERVAL: Duration = Duration::from_secs(5);
/// Peers in one quality report.
pub const MAX_REPORTED_PEERS: usize = 256;
/// A room with more members is large: the server collects the changes of its
/// viewers in `members-changed`.
pub const LARGE_ROOM_MEMBERS: usize = 50;
/// Shortest interval between two `members-changed` messages of a room.
pub const MEMBERS_CHANGED_INTERVAL: Duration = Duration::from_secs(1);
/// Longest delay of `member-joined` and `member-left` to clients without feature
/// `members` in a large room.
pub const PLAIN_MEMBERSHIP_DELAY: Duration = Duration::from_secs(1);
/// Size of a message between peers, in bytes.
pub const MAX_PEER_MESSAGE_BYTES: usize = 64 * 1024;
/// Longest text of a chat message between peers, in bytes.
pub const MAX_CHAT_TEXT_BYTES: usize = 32 * 1024;
/// Longest client id or caption id in a message between peers, in bytes.
pub const MAX_PEER_ID_BYTES: usize = 128;
/// Tracks that a member announces or demands: one per
/// [`TrackSource`](crate::TrackSource).
pub const MAX_TRACKS: usize = 4;
/// `demand` messages per second from one peer.
pub const DEMANDS_PER_SECOND: u32 = 5;
/// Longest text of a caption, in characters.
pub const MAX_CAPTION_CHARS: usize = 1_000;
/// Longest language tag, in bytes (RFC 5646, section 4.4.1).
pub const MAX_LANGUAGE_TAG_BYTES: usize = 35;
/// Longest room link, in bytes.
pub const MAX_LINK_BYTES: usize = 8 * 1024;

//! Members: the participants of a room, as signalling messages describe them.

use serde::{Deserialize, Serialize};

/// A member of a room; requires feature `members`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The client id.
    pub id: String,
    /// The display name; may be empty.
    #[serde(default)]
    pub name: String,
    /// The member's role in this room.
    #[serde(default)]
    pub role: Role,
    /// When the member joined: RFC 3339, UTC.
    #[serde(default)]
    pub joined_at: String,
    /// The member's permissions. In a mesh the media bypasses the server, so
    /// every client refuses tracks from a member who may not publish them.
    #[serde(default)]
    pub grants: Grants,
    /// The tracks that the member announced.
    #[serde(default)]
    pub tracks: Vec<Track>,
    /// Whether the member raised its hand.
    #[serde(default)]
    pub hand_raised: bool,
    /// The state of its signalling connection.
    #[serde(default)]
    pub connection: MemberConnection,
    /// Whether the member records the call on its own machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recording: bool,
}

/// A member's role in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum Role {
    /// Controls the room.
    Host,
    /// Publishes and subscribes.
    #[default]
    Participant,
    /// Subscribes only.
    Viewer,
}

/// A member's permissions, with LiveKit's semantics: an absent permission is
/// granted, and `canPublishData` defaults to `canPublish`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grants {
    /// May publish tracks.
    #[serde(default = "allowed")]
    pub can_publish: bool,
    /// May subscribe to tracks.
    #[serde(default = "allowed")]
    pub can_subscribe: bool,
    /// May send data; absent: as [`Grants::can_publish`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub can_publish_data: Option<bool>,
    /// When not empty, only these sources may be published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub can_publish_sources: Vec<TrackSource>,
}

fn allowed() -> bool {
    true
}

impl Default for Grants {
    fn default() -> Self {
        Self {
            can_publish: true,
            can_subscribe: true,
            can_publish_data: None,
            can_publish_sources: Vec::new(),
        }
    }
}

impl Grants {
    /// Whether tracks of this source may be published.
    pub fn may_publish(&self, source: TrackSource) -> bool {
        let listed =
            self.can_publish_sources.is_empty() || self.can_publish_sources.contains(&source);
        self.can_publish && listed
    }

    /// Whether data may be sent.
    pub fn may_publish_data(&self) -> bool {
        self.can_publish_data.unwrap_or(self.can_publish)
    }
}

/// The state of a member's signalling connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberConnection {
    /// The socket is open.
    #[default]
    Connected,
    /// The socket broke; membership lasts for [`crate::limits::RESUME_WINDOW`].
    Reconnecting,
}

/// The source of a track's media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum TrackSource {
    /// A camera.
    Camera,
    /// A microphone.
    Microphone,
    /// A shared screen or window.
    ScreenShare,
    /// The audio of a shared screen.
    ScreenShareAudio,
}

/// A track that a member announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// `TR_` and 12 characters, assigned by the server.
    pub sid: String,
    /// The track's source.
    pub source: TrackSource,
    /// Whether the track is muted.
    pub muted: bool,
}

/// A track as its sender announces it, before the server assigns a sid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackState {
    /// The track's source.
    pub source: TrackSource,
    /// Whether the track is muted.
    pub muted: bool,
}

/// A change of the sender's own member object. Absent fields keep their value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberPatch {
    /// The display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The complete list of tracks; replaces the previous one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracks: Option<Vec<TrackState>>,
    /// Whether the hand is raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand_raised: Option<bool>,
    /// Whether the sender records the call on its own machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<bool>,
}

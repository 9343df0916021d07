//! A participant as the wire has one: a "member" of a room.

use serde::{Deserialize, Serialize};

/// A member, for those who asked for feature `members`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The client id.
    pub id: String,
    /// The name to show; may be empty.
    #[serde(default)]
    pub name: String,
    /// What the member is in this room.
    #[serde(default)]
    pub role: Role,
    /// RFC 3339, UTC.
    #[serde(default)]
    pub joined_at: String,
    /// What the member may do. No server sees a mesh's media, so every client
    /// refuses tracks from a member who may not publish them.
    #[serde(default)]
    pub grants: Grants,
    /// What the member says it sends.
    #[serde(default)]
    pub tracks: Vec<Track>,
    /// Whether the member asks to speak.
    #[serde(default)]
    pub hand_raised: bool,
    /// Whether its signalling connection is there.
    #[serde(default)]
    pub connection: MemberConnection,
}

/// What a member is in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum Role {
    /// Runs the room.
    Host,
    /// Takes part.
    #[default]
    Participant,
    /// Watches.
    Viewer,
}

/// What a member may do, with LiveKit's meaning: absent means allowed, and
/// data follows publishing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grants {
    /// May send tracks.
    #[serde(default = "allowed")]
    pub can_publish: bool,
    /// May receive tracks.
    #[serde(default = "allowed")]
    pub can_subscribe: bool,
    /// May send data; absent follows [`Grants::can_publish`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub can_publish_data: Option<bool>,
    /// When not empty, only these sources may be sent.
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
    /// Whether this source may be sent.
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

/// Whether a member's signalling connection is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberConnection {
    /// It is.
    #[default]
    Connected,
    /// It broke, and the member's place is kept for a while.
    Reconnecting,
}

/// Where a track's media comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackSource {
    /// A camera.
    Camera,
    /// A microphone.
    Microphone,
    /// A shared screen or window.
    ScreenShare,
    /// The sound of a shared screen.
    ScreenShareAudio,
}

/// A track that a member says it sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// `TR_` and 12 characters, given by the server.
    pub sid: String,
    /// Where its media comes from.
    pub source: TrackSource,
    /// Whether it sends nothing at the moment.
    pub muted: bool,
}

/// A track as its sender announces it: the server adds the sid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackState {
    /// Where its media comes from.
    pub source: TrackSource,
    /// Whether it sends nothing at the moment.
    pub muted: bool,
}

/// A change of oneself: what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberPatch {
    /// The name to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Replaces the whole list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracks: Option<Vec<TrackState>>,
    /// Whether one asks to speak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand_raised: Option<bool>,
}

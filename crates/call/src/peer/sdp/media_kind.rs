//! The media type of each track source, and its name in track ids.

use visavis_protocol::TrackSource;

/// The sources in the order in which they are offered, and in which unnamed
/// sections of their kind are mapped to them.
pub(in crate::peer) const TRACK_SOURCES: [TrackSource; 4] = [
    TrackSource::Microphone,
    TrackSource::Camera,
    TrackSource::ScreenShare,
    TrackSource::ScreenShareAudio,
];

/// The media type of a section (RFC 8866, section 5.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::peer) enum MediaKind {
    Audio,
    Video,
    /// Data channels and unknown media types.
    Other,
}

impl MediaKind {
    /// Of a media line.
    pub(super) fn of(media: &str) -> Self {
        match media {
            "audio" => Self::Audio,
            "video" => Self::Video,
            _ => Self::Other,
        }
    }
}

/// The media type of a source.
pub(in crate::peer) fn kind_of(source: TrackSource) -> MediaKind {
    match source {
        TrackSource::Microphone | TrackSource::ScreenShareAudio => MediaKind::Audio,
        TrackSource::Camera | TrackSource::ScreenShare => MediaKind::Video,
    }
}

/// The name of a source at the end of a track id.
pub(in crate::peer) fn name_of(source: TrackSource) -> &'static str {
    match source {
        TrackSource::Camera => "camera",
        TrackSource::Microphone => "microphone",
        TrackSource::ScreenShare => "screen_share",
        TrackSource::ScreenShareAudio => "screen_share_audio",
    }
}

/// The source that a track id names by its end, if it is of this kind.
pub(super) fn source_of_track(track: &str, kind: MediaKind) -> Option<TrackSource> {
    TRACK_SOURCES
        .into_iter()
        .find(|source| track.ends_with(name_of(*source)) && kind_of(*source) == kind)
}

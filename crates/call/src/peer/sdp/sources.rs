//! Which track source a media section carries.

use std::collections::HashMap;

use visavis_protocol::TrackSource;

use super::section::{MediaKind, MediaSection, Usage};
use crate::rtp::Mid;

/// The sources in the order in which they are offered, and in which unnamed
/// sections of their kind are mapped to them.
const IN_ORDER: [TrackSource; 4] = [
    TrackSource::Microphone,
    TrackSource::Camera,
    TrackSource::ScreenShare,
    TrackSource::ScreenShareAudio,
];

/// The source of each media section. It stays for the life of the connection.
#[derive(Debug, Clone, Default)]
pub(in crate::peer) struct SourceMap(HashMap<Mid, TrackSource>);

impl SourceMap {
    pub(in crate::peer) fn get(&self, mid: &Mid) -> Option<TrackSource> {
        self.0.get(mid).copied()
    }

    /// Maps the sections that have no source yet: by the id of their track, else to
    /// the first free source of their kind. A source is free without a section, and
    /// when the remote peer rejects its section. Further sections get no source.
    pub(in crate::peer) fn assign(&mut self, sections: &[MediaSection]) {
        let is_media =
            |section: &&MediaSection| matches!(section.usage, Usage::Used | Usage::NoCommonCodec);
        for by_name in [true, false] {
            for section in sections.iter().filter(is_media) {
                if self.0.contains_key(&section.mid) {
                    continue;
                }
                let wanted = IN_ORDER.into_iter().find(|source| {
                    let named = !by_name || section.named_source == Some(*source);
                    named && kind_of(*source) == section.kind && self.is_free(*source, sections)
                });
                if let Some(source) = wanted {
                    self.0.retain(|_, taken| *taken != source);
                    self.0.insert(section.mid.clone(), source);
                }
            }
        }
    }

    fn is_free(&self, source: TrackSource, sections: &[MediaSection]) -> bool {
        let holder = self.0.iter().find(|(_, taken)| **taken == source);
        holder.is_none_or(|(mid, _)| {
            let mut of_holder = sections.iter().filter(|section| section.mid == *mid);
            of_holder.all(|section| section.usage == Usage::Rejected)
        })
    }

    /// The position of a section among those of its kind, by its source.
    pub(super) fn rank(&self, mid: &Mid) -> usize {
        let source = self.get(mid);
        let position = IN_ORDER.iter().position(|one| Some(*one) == source);
        position.unwrap_or(IN_ORDER.len())
    }

    /// Whether a section carries this source.
    pub(in crate::peer) fn has_section(
        &self,
        source: TrackSource,
        sections: &[MediaSection],
    ) -> bool {
        sections
            .iter()
            .any(|section| self.get(&section.mid) == Some(source))
    }
}

/// All sources, in the order in which they are offered.
pub(in crate::peer) fn all() -> [TrackSource; 4] {
    IN_ORDER
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
    IN_ORDER
        .into_iter()
        .find(|source| track.ends_with(name_of(*source)) && kind_of(*source) == kind)
}

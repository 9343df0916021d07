//! Which track source a media section carries.

use std::collections::HashMap;

use visavis_protocol::TrackSource;

use super::media_kind::{TRACK_SOURCES, kind_of};
use super::section::{MediaSection, Usage};
use crate::rtp::Mid;

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
                let wanted = TRACK_SOURCES.into_iter().find(|source| {
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
        let position = TRACK_SOURCES.iter().position(|one| Some(*one) == source);
        position.unwrap_or(TRACK_SOURCES.len())
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

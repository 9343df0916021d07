//! The sender reports of the remote peer (RFC 3550, section 6.4.1), by source.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use visavis_media::video::playout::sync::SenderReport;
use visavis_protocol::TrackSource;

/// The newest report of each remote track.
#[derive(Debug, Default)]
pub(crate) struct RemoteReports(Mutex<HashMap<TrackSource, Track>>);

#[derive(Debug, Default, Clone, Copy)]
struct Track {
    report: Option<SenderReport>,
    /// Hash of the CNAME (RFC 3550, section 6.5.1).
    cname: Option<u64>,
}

impl RemoteReports {
    pub(super) fn note(&self, source: TrackSource, report: SenderReport) {
        self.lock().entry(source).or_default().report = Some(report);
    }

    pub(super) fn note_cname(&self, source: TrackSource, cname: &[u8]) {
        let mut hasher = DefaultHasher::new();
        cname.hash(&mut hasher);
        self.lock().entry(source).or_default().cname = Some(hasher.finish());
    }

    /// Another stream begins: what was reported is not about it.
    pub(super) fn clear(&self, source: TrackSource) {
        self.lock().remove(&source);
    }

    /// The reports of two tracks whose NTP timestamps are of one clock: `None` until both
    /// were reported, and where their CNAMEs differ.
    pub(crate) fn of_one_clock(
        &self,
        audio: TrackSource,
        video: TrackSource,
    ) -> Option<(SenderReport, SenderReport)> {
        let tracks = self.lock();
        let (audio, video) = (tracks.get(&audio)?, tracks.get(&video)?);
        let differ = audio.cname.is_some() && video.cname.is_some() && audio.cname != video.cname;
        (!differ).then_some((audio.report?, video.report?))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TrackSource, Track>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUDIO: TrackSource = TrackSource::Microphone;
    const VIDEO: TrackSource = TrackSource::Camera;

    fn report(timestamp: u32) -> SenderReport {
        SenderReport { ntp: 1, timestamp }
    }

    #[test]
    fn two_tracks_are_of_one_clock_once_both_are_reported_and_unless_their_cnames_differ() {
        let reports = RemoteReports::default();
        reports.note(AUDIO, report(1));
        assert_eq!(reports.of_one_clock(AUDIO, VIDEO), None);
        reports.note(VIDEO, report(2));
        let both = Some((report(1), report(2)));
        assert_eq!(reports.of_one_clock(AUDIO, VIDEO), both);
        reports.note_cname(AUDIO, b"a");
        assert_eq!(reports.of_one_clock(AUDIO, VIDEO), both);
        reports.note_cname(VIDEO, b"b");
        assert_eq!(reports.of_one_clock(AUDIO, VIDEO), None);
        reports.note_cname(VIDEO, b"a");
        assert_eq!(reports.of_one_clock(AUDIO, VIDEO), both);
        reports.clear(VIDEO);
        assert_eq!(reports.of_one_clock(AUDIO, VIDEO), None);
    }
}

//! The connection quality in the view, and the reports of it to the server.

use std::time::Instant;

use visavis_protocol::{ClientMessage, Feature, RoomMessage};

use super::CallState;
use crate::peer::LinkId;
use crate::state::Effect;
use crate::state::participant::RemoteParticipant;
use crate::state::quality::Sample;
use crate::state::session::Session;
use crate::view::QualityView;

impl CallState {
    /// The quality of a link, as the view shows it.
    pub fn quality_of(&self, link: LinkId) -> Option<QualityView> {
        self.quality.of(link)
    }

    /// Takes the measurements of a second, and reports to the server when that is due.
    pub(super) fn measured(&mut self, now: Instant, samples: &[(LinkId, Sample)]) {
        let links: Vec<_> = self.links().collect();
        self.quality.retain(|link| links.contains(&link));
        self.quality.measured(samples);
        self.quality_report.measured(samples);
        let may_report = self.session == Session::Joined && self.features.has(Feature::Quality);
        if !may_report {
            return;
        }
        let listed = self.remotes.iter().filter(|remote| remote.listed);
        let peers = listed.filter_map(|remote: &RemoteParticipant| {
            let link = remote.link.as_ref()?;
            Some((link.id, remote.member.clone(), remote.is_connected()))
        });
        if let Some(report) = self.quality_report.due(now, peers) {
            let message = RoomMessage {
                room_id: self.room.as_ref().map(|room| room.id.clone()),
                payload: report,
            };
            self.effects
                .push(Effect::Send(ClientMessage::ReportQuality(message)));
        }
    }
}

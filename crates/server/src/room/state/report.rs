//! How well members hear each other, by their own word.

use std::time::Duration;

use uuid::Uuid;
use visavis_protocol::limits::MAX_REPORTED_PEERS;
use visavis_protocol::{ErrorCode, QualityReport};

use super::{Effect, RoomState};
use crate::clock::Now;
use crate::refusal::Refusal;

/// Reports come every few seconds from everyone: of each member one in this
/// time is stored, and the last one when it leaves.
const STORED_EVERY: Duration = Duration::from_secs(30);

impl RoomState {
    /// A member reports how well it hears the others.
    pub(super) fn report(
        &mut self,
        now: Now,
        index: usize,
        mut report: QualityReport,
    ) -> Result<Vec<Effect>, Refusal> {
        if report.peers.len() > MAX_REPORTED_PEERS {
            let why = format!("a report has at most {MAX_REPORTED_PEERS} peers");
            return Err(Refusal::new(ErrorCode::BadMessage, why));
        }
        let known = |id: &str| {
            Uuid::try_parse(id)
                .ok()
                .filter(|id| self.find(*id).is_some())
        };
        report.peers.retain(|peer| known(&peer.id).is_some());
        let connected = report.peers.iter().filter(|peer| peer.connected);
        let connected: Vec<Uuid> = connected.filter_map(|peer| known(&peer.id)).collect();
        let member = &mut self.members[index];
        self.calls.reported(member.id(), connected);
        let before = Box::new(member.who.clone());
        member.who.quality = serde_json::to_value(&report).ok();
        let recent = |at| now.instant.saturating_duration_since(at) < STORED_EVERY;
        if member.reported.is_some_and(recent) {
            return Ok(Vec::new());
        }
        member.reported = Some(now.instant);
        let who = Box::new(member.who.clone());
        Ok(vec![Effect::Save { before, who }])
    }
}

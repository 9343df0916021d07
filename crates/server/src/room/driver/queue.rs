//! The admission of those who wait in the queue of a full room.

use std::time::Instant;

use visavis_protocol::ErrorCode;

use super::super::applicant::Admitted;
use super::super::operation::{RETRY, Request};
use super::super::state::{Effect, WasHost};
use super::RoomTask;
use crate::id::ClientId;
use crate::refusal::Refusal;

/// The state of the admission from the queue.
#[derive(Default)]
pub(super) struct QueueAdmission {
    /// One is under way.
    pub running: bool,
    /// The store admitted nobody: it is asked again then.
    pub retry_at: Option<Instant>,
}
impl RoomTask {
    pub(super) fn admitted_waiting(
        &mut self,
        client: ClientId,
        admitted: Result<Box<Admitted>, Refusal>,
    ) {
        self.queue.running = false;
        let effects = match admitted {
            // It stopped waiting meanwhile, and its place is free again.
            Ok(admitted) if !self.state.is_waiting(client) => {
                vec![Effect::Left(Box::new(admitted.who), WasHost(false))]
            }
            Ok(admitted) => {
                let Admitted { who, room } = *admitted;
                let (services, now) = (&self.services, self.services.now());
                (self.state)
                    .enter_from_queue(who, room, |id, stun| services.ice_servers(id, stun, now))
            }
            Err(refusal) => match refusal.code {
                // The store is down, or knows more than is known here yet.
                ErrorCode::ServerBusy
                | ErrorCode::RoomFull
                | ErrorCode::RoomLocked
                | ErrorCode::WaitingRoom => {
                    self.queue.retry_at = Some(Instant::now() + RETRY);
                    return;
                }
                _ => self.state.reject_waiting(client, refusal),
            },
        };
        self.perform(effects);
    }

    /// Admits those who wait, as far as there are places now.
    pub(super) fn serve_queue(&mut self) {
        if !self.queue.running
            && self.queue.retry_at.is_none()
            && let Some(first) = self.state.next_in_queue()
        {
            self.queue.running = true;
            let first = Box::new(first.clone());
            self.operations.push_first(Request::AdmitWaiting(first));
        }
        // The one that is being admitted leaves the queue, or learns its place then.
        if !self.queue.running {
            let effects = self.state.send_positions();
            self.perform(effects);
        }
        let now = self.services.now();
        self.state.start_intervals(now.instant);
        if let Some(message) = self.state.refresh_queue(now, &self.settings.node) {
            self.publish(message);
        }
    }
}

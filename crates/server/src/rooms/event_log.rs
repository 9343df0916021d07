//! What happened, written where it belongs: the log of events, on every topic
//! that it concerns, and the webhooks' queue. In the same transaction as what
//! made it happen.

use rand::Rng;

use super::RoomService;
use crate::clock::Timestamp;
use crate::id::short_id;
use crate::model::{Event, EventLabel, Room, RoomEvent, Topic};
use crate::render;
use crate::store::{StoreError, Tx};

impl RoomService {
    /// Writes down what happened; `present` = how many are inside now.
    pub async fn log_event(
        &self,
        tx: &mut Tx,
        room: &Room,
        present: u32,
        what: RoomEvent<'_>,
    ) -> Result<(), StoreError> {
        let event = event(room, present, what, self.clock.now(), &mut rand::rng())?;
        self.metrics.happened(room, what, event.at);
        if event.label.is_livekit() {
            for url in &self.config.webhooks {
                tx.enqueue_webhook(&event, &room.rtc_name, url).await?;
            }
        }
        for uri in topics(room, event.label) {
            let event = Event {
                uri,
                ..event.clone()
            };
            tx.append_event(&event).await?;
        }
        Ok(())
    }
}

/// An event about no room of ours, for a receiver to be tried with.
pub(crate) fn test_event(at: Timestamp) -> Result<Event, StoreError> {
    let mut room = Room::draft(at);
    room.rtc_name = "webhook-test".to_owned();
    event(&room, 0, RoomEvent::Started, at, &mut rand::rng())
}

fn topics(room: &Room, label: EventLabel) -> Vec<String> {
    match label {
        EventLabel::RoomCreate | EventLabel::RoomUpdate | EventLabel::RoomDelete => {
            vec![Topic::audience(&room.audience)]
        }
        EventLabel::RoomClose => vec![Topic::room(room.uid), Topic::audience(&room.audience)],
        _ => vec![Topic::room(room.uid)],
    }
}

fn event(
    room: &Room,
    present: u32,
    what: RoomEvent<'_>,
    at: Timestamp,
    rng: &mut impl Rng,
) -> Result<Event, StoreError> {
    let label = what.label();
    let id = short_id("EV_", rng);
    let payload = if label.is_livekit() {
        let mut told = render::livekit::webhook_event(label, &id, at);
        told.room = Some(render::livekit::room(room, present));
        match what {
            RoomEvent::Joined(who) | RoomEvent::Left(who) => {
                told.participant = Some(render::livekit::participant(who));
            }
            RoomEvent::Published(who, track) | RoomEvent::Unpublished(who, track) => {
                told.participant = Some(render::livekit::participant(who));
                told.track = Some(render::livekit::track(track));
            }
            RoomEvent::Egress(_, egress) => told.egress_info = Some(egress.clone()),
            _ => {}
        }
        serde_json::to_string(&told)?
    } else {
        render::room::s0(room).to_string()
    };
    Ok(Event {
        id,
        at,
        room: Some(room.uid),
        uri: String::new(),
        label,
        payload,
    })
}

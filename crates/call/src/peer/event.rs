//! Events of a webrtc-rs peer connection, from its driver and from the tasks
//! that read its channels to the peer's task.

use std::sync::Arc;
use std::time::Instant;

use rtc::peer_connection::event::RTCPeerConnectionIceEvent;
use tokio::sync::{mpsc, watch};
use visavis_protocol::{ClockPing, ClockPong, PeerMessage, TrackSource};
use webrtc::data_channel::DataChannel;
use webrtc::peer_connection::{
    PeerConnectionEventHandler, RTCIceConnectionState, RTCIceGatheringState, RTCPeerConnectionState,
};

/// Events queued for the peer's task. The connection's driver must not wait, so
/// its events are dropped and logged when the queue is full.
const EVENTS_CAPACITY: usize = 256;

/// An event that the peer's task handles.
pub(super) enum PeerConnectionEvent {
    /// A gathered candidate, as an `a=candidate` value (RFC 8839, section 5.1).
    LocalCandidate(String),
    /// Gathering is complete.
    EndOfCandidates,
    /// The remote peer created a data channel.
    DataChannel(Arc<dyn DataChannel>),
    /// A data channel is open, whichever side created it.
    DataChannelOpen(Arc<dyn DataChannel>),
    /// A data channel is closed.
    DataChannelClosed(Arc<dyn DataChannel>),
    /// A message arrived on a data channel.
    Message(Box<PeerMessage>),
    /// A request for our clock arrived at this time.
    ClockPing(ClockPing, Instant),
    /// The answer to ours arrived at this time.
    ClockPong(ClockPong, Instant),
    /// The remote peer requested a key frame of our track of this source.
    KeyFrameRequested(TrackSource),
}

/// The newest states of a connection. They are not queued, so that a full queue
/// loses none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectionStates {
    pub(super) connection: RTCPeerConnectionState,
    /// Whether ICE has a working candidate pair.
    pub(super) is_ice_connected: bool,
    pub(super) has_driver_ended: bool,
}

/// Sends events to the peer's task.
#[derive(Debug, Clone)]
pub(super) struct PeerConnectionEventSender {
    queue: mpsc::Sender<PeerConnectionEvent>,
    states: watch::Sender<ConnectionStates>,
}

/// The events of one connection.
pub(super) struct PeerConnectionEvents {
    pub(super) queue: mpsc::Receiver<PeerConnectionEvent>,
    pub(super) states: watch::Receiver<ConnectionStates>,
}

impl PeerConnectionEventSender {
    pub(super) fn new() -> (Self, PeerConnectionEvents) {
        let (queue, events) = mpsc::channel(EVENTS_CAPACITY);
        let (states, newest) = watch::channel(ConnectionStates {
            connection: RTCPeerConnectionState::New,
            is_ice_connected: false,
            has_driver_ended: false,
        });
        let events = PeerConnectionEvents {
            queue: events,
            states: newest,
        };
        (Self { queue, states }, events)
    }

    pub(super) fn try_send(&self, event: PeerConnectionEvent) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.queue.try_send(event) {
            tracing::warn!("the event queue of a peer is full: an event was dropped");
        }
    }

    /// Waits while the queue is full. For tasks that read one source each, which
    /// this slows down in turn.
    pub(super) async fn send(&self, event: PeerConnectionEvent) {
        // The queue is closed only when the peer's task ends, which ends the caller too.
        let _ = self.queue.send(event).await;
    }

    /// Records that the connection's driver ended.
    pub(super) fn driver_ended(&self) {
        self.states
            .send_modify(|states| states.has_driver_ended = true);
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for PeerConnectionEventSender {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        match event.candidate.to_json() {
            Ok(candidate) => {
                self.try_send(PeerConnectionEvent::LocalCandidate(candidate.candidate))
            }
            Err(error) => tracing::debug!(%error, "serialising a local candidate failed"),
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.try_send(PeerConnectionEvent::EndOfCandidates);
        }
    }

    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        let is_connected = matches!(
            state,
            RTCIceConnectionState::Connected | RTCIceConnectionState::Completed
        );
        self.states
            .send_modify(|states| states.is_ice_connected = is_connected);
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.states.send_modify(|states| states.connection = state);
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        self.try_send(PeerConnectionEvent::DataChannel(channel));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_connection_is_known_when_the_event_queue_is_full() {
        let (sender, events) = PeerConnectionEventSender::new();
        for _ in 0..=EVENTS_CAPACITY {
            sender.try_send(PeerConnectionEvent::EndOfCandidates);
        }
        sender
            .on_connection_state_change(RTCPeerConnectionState::Failed)
            .await;
        sender.driver_ended();
        let states = *events.states.borrow();
        assert_eq!(states.connection, RTCPeerConnectionState::Failed);
        assert!(states.has_driver_ended);
    }
}

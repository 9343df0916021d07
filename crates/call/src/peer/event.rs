//! Events of a webrtc-rs peer connection, from its driver and from the tasks
//! that read its channels to the peer's task.

use std::sync::Arc;

use rtc::peer_connection::event::RTCPeerConnectionIceEvent;
use tokio::sync::mpsc;
use visavis_protocol::PeerMessage;
use webrtc::data_channel::DataChannel;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnectionEventHandler, RTCIceGatheringState, RTCPeerConnectionState,
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
    /// The connection state changed.
    ConnectionState(RTCPeerConnectionState),
    /// The remote peer created a data channel.
    DataChannel(Arc<dyn DataChannel>),
    /// A data channel is open, whichever side created it.
    DataChannelOpen(Arc<dyn DataChannel>),
    /// A data channel is closed.
    DataChannelClosed(Arc<dyn DataChannel>),
    /// A message arrived on a data channel.
    Message(Box<PeerMessage>),
    /// The first packet of a remote stream arrived.
    RemoteTrack(Arc<dyn TrackRemote>),
    /// The remote peer requested a key frame of our video.
    KeyFrameRequested,
    /// The connection's driver ended.
    DriverEnded,
}

/// Sends events to the peer's task.
#[derive(Debug, Clone)]
pub(super) struct PeerConnectionEventSender(mpsc::Sender<PeerConnectionEvent>);

impl PeerConnectionEventSender {
    pub(super) fn new() -> (Self, mpsc::Receiver<PeerConnectionEvent>) {
        let (sender, receiver) = mpsc::channel(EVENTS_CAPACITY);
        (Self(sender), receiver)
    }

    pub(super) fn try_send(&self, event: PeerConnectionEvent) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.0.try_send(event) {
            tracing::warn!("the event queue of a peer is full: an event was dropped");
        }
    }

    /// Waits while the queue is full. For tasks that read one source each, which
    /// this slows down in turn.
    pub(super) async fn send(&self, event: PeerConnectionEvent) {
        // The queue is closed only when the peer's task ends, which ends the caller too.
        let _ = self.0.send(event).await;
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

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.try_send(PeerConnectionEvent::ConnectionState(state));
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        self.try_send(PeerConnectionEvent::DataChannel(channel));
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        self.try_send(PeerConnectionEvent::RemoteTrack(track));
    }
}

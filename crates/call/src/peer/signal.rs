//! From everything that runs beside the peer's task, to it.

use std::sync::Arc;

use rtc::peer_connection::event::RTCPeerConnectionIceEvent;
use tokio::sync::mpsc;
use visavis_protocol::PeerMessage;
use webrtc::data_channel::DataChannel;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnectionEventHandler, RTCIceGatheringState, RTCPeerConnectionState,
};

/// Signals waiting for the peer's task: 256. They come from the connection's
/// driver, which must not wait; when full, the signal is lost and logged.
const SIGNALS_CAPACITY: usize = 256;

/// Something that the peer's task acts on.
pub(super) enum Signal {
    /// A candidate of ours (RFC 8839, section 5.1).
    Candidate(String),
    /// There are no more of them.
    CandidatesEnd,
    /// The connection changed.
    State(RTCPeerConnectionState),
    /// The other side opened a data channel.
    ChannelOffered(Arc<dyn DataChannel>),
    /// A data channel of ours, or one taken from the other side, can be used.
    ChannelOpen(Arc<dyn DataChannel>),
    /// It cannot be used any more.
    ChannelClosed(Arc<dyn DataChannel>),
    /// A message came over one.
    Message(Box<PeerMessage>),
    /// The first packet of a remote stream came.
    Track(Arc<dyn TrackRemote>),
    /// The other side needs a key frame.
    KeyFrameAsked,
    /// The connection's driver ended without being told to.
    DriverEnded,
}

/// Sends signals without waiting.
#[derive(Debug, Clone)]
pub(super) struct Signals(mpsc::Sender<Signal>);

impl Signals {
    pub(super) fn new() -> (Self, mpsc::Receiver<Signal>) {
        let (sender, receiver) = mpsc::channel(SIGNALS_CAPACITY);
        (Self(sender), receiver)
    }

    pub(super) fn send(&self, signal: Signal) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.0.try_send(signal) {
            tracing::warn!("a peer's task is far behind: a signal was lost");
        }
    }

    /// Waits for room: for tasks of their own, whose source then waits too.
    pub(super) async fn send_patiently(&self, signal: Signal) {
        // Closed: the task is ending, and so is the caller.
        let _ = self.0.send(signal).await;
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Signals {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        match event.candidate.to_json() {
            Ok(candidate) => self.send(Signal::Candidate(candidate.candidate)),
            Err(error) => tracing::debug!(%error, "a candidate of ours cannot be written"),
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.send(Signal::CandidatesEnd);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.send(Signal::State(state));
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        self.send(Signal::ChannelOffered(channel));
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        self.send(Signal::Track(track));
    }
}

//! The task that owns a peer's connection.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rtc::shared::error::Error;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use visavis_protocol::IceCandidate;
use webrtc::peer_connection::RTCPeerConnectionState;

use super::connection::{Connection, Parts};
use super::negotiation::NegotiationError;
use super::signal::Signal;
use super::{PeerCommand, PeerEvent, PeerKey, TransportStatistics};
use crate::view::PeerConnectionState;

const STATISTICS_INTERVAL: Duration = Duration::from_secs(1);

/// Everything but the connection itself, which may be replaced.
pub(super) struct PeerTask {
    pub(super) key: PeerKey,
    pub(super) parts: Arc<Parts>,
    pub(super) events: mpsc::Sender<(PeerKey, PeerEvent)>,
    pub(super) statistics: watch::Sender<TransportStatistics>,
    pub(super) cancel: CancellationToken,
}

struct Open {
    connection: Connection,
    signals: mpsc::Receiver<Signal>,
    /// What was told last.
    state: PeerConnectionState,
}

impl Open {
    async fn new(parts: &Arc<Parts>) -> Result<Self, Error> {
        let (connection, signals) = Connection::new(parts).await?;
        Ok(Self {
            connection,
            signals,
            state: PeerConnectionState::New,
        })
    }
}

impl PeerTask {
    /// Runs until cancelled, or until nobody holds the handle.
    pub(super) async fn run(self, mut commands: mpsc::Receiver<PeerCommand>) {
        let mut open = match Open::new(&self.parts).await {
            Ok(open) => open,
            Err(error) => {
                tracing::error!(%error, "no peer connection can be made");
                return self
                    .emit(PeerEvent::Connection(PeerConnectionState::Failed))
                    .await;
            }
        };
        let served = AssertUnwindSafe(self.serve(&mut open, &mut commands))
            .catch_unwind()
            .await;
        open.connection.close().await;
        let end = if served.is_ok() {
            PeerConnectionState::Closed
        } else {
            PeerConnectionState::Failed
        };
        self.emit(PeerEvent::Connection(end)).await;
    }

    async fn serve(&self, open: &mut Open, commands: &mut mpsc::Receiver<PeerCommand>) {
        let mut second = tokio::time::interval(STATISTICS_INTERVAL);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return,
                command = commands.recv() => match command {
                    Some(command) => self.carry_out(open, command).await,
                    None => return,
                },
                Some(signal) = open.signals.recv() => self.handle(open, signal).await,
                _ = second.tick() => {
                    self.statistics.send_replace(open.connection.statistics().await);
                }
            }
        }
    }

    async fn carry_out(&self, open: &mut Open, command: PeerCommand) {
        let connection = &mut open.connection;
        let result = match command {
            PeerCommand::MakeOffer { ice_restart } => connection
                .make_offer(ice_restart)
                .await
                .map(PeerEvent::LocalDescription),
            PeerCommand::AcceptOffer { sdp, rollback } => connection
                .accept_offer(sdp, rollback)
                .await
                .map(PeerEvent::LocalDescription),
            PeerCommand::AcceptAnswer { sdp } => connection
                .accept_answer(sdp)
                .await
                .map(|()| PeerEvent::AnswerAccepted),
            PeerCommand::AddCandidate(candidate) => {
                return connection.add_candidate(candidate).await;
            }
            PeerCommand::Send(message) => return connection.send(&message).await,
        };
        match result {
            Ok(event) => self.emit(event).await,
            Err(error) => {
                tracing::warn!(%error, "negotiation failed");
                tracing::debug!(?error, "negotiation failed");
                if matches!(error, NegotiationError::Engine(_)) {
                    self.start_over(open).await;
                }
                self.emit(PeerEvent::NegotiationFailed {
                    reason: error.to_string(),
                })
                .await;
            }
        }
    }

    /// A connection that never was negotiated keeps what it learned from a
    /// description that it refused halfway: another takes its place.
    async fn start_over(&self, open: &mut Open) {
        if !open.connection.remote.is_empty() {
            return;
        }
        match Open::new(&self.parts).await {
            Ok(fresh) => {
                let mut old = std::mem::replace(open, fresh);
                old.connection.close().await;
            }
            Err(error) => tracing::error!(%error, "no new peer connection can be made"),
        }
    }

    async fn handle(&self, open: &mut Open, signal: Signal) {
        let connection = &mut open.connection;
        match signal {
            Signal::Candidate(candidate) => self.candidate(open, candidate).await,
            Signal::CandidatesEnd => self.candidate(open, String::new()).await,
            Signal::State(state) => self.connection_state(open, state).await,
            Signal::DriverEnded => {
                self.connection_state(open, RTCPeerConnectionState::Failed)
                    .await
            }
            Signal::ChannelOffered(channel) => connection.read_channel(channel),
            Signal::ChannelOpen(channel) => {
                if connection.channel_opened(channel) {
                    self.emit(PeerEvent::ChannelOpen).await;
                }
            }
            Signal::ChannelClosed(channel) => connection.channel_closed(&channel),
            Signal::Message(message) => self.emit(PeerEvent::Message(message)).await,
            Signal::Track(track) => connection.receive(track),
            Signal::KeyFrameAsked => {
                if let Some(codec) = connection.video_codec() {
                    self.parts.video_sender.request_key_frame(codec);
                }
            }
        }
    }

    /// All media are bundled with the first section (RFC 9143).
    async fn candidate(&self, open: &Open, candidate: String) {
        let candidate = IceCandidate {
            candidate,
            sdp_mid: open.connection.first_mid().await,
            sdp_m_line_index: Some(0),
            username_fragment: None,
        };
        self.emit(PeerEvent::LocalCandidate(candidate)).await;
    }

    async fn connection_state(&self, open: &mut Open, state: RTCPeerConnectionState) {
        let state = match state {
            RTCPeerConnectionState::New => PeerConnectionState::New,
            RTCPeerConnectionState::Connecting => PeerConnectionState::Connecting,
            RTCPeerConnectionState::Connected => PeerConnectionState::Connected,
            RTCPeerConnectionState::Disconnected => PeerConnectionState::Disconnected,
            RTCPeerConnectionState::Failed => PeerConnectionState::Failed,
            RTCPeerConnectionState::Closed => PeerConnectionState::Closed,
            _ => return,
        };
        if state == open.state {
            return;
        }
        tracing::info!(from = ?open.state, to = ?state, "peer connection");
        open.state = state;
        match state {
            PeerConnectionState::Connected => open.connection.set_can_send(true).await,
            PeerConnectionState::Failed | PeerConnectionState::Closed => {
                open.connection.set_can_send(false).await
            }
            // Sending goes on: it may come back by itself.
            PeerConnectionState::New
            | PeerConnectionState::Connecting
            | PeerConnectionState::Disconnected => {}
        }
        self.emit(PeerEvent::Connection(state)).await;
    }

    async fn emit(&self, event: PeerEvent) {
        tokio::select! {
            biased;
            // Nobody listens to a peer that is told to end.
            () = self.cancel.cancelled() => {}
            _ = self.events.send((self.key.clone(), event)) => {}
        }
    }
}

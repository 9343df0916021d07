//! The task that owns a peer's connection.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rtc::shared::error::Error;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use visavis_protocol::{IceCandidate, TrackSource};
use webrtc::peer_connection::RTCPeerConnectionState;

use super::connection::{Connection, PeerContext};
use super::event::PeerConnectionEvent;
use super::negotiation::NegotiationError;
use super::{LinkId, PeerCommand, PeerEvent, Receiver, TransportStatistics};
use crate::view::PeerConnectionState;

const STATISTICS_INTERVAL: Duration = Duration::from_secs(1);

/// The peer's task, except the connection, which can be replaced.
pub(super) struct PeerTask {
    pub(super) link: LinkId,
    pub(super) context: Arc<PeerContext>,
    pub(super) events: mpsc::Sender<(LinkId, PeerEvent)>,
    pub(super) statistics: watch::Sender<TransportStatistics>,
    pub(super) cancel: CancellationToken,
}

struct ActiveConnection {
    connection: Connection,
    events: mpsc::Receiver<PeerConnectionEvent>,
    /// The state that was emitted last.
    state: PeerConnectionState,
}

impl ActiveConnection {
    async fn new(context: &Arc<PeerContext>) -> Result<Self, Error> {
        let (connection, events) = Connection::new(context).await?;
        Ok(Self {
            connection,
            events,
            state: PeerConnectionState::New,
        })
    }
}

impl PeerTask {
    /// Runs until cancelled or until the handle is dropped.
    pub(super) async fn run(self, mut commands: mpsc::Receiver<PeerCommand>) {
        let audio = Receiver::Audio(self.context.audio.clone());
        let video = Receiver::Video(self.context.video.clone());
        for (source, receiver) in [
            (TrackSource::Microphone, audio),
            (TrackSource::Camera, video),
        ] {
            self.emit(PeerEvent::ReceiverAdded(source, receiver)).await;
        }
        let mut active = match ActiveConnection::new(&self.context).await {
            Ok(active) => active,
            Err(error) => {
                tracing::error!(%error, "creating a peer connection failed");
                return self
                    .emit(PeerEvent::Connection(PeerConnectionState::Failed))
                    .await;
            }
        };
        let served = AssertUnwindSafe(self.serve(&mut active, &mut commands))
            .catch_unwind()
            .await;
        active.connection.close().await;
        let end = if served.is_ok() {
            PeerConnectionState::Closed
        } else {
            PeerConnectionState::Failed
        };
        self.emit(PeerEvent::Connection(end)).await;
    }

    async fn serve(
        &self,
        active: &mut ActiveConnection,
        commands: &mut mpsc::Receiver<PeerCommand>,
    ) {
        let mut statistics_tick = tokio::time::interval(STATISTICS_INTERVAL);
        statistics_tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return,
                command = commands.recv() => match command {
                    Some(command) => self.execute(active, command).await,
                    None => return,
                },
                Some(event) = active.events.recv() => self.handle(active, event).await,
                _ = statistics_tick.tick() => {
                    self.statistics.send_replace(active.connection.statistics().await);
                }
            }
        }
    }

    async fn execute(&self, active: &mut ActiveConnection, command: PeerCommand) {
        let connection = &mut active.connection;
        let result = match command {
            PeerCommand::MakeOffer { ice_restart } => connection
                .make_offer(ice_restart)
                .await
                .map(PeerEvent::LocalDescription),
            PeerCommand::AcceptOffer { sdp, rollback, .. } => connection
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
            PeerCommand::SetGrants { .. } => return,
            PeerCommand::Send(message) => return connection.send(&message).await,
        };
        match result {
            Ok(event) => self.emit(event).await,
            Err(error) => {
                tracing::warn!(%error, "negotiation failed");
                tracing::debug!(?error, "negotiation failed");
                // webrtc-rs keeps the state that a partly applied description left
                // behind, which would break the next negotiation.
                if matches!(error, NegotiationError::Engine(_))
                    && active.connection.remote.is_empty()
                {
                    self.replace_connection(active).await;
                }
                self.emit(PeerEvent::NegotiationFailed {
                    reason: error.to_string(),
                })
                .await;
            }
        }
    }

    /// Replaces the connection by a new one.
    async fn replace_connection(&self, active: &mut ActiveConnection) {
        match ActiveConnection::new(&self.context).await {
            Ok(fresh) => {
                let mut old = std::mem::replace(active, fresh);
                old.connection.close().await;
            }
            Err(error) => tracing::error!(%error, "replacing a peer connection failed"),
        }
    }

    async fn handle(&self, active: &mut ActiveConnection, event: PeerConnectionEvent) {
        let connection = &mut active.connection;
        match event {
            PeerConnectionEvent::LocalCandidate(candidate) => {
                self.candidate(active, candidate).await
            }
            PeerConnectionEvent::EndOfCandidates => self.candidate(active, String::new()).await,
            PeerConnectionEvent::ConnectionState(state) => {
                self.connection_state(active, state).await
            }
            PeerConnectionEvent::DriverEnded => {
                self.connection_state(active, RTCPeerConnectionState::Failed)
                    .await
            }
            PeerConnectionEvent::DataChannel(channel) => connection.read_channel(channel),
            PeerConnectionEvent::DataChannelOpen(channel) => {
                if connection.channel_opened(channel) {
                    self.emit(PeerEvent::ChannelOpen).await;
                }
            }
            PeerConnectionEvent::DataChannelClosed(channel) => connection.channel_closed(&channel),
            PeerConnectionEvent::Message(message) => self.emit(PeerEvent::Message(message)).await,
            PeerConnectionEvent::RemoteTrack(track) => connection.receive(track),
            PeerConnectionEvent::KeyFrameRequested => {
                if let Some(codec) = connection.video_codec() {
                    self.context.video_sender.request_key_frame(codec);
                }
            }
        }
    }

    /// Emits a candidate for the first media section, with which all others are
    /// bundled (RFC 9143).
    async fn candidate(&self, active: &ActiveConnection, candidate: String) {
        let candidate = IceCandidate {
            candidate,
            sdp_mid: active.connection.first_mid().await.map(|mid| mid.0),
            sdp_m_line_index: Some(0),
            username_fragment: None,
        };
        self.emit(PeerEvent::LocalCandidate(candidate)).await;
    }

    async fn connection_state(&self, active: &mut ActiveConnection, state: RTCPeerConnectionState) {
        let state = match state {
            RTCPeerConnectionState::New => PeerConnectionState::New,
            RTCPeerConnectionState::Connecting => PeerConnectionState::Connecting,
            RTCPeerConnectionState::Connected => PeerConnectionState::Connected,
            RTCPeerConnectionState::Disconnected => PeerConnectionState::Disconnected,
            RTCPeerConnectionState::Failed => PeerConnectionState::Failed,
            RTCPeerConnectionState::Closed => PeerConnectionState::Closed,
            _ => return,
        };
        if state == active.state {
            return;
        }
        tracing::info!(from = ?active.state, to = ?state, "connection state changed");
        active.state = state;
        match state {
            PeerConnectionState::Connected => active.connection.set_can_send(true).await,
            PeerConnectionState::Failed | PeerConnectionState::Closed => {
                active.connection.set_can_send(false).await
            }
            // Sending continues: the connection may recover by itself.
            PeerConnectionState::New
            | PeerConnectionState::Connecting
            | PeerConnectionState::Disconnected => {}
        }
        self.emit(PeerEvent::Connection(state)).await;
    }

    async fn emit(&self, event: PeerEvent) {
        tokio::select! {
            biased;
            // Events of a cancelled peer are not read.
            () = self.cancel.cancelled() => {}
            _ = self.events.send((self.link, event)) => {}
        }
    }
}

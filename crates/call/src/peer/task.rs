//! The task that owns a peer's connection.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rtc::shared::error::Error;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, sleep_until};
use tokio_util::sync::CancellationToken;
use visavis_protocol::{Description, IceCandidate, PeerMessage};
use webrtc::peer_connection::RTCPeerConnectionState;

use super::connection::Connection;
use super::context::{PeerContext, PeerGrants};
use super::event::{PeerConnectionEvent, PeerConnectionEvents};
use super::negotiation::{Changes, NegotiationError};
use super::sdp::{RemoteDescription, SdpError};
use super::{LinkId, PeerCommand, PeerEvent, TransportStatistics};
use crate::view::PeerConnectionState;

const STATISTICS_INTERVAL: Duration = Duration::from_secs(1);

/// Longest DTLS handshake on a working candidate pair. webrtc-rs does not report
/// that a handshake failed.
const DTLS_TIMEOUT: Duration = Duration::from_secs(10);

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
    events: PeerConnectionEvents,
    /// The state that was emitted last.
    state: PeerConnectionState,
    /// When a DTLS handshake that is in progress fails.
    dtls_deadline: Option<Instant>,
}

impl ActiveConnection {
    async fn new(context: &Arc<PeerContext>) -> Result<Self, Error> {
        let (connection, events) = Connection::new(context).await?;
        Ok(Self {
            connection,
            events,
            state: PeerConnectionState::New,
            dtls_deadline: None,
        })
    }
}

impl PeerTask {
    /// Runs until cancelled or until the handle is dropped.
    pub(super) async fn run(self, mut commands: mpsc::Receiver<PeerCommand>) {
        let mut active = match ActiveConnection::new(&self.context).await {
            Ok(active) => active,
            Err(error) => {
                tracing::error!(%error, "creating a peer connection failed");
                return self
                    .emit(PeerEvent::Connection(PeerConnectionState::Closed))
                    .await;
            }
        };
        let served = AssertUnwindSafe(self.serve(&mut active, &mut commands))
            .catch_unwind()
            .await;
        active.connection.close().await;
        if served.is_err() {
            tracing::error!("the task of a peer panicked");
        }
        self.emit(PeerEvent::Connection(PeerConnectionState::Closed))
            .await;
    }

    async fn serve(
        &self,
        active: &mut ActiveConnection,
        commands: &mut mpsc::Receiver<PeerCommand>,
    ) {
        let mut statistics_tick = tokio::time::interval(STATISTICS_INTERVAL);
        let mut estimates = self.context.bandwidth.estimates();
        statistics_tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let dtls_deadline = active.dtls_deadline;
            let dtls_timeout = async {
                match dtls_deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return,
                Ok(()) = active.events.states.changed() => self.states_changed(active).await,
                () = dtls_timeout => {
                    active.dtls_deadline = None;
                    tracing::warn!("the DTLS handshake timed out");
                    self.connection_state(active, PeerConnectionState::Closed).await;
                }
                command = commands.recv() => match command {
                    Some(command) => self.execute(active, command).await,
                    None => return,
                },
                Some(event) = active.events.queue.recv() => self.handle(active, event).await,
                Ok(()) = estimates.changed() => {
                    let estimate = *estimates.borrow_and_update();
                    self.emit(PeerEvent::Bandwidth(estimate)).await;
                }
                _ = statistics_tick.tick() => {
                    let max = self.context.max_bits_per_second();
                    self.context.bandwidth.set_max(max);
                    self.statistics.send_replace(active.connection.statistics().await);
                    self.update_channel(active).await;
                    // Over a link that is cut, pings would only fill the channel's queue.
                    if active.state == PeerConnectionState::Connected {
                        active.connection.ping_clock().await;
                    }
                }
            }
        }
    }

    async fn update_channel(&self, active: &mut ActiveConnection) {
        let is_connected = active.state == PeerConnectionState::Connected;
        if let Some(channel) = &mut active.connection.channel
            && let Some(is_stalled) = channel
                .update(is_connected, std::time::Instant::now())
                .await
        {
            tracing::info!(is_stalled, "the data channel");
            self.emit(PeerEvent::ChannelStalled(is_stalled)).await;
        }
    }

    async fn execute(&self, active: &mut ActiveConnection, command: PeerCommand) {
        let connection = &mut active.connection;
        let result = match command {
            PeerCommand::MakeOffer { ice_restart } => {
                let offer = connection.make_offer(ice_restart).await;
                offer.map(|offer| {
                    (
                        PeerEvent::LocalDescription(offer),
                        Changes::default(),
                        false,
                    )
                })
            }
            PeerCommand::AcceptOffer {
                sdp,
                rollback,
                may_replace,
            } => {
                let answer = self.accept_offer(active, sdp, rollback, may_replace).await;
                answer.map(|(answer, changes)| {
                    let needs_offer = active.connection.needs_offer();
                    (PeerEvent::LocalDescription(answer), changes, needs_offer)
                })
            }
            PeerCommand::AcceptAnswer { sdp } => {
                let changes = connection.accept_answer(sdp).await;
                changes.map(|changes| (PeerEvent::AnswerAccepted, changes, false))
            }
            PeerCommand::AddCandidate(candidate) => {
                return connection.add_candidate(candidate).await;
            }
            PeerCommand::SetGrants { local, remote } => {
                return self.set_grants(active, PeerGrants { local, remote }).await;
            }
            PeerCommand::SetLayers(layers) => return self.context.set_layers(layers),
            PeerCommand::SetHidden(sources) => {
                self.context.set_hidden(sources);
                return self.update_routes(active).await;
            }
            PeerCommand::SetIceServers(ice_servers) => {
                return self.context.set_ice_servers(ice_servers);
            }
            PeerCommand::Send(message) => return connection.send(&message).await,
        };
        match result {
            Ok((event, changes, needs_offer)) => {
                self.emit(event).await;
                self.emit_changes(changes).await;
                if needs_offer {
                    self.emit(PeerEvent::NegotiationNeeded).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "negotiation failed");
                tracing::debug!(?error, "negotiation failed");
                // webrtc-rs keeps the state that a partly applied description left
                // behind, which would break the next negotiation.
                if matches!(error, NegotiationError::Engine(_))
                    && active.connection.negotiated.transport.is_none()
                    && let Err(error) = self.replace_connection(active).await
                {
                    tracing::error!(%error, "replacing a peer connection failed");
                }
                let reason = error.to_string();
                self.emit(PeerEvent::NegotiationFailed { reason }).await;
            }
        }
    }

    /// Accepts an offer, on a new connection where it begins another DTLS association.
    async fn accept_offer(
        &self,
        active: &mut ActiveConnection,
        sdp: String,
        rollback: bool,
        may_replace: bool,
    ) -> Result<(Description, Changes), NegotiationError> {
        let offer = RemoteDescription::parse(sdp)?;
        if !active.connection.is_other_association(&offer) {
            return active.connection.accept_offer(offer, rollback).await;
        }
        if !may_replace {
            return Err(SdpError::OtherAssociation.into());
        }
        tracing::info!("an offer replaces the connection");
        self.replace_connection(active).await?;
        self.context.clear_received(|_| true);
        self.emit(PeerEvent::Connection(PeerConnectionState::New))
            .await;
        active.connection.accept_offer(offer, false).await
    }

    /// Replaces the connection by a new one. Candidates that wait for their
    /// description are kept.
    async fn replace_connection(&self, active: &mut ActiveConnection) -> Result<(), Error> {
        let fresh = ActiveConnection::new(&self.context).await?;
        let mut old = std::mem::replace(active, fresh);
        let candidates = std::mem::take(&mut old.connection.candidates);
        for candidate in candidates.into_pending() {
            active.connection.add_candidate(candidate).await;
        }
        old.connection.close().await;
        Ok(())
    }

    async fn set_grants(&self, active: &mut ActiveConnection, grants: PeerGrants) {
        self.context.set_grants(grants);
        active.connection.update_sending();
        self.update_routes(active).await;
        // A source that was refused until now may lack a section.
        if active.connection.needs_offer() {
            self.emit(PeerEvent::NegotiationNeeded).await;
        }
    }

    async fn update_routes(&self, active: &ActiveConnection) {
        let changes = Changes {
            receivers: active.connection.update_routes(),
            no_common_codec: None,
        };
        self.emit_changes(changes).await;
    }

    async fn emit_changes(&self, changes: Changes) {
        for (source, receiver) in changes.receivers {
            self.emit(PeerEvent::ReceiverAdded(source, receiver)).await;
        }
        if let Some(sources) = changes.no_common_codec {
            self.emit(PeerEvent::NoCommonCodec(sources)).await;
        }
    }

    async fn handle(&self, active: &mut ActiveConnection, event: PeerConnectionEvent) {
        let connection = &mut active.connection;
        match event {
            PeerConnectionEvent::LocalCandidate(candidate) => {
                self.candidate(active, candidate).await
            }
            PeerConnectionEvent::EndOfCandidates => self.candidate(active, String::new()).await,
            PeerConnectionEvent::DataChannel(channel) => connection.read_channel(channel),
            PeerConnectionEvent::DataChannelOpen(channel) => {
                if connection.channel_opened(channel) {
                    self.emit(PeerEvent::ChannelOpen).await;
                }
            }
            PeerConnectionEvent::DataChannelClosed(channel) => connection.channel_closed(&channel),
            PeerConnectionEvent::Message(message) => self.emit(PeerEvent::Message(message)).await,
            PeerConnectionEvent::ClockPing(ping, received_at) => {
                if let Some(pong) = self.context.clock.answer(ping, received_at) {
                    connection.send(&PeerMessage::ClockPong(pong)).await;
                }
            }
            PeerConnectionEvent::ClockPong(pong, received_at) => {
                self.context.clock.answered(pong, received_at);
            }
            PeerConnectionEvent::KeyFrameRequested(source) => {
                if let Some(codec) = connection.video_codec(source) {
                    self.context.key_frame_requested(source, codec);
                }
            }
        }
    }

    /// Emits a candidate for the first media section, with which all others are
    /// bundled (RFC 9143).
    async fn candidate(&self, active: &ActiveConnection, candidate: String) {
        let local = &active.connection.local_ice;
        let candidate = IceCandidate {
            candidate,
            sdp_mid: local.mid.as_ref().map(|mid| mid.0.clone()),
            sdp_m_line_index: local.line_index,
            username_fragment: local.ufrag.clone(),
        };
        self.emit(PeerEvent::LocalCandidate(candidate)).await;
    }

    async fn states_changed(&self, active: &mut ActiveConnection) {
        let states = *active.events.states.borrow_and_update();
        let state = match states.connection {
            // A connection without its driver cannot be repaired by an ICE restart.
            _ if states.has_driver_ended => PeerConnectionState::Closed,
            RTCPeerConnectionState::New => PeerConnectionState::New,
            RTCPeerConnectionState::Connecting => PeerConnectionState::Connecting,
            RTCPeerConnectionState::Connected => PeerConnectionState::Connected,
            RTCPeerConnectionState::Disconnected => PeerConnectionState::Disconnected,
            RTCPeerConnectionState::Failed => PeerConnectionState::Failed,
            RTCPeerConnectionState::Closed => PeerConnectionState::Closed,
            _ => return,
        };
        let is_handshake = state == PeerConnectionState::Connecting && states.is_ice_connected;
        active.dtls_deadline = is_handshake.then(|| {
            let deadline = Instant::now() + DTLS_TIMEOUT;
            active.dtls_deadline.unwrap_or(deadline)
        });
        self.connection_state(active, state).await;
    }

    async fn connection_state(&self, active: &mut ActiveConnection, state: PeerConnectionState) {
        // A closed connection changes no more.
        if state == active.state || active.state == PeerConnectionState::Closed {
            return;
        }
        tracing::info!(from = ?active.state, to = ?state, "connection state changed");
        active.state = state;
        match state {
            PeerConnectionState::Connected => active.connection.set_can_send(true),
            PeerConnectionState::Failed | PeerConnectionState::Closed => {
                active.connection.set_can_send(false);
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

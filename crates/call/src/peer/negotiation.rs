//! Offer and answer (RFC 9429) on one connection. Who may offer when is
//! decided outside.

use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::peer_connection::transport::RTCIceCandidateInit;
use rtc::rtp_transceiver::RTCRtpTransceiverDirection as Direction;
use rtc::shared::error::Error;
use visavis_protocol::{Description, DescriptionKind, IceCandidate};
use webrtc::peer_connection::RTCSessionDescription;

use super::channel;
use super::connection::Connection;
use super::engine;
use super::sdp::{Kind, Remote, SdpError, local_sections};

/// Candidates held until the description that they belong to; more are dropped.
const HELD_CAPACITY: usize = 64;

/// Why a negotiation did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum NegotiationError {
    /// The description was refused before anything was changed.
    #[error("refused: {0}")]
    Refused(#[from] SdpError),
    /// An answer came to no offer, or an offer while ours is pending.
    #[error("it does not fit the state of the negotiation")]
    WrongState,
    /// webrtc-rs gave up, perhaps halfway.
    #[error("webrtc-rs gave up")]
    Engine(#[from] Error),
}

impl Connection {
    /// Makes an offer and sets it.
    pub(super) async fn make_offer(
        &mut self,
        ice_restart: bool,
    ) -> Result<Description, NegotiationError> {
        if self.remote.is_empty() && self.peer.local_description().await.is_none() {
            let channel = channel::create(self.peer.as_ref()).await?;
            self.read_channel(channel);
        }
        self.attach(Kind::Audio).await?;
        self.attach(Kind::Video).await?;
        self.send_and_receive().await?;
        let options = RTCOfferOptions { ice_restart };
        let offer = self.peer.create_offer(Some(options)).await?;
        let sdp = offer.sdp.clone();
        self.peer.set_local_description(offer).await?;
        Ok(Description::new(DescriptionKind::Offer, sdp))
    }

    /// Takes an offer and sets our answer.
    pub(super) async fn accept_offer(
        &mut self,
        sdp: String,
        rollback: bool,
    ) -> Result<Description, NegotiationError> {
        let remote = Remote::offer(sdp)?;
        remote.continues(&self.remote)?;
        if self.peer.pending_local_description().await.is_some() {
            if !rollback {
                return Err(NegotiationError::WrongState);
            }
            self.peer
                .set_local_description(RTCSessionDescription::rollback(None)?)
                .await?;
        }
        let answer = self.answer(&remote).await;
        if answer.is_err() {
            // In the state of an answer half set this fails, and changes nothing.
            let _ = self
                .peer
                .set_remote_description(RTCSessionDescription::rollback(None)?)
                .await;
        }
        let sdp = answer?;
        self.negotiated(remote.sections).await;
        self.add_held().await;
        Ok(Description::new(DescriptionKind::Answer, sdp))
    }

    async fn answer(&mut self, remote: &Remote) -> Result<String, Error> {
        // What an earlier description took away comes back if this one lets it.
        self.send_and_receive().await?;
        self.peer
            .set_remote_description(remote.description.clone())
            .await?;
        for kind in [Kind::Audio, Kind::Video] {
            if remote.main(kind).is_some() {
                self.attach(kind).await?;
            }
        }
        self.settle(remote).await?;
        self.read_formats().await?;
        self.settle_directions(remote).await?;
        let answer = self.peer.create_answer(None).await?;
        let sdp = answer.sdp.clone();
        self.peer.set_local_description(answer).await?;
        Ok(sdp)
    }

    /// Takes the answer to our offer.
    pub(super) async fn accept_answer(&mut self, sdp: String) -> Result<(), NegotiationError> {
        let remote = Remote::answer(sdp)?;
        let offer = self
            .peer
            .pending_local_description()
            .await
            .ok_or(NegotiationError::WrongState)?;
        remote.answers(&local_sections(&offer)?)?;
        self.settle(&remote).await?;
        self.peer
            .set_remote_description(remote.description.clone())
            .await?;
        self.read_formats().await?;
        self.negotiated(remote.sections).await;
        self.add_held().await;
        Ok(())
    }

    /// Takes a candidate, or holds it until there is a description.
    pub(super) async fn add_candidate(&mut self, candidate: IceCandidate) {
        if self.peer.remote_description().await.is_some() {
            self.add(candidate).await;
        } else if self.held.len() < HELD_CAPACITY {
            self.held.push(candidate);
        } else {
            tracing::debug!("too many candidates before a description");
        }
    }

    async fn add_held(&mut self) {
        for candidate in std::mem::take(&mut self.held) {
            self.add(candidate).await;
        }
    }

    async fn add(&self, candidate: IceCandidate) {
        let candidate = RTCIceCandidateInit {
            candidate: candidate.candidate,
            sdp_mid: candidate.sdp_mid,
            sdp_mline_index: candidate.sdp_m_line_index,
            username_fragment: candidate.username_fragment,
            url: None,
        };
        if let Err(error) = self.peer.add_ice_candidate(candidate).await {
            tracing::debug!(%error, "a candidate is ignored");
        }
    }

    /// Attaches our stream of this kind, once: the track stays.
    async fn attach(&mut self, kind: Kind) -> Result<(), Error> {
        let peer = self.peer.clone();
        let flow = if kind == Kind::Audio {
            &mut self.audio
        } else {
            &mut self.video
        };
        if flow.sender.is_none() {
            flow.sender = Some(peer.add_track(flow.outgoing.track()).await?);
        }
        Ok(())
    }

    /// Tells webrtc-rs what our streams will be sent as, which it wants to
    /// know when the negotiation ends. Its `replace_track` changes just this.
    async fn settle(&self, remote: &Remote) -> Result<(), Error> {
        // It hides senders whose transceiver does not send.
        self.send_and_receive().await?;
        if let Some(sender) = &self.audio.sender {
            sender
                .replace_track(self.audio.outgoing.with_codec(engine::opus()))
                .await?;
        }
        let preferred = self.parts.config.preferred_codec;
        let codec = remote
            .main(Kind::Video)
            .and_then(|section| section.codec(preferred));
        if let (Some(sender), Some(codec)) = (&self.video.sender, codec) {
            sender
                .replace_track(self.video.outgoing.with_codec(engine::video(codec)))
                .await?;
        }
        Ok(())
    }

    /// Wants everything both ways.
    async fn send_and_receive(&self) -> Result<(), Error> {
        for flow in [&self.audio, &self.video] {
            if let Some(transceiver) = self.transceiver(flow).await {
                transceiver.set_direction(Direction::Sendrecv).await?;
            }
        }
        Ok(())
    }

    /// Answers each section as the offer allows; what is beyond the first of
    /// its kind is not wanted.
    async fn settle_directions(&self, remote: &Remote) -> Result<(), Error> {
        let ours = [&self.audio, &self.video]
            .map(|flow| flow.sender.as_ref().map(|sender| sender.id().into()));
        for transceiver in self.peer.get_transceivers().await {
            let Some(mid) = transceiver.mid().await? else {
                continue;
            };
            let Some(section) = remote.sections.iter().find(|section| section.mid == mid) else {
                continue;
            };
            let is_main = remote
                .main(section.kind)
                .is_some_and(|main| main.mid == mid);
            let can_send = ours.contains(&Some(transceiver.id()));
            let direction = if is_main {
                section
                    .direction
                    .reverse()
                    .intersect(Direction::from_send_recv(can_send, true))
            } else {
                Direction::Inactive
            };
            transceiver.set_direction(direction).await?;
        }
        Ok(())
    }
}

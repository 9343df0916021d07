//! Offer and answer (RFC 9429) on one connection. `state::negotiation` decides
//! which side may offer when.

use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::peer_connection::transport::RTCIceCandidateInit;
use rtc::rtp_transceiver::RTCRtpTransceiverDirection as Direction;
use rtc::shared::error::Error;
use visavis_protocol::{Description, DescriptionKind, IceCandidate};
use webrtc::peer_connection::RTCSessionDescription;

use super::channel;
use super::connection::Connection;
use super::engine;
use super::sdp::{MediaKind, RemoteDescription, SdpError, local_sections};
use crate::rtp::Mid;

/// Candidates buffered until a remote description is set; further ones are dropped.
const PENDING_CANDIDATES_CAPACITY: usize = 64;

/// Why a negotiation failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum NegotiationError {
    /// The description was rejected before the connection was changed.
    #[error("description rejected: {0}")]
    Refused(#[from] SdpError),
    /// An answer without a pending local offer, or an offer without rollback while
    /// ours is pending.
    #[error("description does not match the signalling state")]
    WrongState,
    /// webrtc-rs failed and may have applied part of the description.
    #[error("webrtc-rs failed to apply the description")]
    Engine(#[from] Error),
}

impl Connection {
    /// Creates an offer and sets it as the local description.
    ///
    /// # Errors
    /// When webrtc-rs fails.
    pub(super) async fn make_offer(
        &mut self,
        ice_restart: bool,
    ) -> Result<Description, NegotiationError> {
        if self.remote.is_empty() && self.peer.local_description().await.is_none() {
            let channel = channel::create(self.peer.as_ref()).await?;
            self.read_channel(channel);
        }
        self.attach_track(MediaKind::Audio).await?;
        self.attach_track(MediaKind::Video).await?;
        self.send_and_receive().await?;
        let options = RTCOfferOptions { ice_restart };
        let offer = self.peer.create_offer(Some(options)).await?;
        let sdp = offer.sdp.clone();
        self.peer.set_local_description(offer).await?;
        Ok(Description::new(DescriptionKind::Offer, sdp))
    }

    /// Sets a remote offer and answers it. `rollback` first takes back our pending
    /// offer.
    ///
    /// # Errors
    /// When the offer is rejected, when our offer is pending and `rollback` is
    /// false, or when webrtc-rs fails.
    pub(super) async fn accept_offer(
        &mut self,
        sdp: String,
        rollback: bool,
    ) -> Result<Description, NegotiationError> {
        let remote = RemoteDescription::offer(sdp)?;
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
            // Fails without effect when the answer was set partly.
            let _ = self
                .peer
                .set_remote_description(RTCSessionDescription::rollback(None)?)
                .await;
        }
        let sdp = answer?;
        self.apply_negotiation(remote.sections).await;
        self.add_pending_candidates().await;
        Ok(Description::new(DescriptionKind::Answer, sdp))
    }

    async fn answer(&mut self, remote: &RemoteDescription) -> Result<String, Error> {
        // Restores the directions that an earlier remote description restricted;
        // the answer restricts them again where this offer does.
        self.send_and_receive().await?;
        self.peer
            .set_remote_description(remote.description.clone())
            .await?;
        for kind in [MediaKind::Audio, MediaKind::Video] {
            if remote.main(kind).is_some() {
                self.attach_track(kind).await?;
            }
        }
        self.set_track_codecs(remote).await?;
        self.read_formats().await?;
        self.set_answer_directions(remote).await?;
        let answer = self.peer.create_answer(None).await?;
        let sdp = answer.sdp.clone();
        self.peer.set_local_description(answer).await?;
        Ok(sdp)
    }

    /// Sets the answer to our pending offer.
    ///
    /// # Errors
    /// When no offer is pending, when the answer is rejected, or when webrtc-rs
    /// fails.
    pub(super) async fn accept_answer(&mut self, sdp: String) -> Result<(), NegotiationError> {
        let remote = RemoteDescription::answer(sdp)?;
        let offer = self
            .peer
            .pending_local_description()
            .await
            .ok_or(NegotiationError::WrongState)?;
        remote.answers(&local_sections(&offer)?)?;
        self.set_track_codecs(&remote).await?;
        self.peer
            .set_remote_description(remote.description.clone())
            .await?;
        self.read_formats().await?;
        self.apply_negotiation(remote.sections).await;
        self.add_pending_candidates().await;
        Ok(())
    }

    /// Adds a remote candidate, or buffers it until a remote description is set.
    pub(super) async fn add_candidate(&mut self, candidate: IceCandidate) {
        if self.peer.remote_description().await.is_some() {
            self.add(candidate).await;
        } else if self.pending_candidates.len() < PENDING_CANDIDATES_CAPACITY {
            self.pending_candidates.push(candidate);
        } else {
            tracing::debug!("a candidate is dropped: too many before a description");
        }
    }

    async fn add_pending_candidates(&mut self) {
        for candidate in std::mem::take(&mut self.pending_candidates) {
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

    /// Adds our track of this kind to the connection, once.
    async fn attach_track(&mut self, kind: MediaKind) -> Result<(), Error> {
        let peer = self.peer.clone();
        let direction = if kind == MediaKind::Audio {
            &mut self.audio
        } else {
            &mut self.video
        };
        if direction.sender.is_none() {
            direction.sender = Some(peer.add_track(direction.track.track_local()).await?);
        }
        Ok(())
    }

    /// Sets the codecs of our tracks. webrtc-rs reads them when the negotiation
    /// ends, and `replace_track` is its only way to change them.
    async fn set_track_codecs(&self, remote: &RemoteDescription) -> Result<(), Error> {
        // webrtc-rs hides the senders of transceivers that do not send.
        self.send_and_receive().await?;
        if let Some(sender) = &self.audio.sender {
            sender
                .replace_track(self.audio.track.with_codec(engine::opus()))
                .await?;
        }
        let preferred = self.context.config.preferred_codec;
        let codec = remote
            .main(MediaKind::Video)
            .and_then(|section| section.codec(preferred));
        if let (Some(sender), Some(codec)) = (&self.video.sender, codec) {
            sender
                .replace_track(self.video.track.with_codec(engine::video(codec)))
                .await?;
        }
        Ok(())
    }

    /// Sets the direction of our transceivers to `sendrecv`.
    async fn send_and_receive(&self) -> Result<(), Error> {
        for direction in [&self.audio, &self.video] {
            if let Some(transceiver) = self.transceiver(direction).await {
                transceiver.set_direction(Direction::Sendrecv).await?;
            }
        }
        Ok(())
    }

    /// Sets the direction of every transceiver for the answer: the reverse of the
    /// offer's for the section that carries the call, `inactive` for others of its
    /// kind.
    async fn set_answer_directions(&self, remote: &RemoteDescription) -> Result<(), Error> {
        let ours = [&self.audio, &self.video]
            .map(|direction| direction.sender.as_ref().map(|sender| sender.id().into()));
        for transceiver in self.peer.get_transceivers().await {
            let Some(mid) = transceiver.mid().await?.map(Mid) else {
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

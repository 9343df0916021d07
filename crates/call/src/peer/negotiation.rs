//! Offer and answer (RFC 9429) on one connection. `state::negotiation` decides
//! which side may offer when.

use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::shared::error::Error;
use visavis_protocol::{Description, DescriptionKind, TrackSource};
use webrtc::peer_connection::RTCSessionDescription;

use super::Receiver;
use super::channel;
use super::connection::{Connection, LocalIce};
use super::sdp::{
    LocalDescription, MediaSection, RemoteDescription, SdpError, SourceMap, Usage, to_wire,
};

/// Sections whose index was given to another one, per connection. webrtc-rs keeps
/// their transceivers, so an offer that would exceed the number is rejected.
const MAX_RETIRED_SECTIONS: usize = 64;

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

/// What changed with a negotiation.
#[derive(Default)]
pub(super) struct Changes {
    /// The receivers that were created.
    pub(super) receivers: Vec<(TrackSource, Receiver)>,
    /// All sources without a common codec, if they changed.
    pub(super) no_common_codec: Option<Vec<TrackSource>>,
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
        if !self.has_created_channel && !self.has_data_section() {
            let channel = channel::create(self.peer.as_ref()).await?;
            self.has_created_channel = true;
            self.read_channel(channel);
        }
        self.attach_published().await?;
        self.set_offer_directions().await?;
        let options = RTCOfferOptions { ice_restart };
        let offer = self.peer.create_offer(Some(options)).await?;
        let layout = &self.negotiated.sections;
        let local = to_wire(&offer.sdp, layout, &self.negotiated.retired, None)?;
        self.update_ice_servers(ice_restart).await;
        self.peer.set_local_description(offer).await?;
        self.set_local_ice(&local);
        self.offered = Some(local.sections);
        // webrtcbin takes the other role in its answer to `actpass`, which breaks the
        // DTLS association in use (RFC 8842, section 5.5).
        let sdp = match self.negotiated.role {
            Some(role) => local
                .sdp
                .replace("a=setup:actpass", &format!("a=setup:{}", role.setup())),
            None => local.sdp,
        };
        Ok(Description::new(DescriptionKind::Offer, sdp))
    }

    /// Whether this offer begins another DTLS association than the one in use.
    pub(super) fn is_other_association(&self, offer: &RemoteDescription) -> bool {
        self.negotiated.transport.as_ref().is_some_and(|transport| {
            transport.fingerprint != offer.transport.fingerprint
                || offer.continues(&self.negotiated.sections).is_err()
        })
    }

    /// Sets a remote offer and answers it. `rollback` first takes back our pending
    /// offer.
    ///
    /// # Errors
    /// When the offer is rejected, when our offer is pending and `rollback` is
    /// false, or when webrtc-rs fails.
    pub(super) async fn accept_offer(
        &mut self,
        remote: RemoteDescription,
        rollback: bool,
    ) -> Result<(Description, Changes), NegotiationError> {
        remote.continues(&self.negotiated.sections)?;
        if self.negotiated.transport.is_none() && !remote.sections.iter().any(MediaSection::is_used)
        {
            return Err(SdpError::Empty.into());
        }
        self.check_association(&remote)?;
        let retired = self.retired_by(&remote)?;
        if self.offered.is_some() {
            if !rollback {
                return Err(NegotiationError::WrongState);
            }
            self.roll_back_offer().await?;
        }
        let mut sources = self.sources.clone();
        sources.assign(&remote.sections);
        let description = remote.for_engine(
            &sources,
            &self.negotiated.formats,
            RTCSessionDescription::offer,
        )?;
        let answer = self.answer(&remote, description, &sources).await;
        if answer.is_err() {
            // Fails without effect when the answer was set partly.
            let _ = self
                .peer
                .set_remote_description(RTCSessionDescription::rollback(None)?)
                .await;
        }
        let answer = answer?;
        let transport = &remote.transport;
        let role = self.negotiated.role;
        let role = role.unwrap_or_else(|| transport.role_of_answerer());
        let local = to_wire(&answer, &remote.sections, &[], Some(role))?;
        self.set_local_ice(&local);
        self.sources = sources;
        self.negotiated.role = Some(role);
        self.negotiated.retired.extend(retired);
        self.keep_formats(&local.engine_formats);
        let changes = self.apply(remote, &local.sections, &local.sections).await;
        Ok((
            Description::new(DescriptionKind::Answer, local.sdp),
            changes,
        ))
    }

    /// The sections in use that this offer gives another mid.
    fn retired_by(&self, remote: &RemoteDescription) -> Result<Vec<crate::rtp::Mid>, SdpError> {
        let before = self.negotiated.sections.iter();
        let is_gone = |section: &&MediaSection| {
            let mut sections = remote.sections.iter();
            !section.mid.0.is_empty() && sections.all(|new| new.mid != section.mid)
        };
        let retired: Vec<_> = before.filter(is_gone).map(|old| old.mid.clone()).collect();
        if self.negotiated.retired.len() + retired.len() > MAX_RETIRED_SECTIONS {
            return Err(SdpError::TooManySections);
        }
        Ok(retired)
    }

    fn check_association(&self, remote: &RemoteDescription) -> Result<(), SdpError> {
        let before = self.negotiated.transport.as_ref();
        if before.is_some_and(|before| before.fingerprint != remote.transport.fingerprint) {
            return Err(SdpError::OtherAssociation);
        }
        Ok(())
    }

    /// Sets a remote offer and our answer. Returns the answer of webrtc-rs.
    async fn answer(
        &mut self,
        remote: &RemoteDescription,
        description: RTCSessionDescription,
        sources: &SourceMap,
    ) -> Result<String, Error> {
        self.prepare_for_offer(&remote.sections, sources).await?;
        self.peer.set_remote_description(description).await?;
        self.attach_to_sections(sources).await?;
        self.set_track_codecs(&remote.sections, sources).await?;
        self.set_answer_directions(&remote.sections, sources)
            .await?;
        let answer = self.peer.create_answer(None).await?;
        let sdp = answer.sdp.clone();
        let before = self.negotiated.transport.as_ref();
        let ice_restart = before.is_some_and(|before| before.ufrag != remote.transport.ufrag);
        self.update_ice_servers(ice_restart).await;
        self.peer.set_local_description(answer).await?;
        Ok(sdp)
    }

    /// Sets the answer to our pending offer. An answer that is rejected takes the
    /// offer back, so that the next one is not refused for it.
    ///
    /// # Errors
    /// When no offer is pending, when the answer is rejected, or when webrtc-rs
    /// fails.
    pub(super) async fn accept_answer(&mut self, sdp: String) -> Result<Changes, NegotiationError> {
        let offered = self.offered.clone().ok_or(NegotiationError::WrongState)?;
        let result = self.set_answer(sdp, &offered).await;
        if result.is_err() && self.offered.is_some() {
            // Fails without effect when the answer was set partly.
            let _ = self.roll_back_offer().await;
        }
        result
    }

    async fn set_answer(
        &mut self,
        sdp: String,
        offered: &[MediaSection],
    ) -> Result<Changes, NegotiationError> {
        let mut remote = RemoteDescription::parse(sdp)?;
        remote.answers(offered)?;
        self.check_association(&remote)?;
        let mut sources = self.sources.clone();
        sources.assign(offered);
        let description = remote.for_engine(
            &sources,
            &self.negotiated.formats,
            RTCSessionDescription::answer,
        )?;
        // An answerer rejects a section that it never used for want of a codec
        // (RFC 9429, section 5.3.1).
        for (answered, offered) in remote.sections.iter_mut().zip(offered) {
            let mut before = self.negotiated.sections.iter();
            let is_new = !before.any(|old| old.mid == answered.mid);
            if answered.usage == Usage::Rejected && offered.is_used() && is_new {
                answered.usage = Usage::NoCommonCodec;
            }
        }
        self.set_offer_directions().await?;
        self.set_track_codecs(&remote.sections, &sources).await?;
        self.peer.set_remote_description(description).await?;
        self.offered = None;
        self.sources = sources;
        let transport = &remote.transport;
        let role = self.negotiated.role;
        self.negotiated.role = role.or_else(|| Some(transport.role_of_offerer()));
        let answer = remote.sections.clone();
        let used = answer.iter().filter(|section| section.is_used());
        let formats: Vec<_> = used.flat_map(|section| section.formats.clone()).collect();
        self.keep_formats(&formats);
        Ok(self.apply(remote, offered, &answer).await)
    }

    /// Takes back our pending offer.
    async fn roll_back_offer(&mut self) -> Result<(), Error> {
        self.offered = None;
        let rollback = RTCSessionDescription::rollback(None)?;
        self.peer.set_local_description(rollback).await
    }

    /// Applies a finished negotiation to the send tasks, the routes and the remote
    /// candidates. `local` and `answer` are the sections of our description and of
    /// the answer.
    async fn apply(
        &mut self,
        remote: RemoteDescription,
        local: &[MediaSection],
        answer: &[MediaSection],
    ) -> Changes {
        let RemoteDescription {
            sections,
            transport,
            candidates,
            ..
        } = remote;
        self.payload_types
            .set(&self.negotiated.formats, &sections, local, answer);
        self.set_formats(&sections, answer);
        self.set_receiving(&sections, local, answer);
        self.negotiated.sections = sections;
        let no_common_codec = self.without_common_codec();
        let is_changed = no_common_codec != self.negotiated.no_common_codec;
        self.negotiated.no_common_codec.clone_from(&no_common_codec);
        let ufrag = transport.ufrag.clone();
        self.negotiated.transport = Some(transport);
        let receivers = self.update_routes();
        self.update_sending();
        self.add_described_candidates(&ufrag, candidates).await;
        Changes {
            receivers,
            no_common_codec: is_changed.then_some(no_common_codec),
        }
    }

    fn without_common_codec(&self) -> Vec<TrackSource> {
        let sections = self.negotiated.sections.iter();
        let without = sections.filter(|section| section.usage == Usage::NoCommonCodec);
        let mut sources: Vec<TrackSource> = without
            .filter_map(|section| self.sources.get(&section.mid))
            .collect();
        sources.sort_by_key(|source| *source as u8);
        sources
    }

    /// Whether an offer of ours must follow: something that we send has no section,
    /// not even a rejected one. Nothing is needed before the first negotiation, nor
    /// from a peer that bundles nothing: it would reject a further section too.
    pub(super) fn needs_offer(&self) -> bool {
        let sections = &self.negotiated.sections;
        let bundles = sections
            .iter()
            .all(|section| section.usage != Usage::NoTransport);
        let grants = self.context.grants().local;
        let mut missing = self.context.published().filter(|source| {
            grants.may_publish(*source)
                && (!self.sources.has_section(*source, sections)
                    || self.negotiated.held_back.contains(source))
        });
        !sections.is_empty()
            && bundles
            && self.offered.is_none()
            && (!self.has_data_section() || missing.next().is_some())
    }

    fn has_data_section(&self) -> bool {
        let mut sections = self.negotiated.sections.iter();
        sections.any(MediaSection::is_data)
    }

    fn set_local_ice(&mut self, local: &LocalDescription) {
        let position = local.sections.iter().position(MediaSection::is_used);
        let first = position.and_then(|index| local.sections.get(index));
        self.local_ice = LocalIce {
            mid: first.map(|section| section.mid.clone()),
            line_index: position.and_then(|index| u16::try_from(index).ok()),
            ufrag: Some(local.ufrag.clone()).filter(|ufrag| !ufrag.is_empty()),
        };
    }
}

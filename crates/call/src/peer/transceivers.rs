//! The transceivers of webrtc-rs: which track each has, its direction and codec.

use std::sync::Arc;

use rtc::rtp_transceiver::RTCRtpTransceiverDirection as Direction;
use rtc::rtp_transceiver::RTCRtpTransceiverId;
use rtc::shared::error::Error;
use visavis_protocol::TrackSource;
use webrtc::rtp_transceiver::RtpTransceiver;

use super::connection::Connection;
use super::engine;
use super::sdp::{MediaSection, PayloadFormat, SourceMap};
use super::sending::SendDirection;
use crate::rtp::Mid;

impl Connection {
    /// Attaches the tracks that we publish and that have no section yet, not even a
    /// rejected one.
    pub(super) async fn attach_published(&mut self) -> Result<(), Error> {
        for source in self.context.published().collect::<Vec<_>>() {
            let sections = &self.negotiated.sections;
            if self.sources.has_section(source, sections) {
                continue;
            }
            let peer = self.peer.clone();
            if let Some(direction) = self.track(source)
                && direction.sender.is_none()
            {
                direction.sender = Some(peer.add_track(direction.track.track_local()).await?);
            }
        }
        Ok(())
    }

    /// Attaches the track of each source to the transceiver of its section. webrtc-rs
    /// attaches a track to the first transceiver of its kind without one, so every
    /// section gets its track, published or not, in the order of the transceivers.
    pub(super) async fn attach_to_sections(&mut self, sources: &SourceMap) -> Result<(), Error> {
        let peer = self.peer.clone();
        for transceiver in self.transceivers().await {
            let mid = transceiver.mid().await?.map(Mid);
            let Some(source) = mid.and_then(|mid| sources.get(&mid)) else {
                continue;
            };
            let Some(direction) = self.track(source) else {
                continue;
            };
            if direction.transceiver() == Some(transceiver.id()) {
                continue;
            }
            if direction.sender.is_some() {
                // The source got another section, whose transceiver needs a new track.
                direction.track = Arc::new(direction.track.renewed());
            }
            let sender = peer.add_track(direction.track.track_local()).await?;
            direction.sender = Some(sender);
            if direction.transceiver() != Some(transceiver.id()) {
                return Err(Error::Other("a track got another transceiver".into()));
            }
        }
        Ok(())
    }

    /// Sets the directions before a remote offer is set. A transceiver without a
    /// section, as after a rollback, must match the new section of its source only.
    pub(super) async fn prepare_for_offer(
        &self,
        sections: &[MediaSection],
        sources: &SourceMap,
    ) -> Result<(), Error> {
        for transceiver in self.transceivers().await {
            let Some(source) = self.source_of(transceiver.id()) else {
                continue;
            };
            let mut direction = Direction::Sendrecv;
            if transceiver.mid().await?.is_none() {
                let mut sections = sections.iter();
                let section = sections
                    .find(|section| section.is_used() && sources.get(&section.mid) == Some(source));
                direction = match section.map(|section| section.direction) {
                    None => Direction::Inactive,
                    Some(Direction::Sendonly) => Direction::Recvonly,
                    Some(_) => Direction::Sendrecv,
                };
            }
            transceiver.set_direction(direction).await?;
        }
        Ok(())
    }

    /// Sets the directions for an offer: what we publish is sent, everything is
    /// received. This restores what an earlier remote description restricted.
    pub(super) async fn set_offer_directions(&self) -> Result<(), Error> {
        for transceiver in self.transceivers().await {
            if let Some(source) = self.source_of(transceiver.id()) {
                let sends = self.context.publishes(source);
                let direction = Direction::from_send_recv(sends, true);
                transceiver.set_direction(direction).await?;
            }
        }
        Ok(())
    }

    /// Sets the directions for an answer: the reverse of the offer's where the section
    /// has a source, `inactive` in further sections.
    pub(super) async fn set_answer_directions(
        &self,
        sections: &[MediaSection],
        sources: &SourceMap,
    ) -> Result<(), Error> {
        for transceiver in self.transceivers().await {
            let Some(mid) = transceiver.mid().await?.map(Mid) else {
                continue;
            };
            let Some(section) = sections.iter().find(|section| section.mid == mid) else {
                continue;
            };
            let direction = match sources.get(&mid) {
                Some(source) => {
                    let sends = self.context.publishes(source);
                    let ours = Direction::from_send_recv(sends, true);
                    section.direction.reverse().intersect(ours)
                }
                None => Direction::Inactive,
            };
            transceiver.set_direction(direction).await?;
        }
        Ok(())
    }

    /// Sets the codecs of the tracks that we publish. webrtc-rs reads them when the
    /// negotiation ends, and `replace_track` is its only way to change them. It
    /// hides the senders of transceivers that do not send.
    pub(super) async fn set_track_codecs(
        &self,
        sections: &[MediaSection],
        sources: &SourceMap,
    ) -> Result<(), Error> {
        let preferred = self.context.preferred_codec();
        for section in sections.iter().filter(|section| section.is_used()) {
            let source = sources.get(&section.mid);
            let direction = self
                .tracks
                .iter()
                .find(|(one, _)| Some(*one) == source)
                .filter(|(one, _)| self.context.publishes(*one));
            let (Some((_, direction)), Some(format)) =
                (direction, section.format_to_send(preferred))
            else {
                continue;
            };
            let codec = match format.payload {
                PayloadFormat::Audio => engine::opus(),
                PayloadFormat::Video(codec) => engine::video(codec),
            };
            let Some(sender) = &direction.sender else {
                continue;
            };
            self.set_direction(sender.id().into(), Direction::Sendrecv)
                .await?;
            sender
                .replace_track(direction.track.with_codec(codec))
                .await?;
        }
        Ok(())
    }

    async fn set_direction(
        &self,
        id: RTCRtpTransceiverId,
        direction: Direction,
    ) -> Result<(), Error> {
        let transceivers = self.transceivers().await;
        match transceivers.iter().find(|one| one.id() == id) {
            Some(transceiver) => transceiver.set_direction(direction).await,
            None => Ok(()),
        }
    }

    fn track(&mut self, source: TrackSource) -> Option<&mut SendDirection> {
        let mut tracks = self.tracks.iter_mut();
        tracks
            .find(|(one, _)| *one == source)
            .map(|(_, direction)| direction)
    }

    fn source_of(&self, id: RTCRtpTransceiverId) -> Option<TrackSource> {
        let mut tracks = self.tracks.iter();
        tracks
            .find(|(_, direction)| direction.transceiver() == Some(id))
            .map(|(source, _)| *source)
    }

    /// The transceivers in the order of their creation.
    async fn transceivers(&self) -> Vec<Arc<dyn RtpTransceiver>> {
        let mut transceivers = self.peer.get_transceivers().await;
        transceivers.sort_by_key(|transceiver| transceiver.id());
        transceivers
    }
}

//! Descriptions (RFC 8866, RFC 9429) between the wire and webrtc-rs.
//!
//! webrtc-rs changes its state while it parses a description and cannot undo part
//! of it; one value that it does not know refuses the whole description. A remote
//! description is therefore reduced to what webrtc-rs takes, and our descriptions
//! get back the media sections that it never saw.

mod formats;
mod local;
mod media_kind;
mod normalise;
mod renumber;
mod section;
mod sources;
mod text;
mod transport;

#[cfg(test)]
mod tests;

use rtc::peer_connection::sdp::RTCSessionDescription;
use visavis_protocol::limits::MAX_MESSAGE_BYTES;

pub(super) use formats::{MappedFormat, PayloadFormat};
pub(super) use local::{LocalDescription, to_wire};
pub(super) use media_kind::{MediaKind, TRACK_SOURCES, kind_of, name_of};
pub(super) use renumber::Renumbering;
pub(super) use section::{MID_EXTENSION, MediaSection, RID_EXTENSION, Usage};
pub(super) use sources::SourceMap;
pub(super) use transport::{DtlsRole, RemoteTransport};

use text::SdpText;

/// Media sections of a description.
pub(super) const MAX_SECTIONS: usize = 64;

/// Why a description is rejected. The texts quote nothing of the description.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum SdpError {
    #[error("SDP exceeds {MAX_MESSAGE_BYTES} bytes")]
    TooLarge,
    #[error("not valid SDP")]
    Malformed,
    #[error("no media sections")]
    Empty,
    #[error("more than {MAX_SECTIONS} media sections")]
    TooManySections,
    #[error("{0} is missing, repeated or malformed")]
    Attribute(&'static str),
    #[error("media sections differ from those negotiated before")]
    Mismatch,
    #[error("the description begins another DTLS association")]
    OtherAssociation,
}

/// A remote description that passed the checks.
#[derive(Debug)]
pub(super) struct RemoteDescription {
    sdp: String,
    /// In the order of the description, rejected ones included.
    pub(super) sections: Vec<MediaSection>,
    pub(super) transport: RemoteTransport,
    /// Values of `a=candidate`, with `candidate:`.
    pub(super) candidates: Vec<String>,
}

impl RemoteDescription {
    /// Parses and checks an offer, or an answer.
    pub(super) fn parse(sdp: String) -> Result<Self, SdpError> {
        if sdp.len() > MAX_MESSAGE_BYTES {
            return Err(SdpError::TooLarge);
        }
        let text = SdpText::parse(&sdp)?;
        if text.media.is_empty() {
            return Err(SdpError::Empty);
        }
        let sections = section::read(&text)?;
        let tagged = sections.iter().position(MediaSection::is_used);
        let tagged = tagged.and_then(|index| text.media.get(index));
        let transport = RemoteTransport::read(&text, tagged)?;
        let candidates = RemoteTransport::candidates(tagged);
        Ok(Self {
            sections,
            transport,
            candidates,
            sdp,
        })
    }

    /// Checks that every earlier section is still at its index (RFC 3264, section 8).
    /// The index of a rejected one may be reused (RFC 9429, section 5.2.2).
    pub(super) fn continues(&self, before: &[MediaSection]) -> Result<(), SdpError> {
        let continues = |(new, old): (&MediaSection, &MediaSection)| {
            !old.is_used()
                || new.usage == Usage::Rejected
                || (new.mid == old.mid && new.kind == old.kind)
        };
        if self.sections.len() >= before.len() && self.sections.iter().zip(before).all(continues) {
            Ok(())
        } else {
            Err(SdpError::Mismatch)
        }
    }

    /// Checks that the answer has the sections of this offer (RFC 3264, section 6),
    /// and gives its rejected sections, which may lack an `a=mid`, that of the offer.
    pub(super) fn answers(&mut self, offer: &[MediaSection]) -> Result<(), SdpError> {
        if self.sections.len() != offer.len() {
            return Err(SdpError::Mismatch);
        }
        self.continues(offer)?;
        for (answered, offered) in self.sections.iter_mut().zip(offer) {
            if !answered.is_used() {
                answered.mid = offered.mid.clone();
                answered.kind = offered.kind;
            } else if !offered.is_used() {
                return Err(SdpError::Mismatch);
            }
        }
        Ok(())
    }

    /// The description for webrtc-rs.
    pub(super) fn for_engine(
        &self,
        sources: &SourceMap,
        negotiated: &[MappedFormat],
        description: impl FnOnce(String) -> Result<RTCSessionDescription, rtc::shared::error::Error>,
    ) -> Result<RTCSessionDescription, SdpError> {
        let text = SdpText::parse(&self.sdp)?;
        let sdp = normalise::for_engine(&text, self, sources, negotiated);
        description(sdp).map_err(|_| SdpError::Malformed)
    }
}

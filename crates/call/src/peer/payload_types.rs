//! Payload types between the network and the rest of the connection, where they
//! differ: webrtc-rs and everything behind it keep those of the first negotiation.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use super::sdp::{MappedFormat, MediaSection, Renumbering};
use crate::rtp::PayloadType;

/// The payload types in both directions, shared with the interceptor.
#[derive(Debug, Default)]
pub(super) struct PayloadTypes(RwLock<Directions>);

#[derive(Debug, Default)]
struct Directions {
    incoming: Renumbering,
    outgoing: Renumbering,
}

impl Directions {
    fn new(
        engine: &[MappedFormat],
        remote: &[MediaSection],
        local: &[MediaSection],
        answer: &[MediaSection],
    ) -> Self {
        let used = |section: &&MediaSection| section.is_used();
        // The peer sends with the payload types of our description; an answerer may
        // use those of its own.
        let mut incoming = Renumbering::default();
        for section in local.iter().chain(answer).filter(used) {
            incoming.or(Renumbering::new(&section.formats, engine));
        }
        let sections = remote.iter().filter(used);
        let formats: Vec<_> = sections
            .flat_map(|section| section.formats.clone())
            .collect();
        let outgoing = Renumbering::new(engine, &formats);
        Self { incoming, outgoing }
    }
}

impl PayloadTypes {
    /// Sets them after a negotiation. `engine` are the formats of webrtc-rs, the others
    /// the sections of the descriptions.
    pub(super) fn set(
        &self,
        engine: &[MappedFormat],
        remote: &[MediaSection],
        local: &[MediaSection],
        answer: &[MediaSection],
    ) {
        let mut directions = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *directions = Directions::new(engine, remote, local, answer);
    }

    fn change(&self, packet: &mut TaggedPacket, of: fn(&Directions) -> &Renumbering) {
        if let Packet::Rtp(rtp) = &mut packet.message.packet {
            let directions = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let mapped = of(&directions).get(PayloadType(rtp.header.payload_type));
            if let Some(mapped) = mapped {
                rtp.header.payload_type = mapped.0;
            }
        }
    }
}

/// The place of [`PayloadTypes`] in the interceptors of a connection: next to the
/// network, so that retransmissions are renumbered, too.
#[derive(Default)]
pub(super) struct PayloadTypeInterceptor {
    types: Arc<PayloadTypes>,
    incoming: VecDeque<TaggedPacket>,
    outgoing: VecDeque<TaggedPacket>,
}

impl PayloadTypeInterceptor {
    pub(super) fn new(types: Arc<PayloadTypes>) -> Self {
        Self {
            types,
            ..Self::default()
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for PayloadTypeInterceptor {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut packet: TaggedPacket) -> Result<(), Error> {
        self.types.change(&mut packet, |types| &types.incoming);
        self.incoming.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.incoming.pop_front()
    }

    fn handle_write(&mut self, mut packet: TaggedPacket) -> Result<(), Error> {
        self.types.change(&mut packet, |types| &types.outgoing);
        self.outgoing.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outgoing.pop_front()
    }
}

impl Interceptor for PayloadTypeInterceptor {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}

    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use visavis_media::VideoCodec::{H264, Vp8};

    use super::super::sdp::{PayloadFormat, RemoteDescription};
    use super::super::tests::pair::BROWSER_OFFER;
    use super::*;

    #[test]
    fn packets_are_renumbered_in_both_directions() {
        let format = |payload, number, retransmission: Option<u8>| MappedFormat {
            payload,
            payload_type: PayloadType(number),
            retransmission: retransmission.map(PayloadType),
        };
        let engine = [
            format(PayloadFormat::Audio, 111, None),
            format(PayloadFormat::Video(Vp8), 96, Some(97)),
            format(PayloadFormat::Video(H264), 102, Some(103)),
        ];
        let sections = RemoteDescription::parse(BROWSER_OFFER.to_owned()).unwrap();
        let sections = &sections.sections;
        let types = Directions::new(&engine, sections, sections, sections);
        for (ours, theirs) in [(111, 109), (102, 98), (103, 99)] {
            let (ours, theirs) = (PayloadType(ours), PayloadType(theirs));
            assert_eq!(types.outgoing.get(ours), Some(theirs));
            assert_eq!(types.incoming.get(theirs), Some(ours));
        }
    }
}

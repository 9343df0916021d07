//! Payload types between the network and the rest of the connection, where they
//! differ: webrtc-rs and everything behind it keep those of the first negotiation.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use super::sdp::{MappedFormat, MediaKind, MediaSection, Renumbering};
use crate::rtp::{PayloadType, Ssrc};

/// The payload types in both directions, shared with the interceptor.
#[derive(Debug)]
pub(super) struct PayloadTypes {
    /// The SSRCs of our sound.
    audio: Vec<Ssrc>,
    directions: RwLock<Directions>,
}

/// Sound and video are apart where that is known: aiortc offers Opus as 96, which is
/// our VP8.
#[derive(Debug, Default)]
struct Directions {
    incoming: Renumbering,
    outgoing_audio: Renumbering,
    outgoing_video: Renumbering,
}

impl Directions {
    fn new(
        engine: &[MappedFormat],
        remote: &[MediaSection],
        local: &[MediaSection],
        answer: &[MediaSection],
    ) -> Self {
        let of = |kind: MediaKind| {
            move |section: &&MediaSection| section.is_used() && section.kind == kind
        };
        // The peer sends with the payload types of our description; an answerer may
        // use those of its own.
        let incoming = |kind| {
            let mut incoming = Renumbering::default();
            for section in local.iter().chain(answer).filter(of(kind)) {
                incoming.or(Renumbering::new(&section.formats, engine));
            }
            incoming
        };
        let outgoing = |kind| {
            let ours = engine.iter().filter(|format| format.payload.kind() == kind);
            let ours: Vec<_> = ours.copied().collect();
            let sections = remote.iter().filter(of(kind));
            let theirs = sections.flat_map(|section| section.formats.clone());
            Renumbering::new(&ours, &theirs.collect::<Vec<_>>())
        };
        Self {
            incoming: incoming(MediaKind::Audio).joined(incoming(MediaKind::Video)),
            outgoing_audio: outgoing(MediaKind::Audio),
            outgoing_video: outgoing(MediaKind::Video),
        }
    }

    fn outgoing(&self, is_audio: bool) -> &Renumbering {
        if is_audio {
            &self.outgoing_audio
        } else {
            &self.outgoing_video
        }
    }
}

impl PayloadTypes {
    /// Every number stays, until a negotiation. `audio` are the SSRCs of our sound.
    pub(super) fn new(audio: Vec<Ssrc>) -> Self {
        Self {
            audio,
            directions: RwLock::default(),
        }
    }

    /// Sets them after a negotiation. `engine` are the formats of webrtc-rs, the others
    /// the sections of the descriptions.
    pub(super) fn set(
        &self,
        engine: &[MappedFormat],
        remote: &[MediaSection],
        local: &[MediaSection],
        answer: &[MediaSection],
    ) {
        let directions = Directions::new(engine, remote, local, answer);
        *self
            .directions
            .write()
            .unwrap_or_else(PoisonError::into_inner) = directions;
    }

    fn change(&self, packet: &mut TaggedPacket, is_outgoing: bool) {
        if let Packet::Rtp(rtp) = &mut packet.message.packet {
            let directions = self.directions.read();
            let directions = directions.unwrap_or_else(PoisonError::into_inner);
            let numbers = if is_outgoing {
                directions.outgoing(self.audio.contains(&Ssrc(rtp.header.ssrc)))
            } else {
                &directions.incoming
            };
            if let Some(mapped) = numbers.get(PayloadType(rtp.header.payload_type)) {
                rtp.header.payload_type = mapped.0;
            }
        }
    }
}

/// The place of [`PayloadTypes`] in the interceptors of a connection: next to the
/// network, so that retransmissions are renumbered, too.
pub(super) struct PayloadTypeInterceptor {
    types: Arc<PayloadTypes>,
    incoming: VecDeque<TaggedPacket>,
    outgoing: VecDeque<TaggedPacket>,
}

impl PayloadTypeInterceptor {
    pub(super) fn new(types: Arc<PayloadTypes>) -> Self {
        Self {
            types,
            incoming: VecDeque::new(),
            outgoing: VecDeque::new(),
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
        self.types.change(&mut packet, false);
        self.incoming.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.incoming.pop_front()
    }

    fn handle_write(&mut self, mut packet: TaggedPacket) -> Result<(), Error> {
        self.types.change(&mut packet, true);
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

    fn engine(opus: u8) -> [MappedFormat; 3] {
        let format = |payload, number, retransmission: Option<u8>| MappedFormat {
            payload,
            payload_type: PayloadType(number),
            retransmission: retransmission.map(PayloadType),
        };
        [
            format(PayloadFormat::Audio, opus, None),
            format(PayloadFormat::Video(Vp8), 96, Some(97)),
            format(PayloadFormat::Video(H264), 102, Some(103)),
        ]
    }

    fn directions(opus: u8, offer: &str) -> Directions {
        let remote = RemoteDescription::parse(offer.to_owned()).unwrap();
        let sections = &remote.sections;
        Directions::new(&engine(opus), sections, sections, sections)
    }

    #[test]
    fn packets_are_renumbered_in_both_directions() {
        let types = directions(111, BROWSER_OFFER);
        for (ours, theirs) in [(111, 109), (102, 98), (103, 99)] {
            let (ours, theirs) = (PayloadType(ours), PayloadType(theirs));
            assert_eq!(types.outgoing(ours.0 == 111).get(ours), Some(theirs));
            assert_eq!(types.incoming.get(theirs), Some(ours));
        }
    }

    /// As in a call with aiortc: Opus is 96 on both sides, VP8 is 96 here and 97 there.
    #[test]
    fn sound_and_video_with_one_number_are_renumbered_apart() {
        let offer = BROWSER_OFFER
            .replace("109", "96")
            .replace("98 H264", "97 VP8")
            .replace("45 98 99", "45 97 99")
            .replace("SAVPF 98", "SAVPF 97");
        let types = directions(96, &offer);
        let number = PayloadType(96);
        assert_eq!(types.outgoing(true).get(number), Some(number));
        assert_eq!(types.outgoing(false).get(number), Some(PayloadType(97)));
        assert_eq!(types.incoming.get(number), Some(number));
        assert_eq!(types.incoming.get(PayloadType(97)), Some(number));
    }
}

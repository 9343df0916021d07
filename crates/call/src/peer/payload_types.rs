//! Payload types between the network and the rest of the connection, where they
//! differ: webrtc-rs and everything behind it keep those of the first negotiation.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use super::sdp::Renumbering;
use crate::rtp::PayloadType;

/// The payload types in both directions, shared with the interceptor.
#[derive(Debug, Default)]
pub(super) struct PayloadTypes(RwLock<Directions>);

#[derive(Debug, Default)]
struct Directions {
    incoming: Renumbering,
    outgoing: Renumbering,
}

impl PayloadTypes {
    pub(super) fn set(&self, incoming: Renumbering, outgoing: Renumbering) {
        let mut directions = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *directions = Directions { incoming, outgoing };
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

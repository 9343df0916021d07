//! The frame of an interceptor that acts on what comes in and lets everything
//! go out.

use std::collections::VecDeque;
use std::time::Instant;

use rtc::interceptor::{Interceptor, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

/// What is done with packets from the network. Runs on the connection's
/// driver: never waits.
pub(super) trait Tap: Send + Sync {
    /// A remote stream begins; its own packets follow.
    fn bind(&mut self, _info: &StreamInfo) {}
    /// A remote stream ended.
    fn unbind(&mut self, _info: &StreamInfo) {}
    /// Passes a packet on, changed or not, or drops it.
    fn incoming(&mut self, packet: TaggedPacket) -> Option<TaggedPacket>;
}

/// An interceptor around a [`Tap`].
pub(super) struct Tapped<T> {
    tap: T,
    incoming: VecDeque<TaggedPacket>,
    outgoing: VecDeque<TaggedPacket>,
}

impl<T: Tap> Tapped<T> {
    pub(super) fn new(tap: T) -> Self {
        Self {
            tap,
            incoming: VecDeque::new(),
            outgoing: VecDeque::new(),
        }
    }
}

impl<T: Tap> Protocol<TaggedPacket, TaggedPacket, ()> for Tapped<T> {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.incoming.extend(self.tap.incoming(packet));
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.incoming.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.outgoing.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outgoing.pop_front()
    }
}

impl<T: Tap> Interceptor for Tapped<T> {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        self.tap.bind(info);
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.tap.unbind(info);
    }
}

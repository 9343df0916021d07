//! Adapter from a handler of incoming packets to an [`Interceptor`]. Outgoing
//! packets pass unchanged.

use std::collections::VecDeque;
use std::time::Instant;

use rtc::interceptor::{Interceptor, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

/// Handles packets from the network. Runs in the connection's driver and must
/// not block.
pub(super) trait IncomingInterceptor: Send + Sync {
    /// A remote stream starts. Called before its first packet.
    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
    /// A remote stream ended; no packets of it follow.
    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
    /// Returns the packet to pass on, changed or not; `None` drops it.
    fn handle_incoming(&mut self, packet: TaggedPacket) -> Option<TaggedPacket>;
    /// Returns the next packet to send in reaction to incoming ones.
    fn poll_reaction(&mut self) -> Option<TaggedPacket> {
        None
    }
}

/// An interceptor around a [`IncomingInterceptor`].
pub(super) struct InterceptorAdapter<T> {
    inner: T,
    incoming: VecDeque<TaggedPacket>,
    outgoing: VecDeque<TaggedPacket>,
}

impl<T: IncomingInterceptor> InterceptorAdapter<T> {
    pub(super) fn new(inner: T) -> Self {
        Self {
            inner,
            incoming: VecDeque::new(),
            outgoing: VecDeque::new(),
        }
    }
}

impl<T: IncomingInterceptor> Protocol<TaggedPacket, TaggedPacket, ()> for InterceptorAdapter<T> {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.incoming.extend(self.inner.handle_incoming(packet));
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
        let outgoing = self.outgoing.pop_front();
        outgoing.or_else(|| self.inner.poll_reaction())
    }
}

impl<T: IncomingInterceptor> Interceptor for InterceptorAdapter<T> {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        self.inner.bind_remote_stream(info);
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.inner.unbind_remote_stream(info);
    }
}

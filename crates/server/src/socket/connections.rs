//! The open TCP connections: their count, their deadlines as HTTP connections, and
//! which of them is closed when no other can be accepted.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use crate::access::proxy::client_network;
use crate::config::HttpLimits;
use crate::tls::Stream;

/// Connections beyond the limit that peers on this machine may open: probes of
/// `/healthz` are answered while all others are used.
const LOOPBACK_RESERVE: usize = 16;
/// Connections that may be closing at a time to make room for others.
const MAX_EVICTING: usize = 16;

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Its address has too many.
    Address,
    /// The server has too many.
    Server,
}

/// The open connections; clones share them.
#[derive(Clone)]
pub(crate) struct Connections(Arc<Shared>);

struct Shared {
    limits: HttpLimits,
    max: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    open: usize,
    /// Those of `open` that are closing to make room.
    evicting: usize,
    addresses: HashMap<IpAddr, usize>,
    /// Connections that wait for their client, in the order in which they began to.
    waiting: BTreeMap<u64, Arc<Notify>>,
    next: u64,
}

/// One counted connection; dropping it frees its place.
pub(crate) struct Permit {
    shared: Arc<Shared>,
    /// None for an exempt peer.
    network: Option<IpAddr>,
    evict: Arc<Notify>,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// Key in [`Table::waiting`].
    waiting: Option<u64>,
}

/// What an HTTP connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The rest of a request's header.
    Header(Instant),
    /// The rest of a request's body.
    Body(Instant),
    /// The server; also any time after an upgrade.
    Server,
    /// The next request.
    Idle(Instant),
}

impl Connections {
    pub fn new(limits: HttpLimits) -> Self {
        Self(Arc::new(Shared {
            max: limits.max_connections(),
            limits,
            table: Mutex::default(),
        }))
    }

    /// The bounds that they are held to.
    pub fn limits(&self) -> &HttpLimits {
        &self.0.limits
    }

    /// Counts a connection. Past the limit of the server the connection that has
    /// waited longest for its client is closed. An `exempt` peer has no limit of its
    /// address.
    ///
    /// # Errors
    /// The limit that it would exceed.
    pub fn admit(&self, now: Instant, peer: IpAddr, exempt: bool) -> Result<Arc<Permit>, Refused> {
        let network = (!exempt).then(|| client_network(peer));
        let mut table = self.0.table();
        if let Some(network) = &network
            && table.addresses.get(network) >= Some(&self.0.limits.per_address)
        {
            return Err(Refused::Address);
        }
        let local = peer.to_canonical().is_loopback();
        let max = self.0.max + if local { LOOPBACK_RESERVE } else { 0 };
        if table.open - table.evicting >= max && !table.evict() {
            return Err(Refused::Server);
        }
        table.open += 1;
        if let Some(network) = network {
            *table.addresses.entry(network).or_default() += 1;
        }
        let evict = Arc::new(Notify::new());
        let waiting = table.wait(&evict);
        Ok(Arc::new(Permit {
            shared: Arc::clone(&self.0),
            network,
            evict,
            state: Mutex::new(State {
                phase: Phase::Header(now),
                waiting: Some(waiting),
            }),
        }))
    }

    /// Closes the connection that has waited longest for its client.
    pub fn evict(&self) {
        self.0.table().evict();
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn wait(&mut self, evict: &Arc<Notify>) -> u64 {
        self.next += 1;
        self.waiting.insert(self.next, Arc::clone(evict));
        self.next
    }

    fn evict(&mut self) -> bool {
        if self.evicting == MAX_EVICTING {
            return false;
        }
        let Some((_, oldest)) = self.waiting.pop_first() else {
            return false;
        };
        self.evicting += 1;
        oldest.notify_one();
        true
    }
}

impl Permit {
    /// Bytes were received.
    fn received(&self, now: Instant) {
        let mut state = self.state();
        if let Phase::Idle(_) = state.phase {
            state.phase = Phase::Header(now);
        }
    }

    /// A request's header was received.
    pub fn requested(&self, now: Instant, has_body: bool) {
        let mut state = self.state();
        if has_body {
            state.phase = Phase::Body(now);
        } else {
            self.serve(&mut state);
        }
    }

    /// The request's body was received, or is not read any more.
    pub fn body_received(&self) {
        let mut state = self.state();
        if let Phase::Body(_) = state.phase {
            self.serve(&mut state);
        }
    }

    /// The response was written.
    pub fn responded(&self, now: Instant) {
        let mut state = self.state();
        state.phase = Phase::Idle(now);
        if state.waiting.is_none() {
            state.waiting = Some(self.shared.table().wait(&self.evict));
        }
    }

    fn serve(&self, state: &mut State) {
        state.phase = Phase::Server;
        // One that is being evicted stays counted as such.
        if let Some(key) = state.waiting
            && self.shared.table().waiting.remove(&key).is_some()
        {
            state.waiting = None;
        }
    }

    /// When the connection is to be closed, unless it makes progress.
    pub fn deadline(&self) -> Option<Instant> {
        let limits = &self.shared.limits;
        match self.state().phase {
            Phase::Header(since) => Some(since + limits.header),
            Phase::Body(since) => Some(since + limits.body),
            Phase::Idle(since) => Some(since + limits.idle),
            Phase::Server => None,
        }
    }

    /// Waits until the connection is to be closed to make room.
    pub async fn evicted(&self) {
        self.evict.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let waiting = self.state().waiting;
        let mut table = self.shared.table();
        table.open -= 1;
        if let Some(key) = waiting
            && table.waiting.remove(&key).is_none()
        {
            table.evicting -= 1;
        }
        if let Some(network) = self.network
            && let Some(open) = table.addresses.get_mut(&network)
        {
            *open -= 1;
            if *open == 0 {
                table.addresses.remove(&network);
            }
        }
    }
}

/// A connection that reports received bytes to its permit.
pub(crate) struct Watched {
    stream: Stream,
    permit: Arc<Permit>,
}

impl Watched {
    pub fn new(stream: Stream, permit: Arc<Permit>) -> Self {
        Self { stream, permit }
    }

    /// The connection, and the permit to keep while it is open.
    pub fn into_parts(self) -> (Stream, Arc<Permit>) {
        (self.stream, self.permit)
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.permit.received(Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    fn connections(max: usize, per_address: usize) -> Connections {
        Connections::new(HttpLimits {
            connections: Some(max),
            per_address,
            ..HttpLimits::default()
        })
    }

    fn at(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    fn is_evicted(permit: &Permit) -> bool {
        permit.evicted().now_or_never().is_some()
    }

    #[test]
    fn past_the_limit_the_longest_waiting_connection_makes_room() {
        let now = Instant::now();
        let connections = connections(3, 10);
        let admit = || connections.admit(now, at("192.0.2.1"), false);
        let [first, second, third] = [(); 3].map(|()| admit().unwrap());
        first.requested(now, false);
        let fourth = admit().unwrap();
        assert!(is_evicted(&second), "the first one is being served");
        drop(second);
        first.responded(now);
        let fifth = admit().unwrap();
        assert!(is_evicted(&third) && !is_evicted(&first));
        drop(third);
        for busy in [&first, &fourth, &fifth] {
            busy.requested(now, false);
        }
        assert_eq!(admit().err(), Some(Refused::Server));
        drop((first, fourth, fifth));
        let table = connections.0.table();
        assert_eq!((table.open, table.evicting), (0, 0));
        assert!(table.waiting.is_empty() && table.addresses.is_empty());
    }

    #[test]
    fn peers_on_this_machine_have_a_reserve() {
        let now = Instant::now();
        let connections = connections(1, 10);
        let busy = |address| {
            let permit = connections.admit(now, at(address), true)?;
            permit.requested(now, false);
            Ok(permit)
        };
        let mut open = vec![busy("192.0.2.1").unwrap()];
        assert_eq!(busy("192.0.2.1").err(), Some(Refused::Server));
        open.extend((0..LOOPBACK_RESERVE).map(|_| busy("127.0.0.1").unwrap()));
        assert_eq!(busy("127.0.0.1").err(), Some(Refused::Server));
    }

    #[test]
    fn an_address_has_a_limit_unless_it_is_exempt() {
        let now = Instant::now();
        let connections = connections(10, 1);
        let admit = |address, exempt| connections.admit(now, at(address), exempt);
        let open = admit("2001:db8::1", false).unwrap();
        assert_eq!(admit("2001:db8::2", false).err(), Some(Refused::Address));
        assert!(admit("2001:db8::2", true).is_ok());
        assert!(admit("2001:db8:0:1::1", false).is_ok());
        drop(open);
        assert!(admit("2001:db8::2", false).is_ok());
    }

    #[test]
    fn each_phase_has_its_deadline() {
        let connections = connections(10, 10);
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let permit = connections.admit(start, at("192.0.2.1"), false).unwrap();
        permit.received(after(1));
        assert_eq!(
            permit.deadline(),
            Some(after(10)),
            "since the connection began"
        );
        permit.requested(after(2), true);
        permit.received(after(5));
        assert_eq!(permit.deadline(), Some(after(22)), "for the whole body");
        permit.body_received();
        assert_eq!(permit.deadline(), None);
        permit.responded(after(30));
        assert_eq!(permit.deadline(), Some(after(60)));
        permit.received(after(50));
        permit.received(after(55));
        assert_eq!(permit.deadline(), Some(after(60)), "since its first byte");
    }
}

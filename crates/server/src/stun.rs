//! A STUN server (RFC 8489, section 12): answers Binding requests on UDP with the address
//! that they come from, so that two clients behind NAT find each other without another
//! service.
//!
//! An answer is at most 24 bytes longer than its request, and each address gets a limited
//! number of them ([`rate`]), so the server is no amplifier for requests with a spoofed
//! source address. Nothing but a well-formed request is answered, so two servers never
//! answer each other.

mod listing;
mod message;
mod rate;

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

pub use listing::{InvalidStun, Stun};

use message::Request;
use rate::Rates;

/// Longest UDP payload. The kernel may deliver several datagrams of one sender at once.
const BUFFER_BYTES: usize = 65_535;
/// Pause after a failed receive.
const RECEIVE_RETRY: Duration = Duration::from_millis(100);

/// The UDP address at which a listener answers STUN; `None` if it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StunAddress(pub Option<SocketAddr>);

/// A bound socket that answers Binding requests.
pub(crate) struct Responder {
    socket: UdpSocket,
    /// Answers from the address that the request was sent to: on a socket bound to all
    /// addresses the kernel may choose another one, such as a temporary IPv6 address,
    /// and the client's NAT would drop the answer.
    state: UdpSocketState,
    local_addr: SocketAddr,
}

impl Responder {
    /// Binds the UDP socket.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(address).await?;
        Ok(Self {
            state: UdpSocketState::new((&socket).into())?,
            local_addr: socket.local_addr()?,
            socket,
        })
    }

    /// The bound address.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Answers until cancelled.
    pub async fn run(self, cancel: CancellationToken) {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut answer = Vec::new();
        let mut rates = Rates::new(Instant::now());
        loop {
            let received = tokio::select! {
                () = cancel.cancelled() => return,
                received = self.receive(&mut buffer) => received,
            };
            match received {
                Ok(from) => {
                    let datagrams = buffer[..from.len].chunks(from.stride.max(1));
                    for datagram in datagrams {
                        self.handle(datagram, &from, &mut rates, &mut answer);
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot receive STUN requests");
                    tokio::time::sleep(RECEIVE_RETRY).await;
                }
            }
        }
    }

    async fn receive(&self, buffer: &mut [u8]) -> io::Result<RecvMeta> {
        let mut from = [RecvMeta::default()];
        let receive = || {
            let mut buffers = [IoSliceMut::new(buffer)];
            self.state
                .recv((&self.socket).into(), &mut buffers, &mut from)
        };
        self.socket.async_io(Interest::READABLE, receive).await?;
        Ok(from[0])
    }

    fn handle(&self, datagram: &[u8], from: &RecvMeta, rates: &mut Rates, answer: &mut Vec<u8>) {
        let Some(request) = Request::read(datagram) else {
            return;
        };
        if !rates.allow(from.addr.ip(), Instant::now()) {
            return;
        }
        request.answer(from.addr, answer);
        let transmit = Transmit {
            destination: from.addr,
            ecn: None,
            contents: answer,
            segment_size: None,
            src_ip: from.dst_ip,
        };
        let send = || self.state.try_send((&self.socket).into(), &transmit);
        // A full send queue drops the answer, as the network may; the client repeats
        // its request.
        if let Err(error) = self.socket.try_io(Interest::WRITABLE, send) {
            tracing::debug!(%error, "cannot answer a STUN request");
        }
    }
}

//! WebSocket: the handshake, and one task for each connection.

mod connection;
mod handshake;
mod keepalive;
mod rate;
#[cfg(any(test, fuzzing))]
mod script;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade;
use tokio::io::{ReadHalf, split};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tracing::Instrument;

use crate::access::headers::{bearer, user};
use crate::rooms::RoomService;
use crate::signalling::Caller;
use crate::socket::Sink;
use crate::tls::Stream;
use rate::ConnectionRate;
#[cfg(any(test, fuzzing))]
pub use script::fuzz;

/// Up to here an oversized message is still read to its end, so that the client
/// is sure to see why it is closed; beyond it is cut off.
const CUT_OFF_BYTES: usize = 4 * 1024 * 1024;

type Source = Either<OwnedReadHalf, ReadHalf<Box<TlsStream<TcpStream>>>>;
type Reader = crate::socket::Reader<Source>;

/// What accepting a connection needs; copies share it.
#[derive(Clone)]
pub(crate) struct Endpoint {
    service: Arc<RoomService>,
    connections: Arc<Mutex<ConnectionRate>>,
}

impl Endpoint {
    pub fn new(service: Arc<RoomService>) -> Self {
        Self {
            service,
            connections: Arc::default(),
        }
    }

    /// Counts a connection of this address; where it exceeds the rate, for how long
    /// none is accepted.
    fn admit(&self, now: Instant, address: IpAddr) -> Result<(), Duration> {
        let connections = self.connections.lock();
        let mut connections = connections.unwrap_or_else(PoisonError::into_inner);
        connections.admit(now, address)
    }
}

/// Accepts a connection.
pub(crate) async fn accept(
    State(endpoint): State<Endpoint>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response {
    let headers = request.headers();
    let service = Arc::clone(&endpoint.service);
    let origin = service.config.origin(peer, headers);
    let address = origin.address;
    let caller = Caller {
        origin,
        bearer: bearer(headers).map(str::to_owned),
        user: user(headers).map(str::to_owned),
    };
    let answer = handshake::answer(headers);
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return answer;
    }
    let limited = !origin.is_exempt() || service.config.limits.rates_on_loopback;
    if limited && let Err(wait) = endpoint.admit(Instant::now(), address) {
        let retry_after = [(header::RETRY_AFTER, (wait.as_secs() + 1).to_string())];
        return (StatusCode::TOO_MANY_REQUESTS, retry_after).into_response();
    }
    let upgraded = hyper::upgrade::on(&mut request);
    let tasks = service.tasks.clone();
    // A task of its own, for the other one would never shrink.
    service.tasks.clone().spawn(async move {
        let Ok(upgraded) = upgraded.await else {
            return;
        };
        let Ok(parts) = upgrade::downcast::<TokioIo<Stream>>(upgraded) else {
            tracing::error!("a socket of another kind than this server's own");
            return;
        };
        let (stream, sink) = halves(parts.io.into_inner());
        let reader = Reader::new(stream, &parts.read_buf, CUT_OFF_BYTES);
        let socket_id = service.next_socket();
        let span = tracing::info_span!("session", socket = socket_id.0);
        span.in_scope(|| tracing::debug!(%address, "connected"));
        tasks.spawn(
            connection::run((reader, sink), socket_id, service, caller, limited).instrument(span),
        );
    });
    answer
}

/// What is read from, by its task alone, and what anyone writes to.
fn halves(stream: Stream) -> (Source, Sink) {
    match stream {
        Either::Left(plain) => {
            let (reader, writer) = plain.into_split();
            (Either::Left(reader), Box::new(writer))
        }
        Either::Right(secured) => {
            let (reader, writer) = split(secured);
            (Either::Right(reader), Box::new(writer))
        }
    }
}

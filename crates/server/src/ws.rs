//! WebSocket signalling: the handshake and one task per connection.

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

use crate::access::headers::{bearer, origin, user};
use crate::rooms::RoomService;
use crate::signalling::Caller;
use crate::socket::Sink;
use crate::tls::Stream;
use rate::ConnectionRate;
#[cfg(any(test, fuzzing))]
pub use script::fuzz;

/// A larger message is not read to its end: the connection is closed at its header.
const CUT_OFF_BYTES: usize = 4 * 1024 * 1024;

type Source = Either<OwnedReadHalf, ReadHalf<Box<TlsStream<TcpStream>>>>;
type Reader = crate::socket::Reader<Source>;

/// State of the endpoint; clones share it.
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

    /// Counts a connection of this address.
    ///
    /// # Errors
    /// Past the rate: the time until the next one is accepted.
    fn admit(&self, now: Instant, address: IpAddr) -> Result<(), Duration> {
        let connections = self.connections.lock();
        let mut connections = connections.unwrap_or_else(PoisonError::into_inner);
        connections.admit(now, address)
    }
}

/// Answers the handshake and starts the connection's task.
pub(crate) async fn accept(
    State(endpoint): State<Endpoint>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response {
    let headers = request.headers();
    let service = Arc::clone(&endpoint.service);
    let origin = origin(&service.config.trusted_proxies, peer, headers);
    let address = origin.address;
    let caller = Caller {
        origin,
        bearer: bearer(headers).map(str::to_owned),
        user: user(headers).map(str::to_owned),
    };
    let response = handshake::respond(headers);
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    let limited = !origin.loopback || service.config.limits.rates_on_loopback;
    if limited && let Err(wait) = endpoint.admit(Instant::now(), address) {
        let retry_after = [(header::RETRY_AFTER, (wait.as_secs() + 1).to_string())];
        return (StatusCode::TOO_MANY_REQUESTS, retry_after).into_response();
    }
    let upgraded = hyper::upgrade::on(&mut request);
    let tasks = service.tasks.clone();
    // Two tasks: the future that waits for the upgrade is larger than the connection's.
    service.tasks.clone().spawn(async move {
        let Ok(upgraded) = upgraded.await else {
            return;
        };
        let Ok(parts) = upgrade::downcast::<TokioIo<Stream>>(upgraded) else {
            tracing::error!("unexpected transport below the WebSocket");
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
    response
}

/// The reading half, for the connection's task, and the writing half, for its send
/// queue.
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

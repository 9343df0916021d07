//! WebSocket signalling: the handshake and one task per connection.

mod addresses;
mod closing;
mod connection;
mod handshake;
mod keepalive;
mod link;
mod rate;
#[cfg(any(test, fuzzing))]
mod script;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{ReadHalf, split};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use visavis_protocol::limits::MAX_MESSAGE_BYTES_BEFORE_JOIN;

use crate::access::creation::SharedCreations;
use crate::access::headers::{authority, bearer, user};
use crate::access::proxy::Origin;
use crate::rooms::RoomService;
use crate::signalling::Caller;
use crate::socket::{Budget, ReadLimits, Sink, UNFINISHED_BYTES, Watched};
use crate::stun::StunAddress;
use crate::tls::Stream;
use addresses::{Addresses, Full};

#[cfg(any(test, fuzzing))]
pub use script::fuzz;

/// Seconds after which a client may retry when the server has no socket left.
const RETRY_SECONDS: u64 = 10;

type Source = Either<OwnedReadHalf, ReadHalf<Box<TlsStream<TcpStream>>>>;
type Reader = crate::socket::Reader<Source>;

/// State of the endpoint; clones share it.
#[derive(Clone)]
pub(crate) struct Endpoint {
    service: Arc<RoomService>,
    addresses: Addresses,
    /// Memory of the unfinished messages of all sockets.
    unfinished: Arc<Budget>,
}

impl Endpoint {
    pub fn new(service: Arc<RoomService>) -> Self {
        let limits = &service.config.limits;
        let addresses = Addresses::new(limits.sockets_per_address, limits.max_sockets());
        Self {
            service,
            addresses,
            unfinished: Budget::new(UNFINISHED_BYTES),
        }
    }

    /// What the address of a request created without authentication; `None` where
    /// rates do not apply to it.
    pub fn creations(&self, origin: Origin) -> Option<SharedCreations> {
        let creations = || self.addresses.creations(Instant::now(), origin.address);
        self.is_limited(origin).then(creations)
    }

    fn is_limited(&self, origin: Origin) -> bool {
        !origin.is_exempt() || self.service.config.limits.rates_on_loopback
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
    let origin = service.config.origin(peer, headers);
    let stun = request.extensions().get().copied();
    let stun_url = service.config.stun.url(
        stun.unwrap_or(StunAddress(None)),
        service.config.public_url.as_deref(),
        authority(headers, origin.trusted),
    );
    let address = origin.address;
    let mut caller = Caller {
        origin,
        bearer: bearer(headers).map(str::to_owned),
        user: user(headers).map(str::to_owned),
        stun_url: stun_url.map(Into::into),
        creations: None,
        hung_up: CancellationToken::new(),
    };
    let response = handshake::respond(headers);
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    let limited = endpoint.is_limited(origin);
    let place = match endpoint.addresses.admit(Instant::now(), address, limited) {
        Ok(place) => place,
        Err(full) => return refused(&full),
    };
    caller.creations.clone_from(&place.creations);
    let upgraded = hyper::upgrade::on(&mut request);
    let tasks = service.tasks.clone();
    // Two tasks: the future that waits for the upgrade is larger than the connection's.
    service.tasks.clone().spawn(async move {
        let Ok(upgraded) = upgraded.await else {
            return;
        };
        let Ok(parts) = upgraded.downcast::<TokioIo<Watched>>() else {
            tracing::error!("unexpected transport below the WebSocket");
            return;
        };
        let (stream, permit) = parts.io.into_inner().into_parts();
        let (stream, sink) = halves(stream);
        let limits = ReadLimits {
            message: MAX_MESSAGE_BYTES_BEFORE_JOIN,
            deadline: service.config.limits.message_deadline,
            budget: endpoint.unfinished,
        };
        let reader = Reader::new(stream, &parts.read_buf, limits);
        let socket_id = service.next_socket();
        let span = tracing::info_span!("session", socket = socket_id.0);
        span.in_scope(|| tracing::debug!(%address, "connected"));
        tasks.spawn(
            connection::run((reader, sink), socket_id, service, caller, (place, permit))
                .instrument(span),
        );
    });
    response
}

/// The response past a limit.
fn refused(full: &Full) -> Response {
    let (status, seconds) = match full {
        Full::Rate(wait) => (StatusCode::TOO_MANY_REQUESTS, wait.as_secs() + 1),
        Full::Address => (StatusCode::TOO_MANY_REQUESTS, RETRY_SECONDS),
        Full::Server => (StatusCode::SERVICE_UNAVAILABLE, RETRY_SECONDS),
    };
    let retry_after = [(header::RETRY_AFTER, seconds.to_string())];
    (status, retry_after, full.to_string()).into_response()
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

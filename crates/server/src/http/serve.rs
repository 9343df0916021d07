//! The accept loop and the HTTP/1.1 connections.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep_until;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::App;
use crate::socket::{Permit, Refused, Watched};
use crate::stun::StunAddress;
use crate::tls::{self, Stream};

/// Pause after a failed accept, such as one without a free descriptor.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Accepts and serves connections until cancelled.
pub(super) async fn serve(
    (listener, tls, stun): (TcpListener, Option<TlsAcceptor>, StunAddress),
    router: Router,
    app: App,
    cancel: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if !is_of_one_connection(&error) {
                    tracing::warn!(%error, "cannot accept a connection");
                    app.connections.evict();
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
                continue;
            }
        };
        let from = app.service.config.origin(peer, &HeaderMap::new());
        let limited = !from.loopback || app.service.config.limits.rates_on_loopback;
        let exempt = from.trusted || !limited;
        match app.connections.admit(Instant::now(), peer.ip(), exempt) {
            Ok(permit) => {
                let connection = Connection {
                    peer,
                    stun,
                    permit,
                    router: TowerToHyperService::new(router.clone()),
                    cancel: cancel.clone(),
                };
                let limit = app.connections.limits().handshake;
                let tls = tls.clone();
                app.service.tasks.spawn(async move {
                    if let Some(stream) = connection.secure(socket, tls, limit).await {
                        connection.serve(stream).await;
                    }
                });
            }
            Err(refused) => {
                tracing::debug!(%peer, ?refused, "connection refused");
                if tls.is_none() {
                    refuse(&socket, refused);
                }
            }
        }
    }
}

/// Whether a failed accept concerns one connection only, which its client aborted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// Answers without reading the request, as far as the socket takes it at once.
fn refuse(socket: &TcpStream, refused: Refused) {
    let status = match refused {
        Refused::Address => StatusCode::TOO_MANY_REQUESTS,
        Refused::Server => StatusCode::SERVICE_UNAVAILABLE,
    };
    let response = format!(
        "HTTP/1.1 {status}\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let _ = socket.try_write(response.as_bytes());
}

/// One accepted connection.
struct Connection {
    peer: SocketAddr,
    stun: StunAddress,
    permit: Arc<Permit>,
    router: TowerToHyperService<Router>,
    cancel: CancellationToken,
}

impl Connection {
    /// Does the TLS handshake, where there is TLS.
    async fn secure(
        &self,
        socket: TcpStream,
        tls: Option<TlsAcceptor>,
        limit: Duration,
    ) -> Option<Stream> {
        tls::without_delay(&socket);
        let Some(tls) = tls else {
            return Some(Stream::Left(socket));
        };
        tokio::select! {
            secured = tls::secure(&tls, socket, limit) => {
                let secured = secured.inspect_err(|error| {
                    tracing::debug!(peer = %self.peer, %error, "TLS handshake failed");
                });
                secured.ok()
            }
            () = self.permit.evicted() => None,
            () = self.cancel.cancelled() => None,
        }
    }

    /// Serves requests until one side closes, a deadline passes, or the connection
    /// becomes a WebSocket. When cancelled, the request in progress is answered.
    async fn serve(self, stream: Stream) {
        let Self {
            peer,
            stun,
            permit,
            router,
            cancel,
        } = self;
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&permit)));
        let of_requests = Arc::clone(&permit);
        let service = service_fn(move |request: Request<Incoming>| {
            let permit = Arc::clone(&of_requests);
            permit.requested(Instant::now(), !request.body().is_end_stream());
            let mut request = request.map(|inner| RequestBody {
                inner,
                permit: Arc::clone(&permit),
            });
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(stun);
            let response = router.call(request);
            async move {
                let Ok(response) = response.await;
                // A WebSocket has no deadline here.
                let response = match response.status() {
                    StatusCode::SWITCHING_PROTOCOLS => response,
                    _ => response.map(|inner| Body::new(ResponseBody { inner, permit })),
                };
                Ok::<_, Infallible>(response)
            }
        });
        let http = http1::Builder::new();
        let mut http = pin!(http.serve_connection(io, service).with_upgrades());
        let mut deadline = pin!(sleep_until(Instant::now().into()));
        let mut stopping = false;
        loop {
            let progress = poll_fn(|context| {
                if let Poll::Ready(end) = http.as_mut().poll(context) {
                    if let Err(error) = end {
                        tracing::debug!(%peer, %error, "HTTP connection failed");
                    }
                    return Poll::Ready(());
                }
                // Polling the connection is what changes its deadline.
                let Some(due) = permit.deadline() else {
                    return Poll::Pending;
                };
                if deadline.deadline() != due.into() {
                    deadline.as_mut().reset(due.into());
                }
                let passed = deadline.as_mut().poll(context);
                passed.map(|()| tracing::debug!(%peer, "deadline of an HTTP connection"))
            });
            tokio::select! {
                () = progress => return,
                () = permit.evicted() => return,
                () = cancel.cancelled(), if !stopping => {
                    stopping = true;
                    http.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// A request's body; its end or drop is reported to the permit.
struct RequestBody {
    inner: Incoming,
    permit: Arc<Permit>,
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(context);
        if self.inner.is_end_stream() || matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.permit.body_received();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.permit.body_received();
    }
}

/// A response's body; its drop reports to the permit that the response is written.
struct ResponseBody {
    inner: Body,
    permit: Arc<Permit>,
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.permit.responded(Instant::now());
    }
}

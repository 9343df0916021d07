//! HTTP: the routes and the listener.

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves until cancelled.
pub(crate) async fn serve(listener: TcpListener, cancel: CancellationToken) {
    let router = Router::new().route("/healthz", get(async || "ok\n"));
    let served = axum::serve(listener, router).with_graceful_shutdown(cancel.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "the listener failed");
    }
}

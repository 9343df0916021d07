//! HTTP: the routes and the listener.

mod actor;
mod app;
mod body;
mod events;
mod extract;
mod join_credentials;
mod middleware;
mod openapi;
mod operate;
mod problem;
mod requester;
mod room_lookup;
mod rooms;
mod s0;
mod s1;
mod s2;
mod system;
mod twirp;
mod validate;
mod webhooks;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio_util::sync::CancellationToken;

pub(crate) use app::App;

use self::extract::BothForms;
use self::problem::Problem;
use crate::tls::{self, SocketListener};
use crate::ws;

/// Serves until it is cancelled.
pub(crate) async fn serve(listener: SocketListener, app: App, cancel: CancellationToken) {
    let listener = listener.tap_io(tls::without_delay);
    let service = router(app).into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service).with_graceful_shutdown(cancel.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "the listener failed");
    }
}

/// The socket, and each dialect's routes.
fn router(app: App) -> Router {
    Router::new()
        .route("/", get(ws::accept))
        .both("/ws", get(ws::accept))
        .merge(rooms::routes())
        .merge(s0::routes())
        .merge(s1::routes())
        .merge(s2::routes())
        .merge(webhooks::routes())
        .merge(events::routes())
        .merge(system::routes())
        .merge(operate::routes())
        .merge(twirp::routes())
        .merge(validate::routes())
        .merge(openapi::routes())
        .fallback(async || Problem::new(problem::NOT_FOUND, "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Problem::new(problem::METHOD_NOT_ALLOWED, "this path has no such method")
        })
        .layer(DefaultBodyLimit::max(body::LONGEST))
        .layer(from_fn_with_state(app.clone(), middleware::cors))
        .layer(from_fn(middleware::log))
        .with_state(app)
}

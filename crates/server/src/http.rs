//! HTTP: routes and listeners.

mod actor;
mod app;
mod body;
mod events;
mod extract;
mod fields;
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
mod serve;
mod system;
mod twirp;
mod validate;
mod webhooks;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

pub(crate) use app::App;

use self::extract::BothForms;
use self::problem::Problem;
use crate::stun::StunAddress;
use crate::ws;

/// Accepts and serves connections until cancelled.
pub(crate) async fn serve(
    listener: (TcpListener, Option<TlsAcceptor>, StunAddress),
    app: App,
    cancel: CancellationToken,
) {
    serve::serve(listener, router(app.clone()), app, cancel).await;
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
        .layer(from_fn(middleware::run_to_end))
        .layer(from_fn_with_state(app.clone(), middleware::cors))
        .layer(from_fn(middleware::log))
        .with_state(app)
}

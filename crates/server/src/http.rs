//! HTTP: the routes and the listener.

mod body;
mod layer;
mod operate;
mod problem;
mod rooms;
mod who;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use tokio_util::sync::CancellationToken;

use crate::hub::Hub;
use crate::tls::{self, Doorway};
use crate::ws::{self, ConnectionRate};
pub(crate) use who::{bearer, origin, user};

/// What the routes work on.
#[derive(Clone)]
pub(crate) struct App {
    pub hub: Arc<Hub>,
    connections: Arc<Mutex<ConnectionRate>>,
}

impl App {
    /// Counts a connection of this address; where it is one too many, for how
    /// long none will do.
    pub fn admit(&self, now: Instant, address: IpAddr) -> Result<(), Duration> {
        let mut connections = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        connections.admit(now, address)
    }
}

/// Serves until it is cancelled.
pub(crate) async fn serve(listener: Doorway, hub: Arc<Hub>, cancel: CancellationToken) {
    let app = App {
        hub,
        connections: Arc::default(),
    };
    let listener = listener.tap_io(tls::without_delay);
    let service = router(app).into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service).with_graceful_shutdown(cancel.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "the listener failed");
    }
}

fn router(app: App) -> Router {
    let mut router = Router::new().route("/", get(ws::accept));
    for slash in ["", "/"] {
        router = router
            .route(&format!("/ws{slash}"), get(ws::accept))
            .route(&format!("/healthz{slash}"), get(async || "ok\n"))
            .route(&format!("/rooms{slash}"), post(rooms::create))
            .route(&format!("/rooms/{{id}}{slash}"), get(rooms::show));
    }
    router
        .merge(operate::routes())
        .layer(from_fn(layer::cors))
        .layer(from_fn(layer::log))
        .with_state(app)
}

//! HTTP: the routes and the listener.

mod actor;
mod address;
mod body;
mod events;
mod found;
mod inbound;
mod layer;
mod openapi;
mod operate;
mod problem;
mod rooms;
mod s0;
mod s1;
mod s2;
mod system;
mod ticket;
mod twirp;
mod validate;
mod who;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::get;
use axum::serve::ListenerExt;
use moka::sync::Cache;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::address::BothForms;
use self::problem::Problem;
use crate::hub::Hub;
use crate::tls::{self, Doorway};
use crate::ws::{self, ConnectionRate};
pub(crate) use who::{bearer, origin, user};

/// The most who listen to events at a time.
const MOST_LISTENERS: usize = 1_000;
/// The most users who are remembered to have a row; the least seen go.
const MOST_MET: u64 = 100_000;

/// What the routes work on.
#[derive(Clone)]
pub(crate) struct App {
    pub hub: Arc<Hub>,
    connections: Arc<Mutex<ConnectionRate>>,
    /// A place for each of those who listen to events.
    listeners: Arc<Semaphore>,
    /// Users whose row is there.
    met: Cache<Uuid, ()>,
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
        listeners: Arc::new(Semaphore::new(MOST_LISTENERS)),
        met: Cache::new(MOST_MET),
    };
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
        .merge(inbound::routes())
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
        .layer(from_fn(layer::cors))
        .layer(from_fn(layer::log))
        .with_state(app)
}

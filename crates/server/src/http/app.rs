//! The shared state of all routes.

use std::sync::{Arc, Mutex};

use axum::extract::FromRef;
use moka::sync::Cache;
use uuid::Uuid;

use super::events::StreamPlaces;
use crate::rooms::RoomService;
use crate::socket::Connections;
use crate::webhook::dispatcher::Attempts;
use crate::webhook::receive::Seen;
use crate::ws;

/// Users cached as having a row; past it the least recently used are evicted.
const MAX_KNOWN_USERS: u64 = 100_000;

/// The state of all routes; copies share it.
#[derive(Clone)]
pub(crate) struct App {
    pub service: Arc<RoomService>,
    /// The latest webhook delivery attempts.
    pub attempts: Arc<Attempts>,
    /// Recently received webhooks, to drop repeats.
    pub seen: Arc<Mutex<Seen>>,
    pub sockets: ws::Endpoint,
    pub connections: Connections,
    /// The open event streams.
    pub event_streams: StreamPlaces,
    /// Users whose row exists.
    pub known_users: Cache<Uuid, ()>,
}

impl App {
    pub fn new(service: Arc<RoomService>, attempts: Arc<Attempts>) -> Self {
        Self {
            sockets: ws::Endpoint::new(Arc::clone(&service)),
            connections: Connections::new(service.config.limits.http.clone()),
            service,
            attempts,
            seen: Arc::default(),
            event_streams: StreamPlaces::default(),
            known_users: Cache::new(MAX_KNOWN_USERS),
        }
    }
}

impl FromRef<App> for ws::Endpoint {
    fn from_ref(app: &App) -> Self {
        app.sockets.clone()
    }
}

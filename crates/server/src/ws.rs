//! WebSocket: the handshake, and one task for each connection.

mod connection;
mod keepalive;
mod outbox;
mod rate;
#[cfg(any(test, fuzzing))]
mod script;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use crate::http::{App, bearer, origin, user};
use crate::session::Caller;

pub(crate) use outbox::Outbox;
pub(crate) use rate::ConnectionRate;
#[cfg(fuzzing)]
pub use script::fuzz;

/// Small, because there are many connections; larger messages grow their own.
const READ_BUFFER_BYTES: usize = 512;
/// Up to here an oversized message is still read to its end, so that the client
/// is sure to see why it is closed; beyond it is cut off.
const CUT_OFF_BYTES: usize = 4 * 1024 * 1024;

/// Accepts a connection.
pub(crate) async fn accept(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let origin = origin(&app, peer, &headers);
    let address = origin.address;
    let caller = Caller {
        origin,
        bearer: bearer(&headers).map(str::to_owned),
        user: user(&headers).map(str::to_owned),
    };
    let limited = !origin.loopback || app.hub.config.limits.rates_on_loopback;
    if limited && let Err(wait) = app.admit(Instant::now(), address) {
        let retry_after = [(header::RETRY_AFTER, (wait.as_secs() + 1).to_string())];
        return (StatusCode::TOO_MANY_REQUESTS, retry_after).into_response();
    }
    let hub = Arc::clone(&app.hub);
    // From here on a stopping server waits for it.
    let tracked = hub.tasks.token();
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        // What is written goes out at once, and no copy of it stays.
        .write_buffer_size(0)
        .max_message_size(CUT_OFF_BYTES)
        .max_frame_size(CUT_OFF_BYTES)
        .on_upgrade(move |socket| {
            let socket_id = hub.next_socket();
            let span = tracing::info_span!("session", socket = socket_id.0);
            async move {
                tracing::debug!(%address, "connected");
                let _connected = hub.metrics.connected();
                connection::run(socket, socket_id, hub, caller, limited).await;
                drop(tracked);
            }
            .instrument(span)
        })
}

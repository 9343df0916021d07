//! Operator endpoints: readiness, metrics, settings, and a room's report.

mod admin;

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::time::timeout;
use utoipa::OpenApi;

use super::app::App;
use super::extract::{BothForms, Path};
use super::problem::{NOT_FOUND, Problem};
use super::requester::Requester;
use crate::clock::Timestamp;
use crate::config::Discovery;
use crate::metrics;
use crate::model::{RoomKind, Template};
use crate::store::Stay;

/// The content type of OpenMetrics.
const METRICS_TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A database that takes longer to answer counts as down.
const READY_LIMIT: Duration = Duration::from_secs(3);

pub(super) fn routes() -> Router<App> {
    Router::new()
        .both("/readyz", get(ready))
        .both("/metrics", get(metrics))
        .both("/api/v1/config", get(settings))
        .both("/api/v1/rooms/{id}/report", get(report))
        .both("/admin", get(admin::rows))
        .both("/debug/webhooks", get(deliveries))
}

#[derive(OpenApi)]
#[openapi(paths(ready, metrics, settings, report))]
pub(super) struct Api;

/// Whether a load balancer may send clients here.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "system",
    security(()),
    responses(
        (status = 200, description = "Ready", body = String, content_type = "text/plain"),
        (
            status = 503,
            description = "Not ready, and why",
            body = String,
            content_type = "text/plain"
        )
    )
)]
async fn ready(State(app): State<App>) -> Response {
    let no = |why: &'static str| (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    if app.service.leaving.is_cancelled() {
        return no("stopping\n");
    }
    match timeout(READY_LIMIT, app.service.store.check()).await {
        Ok(Ok(())) => return with_redis(&app).await.into_response(),
        Ok(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "not ready");
        }
        Err(_) => tracing::warn!("not ready: the database takes too long"),
    }
    no("the database does not answer\n")
}

/// Without Redis admission is slower but works: the node stays ready.
async fn with_redis(app: &App) -> &'static str {
    let Some(cluster) = &app.service.cluster else {
        return "ready\n";
    };
    match timeout(READY_LIMIT, cluster.check()).await {
        Ok(Ok(())) => "ready\n",
        Ok(Err(_)) | Err(_) => "ready, but Redis does not answer\n",
    }
}

/// Metrics for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "system",
    security(()),
    responses((
        status = 200,
        description = "Metrics",
        body = String,
        content_type = "application/openmetrics-text"
    ))
)]
async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let page = {
        let service = &app.service;
        metrics::scrape(
            &service.metrics,
            &service.store,
            &service.node,
            service.active_count(),
            service.clock.now(),
        )
        .await
    };
    let page = page.map_err(|_| Problem::internal())?;
    Ok(([(header::CONTENT_TYPE, METRICS_TEXT)], page).into_response())
}

/// The public settings of the server.
#[utoipa::path(
    get,
    path = "/api/v1/config",
    tag = "system",
    security(()),
    responses((status = 200, description = "The settings", body = Value))
)]
async fn settings(State(app): State<App>) -> Json<Value> {
    let config = &app.service.config;
    let kinds = [
        RoomKind::Individual,
        RoomKind::Group,
        RoomKind::Webinar,
        RoomKind::Broadcast,
        RoomKind::Open,
    ];
    let template = |kind: RoomKind| {
        let template = Template::of(kind);
        json!({
            "room_type": kind,
            "max_participants": template.max_participants,
            "chat": template.chat,
            "recording_enabled": config.default_recording && template.recording,
        })
    };
    Json(json!({
        "auth": config.auth.to_string(),
        "auto_create": config.auto_create,
        "default_recording_enabled": config.default_recording,
        "sip_enabled": config.sip,
        "direct": config.direct,
        "discovery": match config.discovery {
            Discovery::Public => "public",
            Discovery::IdOnly => "id-only",
            Discovery::Hybrid => "hybrid",
        },
        "empty_timeout": config.empty_timeout.as_secs(),
        "room_types": kinds.map(template),
    }))
}

/// Totals of a room over all its instances.
#[utoipa::path(
    get,
    path = "/api/v1/rooms/{id}/report",
    tag = "system",
    params(("id" = String, Path, description = "Any of the room's ids")),
    responses((status = 200, description = "The totals", body = Value))
)]
async fn report(
    State(app): State<App>,
    Path(id): Path<String>,
    who: Requester,
) -> Result<Json<Value>, Problem> {
    let room = app.administrated(&who, &id).await?;
    let stays = app.service.store.participants(room.uid, Stay::Any).await?;
    let figures = app.service.store.room_figures(room.uid).await?;
    let now = app.service.clock.now();
    // A stay counts as at least one millisecond.
    let left = |stay: &crate::model::Participant| {
        let left = stay.left_at.unwrap_or(now);
        left.max(Timestamp(stay.joined_at.0 + 1))
    };
    let seconds: u64 = stays
        .iter()
        .map(|stay| left(stay).since(stay.joined_at).as_secs())
        .sum();
    let people: std::collections::HashSet<&str> =
        stays.iter().map(|stay| stay.identity.as_str()).collect();
    let mut moments: Vec<_> = stays
        .iter()
        .flat_map(|stay| {
            let left = stay.left_at.map(|_| (left(stay), -1_i32));
            left.into_iter().chain([(stay.joined_at, 1)])
        })
        .collect();
    // At equal times leaves sort before joins.
    moments.sort_unstable();
    let mut inside = 0;
    let most = moments.iter().map(|(_, change)| {
        inside += change;
        inside
    });
    Ok(Json(json!({
        "id": room.uid,
        "code": room.code,
        "lives": figures.instances,
        "joins": stays.len(),
        "people": people.len(),
        "most_at_a_time": most.max().unwrap_or_default(),
        "participant_seconds": seconds,
        "participant_count": stays.iter().filter(|stay| stay.left_at.is_none()).count(),
        "chat_messages": figures.chat,
    })))
}

/// The latest webhook delivery attempts.
async fn deliveries(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    for_developers(&app, peer, &headers)?;
    let queued = app.service.store.queued_webhooks().await?;
    Ok(Json(
        json!({"queued": queued, "attempts": app.attempts.all()}),
    ))
}

/// Only with `--dev`, and only for a program on this machine.
fn for_developers(app: &App, peer: SocketAddr, headers: &HeaderMap) -> Result<(), Problem> {
    let config = &app.service.config;
    if config.dev && config.origin(peer, headers).local {
        return Ok(());
    }
    let why = "this page needs --dev and a direct connection from the server's own machine";
    Err(Problem::new(NOT_FOUND, why))
}

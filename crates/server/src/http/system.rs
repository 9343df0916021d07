//! Health, vacuum and the manual clock.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use super::app::App;
use super::body::Body;
use super::extract::BothForms;
use super::problem::{NOT_FOUND, Problem};
use super::requester::Requester;

/// The most that a manual clock moves at once: ten years.
const LONGEST_ADVANCE: u32 = 10 * 366 * 24 * 3_600;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .both("/healthz", get(healthz))
        .both("/system/vacuum", post(vacuum))
        .both("/debug/clock/advance", post(advance))
}

#[derive(OpenApi)]
#[openapi(
    paths(healthz, vacuum, advance),
    tags((name = "system", description = "The service itself"))
)]
pub(super) struct Api;

/// Whether the process answers requests.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "system",
    security(()),
    responses((status = 200, description = "The process answers", body = String, content_type = "text/plain"))
)]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Ends rooms past their time and deletes expired records.
#[utoipa::path(
    post,
    path = "/system/vacuum",
    tag = "system",
    responses((status = 204, description = "Done"))
)]
async fn vacuum(State(app): State<App>, who: Requester) -> Result<StatusCode, Problem> {
    who.operates(&app)?;
    app.service.vacuum().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How far to advance the clock.
#[derive(Deserialize, ToSchema)]
pub(super) struct Advance {
    /// At most ten years.
    #[schema(maximum = 316_224_000)]
    seconds: u32,
}

/// Advances a manual clock and runs what is due then. Available only with
/// `--clock manual`.
#[utoipa::path(
    post,
    path = "/debug/clock/advance",
    tag = "system",
    security(()),
    request_body = Advance,
    responses(
        (status = 204, description = "The clock is advanced and due work is done"),
        (status = 404, description = "This clock is not manual")
    )
)]
async fn advance(
    State(app): State<App>,
    Body(Advance { seconds }): Body<Advance>,
) -> Result<StatusCode, Problem> {
    if !app.service.clock.is_manual() {
        return Err(Problem::new(NOT_FOUND, "this clock is not manual"));
    }
    if seconds > LONGEST_ADVANCE {
        return Err(Problem::invalid_payload("seconds exceeds ten years"));
    }
    app.service
        .clock
        .advance(Duration::from_secs(seconds.into()));
    app.service.run_due().await?;
    Ok(StatusCode::NO_CONTENT)
}

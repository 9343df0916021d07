//! `GET /rtc/validate`: LiveKit's clients ask here why a join failed.

use axum::Router;
use axum::routing::get;
use utoipa::OpenApi;

use super::app::App;
use super::extract::BothForms;
use super::problem::{AUTHENTICATION_FAILED, Problem};
use super::requester::Requester;
use crate::access::principal::Principal;

pub(super) fn routes() -> Router<App> {
    Router::new().both("/rtc/validate", get(validate))
}

#[derive(OpenApi)]
#[openapi(paths(validate))]
pub(super) struct Api;

/// Whether the bearer token grants joining a room. A token in the URL is
/// ignored: URLs end up in logs and histories.
#[utoipa::path(
    get,
    path = "/rtc/validate",
    tag = "livekit",
    responses((status = 200, description = "The token grants joining a room", body = String, content_type = "text/plain"))
)]
async fn validate(who: Requester) -> Result<&'static str, Problem> {
    let Principal::Token(claims) = &who.principal else {
        let why = "authentication required: no bearer token in the header Authorization";
        return Err(Problem::new(AUTHENTICATION_FAILED, why));
    };
    let grant = claims.video.as_ref();
    if !grant.is_some_and(|grant| grant.room_join && grant.room.is_some()) {
        let why = "the token does not grant roomJoin for a room";
        return Err(Problem::new(AUTHENTICATION_FAILED, why));
    }
    Ok("success")
}

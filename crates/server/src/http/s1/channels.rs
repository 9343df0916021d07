//! `/channel`: the channels that sessions belong to.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::App;
use crate::http::actor::{Actor, GivenId};
use crate::http::body::{Body, MaybeBody};
use crate::http::extract::Path;
use crate::http::fields;
use crate::http::problem::{NOT_FOUND, Problem};
use crate::http::requester::Requester;
use crate::id::ulid::UlidKind;
use crate::lifecycle::session::Channel;
use crate::refusal::display_name;
use crate::rooms::MOST_SESSIONS;

/// A channel.
#[derive(Serialize, ToSchema)]
pub(super) struct ChannelResponse {
    /// `ch_` and a ULID.
    channel_id: String,
    /// The owner.
    user_id: String,
    name: String,
    /// RFC 3339.
    created_at: String,
}

impl From<Channel> for ChannelResponse {
    fn from(channel: Channel) -> Self {
        Self {
            channel_id: channel.channel_id,
            user_id: channel.owner,
            name: channel.name,
            created_at: channel.created_at.rfc3339(),
        }
    }
}

/// The body of a create request; every field is optional.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct NewChannel {
    /// The owner; only an operator may name another user.
    user_id: Option<GivenId>,
    name: String,
}

/// Creates a channel.
#[utoipa::path(
    post,
    path = "/channel",
    tag = "broadcasts",
    request_body = Option<NewChannel>,
    responses((status = 201, description = "The channel", body = ChannelResponse))
)]
pub(super) async fn create(
    State(app): State<App>,
    who: Requester,
    MaybeBody(body): MaybeBody<Value>,
) -> Result<(StatusCode, Json<ChannelResponse>), Problem> {
    who.creates(&app)?;
    let said: NewChannel = fields::created(body, &["channel_id", "created_at"])?;
    let actor = Actor::of(&app, &who, said.user_id)?;
    // Without authentication the server chooses an owner id.
    let owner = actor.user_id.unwrap_or_else(|| Uuid::new_v4().to_string());
    let name = display_name(&said.name);
    let channel = app.service.create_channel(owner, name).await?;
    Ok((StatusCode::CREATED, Json(channel.into())))
}

/// The caller's channels, the oldest first; an operator gets all.
#[utoipa::path(
    get,
    path = "/channel",
    tag = "broadcasts",
    responses((status = 200, description = "The channels", body = Vec<ChannelResponse>))
)]
pub(super) async fn list(
    State(app): State<App>,
    who: Requester,
) -> Result<Json<Vec<ChannelResponse>>, Problem> {
    let owner = Actor::of(&app, &who, None)?.scope();
    let channels = app.service.store.channels(&owner, MOST_SESSIONS).await?;
    Ok(Json(channels.into_iter().map(Into::into).collect()))
}

/// Shows a channel.
#[utoipa::path(
    get,
    path = "/channel/{id}",
    tag = "broadcasts",
    params(("id" = String, Path, description = "The channel's id")),
    responses((status = 200, description = "The channel", body = ChannelResponse))
)]
pub(super) async fn show(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<Json<ChannelResponse>, Problem> {
    Actor::of(&app, &who, None)?;
    Ok(Json(find(&app, &id).await?.into()))
}

/// The writable fields of a channel.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelChange {
    name: Option<String>,
}

/// Renames a channel.
#[utoipa::path(
    patch,
    path = "/channel/{id}",
    tag = "broadcasts",
    params(("id" = String, Path, description = "The channel's id")),
    request_body = ChannelChange,
    responses((status = 200, description = "The channel as it is now", body = ChannelResponse))
)]
pub(super) async fn change(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
    Body(said): Body<ChannelChange>,
) -> Result<Json<ChannelResponse>, Problem> {
    let mut channel = own(&app, &who, &id).await?;
    if let Some(name) = said.name {
        channel.name = display_name(&name);
        app.service.rename_channel(&channel).await?;
    }
    Ok(Json(channel.into()))
}

/// Deletes a channel and its sessions, all of which have ended.
#[utoipa::path(
    delete,
    path = "/channel/{id}",
    tag = "broadcasts",
    params(("id" = String, Path, description = "The channel's id")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 409, description = "A session has not ended")
    )
)]
pub(super) async fn delete(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let channel = own(&app, &who, &id).await?;
    app.service.delete_channel(&channel).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A channel that the caller owns.
pub(super) async fn own(app: &App, who: &Requester, id: &str) -> Result<Channel, Problem> {
    let actor = Actor::of(app, who, None)?;
    let channel = find(app, id).await?;
    actor.owns(&channel.owner)?;
    Ok(channel)
}

async fn find(app: &App, id: &str) -> Result<Channel, Problem> {
    let channel = match UlidKind::Channel.parse(id) {
        Some(id) => app.service.store.channel(&id).await?,
        None => None,
    };
    channel.ok_or_else(|| Problem::new(NOT_FOUND, "there is no such channel"))
}

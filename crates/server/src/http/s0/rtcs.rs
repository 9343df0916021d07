//! A room's RTCs. In a mesh no server forwards media.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::app::App;
use super::super::extract::Path;
use super::super::problem::{self, Problem};
use super::super::requester::Requester;
use super::super::room_lookup::check_not_over;
use crate::model::{Backend, FIRST_RTC_CAP, Phase};
use crate::store::Rtc;

/// A room's media.
#[derive(Serialize, ToSchema)]
#[schema(as = Rtc)]
pub(super) struct RtcResponse {
    id: Uuid,
    room_id: Uuid,
    /// Seconds since 1970.
    created_at: i64,
    /// The creator's identity; null in `--auth open`.
    created_by: Option<String>,
}

/// Creates an rtc in an open room. The first one of an unbounded room sets its
/// closing time to six hours from now.
#[utoipa::path(
    post,
    path = "/api/v1/rooms/{id}/rtcs",
    tag = "conference",
    params(("id" = String, Path, description = "Any of the room's ids")),
    responses((status = 201, description = "The rtc", body = RtcResponse))
)]
pub(super) async fn create(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<RtcResponse>), Problem> {
    let room = app.room(&id).await?;
    who.attends(&app, &room)?;
    let now = app.service.clock.now();
    // The closing time first: a room with media is always bounded.
    let bounded = app.service.change(room.uid, |room| {
        check_not_over(room, now)?;
        if room.phase(now) == Phase::Pending {
            return Err(Problem::new(
                problem::ROOM_CLOSED,
                "the room is not open yet",
            ));
        }
        room.closes_at.get_or_insert(now.after(FIRST_RTC_CAP));
        Ok(())
    });
    bounded.await?;
    let rtc = Rtc {
        id: Uuid::new_v4(),
        room: room.uid,
        created_at: now,
        created_by: who.identity(),
    };
    let mut tx = app.service.store.begin().await?;
    tx.insert_rtc(&rtc).await?;
    tx.commit().await?;
    let shown = RtcResponse {
        id: rtc.id,
        room_id: rtc.room,
        created_at: rtc.created_at.secs(),
        created_by: rtc.created_by,
    };
    Ok((StatusCode::CREATED, Json(shown)))
}

/// Connects to an rtc. Only a media server could answer; a mesh has none.
#[utoipa::path(
    post,
    path = "/rtcs/{id}/streams",
    tag = "conference",
    params(("id" = Uuid, Path, description = "The rtc's id")),
    responses(
        (status = 409, description = "The room's members connect to each other"),
        (status = 501, description = "The room's backend is not served yet")
    )
)]
pub(super) async fn connect(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let rtc = app.service.store.rtc(id).await?;
    let rtc = rtc.ok_or_else(|| Problem::new(problem::NOT_FOUND, "there is no such rtc"))?;
    let room = app.room(&rtc.room.to_string()).await?;
    who.attends(&app, &room)?;
    check_not_over(&room, app.service.clock.now())?;
    Err(match room.backend {
        Backend::None => {
            let why = "no server carries this room's media: its members connect to each other";
            Problem::new(problem::CONFLICT, why)
        }
        Backend::Janus => Problem::new(
            problem::NOT_IMPLEMENTED,
            "this room's backend is not served yet",
        ),
    })
}

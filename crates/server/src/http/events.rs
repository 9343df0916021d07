//! The stream of events: `GET /api/v1/events?uri=…`, Server-Sent Events (HTML
//! standard, section 9.2).

mod places;
mod reader;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::routing::get;
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, OpenApi, ToSchema};

pub(crate) use self::places::StreamPlaces;
use self::places::{NoPlace, Place};
use self::reader::Reader;
use super::app::App;
use super::extract::{BothForms, Query};
use super::problem::{self, Problem};
use super::requester::Requester;
use crate::model::{Event, Topic};

/// Interval of heartbeat comments, so that proxies do not close a quiet stream.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) fn routes() -> Router<App> {
    Router::new().both("/api/v1/events", get(listen))
}

#[derive(OpenApi)]
#[openapi(
    paths(listen),
    components(schemas(Outgoing)),
    tags((name = "events", description = "The event stream"))
)]
pub(super) struct Api;

/// The topic to listen to.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Listening {
    /// `audiences/{audience}/events` or `rooms/{any id}/events`.
    uri: String,
}

/// The content of `data:`.
#[derive(Serialize, ToSchema)]
struct Outgoing {
    uri: String,
    label: &'static str,
    #[schema(value_type = Object)]
    payload: Box<RawValue>,
}

/// Streams events as they happen. `id:` is the event's id, `event:` its label,
/// `data:` is an `Event`. With `Last-Event-ID` the stream continues after that
/// event; without it only new events are sent.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "events",
    params(
        Listening,
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event received")
    ),
    responses(
        (status = 200, description = "The stream", body = String, content_type = "text/event-stream"),
        (status = 404, description = "There is no such room"),
        (status = 429, description = "There are too many event streams of this address"),
        (status = 503, description = "There are too many event streams")
    )
)]
async fn listen(
    State(app): State<App>,
    who: Requester,
    headers: HeaderMap,
    Query(Listening { uri }): Query<Listening>,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, Problem> {
    let topic = topic(&app, &who, &uri).await?;
    let place = app.event_streams.take(who.origin.address);
    let place = place.map_err(|full| match full {
        NoPlace::Server => Problem::new(
            problem::CAPACITY_EXCEEDED,
            "too many event streams; try again later",
        ),
        NoPlace::Address => Problem::new(
            problem::RATE_LIMITED,
            "too many event streams of this address; close one first",
        ),
    })?;
    let last = headers.get("last-event-id").map(|id| id.as_bytes());
    let last = last.filter(|id| !id.is_empty());
    let reader = match last.map(String::from_utf8_lossy) {
        Some(id) => Reader::after(Arc::clone(&app.service), topic, &id).await?,
        None => Reader::new(Arc::clone(&app.service), topic).await?,
    };
    let heartbeat = KeepAlive::new().interval(HEARTBEAT).text("still here");
    Ok(Sse::new(tell(reader, place)).keep_alive(heartbeat))
}

/// The topic's canonical name, if the requester may listen to it.
async fn topic(app: &App, who: &Requester, uri: &str) -> Result<String, Problem> {
    let parts: Vec<&str> = uri.trim_start_matches('/').split('/').collect();
    match parts[..] {
        ["audiences", audience, "events"] if is_plain(audience) => {
            who.operates(app)?;
            Ok(Topic::audience(audience))
        }
        ["rooms", id, "events"] => {
            let room = app.room(id).await?;
            who.hears(app, &room)?;
            Ok(Topic::room(room.uid))
        }
        _ => {
            let why = "events are at audiences/{audience}/events and rooms/{id}/events";
            Err(Problem::invalid_payload(why))
        }
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_control)
}

/// Ends when the server stops or the log cannot be read; the client reconnects
/// and continues by `Last-Event-ID`.
fn tell(reader: Reader, place: Place) -> impl Stream<Item = Result<Sent, Infallible>> {
    stream::unfold((reader, place), async |(mut reader, place)| {
        let event = reader.next().await?;
        let sent = sent(event)?;
        Some((Ok(sent), (reader, place)))
    })
}

fn sent(event: Event) -> Option<Sent> {
    let label = event.label.as_str();
    let told = Outgoing {
        uri: event.uri,
        label,
        payload: RawValue::from_string(event.payload).ok()?,
    };
    let sent = Sent::default().id(event.id).event(label);
    sent.json_data(told).ok()
}

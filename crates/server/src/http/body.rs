//! JSON body extractors that reject with a problem document.

use axum::Json;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::app::App;
use super::problem::{self, Problem};

/// The body limit in bytes.
pub(super) const LONGEST: usize = 1024 * 1024;

/// A JSON body; the content type is ignored.
pub(super) struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        read(&bytes(request, app).await?).map(Self)
    }
}

/// A JSON body that may be empty.
pub(super) struct MaybeBody<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<App> for MaybeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        match bytes(request, app).await?.trim_ascii() {
            [] => Ok(Self(T::default())),
            json => read(json).map(Self),
        }
    }
}

/// For a field that may be absent, null, or a value: with
/// `#[serde(default, deserialize_with = "said")]`, absent is `None`.
pub(super) fn said<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

async fn bytes(request: Request, app: &App) -> Result<Bytes, Problem> {
    let bytes = Bytes::from_request(request, app).await;
    bytes.map_err(|rejection: BytesRejection| {
        let text = rejection.body_text();
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(problem::PAYLOAD_TOO_LARGE, text),
            _ => Problem::invalid_payload(text),
        }
    })
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Problem> {
    let read = Json::<T>::from_bytes(json);
    let read =
        read.map_err(|rejection: JsonRejection| Problem::invalid_payload(rejection.body_text()));
    read.map(|Json(value)| value)
}

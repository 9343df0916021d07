//! JSON bodies, whose errors are problems too.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::App;
use super::problem::Problem;

/// A JSON body, whatever its content type says.
pub(super) struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, app).await;
        let bytes = bytes.map_err(|rejection| Problem::invalid_payload(rejection.body_text()))?;
        read(&bytes).map(Self)
    }
}

/// A JSON body that may be missing.
pub(super) struct MaybeBody<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<App> for MaybeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, app).await;
        let bytes = bytes.map_err(|rejection| Problem::invalid_payload(rejection.body_text()))?;
        match bytes.trim_ascii() {
            [] => Ok(Self(T::default())),
            json => read(json).map(Self),
        }
    }
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Problem> {
    let read = Json::<T>::from_bytes(json);
    let read =
        read.map_err(|rejection: JsonRejection| Problem::invalid_payload(rejection.body_text()));
    read.map(|Json(value)| value)
}

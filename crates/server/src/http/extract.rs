//! Path and query extractors that reject with a problem document, and routes
//! with and without a trailing slash.

use axum::Router;
use axum::extract::{self, FromRequestParts};
use axum::http::request::Parts;
use axum::routing::MethodRouter;
use serde::de::DeserializeOwned;

use super::app::App;
use super::problem::Problem;

/// Path parameters: `Path<String>`, or a tuple for several.
pub(super) struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let path = extract::Path::<T>::from_request_parts(parts, app).await;
        let path = path.map_err(|rejection| Problem::invalid_payload(rejection.body_text()));
        path.map(|extract::Path(value)| Self(value))
    }
}

/// Query parameters.
pub(super) struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let query = extract::Query::<T>::try_from_uri(&parts.uri);
        let query = query.map_err(|rejection| Problem::invalid_payload(rejection.body_text()));
        query.map(|extract::Query(value)| Self(value))
    }
}

/// Registers routes with and without a trailing slash.
pub(super) trait BothForms {
    /// Routes the path, given without a trailing slash, in both forms.
    fn both(self, path: &str, methods: MethodRouter<App>) -> Self;
}

impl BothForms for Router<App> {
    fn both(self, path: &str, methods: MethodRouter<App>) -> Self {
        self.route(path, methods.clone())
            .route(&format!("{path}/"), methods)
    }
}

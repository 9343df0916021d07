//! Errors over HTTP: RFC 9457, `application/problem+json`.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An error, as a client of the REST interface sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
}

impl Problem {
    pub fn invalid_payload(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_payload", detail)
    }

    pub fn room_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "room_not_found",
            "there is no such room",
        )
    }

    /// The store's failure; its inside is logged, never sent.
    pub fn internal() -> Self {
        let detail = "the request could not be served; try again";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "about:blank", detail)
    }

    fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind,
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: detail.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (status, kind, axum::Json(self)).into_response()
    }
}

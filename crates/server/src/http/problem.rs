//! Errors over HTTP: RFC 9457, `application/problem+json`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use visavis_protocol::ErrorCode;

use crate::access::principal::{AccessError, Denied};
use crate::access::token::TokenError;
use crate::refusal::Refusal;
use crate::rooms::ChangeError;
use crate::store::StoreError;

/// An error response of the REST API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The kind, for programs.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The reason phrase of the status.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The explanation, for people.
    detail: String,
    /// Seconds until a retry makes sense, for the header `Retry-After`.
    #[serde(skip)]
    retry_after: Option<u64>,
}

/// A kind of problem: its `type`, and its status.
type Kind = (&'static str, StatusCode);

pub(super) const ACCESS_DENIED: Kind = ("access_denied", StatusCode::FORBIDDEN);
pub(super) const AUTHENTICATION_FAILED: Kind = ("authentication_failed", StatusCode::UNAUTHORIZED);
pub(super) const TOKEN_EXPIRED: Kind = ("token_expired", StatusCode::UNAUTHORIZED);
pub(super) const INVALID_PAYLOAD: Kind = ("invalid_payload", StatusCode::BAD_REQUEST);
pub(super) const INVALID_ROOM_TIME: Kind = ("invalid_room_time", StatusCode::BAD_REQUEST);
pub(super) const ROOM_NOT_FOUND: Kind = ("room_not_found", StatusCode::NOT_FOUND);
pub(super) const ROOM_CLOSED: Kind = ("room_closed", StatusCode::NOT_FOUND);
pub(super) const BOOKING_NOT_ACTIVE: Kind = ("booking_not_active", StatusCode::CONFLICT);
pub(super) const ROOM_TIME_CHANGING_FORBIDDEN: Kind = (
    "room_time_changing_forbidden",
    StatusCode::UNPROCESSABLE_ENTITY,
);
pub(super) const SESSION_EXISTS: Kind = ("session_exists", StatusCode::CONFLICT);
pub(super) const ILLEGAL_TRANSITION: Kind = ("illegal_transition", StatusCode::CONFLICT);
pub(super) const CAPACITY_EXCEEDED: Kind = ("capacity_exceeded", StatusCode::SERVICE_UNAVAILABLE);
pub(super) const NOT_IMPLEMENTED: Kind = ("not_implemented", StatusCode::NOT_IMPLEMENTED);
/// Too many requests of one address.
pub(super) const RATE_LIMITED: Kind = ("rate_limited", StatusCode::TOO_MANY_REQUESTS);
/// The body exceeds the limit.
pub(super) const PAYLOAD_TOO_LARGE: Kind = ("about:blank", StatusCode::PAYLOAD_TOO_LARGE);
/// The path has no such method.
pub(super) const METHOD_NOT_ALLOWED: Kind = ("about:blank", StatusCode::METHOD_NOT_ALLOWED);
/// There is no such resource, other than a room.
pub(super) const NOT_FOUND: Kind = ("not_found", StatusCode::NOT_FOUND);
/// The resource exists already or is of another kind.
pub(super) const CONFLICT: Kind = ("conflict", StatusCode::CONFLICT);

impl Problem {
    pub fn new((kind, status): Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: detail.into(),
            retry_after: None,
        }
    }

    pub fn invalid_payload(detail: impl Into<String>) -> Self {
        Self::new(INVALID_PAYLOAD, detail)
    }

    pub fn room_not_found() -> Self {
        Self::new(ROOM_NOT_FOUND, "there is no such room")
    }

    /// The store failed; the cause is logged, never sent.
    pub fn internal() -> Self {
        let kind = ("about:blank", StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(kind, "the request could not be served; try again")
    }

    /// Its HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The explanation, for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let retry_after = self.retry_after;
        let mut response = (status, kind, axum::Json(self)).into_response();
        if let Some(seconds) = retry_after {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal.code {
            ErrorCode::RoomNotFound => ROOM_NOT_FOUND,
            ErrorCode::RoomEnded => ROOM_CLOSED,
            ErrorCode::BadMessage => INVALID_PAYLOAD,
            ErrorCode::Forbidden => ACCESS_DENIED,
            ErrorCode::Unauthorized => AUTHENTICATION_FAILED,
            ErrorCode::TokenExpired => TOKEN_EXPIRED,
            ErrorCode::RateLimited => RATE_LIMITED,
            _ => return Self::internal(),
        };
        Self {
            retry_after: refusal.retry_after,
            ..Self::new(kind, refusal.text)
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
        Self::internal()
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        let kind = match error {
            AccessError::Token(TokenError::Expired) => TOKEN_EXPIRED,
            _ => AUTHENTICATION_FAILED,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let kind = match denied {
            Denied::Unauthenticated => AUTHENTICATION_FAILED,
            Denied::Forbidden => ACCESS_DENIED,
        };
        Self::new(kind, denied.to_string())
    }
}

impl<E: Into<Self>> From<ChangeError<E>> for Problem {
    fn from(error: ChangeError<E>) -> Self {
        match error {
            ChangeError::Gone => Self::room_not_found(),
            ChangeError::Refused(refused) => refused.into(),
            ChangeError::Store(error) => error.into(),
        }
    }
}

//! Errors over Twirp: always JSON, whatever the request was written in.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::access::principal::Denied;
use crate::http::problem::Problem;
use crate::refusal::Refusal;
use crate::rooms::ChangeError;
use crate::store::StoreError;

/// Twirp's error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Code {
    /// There is no such method, or the HTTP method or content type is wrong.
    BadRoute,
    /// The request does not parse.
    Malformed,
    /// The request parses, and an argument is invalid.
    InvalidArgument,
    /// Authentication is missing or invalid.
    Unauthenticated,
    /// The caller lacks the permission.
    PermissionDenied,
    /// There is no such room, participant or track.
    NotFound,
    /// A room with this name exists and has ended.
    AlreadyExists,
    /// The state of the target does not allow it.
    FailedPrecondition,
    /// Not implemented.
    Unimplemented,
    /// The server failed.
    Internal,
}

impl Code {
    /// Its HTTP status (Twirp specification version 7, error codes).
    fn status(self) -> StatusCode {
        match self {
            Self::BadRoute | Self::NotFound => StatusCode::NOT_FOUND,
            Self::Malformed | Self::InvalidArgument => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::AlreadyExists => StatusCode::CONFLICT,
            Self::FailedPrecondition => StatusCode::PRECONDITION_FAILED,
            Self::Unimplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct TwirpError {
    pub code: Code,
    pub msg: String,
}

impl TwirpError {
    pub fn new(code: Code, msg: impl Into<String>) -> Self {
        let msg = msg.into();
        Self { code, msg }
    }

    pub fn room_not_found() -> Self {
        Self::new(Code::NotFound, "there is no such room")
    }

    pub fn participant_not_found() -> Self {
        Self::new(Code::NotFound, "there is no such participant in this room")
    }
}

impl IntoResponse for TwirpError {
    fn into_response(self) -> Response {
        (self.code.status(), Json(self)).into_response()
    }
}

impl From<Problem> for TwirpError {
    fn from(problem: Problem) -> Self {
        let code = match problem.status() {
            StatusCode::BAD_REQUEST => Code::InvalidArgument,
            StatusCode::UNAUTHORIZED => Code::Unauthenticated,
            StatusCode::FORBIDDEN => Code::PermissionDenied,
            StatusCode::NOT_FOUND => Code::NotFound,
            _ => Code::Internal,
        };
        Self::new(code, problem.detail())
    }
}

impl From<Denied> for TwirpError {
    fn from(denied: Denied) -> Self {
        Problem::from(denied).into()
    }
}

impl From<Refusal> for TwirpError {
    fn from(refusal: Refusal) -> Self {
        Problem::from(refusal).into()
    }
}

impl From<StoreError> for TwirpError {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

impl From<ChangeError<Self>> for TwirpError {
    fn from(error: ChangeError<Self>) -> Self {
        match error {
            ChangeError::Gone => Self::room_not_found(),
            ChangeError::Refused(refused) => refused,
            ChangeError::Store(error) => error.into(),
        }
    }
}

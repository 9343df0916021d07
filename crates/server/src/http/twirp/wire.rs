//! The two encodings of requests and responses.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Code, TwirpError};

/// Twirp's two encodings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Json,
    Protobuf,
}

impl Wire {
    /// The encoding that `Content-Type` names.
    pub fn of(headers: &HeaderMap) -> Result<Self, TwirpError> {
        let named = headers.get(CONTENT_TYPE).map(HeaderValue::to_str);
        let named = named.and_then(Result::ok).unwrap_or_default();
        // Without parameters, such as a character set.
        let kind = named.split(';').next().unwrap_or_default().trim();
        [Self::Json, Self::Protobuf]
            .into_iter()
            .find(|wire| kind.eq_ignore_ascii_case(wire.content_type()))
            .ok_or_else(|| {
                let why = "the content type must be application/json or application/protobuf";
                TwirpError::new(Code::BadRoute, why)
            })
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/protobuf",
        }
    }

    /// Parses a request; unknown fields are ignored.
    pub fn read<M: Message + Default + DeserializeOwned>(
        self,
        body: &[u8],
    ) -> Result<M, TwirpError> {
        let read = match self {
            Self::Json => serde_json::from_slice(body).map_err(|error| error.to_string()),
            Self::Protobuf => M::decode(body).map_err(|error| error.to_string()),
        };
        read.map_err(|why| {
            let why = format!("the request does not parse: {why}");
            TwirpError::new(Code::Malformed, why)
        })
    }

    /// Encodes a response.
    pub fn write<M: Message + Serialize>(self, answer: &M) -> Result<Response, TwirpError> {
        let body = match self {
            Self::Protobuf => answer.encode_to_vec(),
            Self::Json => serde_json::to_vec(answer).map_err(|error| {
                tracing::error!(%error, "encoding a response failed");
                TwirpError::new(Code::Internal, "the response could not be encoded")
            })?,
        };
        Ok(([(CONTENT_TYPE, self.content_type())], body).into_response())
    }
}

#[cfg(test)]
mod tests {
    use livekit_protocol::{CreateRoomRequest, SendDataRequest, UpdateParticipantRequest};
    use proptest::prelude::*;

    use super::*;

    fn of(kind: &str) -> Result<Wire, TwirpError> {
        let kind = HeaderValue::from_str(kind).unwrap();
        Wire::of(&HeaderMap::from_iter([(CONTENT_TYPE, kind)]))
    }

    #[test]
    fn a_content_type_is_known_with_its_parameters_and_in_any_case() {
        assert_eq!(of("application/json; charset=utf-8"), Ok(Wire::Json));
        assert_eq!(of("Application/Protobuf"), Ok(Wire::Protobuf));
        assert_eq!(of("text/plain").unwrap_err().code, Code::BadRoute);
        let none = Wire::of(&HeaderMap::new());
        assert_eq!(none.unwrap_err().code, Code::BadRoute);
    }

    #[test]
    fn json_is_read_in_both_spellings_and_unknown_fields_are_ignored() {
        for text in [
            r#"{"name":"tea","maxParticipants":3,"unknown":{"to":["us"]}}"#,
            r#"{"name":"tea","max_participants":3}"#,
        ] {
            let read: CreateRoomRequest = Wire::Json.read(text.as_bytes()).unwrap();
            assert_eq!((read.name.as_str(), read.max_participants), ("tea", 3));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for wire in [Wire::Json, Wire::Protobuf] {
                let _ = wire.read::<CreateRoomRequest>(&bytes);
                let _ = wire.read::<UpdateParticipantRequest>(&bytes);
                let _ = wire.read::<SendDataRequest>(&bytes);
            }
        }

        #[test]
        fn no_json_makes_the_reader_panic(text in r#"\{("(name|data|kind|permission|canPublishSources|tags)":(-?[0-9]{1,20}|"[a-z=]{0,6}"|\[[0-9a-z",]{0,9}\]|null|\{\}),?){0,4}\}"#) {
            let _ = Wire::Json.read::<CreateRoomRequest>(text.as_bytes());
            let _ = Wire::Json.read::<UpdateParticipantRequest>(text.as_bytes());
            let _ = Wire::Json.read::<SendDataRequest>(text.as_bytes());
        }
    }
}

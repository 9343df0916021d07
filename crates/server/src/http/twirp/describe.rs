//! The Twirp methods in the OpenAPI document. Their messages are defined by
//! LiveKit's `livekit_room.proto`.

use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, PathItem, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{OpenApi, OpenApiBuilder, Required, ResponseBuilder};

/// Method names and their summaries.
const CALLS: [(&str, &str); 10] = [
    (
        "CreateRoom",
        "Creates a room under a name and starts its room instance",
    ),
    (
        "ListRooms",
        "Lists rooms with an instance and rooms created by name",
    ),
    ("DeleteRoom", "Ends and deletes a room"),
    ("UpdateRoomMetadata", "Changes a room's metadata"),
    ("ListParticipants", "Lists the participants"),
    ("GetParticipant", "Shows a participant by identity"),
    ("RemoveParticipant", "Removes every session of an identity"),
    (
        "MutePublishedTrack",
        "Asks a participant's client to mute a track",
    ),
    (
        "UpdateParticipant",
        "Changes a participant's name, metadata or permission",
    ),
    ("SendData", "Sends a chat message to participants"),
];

const ERRORS: [(&str, &str); 8] = [
    ("400", "malformed or invalid_argument"),
    ("401", "unauthenticated"),
    ("403", "permission_denied"),
    ("404", "not_found or bad_route"),
    ("409", "already_exists"),
    ("412", "failed_precondition"),
    ("500", "internal"),
    ("501", "unimplemented"),
];

/// The Twirp part of the OpenAPI document.
pub(in crate::http) fn document() -> OpenApi {
    let mut paths = PathsBuilder::new();
    for (name, summary) in CALLS {
        let path = format!("/twirp/livekit.RoomService/{name}");
        let item = PathItem::new(HttpMethod::Post, operation(name, summary));
        paths = paths.path(path, item);
    }
    let tag = TagBuilder::new()
        .name("livekit")
        .description(Some("LiveKit's admin API, over Twirp"));
    OpenApiBuilder::new()
        .paths(paths.build())
        .tags(Some([tag.build()]))
        .build()
}

fn operation(name: &str, summary: &str) -> Operation {
    let request = RequestBodyBuilder::new()
        .content("application/json", object())
        .content("application/protobuf", binary())
        .required(Some(Required::True));
    let answer = ResponseBuilder::new()
        .description("Done")
        .content("application/json", object())
        .content("application/protobuf", binary());
    let mut operation = OperationBuilder::new()
        .operation_id(Some(name))
        .summary(Some(summary))
        .tag("livekit")
        .request_body(Some(request.build()))
        .response("200", answer.build());
    for (status, codes) in ERRORS {
        let error = ResponseBuilder::new()
            .description(format!("Twirp's {codes}"))
            .content("application/json", error());
        operation = operation.response(status, error.build());
    }
    operation.build()
}

fn object() -> Content {
    let schema = ObjectBuilder::new().schema_type(Type::Object).build();
    ContentBuilder::new().schema(Some(schema)).build()
}

fn binary() -> Content {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)));
    ContentBuilder::new().schema(Some(schema.build())).build()
}

fn error() -> Content {
    let text = || ObjectBuilder::new().schema_type(Type::String).build();
    let schema = ObjectBuilder::new()
        .property("code", text())
        .property("msg", text())
        .required("code")
        .required("msg");
    ContentBuilder::new().schema(Some(schema.build())).build()
}

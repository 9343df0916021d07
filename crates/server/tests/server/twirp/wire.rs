//! Both writings, and nonsense in them.

use livekit_protocol::{CreateRoomRequest, Room};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};

use super::{call_protobuf, done, refused};
use crate::support::{Client, http, server, wait_for_room};

#[tokio::test]
async fn protobuf_is_answered_in_protobuf_and_errors_in_json() {
    let server = server().await;
    let address = server.local_addr();
    let request = CreateRoomRequest {
        name: "tee".to_owned(),
        metadata: "ü".to_owned(),
        ..CreateRoomRequest::default()
    };
    let (status, body) = call_protobuf(address, "CreateRoom", &request.encode_to_vec()).await;
    assert_eq!(status, 200);
    let room = Room::decode(body.as_slice()).unwrap();
    assert_eq!((room.name.as_str(), room.metadata.as_str()), ("tee", "ü"));
    assert_ne!(room.creation_time, 0);
    for (body, code) in [
        (b"\xff\xff\xff".to_vec(), "malformed"),
        (vec![b'x'; 2 * 1024 * 1024], "malformed"),
        (Vec::new(), "invalid_argument"),
    ] {
        let (status, answer) = call_protobuf(address, "CreateRoom", &body).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!((status, answer["code"].as_str()), (400, Some(code)));
    }
}

#[tokio::test]
async fn bad_routes_and_bad_requests_get_twirps_error_codes() {
    let server = server().await;
    let address = server.local_addr();
    let kind = "Content-Type: application/json\r\n";
    let service = "/twirp/livekit.RoomService";
    for (method, path, head, body, status, code) in [
        (
            "GET",
            format!("{service}/ListRooms"),
            kind,
            "{}",
            404,
            "bad_route",
        ),
        (
            "POST",
            format!("{service}/Brew"),
            kind,
            "{}",
            404,
            "bad_route",
        ),
        (
            "POST",
            "/twirp/livekit.Egress/ListEgress".to_owned(),
            kind,
            "{}",
            404,
            "bad_route",
        ),
        (
            "POST",
            format!("{service}/ListRooms"),
            "",
            "{}",
            404,
            "bad_route",
        ),
        (
            "POST",
            format!("{service}/ListRooms"),
            kind,
            "",
            400,
            "malformed",
        ),
        (
            "POST",
            format!("{service}/ListRooms"),
            kind,
            "[]x",
            400,
            "malformed",
        ),
        (
            "POST",
            format!("{service}/ListRooms"),
            kind,
            r#"{"names":7}"#,
            400,
            "malformed",
        ),
        (
            "POST",
            format!("{service}/MoveParticipant"),
            kind,
            "{}",
            501,
            "unimplemented",
        ),
    ] {
        let (got, head, answer) = http(address, method, &path, head, body).await;
        assert_eq!(got, status, "{path}: {answer}");
        assert!(head.contains("content-type: application/json"), "{head}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["code"], code, "{path} {body}");
    }
    let (status, _, _) = http(
        address,
        "POST",
        &format!("{service}/ListRooms/"),
        kind,
        "{}",
    )
    .await;
    assert_eq!(status, 200, "with a last slash");

    let long = "x".repeat(65 * 1024);
    for (request, wanted) in [
        (json!({"name": ""}), (400, "invalid_argument")),
        (json!({"name": "a\nb"}), (400, "invalid_argument")),
        (json!({"name": "x".repeat(257)}), (400, "invalid_argument")),
        (
            json!({"name": "tea", "metadata": long}),
            (400, "invalid_argument"),
        ),
        (
            json!({"name": "tea", "roomPreset": "p"}),
            (400, "invalid_argument"),
        ),
        (json!({"name": "tea", "egress": {}}), (501, "unimplemented")),
        (
            json!({"name": "tea", "agents": [{"agentName": "a"}]}),
            (501, "unimplemented"),
        ),
    ] {
        refused(address, "CreateRoom", request, wanted).await;
    }
    let listed = done(address, "ListRooms", json!({})).await;
    assert_eq!(listed.get("rooms"), None, "none was made");
}

/// Every method with whatever it is sent is answered, and never by an error of ours.
#[test]
fn any_bytes_are_answered_and_the_server_keeps_running() {
    const METHODS: [&str; 10] = [
        "CreateRoom",
        "ListRooms",
        "DeleteRoom",
        "ListParticipants",
        "GetParticipant",
        "RemoveParticipant",
        "MutePublishedTrack",
        "UpdateParticipant",
        "SendData",
        "UpdateRoomMetadata",
    ];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(server());
    let address = server.local_addr();
    let field = (
        0_u8..16,
        0_u8..6,
        proptest::collection::vec(any::<u8>(), 0..12),
    );
    let message = proptest::collection::vec(field, 0..5).prop_map(|fields| {
        let mut bytes = Vec::new();
        for (number, kind, value) in fields {
            bytes.push(number << 3 | kind);
            if kind == 2 {
                bytes.push(u8::try_from(value.len()).unwrap());
            }
            bytes.extend(value);
        }
        bytes
    });
    let config = ProptestConfig::with_cases(200);
    proptest!(config, |(method in 0..METHODS.len(), body in message)| {
        let call = call_protobuf(address, METHODS[method], &body);
        let (status, _) = runtime.block_on(call);
        prop_assert!(matches!(status, 200 | 400 | 404 | 409 | 412 | 501), "{status}");
    });
    let watched = runtime.block_on(async {
        let room = Client::connect(address)
            .await
            .create(json!({"name": "Tea"}))
            .await;
        wait_for_room(address, &room, |info| info["type"] == "room-info").await
    });
    assert_eq!(watched["room"]["name"], "Tea");
}

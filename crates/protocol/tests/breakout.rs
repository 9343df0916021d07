//! Breakout messages: snapshots and round trips.

#![allow(clippy::unwrap_used)]

#[macro_use]
mod common;

use common::{ANN, BOB, ROOM};
use visavis_protocol::breakout::*;
use visavis_protocol::{ClientMessage, ErrorCode, RequestId};

const PARENT: &str = "klm-nopq-rst";
const DEADLINE: &str = "2026-01-22T10:30:00Z";

#[test]
fn every_breakout_message_has_a_snapshot() {
    use BreakoutRequest as M;
    let request_id = Some(RequestId::Number(7));
    check!(
        "breakout-client-move-room",
        BreakoutRequest,
        M::MoveRoom(MoveRoom {
            request_id: request_id.clone(),
            room_id: ROOM.into(),
            to: Some(BOB.into()),
            deadline: Some(DEADLINE.into()),
        })
    );
    check!(
        "breakout-client-move-room-recall",
        BreakoutRequest,
        M::MoveRoom(MoveRoom {
            room_id: PARENT.into(),
            ..MoveRoom::default()
        })
    );
    check!(
        "breakout-client-return-room",
        BreakoutRequest,
        M::ReturnRoom(ReturnRoom {
            request_id,
            room_id: Some(ROOM.into())
        })
    );
    check!(
        "breakout-server-move-room",
        BreakoutNotice,
        BreakoutNotice::MoveRoom(MoveNotice {
            room_id: ROOM.into(),
            from: Some(ANN.into()),
            ticket: "dGlja2V0".into(),
            deadline: Some(DEADLINE.into()),
        })
    );
}

#[test]
fn a_server_that_does_not_serve_breakouts_answers_unknown_type() {
    for text in [
        r#"{"type":"move-room","roomId":"r","to":"b"}"#,
        r#"{"type":"return-room"}"#,
    ] {
        assert!(BreakoutRequest::parse(text).is_ok(), "{text}");
        let rejected = ClientMessage::read(text).unwrap_err();
        assert_eq!(rejected.code, ErrorCode::UnknownType, "{text}");
    }
}

#[test]
fn a_move_without_a_room_or_a_ticket_is_refused() {
    assert!(BreakoutRequest::parse(r#"{"type":"move-room","to":"b"}"#).is_err());
    assert!(BreakoutNotice::parse(r#"{"type":"move-room","roomId":"r"}"#).is_err());
}

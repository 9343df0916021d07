//! Snapshots and round trips of the messages of controls, waiting, reactions and
//! quality.

#![allow(clippy::unwrap_used)]

#[macro_use]
mod common;

use common::{ANN, BOB, ROOM, raw};
use insta::assert_json_snapshot;
use serde_json::json;
use visavis_protocol::*;

fn to_room() -> AddressedToRoom {
    AddressedToRoom {
        room_id: Some(ROOM.into()),
    }
}

fn to_bob() -> AddressedToMember {
    AddressedToMember {
        room_id: Some(ROOM.into()),
        to: BOB.into(),
    }
}

fn recorder(kind: RecorderKind) -> Recorder {
    Recorder {
        id: BOB.into(),
        egress_id: "EG_23456789ABCD".into(),
        kind,
    }
}

#[test]
fn every_host_control_has_a_snapshot() {
    use ClientMessage as M;
    check!(
        "client-mute-member",
        ClientMessage,
        M::MuteMember(ClientMute {
            room_id: Some(ROOM.into()),
            to: BOB.into(),
            payload: MuteSource {
                source: TrackSource::Microphone
            },
        })
    );
    check!(
        "client-remove-member",
        ClientMessage,
        M::RemoveMember(to_bob())
    );
    check!("client-lock-room", ClientMessage, M::LockRoom(to_room()));
    check!(
        "client-unlock-room",
        ClientMessage,
        M::UnlockRoom(to_room())
    );
    check!(
        "client-transfer-host",
        ClientMessage,
        M::TransferHost(to_bob())
    );
    check!("client-end-room", ClientMessage, M::EndRoom(to_room()));
    check!(
        "client-admit-member",
        ClientMessage,
        M::AdmitMember(to_bob())
    );
    check!("client-deny-member", ClientMessage, M::DenyMember(to_bob()));
}

#[test]
fn quality_reports_and_reactions_have_snapshots() {
    check!(
        "client-report-quality",
        ClientMessage,
        ClientMessage::ReportQuality(RoomMessage {
            room_id: Some(ROOM.into()),
            payload: QualityReport {
                peers: vec![
                    PeerQuality {
                        id: BOB.into(),
                        connected: true,
                        round_trip_ms: Some(12.5),
                        loss_percent: Some(0.25),
                        jitter_ms: Some(3.0),
                    },
                    PeerQuality {
                        id: ANN.into(),
                        ..PeerQuality::default()
                    },
                ],
            },
        })
    );
    let payload = raw(serde_json::to_value(ReactionBody {
        emoji: "👏".into()
    })
    .unwrap());
    check!(
        "client-reaction",
        ClientMessage,
        ClientMessage::Reaction(RoomMessage {
            room_id: Some(ROOM.into()),
            payload: payload.clone(),
        })
    );
    check!(
        "server-reaction",
        ServerMessage,
        ServerMessage::Reaction(ServerReaction {
            room_id: ROOM.into(),
            from: ANN.into(),
            payload,
        })
    );
}

#[test]
fn every_effect_of_a_host_control_has_a_snapshot() {
    use ServerMessage as M;
    let updated = |room| {
        M::RoomUpdated(RoomUpdated {
            room_id: ROOM.into(),
            room,
        })
    };
    check!(
        "server-room-updated",
        ServerMessage,
        updated(UpdatedRoom {
            id: ROOM.into(),
            name: "Tea".into(),
            kind: Some(RoomKind::Group),
            host: Some(ANN.into()),
            max_participants: 4,
            locked: true,
            waiting_room: true,
            needs_passcode: true,
            closes_at: Some("2026-01-22T11:30:00Z".into()),
            recorders: vec![recorder(RecorderKind::Record), recorder(RecorderKind::Live)],
            parent: Some("klm-nopq-rst".into()),
        })
    );
    check!(
        "server-room-updated-plain",
        ServerMessage,
        updated(UpdatedRoom {
            id: ROOM.into(),
            ..UpdatedRoom::default()
        })
    );
    check!(
        "server-room-closed",
        ServerMessage,
        M::RoomClosed(RoomClosed {
            room_id: ROOM.into(),
            reason: ClosedReason::EndedByHost,
        })
    );
    check!(
        "server-member-removed",
        ServerMessage,
        M::MemberRemoved(MemberRemoved {
            room_id: ROOM.into(),
            member_id: BOB.into(),
            reason: RemovedReason::RemovedByHost,
        })
    );
    let mute = |from| {
        M::MuteMember(ServerMute {
            room_id: ROOM.into(),
            from,
            payload: MuteSource {
                source: TrackSource::Camera,
            },
        })
    };
    check!("server-mute-member", ServerMessage, mute(Some(ANN.into())));
    check!("server-mute-member-from-outside", ServerMessage, mute(None));
}

#[test]
fn every_waiting_message_has_a_snapshot() {
    use ServerMessage as M;
    check!(
        "server-join-waiting-full",
        ServerMessage,
        M::JoinWaiting(JoinWaiting {
            request_id: Some(RequestId::Number(7)),
            room_id: ROOM.into(),
            position: 1,
            reason: WaitReason::Full,
        })
    );
    check!(
        "server-join-waiting-approval",
        ServerMessage,
        M::JoinWaiting(JoinWaiting {
            request_id: None,
            room_id: ROOM.into(),
            position: 2,
            reason: WaitReason::Approval,
        })
    );
    check!(
        "server-join-request",
        ServerMessage,
        M::JoinRequest(JoinRequest {
            room_id: ROOM.into(),
            member_id: BOB.into(),
            name: "Bob".into(),
        })
    );
}

#[test]
fn room_kinds_and_reasons_are_closed_lists() {
    use {ClosedReason as C, RemovedReason as R, RoomKind as K, WaitReason as W};
    let lists = json!({
        "kind": [K::Individual, K::Group, K::Webinar, K::Broadcast, K::Open],
        "room-closed": [
            C::EndedByHost, C::HostLeft, C::TimeOver, C::Idle, C::Closed, C::Deleted
        ],
        "member-removed": [R::RemovedByHost, R::RemovedByAdministrator],
        "join-waiting": [W::Full, W::Approval],
        "recorder": [RecorderKind::Record, RecorderKind::Live],
    });
    assert_json_snapshot!("kinds-and-reasons", lists);
}

//! Snapshots and round trips of the core messages.

#![allow(clippy::unwrap_used)]

#[macro_use]
mod common;

use common::{ANN, BOB, ROOM, raw};
use insta::assert_json_snapshot;
use serde_json::Value;
use visavis_protocol::*;

fn request<T>(payload: T) -> Request<T> {
    Request {
        request_id: Some(RequestId::Text("r-1".into())),
        payload,
    }
}

fn client_relay(payload: Value) -> ClientRelay {
    ClientRelay {
        room_id: Some(ROOM.into()),
        to: BOB.into(),
        payload: raw(payload),
    }
}

fn server_relay(payload: Value) -> ServerRelay {
    ServerRelay {
        from: ANN.into(),
        payload: raw(payload),
    }
}

fn offer() -> Value {
    serde_json::json!({"type": "offer", "sdp": "v=0\r\n"})
}

fn answer() -> Value {
    serde_json::json!({"type": "answer", "sdp": "v=0\r\n"})
}

fn candidate() -> IceCandidate {
    IceCandidate {
        candidate: "candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host".into(),
        sdp_mid: Some("0".into()),
        sdp_m_line_index: Some(0),
        username_fragment: Some("abcd".into()),
    }
}

fn candidate_json() -> Value {
    serde_json::to_value(candidate()).unwrap()
}

fn member() -> Member {
    Member {
        id: ANN.into(),
        name: "Ann".into(),
        role: Role::Host,
        joined_at: "2026-01-22T10:30:00Z".into(),
        grants: Grants {
            can_publish_data: Some(false),
            can_publish_sources: vec![TrackSource::Microphone, TrackSource::ScreenShareAudio],
            ..Grants::default()
        },
        tracks: vec![Track {
            sid: "TR_23456789ABCD".into(),
            source: TrackSource::Camera,
            muted: true,
        }],
        hand_raised: true,
        connection: MemberConnection::Reconnecting,
        recording: true,
    }
}

fn patch() -> MemberPatch {
    let track = |source, muted| TrackState { source, muted };
    MemberPatch {
        name: Some("Ann".into()),
        tracks: Some(vec![
            track(TrackSource::Camera, true),
            track(TrackSource::ScreenShare, false),
        ]),
        hand_raised: Some(false),
        recording: Some(true),
    }
}

fn chat_entry() -> ChatEntry {
    ChatEntry {
        id: "m-1".into(),
        from: ANN.into(),
        name: "Ann".into(),
        payload: raw(serde_json::json!({"text": "hello"})),
        sent_at: "2026-01-22T10:30:00.250Z".into(),
        to: Some(BOB.into()),
    }
}

fn ice_servers() -> Vec<IceServer> {
    vec![
        IceServer {
            urls: vec!["stun:192.0.2.1:3478".into()],
            username: None,
            credential: None,
        },
        IceServer {
            urls: vec!["turn:192.0.2.1:3478".into()],
            username: Some("1769077800:ann".into()),
            credential: Some("c2VjcmV0".into()),
        },
    ]
}

#[test]
fn every_client_message_has_a_snapshot() {
    use ClientMessage as M;
    check!(
        "client-create-room",
        ClientMessage,
        M::CreateRoom(request(CreateRoom {
            name: "Tea".into(),
            max_participants: Some(4),
            metadata: Some(Metadata {
                description: Some("At five".into()),
                private: Some(true)
            }),
            kind: Some(RoomKind::Webinar),
            passcode: Some("open sesame".into()),
            waiting_room: true,
            opens_at: Some("2026-01-22T10:30:00Z".into()),
            closes_at: Some("2026-01-22T11:30:00+01:00".into()),
            parent: Some("klm-nopq-rst".into()),
            display_name: Some("Ann".into()),
            token: Some("a.b.c".into()),
            features: Features::of(&[Feature::Members, Feature::Resume, Feature::Chat]),
        }))
    );
    check!(
        "client-create-room-plain",
        ClientMessage,
        M::CreateRoom(Request {
            request_id: None,
            payload: CreateRoom {
                name: "Tea".into(),
                max_participants: Some(4),
                ..CreateRoom::default()
            },
        })
    );
    check!(
        "client-join-room",
        ClientMessage,
        M::JoinRoom(request(JoinRoom {
            room_id: ROOM.into(),
            display_name: Some("Bob".into()),
            token: Some("a.b.c".into()),
            passcode: Some("open sesame".into()),
            seal: Some("c2VhbA".into()),
            ticket: Some("dGlja2V0".into()),
            egress: Some(EgressCredentials {
                id: "EG_23456789ABCD".into(),
                secret: "c2VjcmV0".into(),
            }),
            features: Features::of(&[Feature::Members, Feature::Ice]),
        }))
    );
    check!(
        "client-join-room-plain",
        ClientMessage,
        M::JoinRoom(Request {
            request_id: None,
            payload: JoinRoom {
                room_id: ROOM.into(),
                ..JoinRoom::default()
            },
        })
    );
    check!(
        "client-leave-room",
        ClientMessage,
        M::LeaveRoom(LeaveRoom {
            room_id: Some(ROOM.into())
        })
    );
    check!(
        "client-list-rooms",
        ClientMessage,
        M::ListRooms(ListRooms::default())
    );
    check!(
        "client-get-room",
        ClientMessage,
        M::GetRoom(request(GetRoom {
            room_id: ROOM.into()
        }))
    );
    check!(
        "client-resume",
        ClientMessage,
        M::Resume(request(Resume {
            resume_token: "a.b".into()
        }))
    );
    check!(
        "client-offer",
        ClientMessage,
        M::Offer(client_relay(offer()))
    );
    check!(
        "client-answer",
        ClientMessage,
        M::Answer(client_relay(answer()))
    );
    check!(
        "client-ice-candidate",
        ClientMessage,
        M::IceCandidate(client_relay(candidate_json()))
    );
    check!(
        "client-ice",
        ClientMessage,
        M::Ice(client_relay(candidate_json()))
    );
    check!(
        "client-offer-legacy",
        ClientMessage,
        M::Offer(ClientRelay {
            room_id: None,
            ..client_relay(offer())
        })
    );
    check!(
        "client-chat",
        ClientMessage,
        M::Chat(ClientChat {
            room_id: Some(ROOM.into()),
            to: Some(BOB.into()),
            id: Some("m-1".into()),
            sent_at: Some("2026-01-22T10:30:00.250Z".into()),
            payload: raw(serde_json::json!({"text": "hello"})),
        })
    );
    check!(
        "client-chat-plain",
        ClientMessage,
        M::Chat(ClientChat {
            room_id: Some(ROOM.into()),
            to: None,
            id: None,
            sent_at: None,
            payload: raw(serde_json::json!("hello")),
        })
    );
    check!(
        "client-update-member",
        ClientMessage,
        M::UpdateMember(UpdateMember {
            room_id: Some(ROOM.into()),
            payload: patch(),
        })
    );
}

#[test]
fn every_server_message_has_a_snapshot() {
    use ServerMessage as M;
    let all = Features::of(&[
        Feature::Rooms,
        Feature::Members,
        Feature::Resume,
        Feature::Chat,
        Feature::Waiting,
        Feature::Controls,
        Feature::Reactions,
        Feature::Quality,
        Feature::Ice,
        Feature::Direct,
    ]);
    let request_id = Some(RequestId::Number(7));
    let created = CreatedRoom {
        id: ROOM.into(),
        name: "Tea".into(),
        created_at: "2026-01-22T10:30:00Z".into(),
        host: ANN.into(),
        max_participants: 4,
        participants: vec![ANN.into()],
        ..CreatedRoom::default()
    };
    let joined = JoinedRoom {
        id: ROOM.into(),
        participants: vec![ANN.into(), BOB.into()],
        ..JoinedRoom::default()
    };
    let joined_in_full = RoomJoined {
        request_id: request_id.clone(),
        room: JoinedRoom {
            name: Some("Tea".into()),
            members: Some(vec![member()]),
            viewer_count: Some(60),
            chat: Some(vec![chat_entry()]),
            ..joined.clone()
        },
        resume_token: Some("a.b".into()),
        ice_servers: Some(ice_servers()),
        seal: Some("c2VhbA".into()),
    };
    check!(
        "server-client-id",
        ServerMessage,
        M::ClientId(Welcome {
            id: ANN.into(),
            protocol: PROTOCOL,
            features: all,
        })
    );
    check!(
        "server-room-created",
        ServerMessage,
        M::RoomCreated(RoomCreated {
            request_id: request_id.clone(),
            room: CreatedRoom {
                metadata: Some(Metadata {
                    description: None,
                    private: Some(true)
                }),
                members: Some(vec![member()]),
                viewer_count: Some(0),
                chat: Some(Vec::new()),
                ..created.clone()
            },
            resume_token: Some("a.b".into()),
            ice_servers: Some(ice_servers()),
            seal: Some("c2VhbA".into()),
        })
    );
    check!(
        "server-room-created-plain",
        ServerMessage,
        M::RoomCreated(RoomCreated {
            room: created,
            ..RoomCreated::default()
        })
    );
    check!(
        "server-room-joined-plain",
        ServerMessage,
        M::RoomJoined(RoomJoined {
            room: joined,
            ..RoomJoined::default()
        })
    );
    check!(
        "server-room-joined",
        ServerMessage,
        M::RoomJoined(joined_in_full.clone())
    );
    check!("server-resumed", ServerMessage, M::Resumed(joined_in_full));
    check!(
        "server-member-joined-plain",
        ServerMessage,
        M::MemberJoined(MemberJoined {
            room_id: ROOM.into(),
            member_id: ANN.into(),
            participants: Some(vec![BOB.into(), ANN.into()]),
            ..MemberJoined::default()
        })
    );
    check!(
        "server-member-joined",
        ServerMessage,
        M::MemberJoined(MemberJoined {
            room_id: ROOM.into(),
            member_id: ANN.into(),
            member: Some(member()),
            count: Some(2),
            ..MemberJoined::default()
        })
    );
    check!(
        "server-member-left-plain",
        ServerMessage,
        M::MemberLeft(MemberLeft {
            room_id: ROOM.into(),
            member_id: ANN.into(),
            participants: Some(vec![BOB.into()]),
            ..MemberLeft::default()
        })
    );
    check!(
        "server-member-left",
        ServerMessage,
        M::MemberLeft(MemberLeft {
            room_id: ROOM.into(),
            member_id: ANN.into(),
            count: Some(1),
            ..MemberLeft::default()
        })
    );
    check!(
        "server-members-changed",
        ServerMessage,
        M::MembersChanged(MembersChanged {
            room_id: ROOM.into(),
            joined: vec![Member {
                id: BOB.into(),
                role: Role::Viewer,
                ..Member::default()
            }],
            left: vec![ANN.into()],
            count: 61,
        })
    );
    check!(
        "server-ice-servers",
        ServerMessage,
        M::IceServers(RoomPayload {
            room_id: ROOM.into(),
            payload: RenewedIceServers {
                ice_servers: ice_servers(),
                expires_at: "2026-01-22T14:30:00Z".into(),
            },
        })
    );
    check!(
        "server-token-renewed",
        ServerMessage,
        M::TokenRenewed(RoomPayload {
            room_id: ROOM.into(),
            payload: RenewedToken {
                token: "a.b.c".into(),
                expires_at: "2026-01-22T14:30:00Z".into(),
            },
        })
    );
    check!(
        "server-member-updated",
        ServerMessage,
        M::MemberUpdated(MemberUpdated {
            room_id: ROOM.into(),
            member_id: ANN.into(),
            member: member(),
        })
    );
    check!(
        "server-rooms-list",
        ServerMessage,
        M::RoomsList(RoomsList {
            request_id: None,
            rooms: vec![ListedRoom {
                id: ROOM.into(),
                name: "Tea".into(),
                participant_count: 2
            }],
        })
    );
    let info = RoomInfo {
        id: ROOM.into(),
        name: "Tea".into(),
        state: RoomState::InCall,
        participant_count: 2,
        needs_passcode: false,
        waiting_room: false,
        opens_at: None,
        names: Some(vec!["Ann".into()]),
    };
    check!(
        "server-room-info",
        ServerMessage,
        M::RoomInfo(RoomInfoMessage {
            request_id,
            room: info.clone(),
        })
    );
    check!(
        "server-room-info-guarded",
        ServerMessage,
        M::RoomInfo(RoomInfoMessage {
            request_id: None,
            room: RoomInfo {
                state: RoomState::Empty,
                participant_count: 0,
                needs_passcode: true,
                waiting_room: true,
                opens_at: Some("2026-01-22T10:30:00Z".into()),
                names: None,
                ..info
            },
        })
    );
    check!(
        "server-offer",
        ServerMessage,
        M::Offer(server_relay(offer()))
    );
    check!(
        "server-answer",
        ServerMessage,
        M::Answer(server_relay(answer()))
    );
    check!(
        "server-ice-candidate",
        ServerMessage,
        M::IceCandidate(server_relay(candidate_json()))
    );
    check!(
        "server-ice",
        ServerMessage,
        M::Ice(server_relay(candidate_json()))
    );
    let chat = ServerChat {
        room_id: ROOM.into(),
        from: ANN.into(),
        payload: raw(serde_json::json!({"text": "hello"})),
        id: None,
        sent_at: None,
        name: None,
        to: None,
    };
    check!("server-chat-plain", ServerMessage, M::Chat(chat.clone()));
    check!(
        "server-chat",
        ServerMessage,
        M::Chat(ServerChat {
            id: Some("m-1".into()),
            sent_at: Some("2026-01-22T10:30:00.250Z".into()),
            name: Some("Ann".into()),
            to: Some(BOB.into()),
            ..chat
        })
    );
    check!(
        "server-error",
        ServerMessage,
        M::Error(ErrorMessage {
            code: ErrorCode::RateLimited,
            message: "too many messages".into(),
            request_id: Some(RequestId::Text("r-1".into())),
            room_id: Some(ROOM.into()),
            to: Some(BOB.into()),
            retry_after: Some(60),
            opens_at: None,
        })
    );
    check!(
        "server-error-room-not-open",
        ServerMessage,
        M::Error(ErrorMessage {
            code: ErrorCode::RoomNotOpen,
            message: "the room opens later".into(),
            request_id: None,
            room_id: Some(ROOM.into()),
            to: None,
            retry_after: None,
            opens_at: Some("2026-01-22T10:30:00Z".into()),
        })
    );
}

#[test]
fn the_error_codes_are_a_closed_list() {
    use ErrorCode::*;
    let codes = [
        BadMessage,
        MessageTooLarge,
        UnknownType,
        Unauthorized,
        Forbidden,
        TokenExpired,
        RoomNotFound,
        RoomNotOpen,
        RoomEnded,
        RoomFull,
        RoomLocked,
        WrongPasscode,
        WaitingRoom,
        Denied,
        NotInRoom,
        AlreadyInRoom,
        MemberNotFound,
        RateLimited,
        ServerBusy,
        Internal,
    ];
    assert_json_snapshot!("error-codes", codes);
}

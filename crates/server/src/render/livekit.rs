//! LiveKit's dialect: the types of `livekit-protocol`, encoded as JSON (webhooks)
//! and as protobuf (Twirp).

use livekit_protocol::participant_info::{Kind, State};
use livekit_protocol::{
    ParticipantInfo, ParticipantPermission, Room as RoomProto, TrackInfo, TrackSource as Source,
    TrackType, WebhookEvent,
};
use visavis_protocol::{Grants, Track, TrackSource};

use crate::clock::Timestamp;
use crate::model::{EventLabel, Participant, ParticipantKind, Room};

/// A room, with its participant count.
pub fn room(room: &Room, present: u32) -> RoomProto {
    let instance = room.instance.as_ref();
    RoomProto {
        sid: instance
            .map(|instance| instance.sid.clone())
            .unwrap_or_default(),
        name: room.rtc_name.clone(),
        empty_timeout: room.empty_timeout.map_or(0, seconds),
        departure_timeout: seconds(room.departure_timeout),
        max_participants: room.max_participants,
        creation_time: room.created_at.secs(),
        creation_time_ms: room.created_at.0,
        metadata: room.rtc_metadata.clone(),
        num_participants: present,
        ..RoomProto::default()
    }
}

/// A participant.
pub fn participant(who: &Participant) -> ParticipantInfo {
    ParticipantInfo {
        sid: who.sid.clone(),
        identity: who.identity.clone(),
        state: match who.left_at {
            None => State::Active,
            Some(_) => State::Disconnected,
        } as i32,
        tracks: who.tracks.iter().map(track).collect(),
        metadata: who.metadata.clone(),
        joined_at: who.joined_at.secs(),
        joined_at_ms: who.joined_at.0,
        name: who.name.clone(),
        permission: Some(permission(&who.grants, who.hidden)),
        is_publisher: !who.tracks.is_empty(),
        kind: match who.kind {
            ParticipantKind::Video => Kind::Standard,
            ParticipantKind::Phone => Kind::Sip,
        } as i32,
        ..ParticipantInfo::default()
    }
}

/// A track.
pub fn track(track: &Track) -> TrackInfo {
    let kind = match track.source {
        TrackSource::Camera | TrackSource::ScreenShare => TrackType::Video,
        TrackSource::Microphone | TrackSource::ScreenShareAudio => TrackType::Audio,
    };
    TrackInfo {
        sid: track.sid.clone(),
        r#type: kind as i32,
        muted: track.muted,
        source: source(track.source) as i32,
        ..TrackInfo::default()
    }
}

fn source(source: TrackSource) -> Source {
    match source {
        TrackSource::Camera => Source::Camera,
        TrackSource::Microphone => Source::Microphone,
        TrackSource::ScreenShare => Source::ScreenShare,
        TrackSource::ScreenShareAudio => Source::ScreenShareAudio,
    }
}

/// LiveKit's track source as ours.
pub fn permitted_source(source: Source) -> Option<TrackSource> {
    match source {
        Source::Camera => Some(TrackSource::Camera),
        Source::Microphone => Some(TrackSource::Microphone),
        Source::ScreenShare => Some(TrackSource::ScreenShare),
        Source::ScreenShareAudio => Some(TrackSource::ScreenShareAudio),
        Source::Unknown => None,
    }
}

fn permission(grants: &Grants, hidden: bool) -> ParticipantPermission {
    let sources = grants.can_publish_sources.iter();
    ParticipantPermission {
        can_subscribe: grants.can_subscribe,
        can_publish: grants.can_publish,
        can_publish_data: grants.may_publish_data(),
        can_publish_sources: sources.map(|allowed| source(*allowed) as i32).collect(),
        hidden,
        ..ParticipantPermission::default()
    }
}

/// A webhook event; the caller adds room, participant and track.
pub fn webhook_event(label: EventLabel, id: &str, at: Timestamp) -> WebhookEvent {
    WebhookEvent {
        event: label.as_str().to_owned(),
        id: id.to_owned(),
        created_at: at.secs(),
        ..WebhookEvent::default()
    }
}

fn seconds(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

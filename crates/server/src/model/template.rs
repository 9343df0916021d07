//! What rooms of each kind are like, where nothing else is said.

use visavis_protocol::{Grants, Role, RoomKind};

/// What a kind of room brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Template {
    /// The most that may be inside; 0 = unlimited.
    pub max_participants: u32,
    /// Whether those inside chat.
    pub chat: bool,
    /// Whether it may be recorded.
    pub recording: bool,
    /// Whether everyone but its hosts watches, unless a token lets them speak.
    pub watched: bool,
}

impl Template {
    /// The template of a kind.
    pub const fn of(kind: RoomKind) -> Self {
        let (max_participants, chat, watched) = match kind {
            RoomKind::Individual => (2, false, false),
            RoomKind::Group => (25, true, false),
            RoomKind::Webinar => (100, true, true),
            RoomKind::Broadcast => (0, true, true),
            RoomKind::Open => (0, true, false),
        };
        Self {
            max_participants,
            chat,
            recording: !matches!(kind, RoomKind::Individual),
            watched,
        }
    }

    /// As what someone takes part who is no host: one who watches sends no
    /// media, but may ask in the chat.
    pub fn seat(self, role: Role, grants: Grants) -> (Role, Grants) {
        if !self.watched {
            return (role, grants);
        }
        let watching = Grants {
            can_publish: false,
            can_publish_data: Some(grants.may_publish_data()),
            ..grants
        };
        (Role::Viewer, watching)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_says_how_many_take_part() {
        let most = |kind| Template::of(kind).max_participants;
        assert_eq!(most(RoomKind::Individual), 2);
        assert_eq!(most(RoomKind::Group), 25);
        assert_eq!(most(RoomKind::Webinar), 100);
        assert_eq!([most(RoomKind::Broadcast), most(RoomKind::Open)], [0, 0]);
        assert!(!Template::of(RoomKind::Individual).recording);
        assert!(Template::of(RoomKind::Group).recording);
    }

    #[test]
    fn who_watches_sends_no_media_and_may_chat_as_before() {
        let webinar = Template::of(RoomKind::Webinar);
        let (role, grants) = webinar.seat(Role::Participant, Grants::default());
        assert_eq!(role, Role::Viewer);
        assert!(!grants.can_publish && grants.may_publish_data());
        let silent = Grants {
            can_publish_data: Some(false),
            ..Grants::default()
        };
        assert!(!webinar.seat(Role::Participant, silent).1.may_publish_data());
        let group = Template::of(RoomKind::Group);
        let (role, grants) = group.seat(Role::Participant, Grants::default());
        assert_eq!((role, grants.can_publish), (Role::Participant, true));
    }
}

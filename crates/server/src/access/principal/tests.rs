use std::net::Ipv4Addr;

use super::*;

const NOW: Timestamp = Timestamp(1_763_649_000_000);
const HOST: Uuid = Uuid::from_u128(1);
const ADMIN: Uuid = Uuid::from_u128(2);
const STRANGER: Uuid = Uuid::from_u128(3);
const MODES: [AuthMode; 3] = [AuthMode::Open, AuthMode::Header, AuthMode::Jwt];

fn keys() -> Keys {
    Keys::new("devkey", "a secret").unwrap()
}

fn origin(trusted: bool, loopback: bool) -> Origin {
    Origin {
        address: Ipv4Addr::LOCALHOST.into(),
        trusted,
        loopback,
        local: loopback,
        operator: loopback,
        foreign: false,
    }
}

fn token(video: VideoGrant) -> Principal {
    Principal::Token(Box::new(keys().claims("ann", None, video, NOW)))
}

fn names() -> Vec<String> {
    ["abc-defg-hij", "ro_1", "group-829b8d608f60"]
        .map(str::to_owned)
        .to_vec()
}

/// Some of create, admin and join; of one room, or of none.
fn grant(what: &str, room: &str) -> VideoGrant {
    VideoGrant {
        room_create: what.contains("create"),
        room_admin: what.contains("admin"),
        room_join: what.contains("join"),
        room: Some(room.to_owned()).filter(|room| !room.is_empty()),
        ..VideoGrant::default()
    }
}

/// Every kind of principal, and whether it may administrate a room, create one
/// where tokens are required, and join.
#[test]
fn each_principal_has_the_permissions_of_the_model() {
    const YES: Result<(), Denied> = Ok(());
    const NO: Result<(), Denied> = Err(Denied::Forbidden);
    const WHO: Result<(), Denied> = Err(Denied::Unauthenticated);
    let names = names();
    let room = &RoomFacts {
        names,
        host: Some(HOST),
    };
    let bearer = |what, room| token(grant(what, room));
    for (asker, administrate, create, join) in [
        (Principal::Open { operator: true }, YES, YES, YES),
        (Principal::Open { operator: false }, WHO, YES, YES),
        (Principal::User(HOST), YES, YES, YES),
        (Principal::User(ADMIN), YES, YES, YES),
        (Principal::User(STRANGER), NO, YES, YES),
        (bearer("", ""), NO, NO, NO),
        (bearer("create", ""), YES, YES, NO),
        (bearer("create", "ro_1"), NO, YES, NO),
        (bearer("create join", "ro_1"), NO, YES, YES),
        // A room by any of its identifiers, another, and none.
        (bearer("admin", "abc-defg-hij"), YES, NO, NO),
        (bearer("admin", "ro_1"), YES, NO, NO),
        (bearer("admin", "group-829b8d608f60"), YES, NO, NO),
        (bearer("admin", "ro_2"), NO, NO, NO),
        (bearer("admin", ""), NO, NO, NO),
        (bearer("admin join", "ro_1"), YES, NO, YES),
        (bearer("join", "ro_1"), NO, NO, YES),
        (bearer("join", "ro_2"), NO, NO, NO),
        (bearer("join", ""), NO, NO, NO),
        (bearer("", "ro_1"), NO, NO, NO),
        (
            Principal::Token(Box::new(keys().dated(NOW, 60))),
            NO,
            NO,
            NO,
        ),
    ] {
        let administrates = may_administrate(&asker, room, &[ADMIN]);
        assert_eq!(administrates, administrate, "{asker:?}");
        assert_eq!(may_create(AuthMode::Jwt, &asker), create, "{asker:?}");
        assert_eq!(may_create(AuthMode::Open, &asker), YES, "{asker:?}");
        assert_eq!(may_join(&asker, room).map(drop), join, "{asker:?}");
    }
}

#[test]
fn only_administrators_operate_the_whole_server() {
    use Denied::{Forbidden, Unauthenticated};
    for (asker, expected) in [
        (Principal::User(ADMIN), Ok(())),
        (Principal::User(HOST), Err(Forbidden)),
        (Principal::Open { operator: true }, Ok(())),
        (Principal::Open { operator: false }, Err(Unauthenticated)),
        (token(grant("create", "")), Ok(())),
        (token(grant("create", "ro_1")), Err(Forbidden)),
        (token(grant("admin", "ro_1")), Err(Forbidden)),
        (token(grant("admin", "")), Err(Forbidden)),
    ] {
        assert_eq!(may_operate(&asker, &[ADMIN]), expected, "{asker:?}");
    }
}

#[test]
fn role_and_grants_come_from_the_token_and_the_owner_is_host() {
    let names = names();
    let room = &RoomFacts {
        names,
        host: Some(HOST),
    };
    let viewer = VideoGrant {
        can_publish: Some(false),
        ..grant("join", "ro_1")
    };
    let any = Grants::default();
    for (asker, role, grants) in [
        (token(viewer.clone()), Role::Viewer, viewer.grants()),
        (
            token(grant("admin join", "ro_1")),
            Role::Host,
            grant("", "").grants(),
        ),
        (
            token(grant("join", "ro_1")),
            Role::Participant,
            grant("", "").grants(),
        ),
        (Principal::User(HOST), Role::Host, any.clone()),
        (Principal::User(STRANGER), Role::Participant, any.clone()),
        (Principal::Open { operator: true }, Role::Participant, any),
    ] {
        let expected = Admission { role, grants };
        assert_eq!(may_join(&asker, room), Ok(expected), "{asker:?}");
    }
    assert!(!viewer.grants().can_publish);
}

#[test]
fn a_valid_token_is_accepted_in_every_mode_and_a_bad_one_in_none() {
    let claims = keys().claims("ann", None, grant("join", "ro_1"), NOW);
    let good = keys().sign(&claims).unwrap();
    for mode in MODES {
        let identify = |bearer, keys| {
            let user = STRANGER.to_string();
            identify(
                mode,
                origin(true, true),
                Some(bearer),
                Some(&user),
                NOW,
                keys,
            )
        };
        let keys = keys();
        let expected = Principal::Token(Box::new(claims.clone()));
        assert_eq!(identify(&good, Some(&keys)), Ok(expected));
        assert_eq!(identify("", Some(&keys)), Err(TokenError::Malformed.into()));
        assert_eq!(identify(&good, None), Err(AccessError::NoKeys));
    }
}

#[test]
fn each_mode_requires_its_own_credentials() {
    let user = STRANGER.to_string();
    let keys = keys();
    let ask = |mode, trusted, loopback, user_header| {
        let origin = origin(trusted, loopback);
        identify(mode, origin, None, user_header, NOW, Some(&keys))
    };
    for loopback in [false, true] {
        for header in [None, Some("nonsense"), Some(user.as_str())] {
            let open = ask(AuthMode::Open, false, loopback, header);
            assert_eq!(open, Ok(Principal::Open { operator: loopback }));
            let jwt = ask(AuthMode::Jwt, true, loopback, header);
            assert_eq!(jwt, Err(AccessError::NoToken));
            let unlisted = ask(AuthMode::Header, false, loopback, header);
            assert_eq!(unlisted, Err(AccessError::UnlistedProxy));
        }
    }
    for (header, expected) in [
        (Some(user.as_str()), Ok(Principal::User(STRANGER))),
        (None, Err(AccessError::NoUser)),
        (Some(""), Err(AccessError::BadUser)),
        (Some("9"), Err(AccessError::BadUser)),
        (
            Some("00000000-0000-0000-0000-00000000000g"),
            Err(AccessError::BadUser),
        ),
    ] {
        assert_eq!(ask(AuthMode::Header, true, false, header), expected);
    }
    let foreign = Origin {
        foreign: true,
        ..origin(true, false)
    };
    let refused = identify(AuthMode::Header, foreign, None, Some(&user), NOW, None);
    assert_eq!(refused, Err(AccessError::ForeignOrigin));
}

#[test]
fn a_mode_parses_from_its_own_text() {
    for mode in MODES {
        assert_eq!(mode.to_string().parse(), Ok(mode));
    }
    assert!("Open".parse::<AuthMode>().is_err());
}

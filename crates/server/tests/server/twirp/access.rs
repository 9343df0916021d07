//! Who may call what.

use livekit_api::access_token::VideoGrants;
use serde_json::json;

use super::{admin, call, creator, guarded, lister, token};
use crate::support::http;

#[tokio::test]
async fn a_token_does_what_it_grants_and_nothing_else() {
    let server = guarded().await;
    let address = server.local_addr();
    let create = json!({"name": "tea"});
    let people = json!({"room": "tea"});
    let (status, _) = call(
        address,
        Some(&token(creator())),
        "CreateRoom",
        create.clone(),
    )
    .await;
    assert_eq!(status, 200);
    for (token, method, request, status) in [
        (token(lister()), "CreateRoom", create.clone(), 403),
        (token(admin("tea")), "CreateRoom", create.clone(), 403),
        (token(creator()), "ListRooms", json!({}), 403),
        (token(admin("tea")), "ListRooms", json!({}), 403),
        (token(lister()), "ListRooms", json!({}), 200),
        (token(lister()), "ListParticipants", people.clone(), 403),
        (
            token(admin("coffee")),
            "ListParticipants",
            people.clone(),
            403,
        ),
        (
            token(admin("coffee")),
            "UpdateRoomMetadata",
            people.clone(),
            403,
        ),
        (
            token(admin("tea")),
            "ListParticipants",
            json!({"room": "coffee"}),
            403,
        ),
        (
            token(admin("coffee")),
            "ListParticipants",
            json!({"room": "coffee"}),
            404,
        ),
        (token(admin("tea")), "ListParticipants", people.clone(), 200),
        (token(admin("tea")), "DeleteRoom", people.clone(), 403),
        (
            token(lister()),
            "DeleteRoom",
            json!({"room": "coffee"}),
            403,
        ),
        (
            token(creator()),
            "DeleteRoom",
            json!({"room": "coffee"}),
            404,
        ),
        (token(creator()), "DeleteRoom", people.clone(), 200),
    ] {
        let (got, answer) = call(address, Some(&token), method, request).await;
        assert_eq!(got, status, "{method}: {answer}");
        if status == 403 {
            assert_eq!(answer["code"], "permission_denied");
        }
    }
}

#[tokio::test]
async fn a_join_token_is_validated_in_the_header_alone() {
    let server = guarded().await;
    let address = server.local_addr();
    let joiner = token(VideoGrants {
        room_join: true,
        room: "tea".to_owned(),
        ..VideoGrants::default()
    });
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    for (path, head, status) in [
        ("/rtc/validate".to_owned(), bearer(&joiner), 200),
        ("/rtc/validate/".to_owned(), bearer(&joiner), 200),
        ("/rtc/validate".to_owned(), bearer(&token(lister())), 401),
        ("/rtc/validate".to_owned(), bearer("x"), 401),
        ("/rtc/validate".to_owned(), String::new(), 401),
        (
            format!("/rtc/validate?access_token={joiner}"),
            String::new(),
            401,
        ),
    ] {
        let (got, _, body) = http(address, "GET", &path, &head, "").await;
        assert_eq!(got, status, "{path}: {body}");
        assert!(got != 200 || body == "success", "{body}");
    }
}

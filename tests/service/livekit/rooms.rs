//! Rooms and those inside, administrated.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use visavis_tests::acceptance::{Keys, Sdk, room_service};
use visavis_tests::postgres::Postgres;
use visavis_tests::redis::Redis;
use visavis_tests::wait::wait_until;

use super::{GUARDED, KEYS, LIMIT, done, enter, refused, server};

#[tokio::test]
async fn the_stock_sdks_administrate_a_room_with_people_inside() -> Result<()> {
    let server = server(&GUARDED).await?;
    for sdk in Sdk::ALL {
        let room = format!("tea-{sdk:?}");
        let made =
            json!({"name": room, "emptyTimeout": 60, "maxParticipants": 5, "metadata": "green"});
        let made = done(sdk, &server, "CreateRoom", made).await?;
        ensure!(
            made["name"] == *room && made["emptyTimeout"] == 60,
            "{made}"
        );
        ensure!(
            made["maxParticipants"] == 5 && made["metadata"] == "green",
            "{made}"
        );

        let features = json!(["members", "controls", "chat"]);
        let mut ann = enter(sdk, &server, "ann", &room, features).await?;
        let bob = enter(sdk, &server, "bob", &room, json!([])).await?;
        let tracks = json!({"tracks": [{"source": "microphone", "muted": false}]});
        let update = json!({"type": "update-member", "payload": tracks});
        ann.ask(update, "member-updated").await?;

        let all = done(sdk, &server, "ListRooms", json!({})).await?;
        let names = json!({"names": [room, "no-such"]});
        let listed = done(sdk, &server, "ListRooms", names).await?;
        ensure!(
            all["rooms"]
                .as_array()
                .is_some_and(|rooms| !rooms.is_empty())
        );
        ensure!(
            listed["rooms"]
                .as_array()
                .is_some_and(|rooms| rooms.len() == 1),
            "{listed}"
        );
        ensure!(listed["rooms"][0]["numParticipants"] == 2, "{listed}");

        let inside = done(sdk, &server, "ListParticipants", json!({"room": room})).await?;
        let identities: Vec<_> = inside["participants"]
            .as_array()
            .context("a list")?
            .iter()
            .map(|who| &who["identity"])
            .collect();
        ensure!(identities == ["ann", "bob"], "{inside}");
        let named = json!({"room": room, "identity": "ann"});
        let found = done(sdk, &server, "GetParticipant", named.clone()).await?;
        ensure!(found["name"] == "ANN", "{found}");
        let track = &found["tracks"][0];
        ensure!(
            track["source"] == "MICROPHONE" || track["source"] == 2,
            "{found}"
        );

        let mute =
            json!({"room": room, "identity": "ann", "trackSid": track["sid"], "muted": true});
        let muted = done(sdk, &server, "MutePublishedTrack", mute).await?;
        ensure!(muted["track"]["sid"] == track["sid"] && muted["track"]["muted"] == true);
        let told = ann.hears("mute-member").await?;
        ensure!(told["payload"]["source"] == "microphone" && told["from"].is_null());

        let permission = json!({"canSubscribe": true, "canPublish": false, "canPublishData": true});
        let change = json!({"room": room, "identity": "bob", "name": "Bob", "metadata": "m", "permission": permission});
        let changed = done(sdk, &server, "UpdateParticipant", change).await?;
        ensure!(
            changed["name"] == "Bob" && changed["metadata"] == "m",
            "{changed}"
        );
        ensure!(changed["permission"]["canSubscribe"] == true, "{changed}");
        let told = wait_until("ann hears of the change", LIMIT, async || {
            let messages = ann.received().into_iter();
            let mut updates = messages.filter(|message| message["type"] == "member-updated");
            Ok(updates.find(|message| message["memberId"] == bob.id()))
        });
        let told = told.await?["member"].take();
        ensure!(
            told["name"] == "Bob" && told["grants"]["canPublish"] == false,
            "{told}"
        );

        let data = json!({"room": room, "data": "SGVsbG8=", "destinationIdentities": ["bob"]});
        done(sdk, &server, "SendData", data).await?;
        ensure!(bob.hears("chat").await?["payload"]["text"] == "Hello");
        let metadata = json!({"room": room, "metadata": "black"});
        let told = done(sdk, &server, "UpdateRoomMetadata", metadata).await?;
        ensure!(told["metadata"] == "black", "{told}");

        done(sdk, &server, "RemoveParticipant", named.clone()).await?;
        let removed = ann.hears("member-removed").await?;
        ensure!(removed["reason"] == "removed-by-administrator", "{removed}");
        ensure!(bob.hears("member-left").await?["memberId"] == ann.id());
        refused(sdk, &server, "GetParticipant", named, "not_found").await?;

        done(sdk, &server, "DeleteRoom", json!({"room": room})).await?;
        bob.hears("error").await?;
        let listed = done(sdk, &server, "ListRooms", json!({"names": [room]})).await?;
        ensure!(
            listed["rooms"].as_array().is_none_or(Vec::is_empty),
            "{listed}"
        );
        refused(
            sdk,
            &server,
            "DeleteRoom",
            json!({"room": room}),
            "not_found",
        )
        .await?;
        let nameless = json!({"name": ""});
        refused(sdk, &server, "CreateRoom", nameless, "invalid_argument").await?;
    }
    server.stop().await
}

#[tokio::test]
async fn the_stock_sdks_are_told_when_their_key_is_not_the_services() -> Result<()> {
    let server = server(&GUARDED).await?;
    let url = format!("http://{}", server.address());
    let wrong = Keys {
        secret: "another-secret-of-32-characters-or-more",
        ..KEYS
    };
    for sdk in Sdk::ALL {
        let calls = [("ListRooms", json!({}))];
        let answers = room_service(sdk, wrong, &url, &calls).await?;
        let error = &answers[0]["error"];
        ensure!(
            error["code"] == "unauthenticated" && error["status"] == 401,
            "{answers:?}"
        );
    }
    server.stop().await
}

#[tokio::test]
async fn the_admin_api_reaches_people_on_another_node() -> Result<()> {
    let postgres = Postgres::start().await?;
    let redis = Redis::start().await?;
    let (database, redis) = (postgres.url(), redis.url());
    let shared = [&GUARDED[..], &["--database", &database, "--redis", &redis]].concat();
    let (here, there) = (server(&shared).await?, server(&shared).await?);
    let sdk = Sdk::Python;
    done(sdk, &here, "CreateRoom", json!({"name": "tea"})).await?;
    let features = json!(["members", "controls", "chat"]);
    let mut ann = enter(sdk, &there, "ann", "tea", features).await?;
    let tracks = json!({"tracks": [{"source": "camera", "muted": false}]});
    let update = json!({"type": "update-member", "payload": tracks});
    ann.ask(update, "member-updated").await?;

    let named = json!({"room": "tea", "identity": "ann"});
    let found = done(sdk, &here, "GetParticipant", named.clone()).await?;
    let sid = &found["tracks"][0]["sid"];
    let mute = json!({"room": "tea", "identity": "ann", "trackSid": sid, "muted": true});
    done(sdk, &here, "MutePublishedTrack", mute).await?;
    ann.hears("mute-member").await?;
    let change = json!({"room": "tea", "identity": "ann", "name": "Anna"});
    done(sdk, &here, "UpdateParticipant", change).await?;
    wait_until("the name is stored where she is", LIMIT, async || {
        let found = done(sdk, &here, "GetParticipant", named.clone()).await?;
        Ok((found["name"] == "Anna").then_some(()))
    })
    .await?;
    let data = json!({"room": "tea", "data": "SGVsbG8="});
    done(sdk, &here, "SendData", data).await?;
    ensure!(ann.hears("chat").await?["payload"]["text"] == "Hello");
    done(sdk, &here, "RemoveParticipant", named).await?;
    ann.hears("member-removed").await?;
    let again = json!({"room": "tea", "metadata": "m"});
    done(sdk, &here, "UpdateRoomMetadata", again).await?;
    for node in [here, there] {
        node.stop().await?;
    }
    Ok(())
}

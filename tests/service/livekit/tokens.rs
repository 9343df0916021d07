//! Tokens, ours and the SDKs'.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::process::Command;
use visavis_tests::acceptance::{Sdk, make_token, verify_token};
use visavis_tests::programs;

use super::{KEYS, done, server};

#[tokio::test]
async fn s2_33_a_token_of_ours_says_what_the_sdks_do_for_the_same_grant() -> Result<()> {
    let mut command = Command::new(programs::built("visavis-server")?);
    let keys = ["--api-key", KEYS.key, "--api-secret", KEYS.secret];
    let who = [
        "--identity",
        "9-a@b.c",
        "--name",
        "Ann",
        "--room",
        "ro_1",
        "--admin",
    ];
    command.arg("token").args(keys).args(who);
    let ours = programs::output(&mut command).await?;
    let grant = json!({"room": "ro_1", "roomJoin": true, "roomAdmin": true, "roomRecord": true,
        "canPublish": true, "canSubscribe": true, "canPublishData": true});
    for sdk in Sdk::ALL {
        let wanted = json!({"identity": "9-a@b.c", "name": "Ann", "ttl": 14_400, "video": grant});
        let theirs = make_token(sdk, KEYS, wanted).await?;
        let ours = claims(sdk, ours.trim()).await?;
        let theirs = claims(sdk, &theirs).await?;
        ensure!(ours == theirs, "{sdk:?}: {ours} {theirs}");
        ensure!(
            ours["video"]["roomAdmin"] == true && ours["name"] == "Ann",
            "{ours}"
        );
    }
    Ok(())
}

/// A token's claims, verified; times and what is not set aside.
async fn claims(sdk: Sdk, token: &str) -> Result<Value> {
    let mut claims = verify_token(sdk, KEYS, token).await?;
    let fields = claims.as_object_mut().context("claims")?;
    for time in ["iat", "nbf", "exp"] {
        fields.remove(time);
    }
    let unset = |value: &Value| {
        value.is_null() || value == "" || *value == json!({}) || *value == json!([])
    };
    fields.retain(|_, value| !unset(value));
    if let Some(video) = claims["video"].as_object_mut() {
        video.retain(|_, value| !unset(value) && *value != json!(false));
    }
    Ok(claims)
}

#[tokio::test]
async fn s2_31_s2_32_a_booked_rooms_tokens_are_verified_by_the_stock_sdks() -> Result<()> {
    let server = server(&[]).await?;
    let booking = json!({"kind": "individual", "status": "confirmed", "participants": [
        {"user_id": 9, "email": "ann@mail", "name": "Ann", "role": "practitioner"},
        {"user_id": 10, "email": "bob@mail", "name": "Bob", "role": "participant"},
    ]});
    let made = server.http().post("/api/v1/bookings", &booking).await?;
    let room = made.expect(201)?["room"].take();
    let id = room["id"].as_str().context("an id")?;
    for (user, identity, name, leads) in [
        (9, "9-ann@mail", "Ann", true),
        (10, "10-bob@mail", "Bob", false),
    ] {
        let path = format!("/api/v1/rooms/{id}/get_token/");
        let ticket = server.http().post(&path, &json!({"user_id": user})).await?;
        let ticket = ticket.expect(200)?;
        let token = ticket["token"].as_str().context("a token")?;
        for sdk in Sdk::ALL {
            let claims = claims(sdk, token).await?;
            let video = &claims["video"];
            ensure!(claims["name"] == name, "{sdk:?}: {claims}");
            ensure!(
                claims["sub"] == identity || claims["identity"] == identity,
                "{claims}"
            );
            ensure!(
                video["room"] == room["name"] && video["roomJoin"] == true,
                "{claims}"
            );
            for grant in ["roomAdmin", "roomRecord"] {
                ensure!((video[grant] == true) == leads, "{sdk:?}: {claims}");
            }
        }
    }
    server.stop().await
}

#[tokio::test]
async fn s1_15_s1_16_the_stock_sdks_list_a_sessions_room_once_its_host_has_a_token() -> Result<()> {
    let server = server(&[]).await?;
    let http = server.http();
    let channel = http.post("/channel", &json!({"name": "News"})).await?;
    let channel = channel.expect(201)?;
    let said = json!({"channel_id": channel["channel_id"]});
    let session = http.post("/session", &said).await?.expect(201)?;
    let names = json!({"names": [session["room_id"]]});
    let listed = async |sdk| {
        let listed = done(sdk, &server, "ListRooms", names.clone()).await?;
        let rooms = listed["rooms"].as_array().cloned();
        anyhow::Ok(rooms.unwrap_or_default())
    };
    for sdk in Sdk::ALL {
        ensure!(
            listed(sdk).await?.is_empty(),
            "{sdk:?}: it does not live yet"
        );
    }
    let id = session["session_id"].as_str().context("an id")?;
    let said = json!({"display_name": "Ann"});
    http.post(&format!("/session/{id}/token"), &said)
        .await?
        .expect(200)?;
    for sdk in Sdk::ALL {
        let rooms = listed(sdk).await?;
        ensure!(
            rooms.len() == 1 && rooms[0]["name"] == session["room_id"],
            "{rooms:?}"
        );
    }
    server.stop().await
}

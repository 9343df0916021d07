//! What a participant may be sent, and survives.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use visavis_tests::chromium::Chromium;
use visavis_tests::headless::{Event, Headless, SMALL, refused, see_each_other};
use visavis_tests::plain_client::PlainClient;
use visavis_tests::server::RoomServer;
use visavis_tests::wait::wait_until;

const NO_WAY_IN: Option<i32> = Some(3);
const OFFER_LIMIT: Duration = Duration::from_secs(30);
/// Two seconds' worth.
const FLOWING: u64 = 30;

async fn pair(server: &RoomServer) -> Result<[Headless; 2]> {
    let scene = ["--video", SMALL, "--audio", "tone:440"];
    let hosting = [scene.as_slice(), &["--create", "sturdy"]].concat();
    let host = Headless::join("host", &server.url(), &hosting).await?;
    let joining = [scene.as_slice(), &["--room", host.room()]].concat();
    let guest = Headless::join("guest", &server.url(), &joining).await?;
    see_each_other(&[&host, &guest], FLOWING).await?;
    Ok([host, guest])
}

#[tokio::test]
async fn s2_63_s3_37_s3_52_who_cannot_join_says_why_and_ends() -> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let mut host = PlainClient::connect(&server.url()).await?;
    let full = host.create("for one", 1).await?;
    for (room, code) in [("abc-defg-hij", "room-not-found"), (&full, "room-full")] {
        let (status, events) = refused(&server.url(), &["--room", room]).await?;
        ensure!(status == NO_WAY_IN, "{room}: {status:?}");
        let error = Event::Error {
            code: code.to_owned(),
        };
        ensure!(events.contains(&error), "{room}: {events:?}");
    }
    server.stop().await
}

#[tokio::test]
async fn nonsense_in_place_of_sdp_and_candidates_harms_neither_the_call_nor_its_others()
-> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let [host, guest] = pair(&server).await?;
    let room = host.room().to_owned();
    let mut fool = PlainClient::connect(&server.url()).await?;
    fool.join(&room).await?;
    for payload in [
        json!({"type": "offer", "sdp": "nonsense"}),
        json!({"type": "offer", "sdp": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video"}),
        json!({"type": "offer", "sdp": ""}),
        json!({"type": "offer"}),
        json!({"type": "offer", "sdp": 7}),
        json!({"type": "answer", "sdp": "v=0"}),
        json!({}),
    ] {
        for kind in ["offer", "answer"] {
            say(&mut fool, kind, &host, &payload).await?;
        }
    }
    for payload in [
        json!({"candidate": "nonsense", "sdpMid": "0"}),
        json!({"candidate": "candidate:1 1 udp 1 999.999.999.999 99999 typ host", "sdpMid": "9"}),
        json!({"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host", "sdpMLineIndex": 65535}),
        json!({"candidate": ["array"]}),
        json!({"candidate": ""}),
    ] {
        say(&mut fool, "ice-candidate", &host, &payload).await?;
    }
    // Nonsense offered, it is offered to: the host still negotiates with it.
    let offered = |message: &Value| message["type"] == "offer" && message["from"] == host.member();
    wait_until("the host offers", OFFER_LIMIT, async || {
        Ok(fool.received().iter().any(offered).then_some(()))
    })
    .await?;
    say(
        &mut fool,
        "answer",
        &host,
        &json!({"type": "answer", "sdp": "nonsense"}),
    )
    .await?;
    see_each_other(&[&host, &guest], FLOWING).await?;
    drop(fool);
    see_each_other(&[&host, &guest], FLOWING).await?;
    host.leave().await?;
    guest.leave().await?;
    server.stop().await
}

async fn say(fool: &mut PlainClient, kind: &str, to: &Headless, payload: &Value) -> Result<()> {
    let message = json!({"type": kind, "roomId": to.room(), "to": to.member(), "payload": payload});
    fool.say(message).await
}

#[tokio::test]
async fn garbage_in_place_of_media_harms_neither_who_receives_it_nor_the_others() -> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let [host, guest] = pair(&server).await?;
    let chromium = Chromium::start().await?;
    for codec in ["vp8", "h264"] {
        let query = format!(
            "room={}&source=canvas&scramble=1&codec={codec}",
            host.room()
        );
        let mut page = chromium.participant(&server.url(), &query).await?;
        let (_, theirs) = page.inside().await?;
        // It receives ours whole, so it is connected; what it sends is garbage.
        for one in [&host, &guest] {
            page.sees(one.member(), "our media in Chromium", |peer| {
                peer["timeCodes"].as_u64() >= Some(FLOWING)
                    && peer["garbled"].as_u64() >= Some(FLOWING)
            })
            .await?;
            one.reports("packets of garbage", OFFER_LIMIT, |event| match event {
                Event::Stats(stats) if stats.member == theirs => {
                    (stats.received_kbps > 1.0).then_some(())
                }
                _ => None,
            })
            .await?;
        }
        see_each_other(&[&host, &guest], FLOWING).await?;
        page.evaluate("window.leave()").await?;
    }
    host.leave().await?;
    guest.leave().await?;
    server.stop().await
}

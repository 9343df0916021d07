//! Calls through a TURN server, and nothing else.

use std::time::Duration;

use anyhow::{Result, ensure};
use visavis_server::{Limits, Server, ServerConfig};
use visavis_tests::headless::{Event, Headless, SMALL, see_each_other};
use visavis_tests::server::RoomServer;
use visavis_tests::turn::{Credentials, TurnServer};

/// Pictures that show that a direction carries them: two seconds' worth.
const FLOWING: u64 = 30;
/// A connection that hears nothing says so well before.
const LOSS_LIMIT: Duration = Duration::from_secs(60);

/// Two who see each other through the relay, told to them by `arguments`, or
/// by their server.
async fn pair(url: &str, arguments: &[&str]) -> Result<[Headless; 2]> {
    let scene = [&["--relay-only", "--video", SMALL], arguments].concat();
    let hosting = [scene.as_slice(), &["--create", "relayed"]].concat();
    let host = Headless::join("host", url, &hosting).await?;
    let joining = [scene.as_slice(), &["--room", host.room()]].concat();
    let guest = Headless::join("guest", url, &joining).await?;
    see_each_other(&[&host, &guest], FLOWING).await?;
    Ok([host, guest])
}

#[tokio::test]
async fn a_call_goes_through_a_relay_that_the_participants_bring_and_not_without_it() -> Result<()>
{
    let relay = TurnServer::start(Credentials::User("someone", "something")).await?;
    let server = RoomServer::start(&[]).await?;
    let ice_server = format!("{},someone,something", relay.url());
    let [host, guest] = pair(&server.url(), &["--ice-server", &ice_server]).await?;
    drop(relay);
    host.reports("that it lost the guest", LOSS_LIMIT, |event| match event {
        Event::Peer { state, .. } => (state == "disconnected").then_some(()),
        _ => None,
    })
    .await?;
    host.leave().await?;
    guest.leave().await?;
    server.stop().await
}

#[tokio::test]
async fn a_call_goes_through_a_relay_whose_credentials_the_server_makes() -> Result<()> {
    let relay = TurnServer::start(Credentials::Secret("between us")).await?;
    let url = relay.url();
    let server = RoomServer::start(&["--ice-server", &url, "--turn-secret", "between us"]).await?;
    let [host, guest] = pair(&server.url(), &[]).await?;
    ensure!(relay.allocations() >= 2, "the relay relays nothing");
    host.leave().await?;
    guest.leave().await?;
    server.stop().await
}

#[tokio::test]
async fn a_call_outlives_a_relay_that_restarts_after_the_first_credentials_have_expired()
-> Result<()> {
    const LIFETIME: Duration = Duration::from_secs(12);
    const SECRET: Credentials<'_> = Credentials::Secret("between us");
    let mut relay = TurnServer::start(SECRET).await?;
    let config = ServerConfig {
        ice_servers: vec![relay.url().parse()?],
        turn_secret: Some("between us".to_owned()),
        limits: Limits {
            turn_lifetime: LIFETIME,
            ..Limits::default()
        },
        ..ServerConfig::default()
    };
    let server = Server::bind(config).await?;
    let url = format!("ws://{}/ws", server.local_addr());
    let [host, guest] = pair(&url, &[]).await?;
    // The credentials of the joins are invalid then.
    tokio::time::sleep(LIFETIME).await;
    relay.restart(SECRET).await?;
    see_each_other(&[&host, &guest], FLOWING).await?;
    ensure!(relay.allocations() >= 2, "the relay relays nothing");
    host.leave().await?;
    guest.leave().await?;
    server.shutdown().await;
    Ok(())
}

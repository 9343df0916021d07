//! A store that does not answer holds up what has to be stored, and nothing else.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use visavis_tests::plain_client::PlainClient;
use visavis_tests::postgres::Postgres;
use visavis_tests::server::{Launch, RoomServer};
use visavis_tests::wait::wait_until;

const LIMIT: Duration = Duration::from_secs(30);
/// What the log says while the store does not answer.
const ANNOUNCED: [&str; 1] = ["the store failed"];

struct Scene {
    postgres: Postgres,
    server: RoomServer,
    room: String,
    ann: PlainClient,
    ben: PlainClient,
    cleo: PlainClient,
}

impl Scene {
    async fn start() -> Result<Self> {
        let postgres = Postgres::start().await?;
        let server = RoomServer::launch(Launch {
            arguments: &["--database", &postgres.url()],
            environment: &[("RUST_LOG", "warn")],
            ..Launch::default()
        })
        .await?;
        let mut ann = PlainClient::connect(&server.url()).await?;
        let room = ann.create("Tea", 0).await?;
        let mut ben = PlainClient::connect(&server.url()).await?;
        ben.join(&room).await?;
        let mut cleo = PlainClient::connect(&server.url()).await?;
        cleo.join(&room).await?;
        Ok(Self {
            postgres,
            server,
            room,
            ann,
            ben,
            cleo,
        })
    }

    /// Ann mutes herself: that is to be stored.
    async fn change(&mut self) -> Result<()> {
        let tracks = json!([{"source": "microphone", "muted": true}]);
        let update = json!({"type": "update-member", "roomId": self.room,
            "payload": {"tracks": tracks}});
        self.ann.say(update).await
    }

    /// Offers between two others arrive, one after the other.
    async fn offers_arrive(&mut self) -> Result<()> {
        for number in 0..20 {
            let sdp = format!("offer {number} at {:?}", std::time::Instant::now());
            let payload = json!({"type": "offer", "sdp": sdp});
            let to = self.cleo.id().to_owned();
            self.ben
                .say(json!({"type": "offer", "roomId": self.room, "to": to, "payload": payload}))
                .await?;
            wait_until("the offer arrives", LIMIT, async || {
                let received = self.cleo.received();
                let arrived = received.iter().any(|message| message["payload"] == payload);
                Ok(arrived.then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    /// Whether the change is stored.
    async fn is_stored(&self) -> Result<bool> {
        let sql = "SELECT COUNT(*) FROM participants WHERE doc LIKE '%microphone%'";
        Ok(self.postgres.query(sql).await? == "1")
    }
}

#[tokio::test]
async fn offers_are_relayed_while_a_table_is_locked_and_the_change_is_stored_later() -> Result<()> {
    let mut scene = Scene::start().await?;
    let lock = "BEGIN; LOCK TABLE participants IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3600)";
    let holders = "SELECT pid FROM pg_locks WHERE mode = 'AccessExclusiveLock' \
        AND granted AND relation = 'participants'::regclass";
    let locked = scene.postgres.query(lock);
    let during = async {
        wait_until("the table is locked", LIMIT, async || {
            Ok((!scene.postgres.query(holders).await?.is_empty()).then_some(()))
        })
        .await
    };
    // The lock is held until its backend is ended below.
    let mut locked = Box::pin(locked);
    tokio::select! {
        ended = &mut locked => anyhow::bail!("the lock ended: {ended:?}"),
        held = during => held?,
    }
    let holder = scene.postgres.query(holders).await?;
    drop(locked);
    scene.change().await?;
    scene.offers_arrive().await?;
    ensure!(
        scene.postgres.query(holders).await? == holder,
        "the table is still locked"
    );
    let end = format!("SELECT pg_terminate_backend({holder})");
    scene.postgres.query(&end).await?;
    wait_until("the change is stored", LIMIT, async || {
        Ok(scene.is_stored().await?.then_some(()))
    })
    .await?;
    scene.server.stop_after(&ANNOUNCED).await
}

#[tokio::test]
async fn a_stopped_database_delays_what_is_stored_and_the_server_says_that_it_is_not_ready()
-> Result<()> {
    let mut scene = Scene::start().await?;
    scene.postgres.pause()?;
    scene.change().await?;
    scene.offers_arrive().await?;
    let ready = |status: u16| {
        let http = scene.server.http().clone();
        async move {
            wait_until("readiness", LIMIT, async || {
                Ok((http.get("/readyz").await?.status == status).then_some(()))
            })
            .await
        }
    };
    ready(503).await?;
    let chat = json!({"type": "chat", "roomId": scene.room, "payload": "hello"});
    let refused = scene.ann.ask(chat, "error").await?;
    ensure!(refused["code"] == "server-busy", "{refused}");
    let ready_again = ready(200);
    scene.postgres.resume()?;
    ready_again.await?;
    wait_until("the change is stored", LIMIT, async || {
        Ok(scene.is_stored().await?.then_some(()))
    })
    .await?;
    scene.server.stop_after(&ANNOUNCED).await
}

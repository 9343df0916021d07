//! A store that does not answer holds up what has to be stored, and nothing else.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use visavis_tests::plain_client::PlainClient;
use visavis_tests::postgres::Postgres;
use visavis_tests::redis::Redis;
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

/// Who holds a lock that excludes everyone from a table.
async fn holder(postgres: &Postgres, table: &str) -> Result<String> {
    let sql = format!(
        "SELECT pid FROM pg_locks WHERE mode = 'AccessExclusiveLock' \
         AND granted AND relation = '{table}'::regclass"
    );
    postgres.query(&sql).await
}

/// Locks a table until [`unlock`], and names the backend that holds the lock.
async fn lock(postgres: &Postgres, table: &str) -> Result<String> {
    let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3600)");
    let held = wait_until("the table is locked", LIMIT, async || {
        let holder = holder(postgres, table).await?;
        Ok((!holder.is_empty()).then_some(holder))
    });
    // The backend keeps the lock when its client is gone.
    tokio::select! {
        ended = postgres.query(&lock) => anyhow::bail!("the lock ended: {ended:?}"),
        holder = held => holder,
    }
}

/// Ends the backend that holds the lock, which it must still hold.
async fn unlock(postgres: &Postgres, table: &str, held_by: &str) -> Result<()> {
    ensure!(
        holder(postgres, table).await? == held_by,
        "it is still locked"
    );
    let end = format!("SELECT pg_terminate_backend({held_by})");
    postgres.query(&end).await?;
    Ok(())
}

#[tokio::test]
async fn s4_28_joins_of_a_full_room_are_refused_by_redis_alone() -> Result<()> {
    let (postgres, redis) = (Postgres::start().await?, Redis::start().await?);
    let arguments = ["--database", &postgres.url(), "--redis", &redis.url()];
    let server = RoomServer::start(&arguments).await?;
    let mut host = PlainClient::connect(&server.url()).await?;
    let room = host.create("Tea", 2).await?;
    let mut second = PlainClient::connect(&server.url()).await?;
    second.join(&room).await?;
    let join = json!({"type": "join-room", "payload": {"roomId": room}});
    let refused = async |client: &mut PlainClient| {
        let refused = client.ask(join.clone(), "error").await?;
        ensure!(refused["code"] == "room-full", "{refused}");
        anyhow::Ok(())
    };
    let mut others = Vec::new();
    for _ in 0..20 {
        others.push(PlainClient::connect(&server.url()).await?);
    }
    let rooms = lock(&postgres, "rooms").await?;
    let participants = lock(&postgres, "participants").await?;
    for other in &mut others {
        refused(other).await?;
    }
    unlock(&postgres, "participants", &participants).await?;
    unlock(&postgres, "rooms", &rooms).await?;
    // A place that is free in the rows only becomes free in Redis.
    let places = redis.ask(&["KEYS", "members:*"]).await?;
    redis.ask(&["SADD", &places, "PA_of_nobody"]).await?;
    second
        .say(json!({"type": "leave-room", "payload": {"roomId": room}}))
        .await?;
    wait_until("a place", LIMIT, async || {
        let mut client = PlainClient::connect(&server.url()).await?;
        client.say(join.clone()).await?;
        let answer = wait_until("an answer", LIMIT, async || {
            let kinds = ["room-joined", "error"];
            let is_answer = |message: &&Value| kinds.iter().any(|kind| message["type"] == *kind);
            Ok(client.received().iter().find(is_answer).cloned())
        });
        Ok((answer.await?["type"] == "room-joined").then_some(()))
    })
    .await?;
    // The comparison with the locked rows failed.
    server.stop_after(&ANNOUNCED).await
}

#[tokio::test]
async fn offers_are_relayed_while_a_table_is_locked_and_the_change_is_stored_later() -> Result<()> {
    let mut scene = Scene::start().await?;
    let holder = lock(&scene.postgres, "participants").await?;
    scene.change().await?;
    scene.offers_arrive().await?;
    unlock(&scene.postgres, "participants", &holder).await?;
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

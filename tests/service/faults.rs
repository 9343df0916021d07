//! Parts of the service fail under load: its database, its Redis, one of its
//! nodes, a receiver of its webhooks. What was acknowledged is there afterwards,
//! counted; what was not was refused in clear words, and in time.

mod desk;
mod person;
mod proof;
mod tally;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;
use tokio::time::timeout;
use visavis_tests::acceptance::Keys;
use visavis_tests::postgres::Postgres;
use visavis_tests::redis::Redis;
use visavis_tests::server::{Launch, RoomServer};
use visavis_tests::wait::wait_until;
use visavis_tests::webhook_sink::WebhookSink;

use self::tally::Tally;

/// Rooms of four, to which five go each.
const ROOMS: usize = 25;
const PEOPLE: usize = 5 * ROOMS;
const DESKS: usize = 4;
const ONLOOKERS: usize = 2;
/// How long anything may take on a busy machine: a dead node's lease is in it.
const LIMIT: Duration = Duration::from_secs(90);
const KEYS: Keys<'static> = Keys {
    key: "faults",
    secret: "a secret of more than thirty-two bytes",
};
/// What a node's log may complain of while its database is down.
const ANNOUNCED: [&str; 1] = ["the store failed"];

struct Scene {
    postgres: Postgres,
    redis: Redis,
    sink: WebhookSink,
    nodes: Vec<Option<RoomServer>>,
    tally: Arc<Tally>,
    tasks: JoinSet<Result<()>>,
}

impl Scene {
    /// Nodes on one database and one Redis, and people who use them.
    async fn start(nodes: usize) -> Result<Self> {
        let mut scene = Self {
            postgres: Postgres::start().await?,
            redis: Redis::start().await?,
            sink: WebhookSink::start(KEYS).await?,
            nodes: Vec::new(),
            tally: Arc::default(),
            tasks: JoinSet::new(),
        };
        for number in 0..nodes {
            scene.add_node(&format!("node {number}")).await?;
        }
        let tally = &scene.tally;
        for slot in 0..ROOMS {
            let room = desk::make(tally, slot, &format!("stage {slot}")).await;
            tally.set_stage(slot, room.context("a room to begin with")?);
        }
        let tasks = &mut scene.tasks;
        for number in 0..PEOPLE {
            tasks.spawn(person::live(number, Arc::clone(tally)));
        }
        for number in 0..DESKS {
            tasks.spawn(desk::work(number, Arc::clone(tally)));
        }
        for number in 0..ONLOOKERS {
            tasks.spawn(desk::look_on(number, Arc::clone(tally)));
        }
        tasks.spawn(desk::replace_rooms(ROOMS, Arc::clone(tally)));
        scene.goes_on().await?;
        Ok(scene)
    }

    async fn add_node(&mut self, name: &str) -> Result<()> {
        let (database, redis, sink) = (self.postgres.url(), self.redis.url(), self.sink.url());
        let (key, secret) = (KEYS.key, KEYS.secret);
        let mut arguments = vec!["--database", &database, "--redis", &redis];
        arguments.extend(["--webhook", &sink, "--api-key", key, "--api-secret", secret]);
        let node = RoomServer::launch(Launch {
            name,
            arguments: &arguments,
            environment: &[("RUST_LOG", "warn")],
            ..Launch::default()
        })
        .await?;
        let base = format!("http://{}", node.address());
        self.tally.open_node(node.url(), base);
        self.nodes.push(Some(node));
        Ok(())
    }

    /// Waits until people were served for a while.
    async fn goes_on(&self) -> Result<()> {
        let marks = ["chat", "join", "POST /rooms", "offers heard"];
        let before = marks.map(|mark| self.tally.counted(mark));
        let wanted = [300, 60, 10, 30];
        wait_until("the service goes on", LIMIT, async || {
            let now = marks.map(|mark| self.tally.counted(mark));
            let mut grown = now.iter().zip(before).zip(wanted);
            Ok(grown
                .all(|((now, before), wanted)| now - before >= wanted)
                .then_some(()))
        })
        .await
    }

    /// Waits until some were told that they cannot be served, over both doors.
    async fn is_felt(&self) -> Result<()> {
        let marks = ["chat refused: server-busy", "POST /rooms refused: 500"];
        let before = marks.map(|mark| self.tally.counted(mark));
        wait_until("people are told", LIMIT, async || {
            let now = marks.map(|mark| self.tally.counted(mark));
            let grown = now
                .iter()
                .zip(before)
                .all(|(now, before)| *now > before + 3);
            Ok(grown.then_some(()))
        })
        .await
    }

    /// Waits until every node says this of itself.
    async fn readiness(&self, status: u16, text: &str) -> Result<()> {
        for node in self.nodes.iter().flatten() {
            wait_until(
                &format!("readiness is {status} {text}"),
                LIMIT,
                async || {
                    let answer = node.http().get("/readyz").await?;
                    let is = answer.status == status && answer.text.trim() == text;
                    Ok(is.then_some(()))
                },
            )
            .await?;
        }
        Ok(())
    }

    /// Ends the load, and proves what was acknowledged; prints the figures.
    async fn prove(mut self, what: &str) -> Result<usize> {
        self.goes_on().await?;
        self.tally.end();
        while let Some(done) = timeout(LIMIT, self.tasks.join_next()).await? {
            done??;
        }
        wait_until("everyone has left", LIMIT, async || {
            Ok((proof::inside(&self.postgres).await? == 0).then_some(()))
        })
        .await?;
        wait_until("all webhooks are delivered", LIMIT, async || {
            Ok(proof::all_delivered(&self.postgres).await?.then_some(()))
        })
        .await?;
        let rooms: Vec<String> = self.tally.book().rooms.keys().cloned().collect();
        for (turn, room) in rooms.iter().enumerate() {
            desk::check(&self.tally, turn, room).await;
            desk::check(&self.tally, turn + 1, room).await;
        }
        self.tally.tell(what)?;
        proof::stored(&self.postgres, &self.tally).await?;
        let (events, twice) = proof::delivered(&self.postgres, &self.sink).await?;
        eprintln!("== {what}: {events} events delivered, {twice} of them twice");
        for node in self.nodes.into_iter().flatten() {
            node.stop_after(&ANNOUNCED).await?;
        }
        Ok(twice)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_stops_and_is_killed_under_load_and_nothing_acknowledged_is_lost() -> Result<()>
{
    let mut scene = Scene::start(2).await?;
    for killed in [false, true] {
        match killed {
            true => scene.postgres.kill().await?,
            false => scene.postgres.stop().await?,
        }
        scene.readiness(503, "the database does not answer").await?;
        scene.is_felt().await?;
        scene.postgres.restart().await?;
        scene.readiness(200, "ready").await?;
        scene.goes_on().await?;
    }
    scene.prove("PostgreSQL").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_stops_and_is_killed_under_load_and_nobody_is_refused() -> Result<()> {
    let mut scene = Scene::start(2).await?;
    for killed in [false, true] {
        match killed {
            true => scene.redis.kill().await?,
            false => scene.redis.stop().await?,
        }
        scene
            .readiness(200, "ready, but Redis does not answer")
            .await?;
        scene.goes_on().await?;
        scene.redis.restart().await?;
        scene.readiness(200, "ready").await?;
        scene.goes_on().await?;
    }
    let tally = Arc::clone(&scene.tally);
    let twice = scene.prove("Redis").await?;
    let refused = tally.book();
    let refused: Vec<_> = refused
        .counts
        .keys()
        .filter(|what| what.contains("server-busy") || what.contains("500"))
        .collect();
    ensure!(refused.is_empty(), "without Redis all works: {refused:?}");
    ensure!(twice == 0, "{twice} events came twice");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_and_a_stopped_one_under_load_lose_nothing_and_nobody() -> Result<()> {
    let mut scene = Scene::start(3).await?;
    for (node, killed) in [(1, true), (2, false)] {
        let before = scene.tally.counted("resumed");
        scene.tally.close_node(node);
        let gone = scene.nodes[node].take().context("it runs")?;
        match killed {
            true => gone.kill().await?,
            false => gone.stop_after(&ANNOUNCED).await?,
        }
        wait_until("people come back on another node", LIMIT, async || {
            Ok((scene.tally.counted("resumed") >= before + 15).then_some(()))
        })
        .await?;
        scene.goes_on().await?;
    }
    let twice = scene.prove("nodes").await?;
    // Those under way when the one that delivered was killed.
    ensure!(twice <= 16, "{twice} events came twice");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_of_webhooks_is_down_under_load_and_misses_nothing() -> Result<()> {
    let mut scene = Scene::start(2).await?;
    // So that nothing is under way when it ends.
    scene.sink.answer_with(503).await?;
    scene.goes_on().await?;
    scene.sink.stop().await?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    scene.goes_on().await?;
    scene.sink.restart().await?;
    let twice = scene.prove("webhooks").await?;
    ensure!(twice == 0, "{twice} events came twice");
    Ok(())
}

//! The stores: what rooms and their people look like in a real PostgreSQL, what
//! happens while it is down, and that every store does the same.

mod conformance;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use visavis_tests::http::Http;
use visavis_tests::postgres::Postgres;
use visavis_tests::server::RoomServer;
use visavis_tests::wait::wait_until;

const LIMIT: Duration = Duration::from_secs(30);
const DAY: u64 = 24 * 3_600;

async fn server(postgres: &Postgres, more: &[&str]) -> Result<RoomServer> {
    let url = postgres.url();
    let mut arguments = vec!["--database", url.as_str()];
    arguments.extend(more);
    RoomServer::start(&arguments).await
}

/// Makes a room for four; its path.
async fn room(http: &Http) -> Result<String> {
    let made = http.post("/rooms", &json!({})).await?.expect(201)?;
    Ok(format!(
        "/rooms/{}",
        made["roomId"].as_str().context("a code")?
    ))
}

#[tokio::test]
async fn s4_12_s4_13_s4_23_s4_24_s4_29_with_its_database_down_it_shows_what_is_cached_and_is_500_for_the_rest()
-> Result<()> {
    let mut postgres = Postgres::start().await?;
    let server = server(&postgres, &["--clock", "manual"]).await?;
    let http = server.http();
    let (cold, warm) = (room(http).await?, room(http).await?);
    // Their places in the cache are over; one is read again, and another made.
    server.advance_clock(DAY + 1).await?;
    let shown = http.get(&warm).await?.expect(200)?;
    let fresh = room(http).await?;

    postgres.stop().await?;
    ensure!(http.get(&warm).await?.expect(200)? == shown, "read through");
    http.get(&fresh).await?.expect(200)?;
    http.get(&cold).await?.expect_problem(500, "about:blank")?;
    let refused = http.post("/rooms", &json!({})).await?;
    ensure!(
        !refused.text.contains("sql") && !refused.text.contains("refused"),
        "{}",
        refused.text
    );
    refused.expect_problem(500, "about:blank")?;
    let conference = json!({"audience": "acme", "time": [1, null], "backend": "none"});
    let refused = http.post("/api/v1/rooms", &conference).await?;
    refused.expect_problem(500, "about:blank")?;
    http.patch(&fresh, &json!({"name": "x"}))
        .await?
        .expect_problem(500, "about:blank")?;
    http.delete(&fresh)
        .await?
        .expect_problem(500, "about:blank")?;
    http.get("/readyz").await?.expect(503)?;
    http.get("/healthz").await?.expect(200)?;

    postgres.restart().await?;
    wait_until("it is ready again", LIMIT, async || {
        Ok((http.get("/readyz").await?.status == 200).then_some(()))
    })
    .await?;
    http.get(&cold).await?.expect(200)?;
    ensure!(
        http.get(&fresh).await?.expect(200)?["name"] == "",
        "nothing half-written"
    );
    room(http).await?;
    ensure!(postgres.query("SELECT COUNT(*) FROM rooms").await? == "4");
    server.stop_after(&["the store failed"]).await
}

#[tokio::test]
async fn s4_10_s4_20_a_room_is_a_row_and_stays_one_when_it_is_deleted() -> Result<()> {
    let postgres = Postgres::start().await?;
    let server = server(
        &postgres,
        &["--auth", "header", "--trusted-proxy", "127.0.0.1"],
    )
    .await?;
    let user = "8f14e45f-ceea-467f-a0e6-6c1f7a2b3c4d";
    let http = server.http().with_header("x-user-id", user);
    let path = room(&http).await?;
    let row =
        "SELECT host_id, max_participants, is_active, deleted_at IS NULL, length(code) FROM rooms";
    ensure!(postgres.query(row).await? == format!("{user}|4|1|t|12"));
    http.patch(&path, &json!({"max_participants": 10}))
        .await?
        .expect(200)?;
    http.delete(&path).await?.expect(204)?;
    http.get(&path)
        .await?
        .expect_problem(404, "room_not_found")?;
    ensure!(postgres.query(row).await? == format!("{user}|10|0|f|12"));
    let column = "SELECT data_type, character_maximum_length, is_nullable FROM \
                  information_schema.columns WHERE table_name = 'rooms' AND column_name = 'code'";
    ensure!(postgres.query(column).await? == "character varying|12|NO");
    server.stop().await
}

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

async fn say(socket: &mut Socket, message: Value) -> Result<()> {
    Ok(socket.send(Message::text(message.to_string())).await?)
}

/// The next message of one of these types.
async fn hear(socket: &mut Socket, kinds: &[&str]) -> Result<Value> {
    let heard = async {
        loop {
            let message = socket.next().await.context("it is open")??;
            let Message::Text(text) = message else {
                continue;
            };
            let message: Value = serde_json::from_str(&text)?;
            if kinds.iter().any(|kind| message["type"] == *kind) {
                return Ok(message);
            }
        }
    };
    timeout(LIMIT, heard).await?
}

async fn connect(server: &RoomServer) -> Result<Socket> {
    let (mut socket, _) = connect_async(server.url()).await?;
    hear(&mut socket, &["client-id"]).await?;
    Ok(socket)
}

#[tokio::test(flavor = "multi_thread")]
async fn s4_28_atomic_join_on_postgresql_admits_exactly_four_of_two_hundred_in_a_hundred_rooms()
-> Result<()> {
    let postgres = Postgres::start().await?;
    let server = server(&postgres, &[]).await?;
    let sockets = join_all((0..200).map(|_| connect(&server))).await;
    let mut sockets: Vec<Socket> = sockets.into_iter().collect::<Result<_>>()?;
    for _ in 0..100 {
        let path = room(server.http()).await?;
        let join = json!({"type": "join-room", "payload": {"roomId": &path["/rooms/".len()..]}});
        let answers = join_all(sockets.iter_mut().map(async |socket| {
            say(socket, join.clone()).await?;
            let answer = hear(socket, &["room-joined", "error"]).await?;
            let inside = answer["type"] == "room-joined";
            ensure!(inside || answer["code"] == "room-full", "{answer}");
            Ok(inside.then_some(socket))
        }));
        let answers = answers.await.into_iter().collect::<Result<Vec<_>>>()?;
        let inside: Vec<_> = answers.into_iter().flatten().collect();
        ensure!(inside.len() == 4, "{} got in", inside.len());
        for socket in inside {
            say(socket, json!({"type": "leave-room"})).await?;
        }
    }
    let most =
        "SELECT MAX(n), COUNT(*) FROM (SELECT COUNT(*) AS n FROM participants GROUP BY room) AS r";
    ensure!(postgres.query(most).await? == "4|100");
    server.stop().await
}

/// Four members of a room leave while it is changed and deleted and others join. A
/// departure that locked its participant before the room would deadlock with the
/// deletion, which holds the room and ends the stays of those inside.
async fn churn(server: &RoomServer, sockets: &mut [Socket]) -> Result<()> {
    let http = server.http();
    let path = room(http).await?;
    let id = &path["/rooms/".len()..];
    let join = json!({"type": "join-room", "payload": {"roomId": id}});
    let (inside, outside) = sockets.split_at_mut(4);
    for socket in &mut *inside {
        say(socket, join.clone()).await?;
        hear(socket, &["room-joined"]).await?;
    }
    let leaves = join_all(
        inside
            .iter_mut()
            .map(async |socket| say(socket, json!({"type": "leave-room"})).await),
    );
    let joins = join_all(outside.iter_mut().map(async |socket| {
        let mut join = join.clone();
        join["requestId"] = json!(id);
        say(socket, join).await?;
        let answer = loop {
            // A member without features also hears of the end of its last room by an error.
            let answer = hear(socket, &["room-joined", "error"]).await?;
            if answer["requestId"] == id {
                break answer;
            }
        };
        let refused = ["room-full", "room-not-found", "room-ended"];
        let known = refused.iter().any(|code| answer["code"] == *code);
        ensure!(answer["type"] == "room-joined" || known, "{answer}");
        Ok(())
    }));
    let change = async |most: u32| -> Result<()> {
        let change = json!({"max_participants": most});
        let changed = http.patch(&path, &change).await?;
        ensure!([200, 404].contains(&changed.status), "{}", changed.text);
        Ok(())
    };
    let changes = async {
        change(5).await?;
        tokio::try_join!(change(6), change(7), async {
            http.delete(&path).await?.expect(204)
        })
    };
    let (leaves, joins, changes) = tokio::join!(leaves, joins, changes);
    changes?;
    leaves.into_iter().chain(joins).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn departures_beside_joins_changes_and_deletions_of_their_rooms_never_deadlock() -> Result<()>
{
    let postgres = Postgres::start().await?;
    let server = server(&postgres, &[]).await?;
    let sockets = join_all((0..96).map(|_| connect(&server))).await;
    let mut sockets: Vec<Socket> = sockets.into_iter().collect::<Result<_>>()?;
    for _ in 0..25 {
        let rooms = sockets.chunks_mut(8).map(|some| churn(&server, some));
        join_all(rooms).await.into_iter().collect::<Result<()>>()?;
    }
    let present = "SELECT COUNT(*) FROM participants WHERE left_at IS NULL";
    wait_until("every departure is stored", LIMIT, async || {
        Ok((postgres.query(present).await? == "0").then_some(()))
    })
    .await?;
    // Each backend reports its deadlocks at its end at the latest.
    let stopped = server.stop().await;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    ensure!(postgres.query(deadlocks).await? == "0", "deadlocks");
    stopped
}

/// Resident memory in KiB.
fn memory(server: &RoomServer) -> Result<u64> {
    let pid = server.process().pid().context("it runs")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.context("a figure")?.parse()?)
}

#[tokio::test]
async fn s2_73_a_thousand_rooms_that_come_and_go_leave_no_rows_and_no_memory() -> Result<()> {
    let postgres = Postgres::start().await?;
    let server = server(&postgres, &["--clock", "manual", "--empty-timeout", "0"]).await?;
    let mut socket = connect(&server).await?;
    let mut go = async |times: usize| -> Result<()> {
        for _ in 0..times {
            say(
                &mut socket,
                json!({"type": "create-room", "payload": {"name": "Tea"}}),
            )
            .await?;
            let created = hear(&mut socket, &["room-created"]).await?;
            let leave = json!({"type": "leave-room", "payload": {"roomId": created["room"]["id"]}});
            say(&mut socket, leave).await?;
        }
        Ok(())
    };
    go(500).await?;
    let before = memory(&server)?;
    go(1_000).await?;
    let grown = memory(&server)?.saturating_sub(before);
    ensure!(grown < 16 * 1_024, "{grown} KiB more");
    let alive = "SELECT COUNT(*) FROM rooms WHERE is_active = 1";
    wait_until("all are over", LIMIT, async || {
        Ok((postgres.query(alive).await? == "0").then_some(()))
    })
    .await?;
    // Deleted rooms are part of the history, with one stay for each join.
    let joins = "SELECT (SELECT COUNT(*) FROM rooms), (SELECT COUNT(*) FROM room_instances), \
                 COUNT(*), COUNT(DISTINCT sid), COUNT(DISTINCT room), COUNT(left_at) \
                 FROM participants";
    ensure!(
        postgres.query(joins).await? == "1500|1500|1500|1500|1500|1500",
        "{}",
        postgres.query(joins).await?
    );
    server.advance_clock(401 * DAY).await?;
    server
        .http()
        .post("/system/vacuum", &json!(null))
        .await?
        .expect(204)?;
    let rows = "SELECT (SELECT COUNT(*) FROM rooms), (SELECT COUNT(*) FROM room_instances), \
                (SELECT COUNT(*) FROM participants), (SELECT COUNT(*) FROM events)";
    ensure!(
        postgres.query(rows).await? == "0|0|0|0",
        "{}",
        postgres.query(rows).await?
    );
    server.stop().await
}

//! A broadcast to a thousand viewers: data only, which is all that a mesh may
//! carry to so many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures_util::stream::SplitStream;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use visavis_tests::http::Http;
use visavis_tests::plain_client::PlainClient;
use visavis_tests::server::RoomServer;
use visavis_tests::wait::wait_until;

const VIEWERS: usize = 1_000;
const SAYINGS: usize = 20;
/// How long anything may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
const SECRET: &str = "a secret of the tests, long enough for HS256";

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What all viewers heard together.
#[derive(Default)]
struct Heard {
    arrivals: AtomicUsize,
    departures: AtomicUsize,
    sayings: AtomicUsize,
}

/// Comes in with a ticket; sees itself in the list. Whoever hears everything
/// learns of each arrival with all who are inside then: to read that as JSON
/// would take the machine from the server.
async fn enter(server: &RoomServer, ticket: &Value) -> Result<(Socket, usize)> {
    let (mut socket, _) = connect_async(server.url()).await?;
    let payload = json!({"roomId": ticket["room"], "token": ticket["token"]});
    let join = json!({"type": "join-room", "payload": payload});
    socket.send(Message::text(join.to_string())).await?;
    loop {
        let Message::Text(text) = socket.next().await.context("an answer")?? else {
            continue;
        };
        let message: Value = serde_json::from_str(&text)?;
        match message["type"].as_str() {
            Some("client-id") => {}
            Some("room-joined") => {
                let inside = message["room"]["participants"].as_array();
                return Ok((socket, inside.context("a list")?.len()));
            }
            _ => bail!("{message}"),
        }
    }
}

/// Counts until the socket ends.
async fn watch(mut stream: SplitStream<Socket>, heard: Arc<Heard>) -> Result<()> {
    while let Some(message) = stream.next().await {
        let Message::Text(text) = message? else {
            continue;
        };
        let count = match text.split('"').nth(3) {
            Some("member-joined") => &heard.arrivals,
            Some("member-left") => &heard.departures,
            Some("chat") => &heard.sayings,
            _ => bail!("unexpected: {text}"),
        };
        count.fetch_add(1, Relaxed);
    }
    Ok(())
}

async fn ticket(http: &Http, user: usize) -> Result<Value> {
    let path = "/api/v1/rooms/booking/10/join";
    http.post(path, &json!({"user_id": user}))
        .await?
        .expect(200)
}

/// How many are in the room, as its booking shows it.
async fn inside(http: &Http) -> Result<u64> {
    let shown = http.get("/api/v1/bookings/10").await?.expect(200)?;
    let count = shown["room"]["participant_count"].as_u64();
    count.with_context(|| format!("a count: {shown}"))
}

async fn counted(what: &str, count: &AtomicUsize, wanted: usize) -> Result<()> {
    wait_until(what, LIMIT, async || {
        let counted = count.load(Relaxed);
        ensure!(counted <= wanted, "{what}: {counted}, more than {wanted}");
        Ok((counted == wanted).then_some(()))
    })
    .await
}

#[tokio::test]
async fn s2_10_a_thousand_viewers_see_a_broadcast_under_load() -> Result<()> {
    let most = rlimit::increase_nofile_limit(u64::MAX)?;
    ensure!(
        most > VIEWERS as u64 + 100,
        "{most} descriptors are too few"
    );
    let folder = tempfile::tempdir()?;
    let database = format!("sqlite:{}", folder.path().join("rooms.db").display());
    let keys = ["--api-key", "devkey", "--api-secret", SECRET];
    let server = RoomServer::start(&[&keys[..], &["--database", &database]].concat()).await?;
    let http = server.http();
    let mut people = vec![json!({"user_id": 0, "email": "host@mail", "role": "practitioner"})];
    people.extend((1..=VIEWERS).map(|user| {
        json!({"user_id": user, "email": format!("viewer{user}@mail"), "role": "participant"})
    }));
    let booking = json!({"id": 10, "kind": "broadcast", "participants": people});
    let made = http.post("/api/v1/bookings", &booking).await?.expect(201)?;
    ensure!(made["room"]["max_participants"] == 0, "{made}");

    let mut host = PlainClient::connect(&server.url()).await?;
    let coming = ticket(http, 0).await?;
    let payload = json!({"roomId": coming["room"], "token": coming["token"]});
    let join = json!({"type": "join-room", "payload": payload});
    host.ask(join, "room-joined").await?;

    let heard = Arc::new(Heard::default());
    let (mut ears, mut mouths) = (JoinSet::new(), Vec::new());
    let began = Instant::now();
    for user in 1..=VIEWERS {
        let (socket, inside) = enter(&server, &ticket(http, user).await?).await?;
        ensure!(inside == user + 1, "{inside} are inside with viewer {user}");
        let (mouth, ear) = socket.split();
        mouths.push(mouth);
        ears.spawn(watch(ear, Arc::clone(&heard)));
    }
    let arrivals = VIEWERS * (VIEWERS - 1) / 2;
    counted("all hear of all who came", &heard.arrivals, arrivals).await?;
    let entering = began.elapsed();
    let shown = inside(http).await?;
    ensure!(shown == VIEWERS as u64 + 1, "{shown} are inside");

    let began = Instant::now();
    for number in 0..SAYINGS {
        let payload = json!({"text": format!("saying {number}")});
        let chat = json!({"type": "chat", "roomId": coming["room"], "payload": payload});
        host.ask(chat, "chat").await?;
    }
    let sayings = VIEWERS * SAYINGS;
    counted("all hear all that is said", &heard.sayings, sayings).await?;
    eprintln!(
        "{VIEWERS} viewers came in {entering:?}; {SAYINGS} sayings reached all in {:?}",
        began.elapsed()
    );

    for mut mouth in mouths {
        mouth.close().await?;
    }
    for ear in ears.join_all().await {
        ear?;
    }
    wait_until("the host alone is inside", LIMIT, async || {
        Ok((inside(http).await? == 1).then_some(()))
    })
    .await?;
    ensure!(host.closed().is_none(), "the host stayed");
    host.say(json!({"type": "leave-room"})).await?;
    server.stop().await
}

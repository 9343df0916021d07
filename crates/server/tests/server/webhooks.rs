//! Webhooks on their way out: to a receiver that takes them, refuses them, or
//! is not there.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use livekit_api::access_token::TokenVerifier;
use livekit_api::webhooks::WebhookReceiver;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use visavis_server::store::Database;
use visavis_server::{Contradiction, Keys, Server, ServerConfig, ServerError};

use crate::support::{Client, KEY, LIMIT, SECRET, http};

/// A receiver, which checks what it gets as LiveKit's own does.
pub struct Receiver {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

#[derive(Default)]
struct Shared {
    /// Taken, in the order of coming.
    events: Mutex<Vec<Value>>,
    /// Names of rooms that it does not want to hear of.
    refused: Mutex<HashSet<String>>,
    /// How often it refused.
    refusals: Mutex<usize>,
}

impl Receiver {
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    pub async fn start_at(address: SocketAddr) -> Self {
        let shared = Arc::<Shared>::default();
        let router = Router::new()
            .route("/hook", post(take))
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            tokio::select! {
                served = axum::serve(listener, router) => served.unwrap(),
                () = stopped => {}
            }
        });
        Self {
            address,
            shared,
            _stop: stop.drop_guard(),
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn events(&self) -> Vec<Value> {
        self.shared.events.lock().unwrap().clone()
    }

    /// What it took about one room: the events' names.
    pub fn about(&self, room: &str) -> Vec<String> {
        let events = self
            .events()
            .into_iter()
            .filter(|event| event["room"]["name"] == room);
        events
            .map(|event| event["event"].as_str().unwrap().to_owned())
            .collect()
    }

    pub fn refuse(&self, room: &str) {
        self.shared.refused.lock().unwrap().insert(room.to_owned());
    }

    pub fn refuse_nothing(&self) {
        self.shared.refused.lock().unwrap().clear();
    }

    pub async fn wait_until(&self, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        wait_for(async || {
            let events = self.events();
            wanted(&events).then_some(events)
        })
        .await
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let text = std::str::from_utf8(&body).unwrap();
    let authorization = headers["authorization"].to_str().unwrap();
    let verifier = TokenVerifier::with_api_key(KEY, SECRET);
    let checked = WebhookReceiver::new(verifier).receive(text, authorization);
    if checked.is_err() || headers["content-type"] != "application/webhook+json" {
        return StatusCode::UNAUTHORIZED;
    }
    let event: Value = serde_json::from_str(text).unwrap();
    let room = event["room"]["name"].as_str().unwrap_or_default();
    if shared.refused.lock().unwrap().contains(room) {
        *shared.refusals.lock().unwrap() += 1;
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    shared.events.lock().unwrap().push(event);
    StatusCode::OK
}

/// Asks until there is an answer.
pub async fn wait_for<T>(found: impl AsyncFn() -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(found) = found().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, wait).await.expect("as wanted in time")
}

fn config(urls: &[&str]) -> ServerConfig {
    ServerConfig {
        keys: Keys::new(KEY, SECRET),
        webhooks: urls.iter().map(|url| (*url).to_owned()).collect(),
        empty_timeout: Duration::ZERO,
        dev: true,
        ..ServerConfig::default()
    }
}

fn names(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect()
}

/// Someone makes a room and leaves it; its code.
async fn short_life(address: SocketAddr) -> String {
    let mut a = Client::connect(address).await;
    let code = a.create(json!({"name": "Tea"})).await;
    a.close().await;
    code
}

const SHORT_LIFE: [&str; 4] = [
    "room_started",
    "participant_joined",
    "participant_left",
    "room_finished",
];

#[tokio::test]
async fn s2_34_the_events_of_a_scripted_call_arrive_in_their_order() {
    let receiver = Receiver::start().await;
    let server = Server::bind(config(&[&receiver.url()])).await.unwrap();
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let features = json!(["members"]);
    let created = json!({"name": "Tea", "displayName": "Ann", "features": features});
    let code = a.create(created).await;
    let mut b = Client::connect(address).await;
    assert_eq!(b.join(&code).await["type"], "room-joined");
    a.expect("member-joined").await;
    let publish = |tracks: Value| json!({"type": "update-member", "roomId": code, "payload": {"tracks": tracks}});
    a.say(publish(json!([{"source": "camera", "muted": false}])))
        .await;
    a.expect("member-updated").await;
    a.say(publish(json!([]))).await;
    a.expect("member-updated").await;
    let (a_id, b_id) = (a.id.clone(), b.id.clone());
    b.close().await;
    a.expect("member-left").await;
    a.close().await;

    let events = receiver.wait_until(|events| events.len() >= 8).await;
    let told: Vec<(&str, &str)> = events
        .iter()
        .map(|event| {
            let who = event["participant"]["identity"]
                .as_str()
                .unwrap_or_default();
            (event["event"].as_str().unwrap(), who)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("room_started", ""),
            ("participant_joined", a_id.as_str()),
            ("participant_joined", b_id.as_str()),
            ("track_published", a_id.as_str()),
            ("track_unpublished", a_id.as_str()),
            ("participant_left", b_id.as_str()),
            ("participant_left", a_id.as_str()),
            ("room_finished", ""),
        ]
    );
    assert_eq!(events[3]["track"]["source"], "CAMERA");
    let ids: HashSet<&str> = events
        .iter()
        .map(|event| event["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), events.len(), "each event has an id of its own");
}

#[tokio::test]
async fn a_room_created_over_twirp_is_started_before_anybody_joins() {
    let receiver = Receiver::start().await;
    let server = Server::bind(config(&[&receiver.url()])).await.unwrap();
    let create = "/twirp/livekit.RoomService/CreateRoom";
    let head = "Content-Type: application/json\r\n";
    let (status, _, body) = http(
        server.local_addr(),
        "POST",
        create,
        head,
        r#"{"name":"tea"}"#,
    )
    .await;
    assert_eq!(status, 200, "{body}");
    let created: Value = serde_json::from_str(&body).unwrap();
    let events = receiver.wait_until(|events| !events.is_empty()).await;
    assert_eq!(names(&events), ["room_started"]);
    assert_eq!(events[0]["room"]["sid"], created["sid"]);
    assert_eq!(events[0]["room"]["name"], "tea");
}

#[tokio::test]
async fn s1_33_the_rooms_name_in_webhooks_is_its_room_id() {
    let receiver = Receiver::start().await;
    let server = Server::bind(config(&[&receiver.url()])).await.unwrap();
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let code = a.create(json!({"name": "Tea"})).await;
    let events = receiver.wait_until(|events| events.len() >= 2).await;
    let name = events[0]["room"]["name"].as_str().unwrap();
    assert!(name.starts_with("ro_") && name.len() == 29, "{name}");
    // Any endpoint takes it for the room.
    let (status, _, body) = http(address, "GET", &format!("/rooms/{name}"), "", "").await;
    assert_eq!(status, 200);
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap()["roomId"],
        code
    );
}

#[tokio::test]
async fn s2_21_participants_are_tracked_by_webhooks() {
    let receiver = Receiver::start().await;
    let server = Server::bind(config(&[&receiver.url()])).await.unwrap();
    let mut a = Client::connect(server.local_addr()).await;
    let code = a.create(json!({"name": "Tea", "displayName": "Ann"})).await;
    let mut b = Client::connect(server.local_addr()).await;
    let join = json!({"roomId": code, "displayName": "Bob"});
    b.ask(json!({"type": "join-room", "payload": join})).await;
    let events = receiver.wait_until(|events| events.len() >= 3).await;
    let [_, ann, bob] = &events[..] else {
        panic!("{events:?}");
    };
    for (event, id, name, inside) in [(ann, &a.id, "Ann", 1), (bob, &b.id, "Bob", 2)] {
        let who = &event["participant"];
        assert_eq!((&who["identity"], &who["name"]), (&json!(id), &json!(name)));
        assert!(who["sid"].as_str().unwrap().starts_with("PA_"));
        assert_eq!(who["state"], "ACTIVE");
        assert!(who["joinedAt"].as_str().unwrap().parse::<i64>().unwrap() > 0);
        assert_eq!(event["room"]["numParticipants"], inside);
        assert_eq!(event["room"]["sid"], events[0]["room"]["sid"]);
    }
}

#[tokio::test]
async fn s2_26_a_leave_is_told_and_written_down() {
    let receiver = Receiver::start().await;
    let server = Server::bind(config(&[&receiver.url()])).await.unwrap();
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let code = a.create(json!({"name": "Tea"})).await;
    let mut b = Client::connect(address).await;
    b.join(&code).await;
    let b_id = b.id.clone();
    b.close().await;
    let left = |event: &&Value| event["event"] == "participant_left";
    let events = receiver.wait_until(|events| events.iter().any(|event| left(&event)));
    let events = events.await;
    let event = events.iter().find(left).unwrap();
    assert_eq!(event["participant"]["identity"], b_id);
    let (_, _, page) = http(address, "GET", "/admin", "", "").await;
    let stay = |who: &str| {
        let row = page.lines().find(|line| line.contains(who)).unwrap();
        row.split_whitespace()
            .filter(|cell| cell.ends_with('Z') && cell.contains(':'))
            .count()
    };
    assert_eq!(
        (stay(&a.id), stay(&b_id)),
        (1, 2),
        "joined, and left: {page}"
    );
}

#[tokio::test]
async fn s2_64_a_leave_ends_ones_tracks_for_everyone_at_once_and_sends_its_webhooks() {
    let receiver = Receiver::start().await;
    let server = Server::bind(config(&[&receiver.url()])).await.unwrap();
    let address = server.local_addr();
    let features = json!(["members"]);
    let mut a = Client::connect(address).await;
    let code = a.create(json!({"name": "Tea", "features": features})).await;
    let mut b = Client::connect(address).await;
    b.join_with(&code, features).await;
    a.expect("member-joined").await;
    let tracks = json!([
        {"source": "camera", "muted": false},
        {"source": "microphone", "muted": true},
    ]);
    let publish = json!({"type": "update-member", "payload": {"tracks": tracks}});
    b.say(publish).await;
    let told = a.expect("member-updated").await["member"]["tracks"].take();
    b.expect("member-updated").await;
    b.say(json!({"type": "leave-room", "payload": {"roomId": code}}))
        .await;
    // The next that is heard: nobody waits for what becomes of its media.
    let left = a.expect("member-left").await;
    assert_eq!(left["memberId"], b.id);
    assert_eq!(left["count"], 1);
    // Its connection is its own, for another room.
    b.create(json!({"name": "Next"})).await;

    let of_b = |events: &[Value]| -> Vec<(String, Value)> {
        let of_b = events.iter().filter(|event| {
            event["room"]["name"] == events[0]["room"]["name"]
                && event["participant"]["identity"] == b.id
        });
        of_b.map(|event| {
            let name = event["event"].as_str().unwrap().to_owned();
            (name, event["track"]["sid"].clone())
        })
        .collect()
    };
    let left = ("participant_left".to_owned(), Value::Null);
    let events = receiver.wait_until(|events| of_b(events).contains(&left));
    let [camera, microphone] = [0, 1].map(|index| told[index]["sid"].clone());
    let expected = [
        ("participant_joined", Value::Null),
        ("track_published", camera.clone()),
        ("track_published", microphone.clone()),
        ("track_unpublished", camera),
        ("track_unpublished", microphone),
        ("participant_left", Value::Null),
    ];
    let events = of_b(&events.await);
    let expected = expected.map(|(name, sid)| (name.to_owned(), sid));
    assert_eq!(events, expected);
}

#[tokio::test]
async fn what_is_a_day_old_is_given_up() {
    let receiver = Receiver::start().await;
    let server = Server::bind(ServerConfig {
        manual_clock: true,
        ..config(&[&receiver.url()])
    });
    let server = server.await.unwrap();
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    a.create(json!({"name": "Tea"})).await;
    let events = receiver.wait_until(|events| events.len() >= 2).await;
    let room = events[0]["room"]["name"].as_str().unwrap().to_owned();
    receiver.refuse(&room);
    a.close().await;
    wait_for(async || (*receiver.shared.refusals.lock().unwrap() > 0).then_some(())).await;
    let advance = r#"{"seconds": 86401}"#;
    let (status, _, body) = http(address, "POST", "/debug/clock/advance", "", advance).await;
    assert!((200..300).contains(&status), "{body}");
    wait_for(async || {
        let (_, _, page) = http(address, "GET", "/metrics", "", "").await;
        let given_up = "visavis_webhook_deliveries_total{outcome=\"given-up\"} 2";
        page.contains(given_up).then_some(())
    })
    .await;
    assert_eq!(receiver.events().len(), 2);
}

#[tokio::test]
async fn what_a_receiver_that_was_down_missed_arrives_in_order_and_once() {
    // Nobody listens where the receiver is to be.
    let address = Receiver::start().await.address;
    let url = format!("http://{address}/hook");
    let server = Server::bind(config(&[&url])).await.unwrap();
    let mut codes = Vec::new();
    for _ in 0..20 {
        codes.push(short_life(server.local_addr()).await);
    }
    let queued = async || {
        let (_, _, body) = http(server.local_addr(), "GET", "/debug/webhooks", "", "").await;
        serde_json::from_str::<Value>(&body).unwrap()
    };
    wait_for(async || (queued().await["queued"] == 80).then_some(())).await;
    wait_for(async || {
        let attempts = queued().await;
        let attempts = attempts["attempts"][&url].as_array()?.clone();
        (!attempts.is_empty() && attempts.iter().all(|attempt| attempt["taken"] == false))
            .then_some(())
    })
    .await;

    let receiver = Receiver::start_at(address).await;
    let events = receiver.wait_until(|events| events.len() >= 80).await;
    assert_eq!(events.len(), 80);
    let ids: HashSet<&str> = events
        .iter()
        .map(|event| event["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 80, "nothing came twice");
    let mut rooms: HashMap<&str, Vec<&str>> = HashMap::new();
    for event in &events {
        let room = event["room"]["name"].as_str().unwrap();
        rooms
            .entry(room)
            .or_default()
            .push(event["event"].as_str().unwrap());
    }
    assert_eq!(rooms.len(), 20);
    assert!(
        rooms.values().all(|events| *events == SHORT_LIFE),
        "{rooms:?}"
    );
    wait_for(async || (queued().await["queued"] == 0).then_some(())).await;
}

#[tokio::test]
async fn a_room_that_a_receiver_refuses_does_not_hold_up_another() {
    let receiver = Receiver::start().await;
    let server = Server::bind(config(&[&receiver.url()])).await.unwrap();
    let mut a = Client::connect(server.local_addr()).await;
    a.create(json!({"name": "refused"})).await;
    let events = receiver.wait_until(|events| events.len() >= 2).await;
    let refused = events[0]["room"]["name"].as_str().unwrap().to_owned();
    receiver.refuse(&refused);
    a.close().await;
    wait_for(async || (*receiver.shared.refusals.lock().unwrap() > 0).then_some(())).await;
    for _ in 0..5 {
        short_life(server.local_addr()).await;
    }
    let events = receiver.wait_until(|events| events.len() >= 22).await;
    assert_eq!(receiver.about(&refused), SHORT_LIFE[..2], "{events:?}");
    receiver.refuse_nothing();
    receiver.wait_until(|events| events.len() >= 24).await;
    assert_eq!(receiver.about(&refused), SHORT_LIFE);
}

#[tokio::test]
async fn one_receivers_silence_does_not_hold_up_another() {
    // It takes connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let receiver = Receiver::start().await;
    let urls = [
        format!("http://{}/", silent.local_addr().unwrap()),
        receiver.url(),
    ];
    let server = Server::bind(config(&[&urls[0], &urls[1]])).await.unwrap();
    for _ in 0..20 {
        short_life(server.local_addr()).await;
    }
    let events = receiver.wait_until(|events| events.len() >= 80).await;
    assert_eq!(events.len(), 80);
}

#[tokio::test]
async fn a_restarted_server_delivers_what_was_queued() {
    let address = Receiver::start().await.address;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rooms.db").display().to_string();
    let config = ServerConfig {
        database: Database::Sqlite(file),
        ..config(&[&format!("http://{address}/hook")])
    };
    let server = Server::bind(config.clone()).await.unwrap();
    short_life(server.local_addr()).await;
    // The fifth: one who is inside when the server ends has left.
    let mut b = Client::connect(server.local_addr()).await;
    b.create(json!({"name": "Coffee"})).await;
    server.shutdown().await;
    let receiver = Receiver::start_at(address).await;
    let _server = Server::bind(config).await.unwrap();
    let events = receiver.wait_until(|events| events.len() >= 8).await;
    let coffee = events
        .iter()
        .rev()
        .find(|event| event["event"] == "participant_left");
    let coffee = coffee.unwrap()["room"]["name"].as_str().unwrap();
    assert_eq!(receiver.about(coffee), SHORT_LIFE);
    let mut told = names(&events);
    told.sort_unstable();
    let mut twice = [SHORT_LIFE, SHORT_LIFE].concat();
    twice.sort_unstable();
    assert_eq!(told, twice);
}

#[tokio::test]
async fn webhooks_without_a_key_to_sign_with_are_refused_at_the_start() {
    let refused = Server::bind(ServerConfig {
        keys: None,
        ..config(&["http://127.0.0.1:9/"])
    });
    let refused = refused.await.unwrap_err();
    assert!(
        matches!(
            refused,
            ServerError::Settings(Contradiction::WebhooksWithoutKeys)
        ),
        "{refused}"
    );
}

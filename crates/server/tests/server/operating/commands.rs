//! What the program does besides serving.

use serde_json::{Value, json};
use visavis_server::store::{Database, Stay, Store};
use visavis_server::{Server, ServerConfig};

use super::{KEYS, run, start};
use crate::support::{Client, http};
use crate::webhooks::{Receiver, wait_for};

/// The arguments for a database in this directory.
fn database(directory: &tempfile::TempDir) -> String {
    format!("sqlite:{}", directory.path().join("rooms.db").display())
}

#[tokio::test]
async fn s2_61_the_doctor_says_what_is_well_and_what_is_not() {
    let receiver = Receiver::start().await;
    let directory = tempfile::tempdir().unwrap();
    let database = database(&directory);
    let server = start(&["--database", &database], &KEYS).await;
    let mut host = Client::connect(server.address).await;
    let room = host.create(json!({"name": "Tea"})).await;
    let url = format!("http://{}", server.address);
    let flags = [
        "--database",
        &database,
        "--public-url",
        &url,
        "--webhook",
        &receiver.url(),
    ];
    let doctor = async |room: &str, more: &[&str]| {
        run(&[&["doctor", room], &flags[..], more].concat(), &KEYS).await
    };
    let (status, said, _) = doctor(&room, &[]).await;
    assert_eq!(status, 0, "{said}");
    for (check, finding) in [
        ("database", "answers"),
        ("redis", "alone"),
        ("keys", "devkey signs"),
        ("url", "answers"),
        ("clock", "of the server's"),
        ("webhook", "can be reached"),
        ("room", "is open"),
    ] {
        let line = format!("ok    {check}: ");
        let line = said
            .lines()
            .find(|said| said.starts_with(&line))
            .expect(&said);
        assert!(line.contains(finding), "{line}");
    }
    assert!(said.contains("1 are inside"), "{said}");

    let (status, said, _) = doctor("abc-defg-hij", &[]).await;
    assert_eq!(status, 1);
    assert!(
        said.contains("FAIL  room: there is no room abc-defg-hij"),
        "{said}"
    );
    let (status, said, _) = doctor(&room, &["--redis", "redis://127.0.0.1:1"]).await;
    assert_eq!(status, 1);
    assert!(said.contains("FAIL  redis: "), "{said}");
    // One that nobody may enter before its host.
    let (_, _, made) = http(server.address, "POST", "/rooms", "", "").await;
    let made: Value = serde_json::from_str(&made).unwrap();
    let (status, said, _) = doctor(made["roomId"].as_str().unwrap(), &[]).await;
    assert_eq!(status, 0, "{said}");
    let (status, said, _) = doctor(
        made["roomId"].as_str().unwrap(),
        &["--auto-create", "false"],
    )
    .await;
    assert_eq!(status, 1);
    assert!(said.contains("--auto-create is off"), "{said}");
    // Over HTTP alone, where the database is the server's own memory.
    let memory = ["doctor", &room, "--public-url", &url];
    let (status, said, _) = run(&memory, &KEYS).await;
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("can be joined"), "{said}");

    drop(server);
    let (status, said, _) = doctor(&room, &[]).await;
    assert_eq!(status, 1);
    assert!(said.contains("FAIL  url: "), "{said}");
}

#[tokio::test]
async fn the_doctor_makes_no_database() {
    let directory = tempfile::tempdir().unwrap();
    let (status, said, _) = run(&["doctor", "--database", &database(&directory)], &[]).await;
    assert_eq!(status, 1);
    assert!(said.contains("FAIL  database: there is no file"), "{said}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn s2_62_a_webhook_can_be_tried() {
    let receiver = Receiver::start().await;
    let nobody = Receiver::start().await.url();
    let (status, said, _) = run(&["webhook-test", "--webhook", &receiver.url()], &KEYS).await;
    assert_eq!(status, 0);
    assert!(said.contains(": taken: 200 OK in "), "{said}");
    let event = receiver.events().pop().unwrap();
    assert_eq!(
        (&event["event"], &event["room"]["name"]),
        (&json!("room_started"), &json!("webhook-test"))
    );
    assert!(said.contains(event["id"].as_str().unwrap()));

    // Who signs with another secret is told that it is not taken.
    let other = [
        KEYS[0],
        ("LIVEKIT_API_SECRET", "another secret of more than 32 bytes"),
    ];
    let (status, said, _) = run(&["webhook-test", "--webhook", &receiver.url()], &other).await;
    assert_eq!(status, 1);
    assert!(said.contains(": not taken: 401"), "{said}");
    let both = [
        "webhook-test",
        "--webhook",
        &nobody,
        "--webhook",
        &receiver.url(),
    ];
    let (status, said, _) = run(&both, &KEYS).await;
    assert_eq!(status, 1);
    assert!(
        said.contains("Connection refused") && said.contains(": taken: "),
        "{said}"
    );
    let (status, _, complaint) = run(&["webhook-test"], &KEYS).await;
    assert_eq!(status, 1);
    assert!(
        complaint.contains("there is no --webhook to test"),
        "{complaint}"
    );
}

#[tokio::test]
async fn s2_65_the_rows_are_seen_from_this_machine_alone() {
    let server = start(&["--dev"], &[]).await;
    let mut ann = Client::connect(server.address).await;
    let room = ann
        .create(json!({"name": "Tea", "displayName": "Ann"}))
        .await;
    let mut bob = Client::connect(server.address).await;
    bob.join(&room).await;
    let (status, head, page) = http(server.address, "GET", "/admin", "", "").await;
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain"), "{head}");
    for seen in [&room, &ann.id, &bob.id, "Ann", "Tea"] {
        assert!(page.contains(seen), "{seen}: {page}");
    }
    let row = page.lines().find(|line| line.starts_with(&room)).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[2..4], ["open", "2"]);
    // Whoever comes through a proxy is not from here.
    let forwarded = "X-Forwarded-For: 203.0.113.9\r\n";
    assert_eq!(
        http(server.address, "GET", "/admin", forwarded, "").await.0,
        404
    );
    let closed = start(&[], &[]).await;
    for path in ["/admin", "/debug/webhooks"] {
        assert_eq!(
            http(closed.address, "GET", path, "", "").await.0,
            404,
            "{path}"
        );
    }
}

#[tokio::test]
async fn s2_66_rooms_and_deliveries_can_be_looked_into() {
    let receiver = Receiver::start().await;
    let directory = tempfile::tempdir().unwrap();
    let database = database(&directory);
    let flags = [
        "--database",
        &database,
        "--dev",
        "--webhook",
        &receiver.url(),
    ];
    let server = start(&flags, &KEYS).await;
    let mut host = Client::connect(server.address).await;
    let room = host
        .create(json!({"name": "Tea \u{1b}[2J", "maxParticipants": 3}))
        .await;
    let (status, said, _) = run(&["rooms", "--database", &database], &KEYS).await;
    assert_eq!(status, 0);
    let line = said
        .lines()
        .find(|line| line.starts_with(&room))
        .expect(&said);
    assert!(line.contains("open") && line.contains("1/3"), "{line}");
    assert!(!said.contains('\u{1b}'), "{said}");
    let (_, said, _) = run(&["rooms", "--json", "--database", &database], &KEYS).await;
    let row: Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!(row["code"], room);

    let attempts = wait_for(async || {
        let (_, _, body) = http(server.address, "GET", "/debug/webhooks", "", "").await;
        let body: Value = serde_json::from_str(&body).unwrap();
        let attempts = body["attempts"][receiver.url()].as_array()?.clone();
        (attempts.len() == 2 && body["queued"] == 0).then_some(attempts)
    })
    .await;
    assert_eq!(attempts[0]["answer"], "200 OK");
    assert_eq!(attempts[1]["event"], receiver.events()[1]["id"]);
}

#[tokio::test]
async fn who_is_inside_when_a_server_alone_stops_has_left() {
    let directory = tempfile::tempdir().unwrap();
    let file = Database::Sqlite(directory.path().join("rooms.db").display().to_string());
    let server = Server::bind(ServerConfig {
        database: file.clone(),
        ..ServerConfig::default()
    });
    let server = server.await.unwrap();
    let mut client = Client::connect(server.local_addr()).await;
    let features = json!({"name": "Tea", "features": ["members", "resume"]});
    client.create(features).await;
    server.shutdown().await;
    let store = Store::open(&file).await.unwrap();
    let [room] = &store.active_rooms(2).await.unwrap()[..] else {
        panic!("one room");
    };
    let stays = store.participants(room.uid, Stay::Any).await.unwrap();
    assert!(stays.len() == 1 && stays[0].left_at.is_some(), "{stays:?}");
    assert!(room.empty_since.is_some(), "its time to stay empty runs");
}

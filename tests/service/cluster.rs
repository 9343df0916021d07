//! Two processes on one PostgreSQL and one Redis are one service.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use visavis_tests::plain_client::PlainClient;
use visavis_tests::postgres::Postgres;
use visavis_tests::proxy::TcpProxy;
use visavis_tests::redis::Redis;
use visavis_tests::server::{Launch, RoomServer};
use visavis_tests::wait::wait_until;

/// A place is kept for thirty seconds, and a dead node's lease ends with them.
const LEASE_LIMIT: Duration = Duration::from_secs(45);
const LIMIT: Duration = Duration::from_secs(30);

struct Service {
    postgres: Postgres,
    redis: Redis,
    nodes: Vec<RoomServer>,
}

impl Service {
    async fn start(nodes: usize) -> Result<Self> {
        let postgres = Postgres::start().await?;
        let redis = Redis::start().await?;
        let mut service = Self {
            postgres,
            redis,
            nodes: Vec::new(),
        };
        for number in 0..nodes {
            service.add(&format!("node {number}")).await?;
        }
        Ok(service)
    }

    async fn add(&mut self, name: &str) -> Result<()> {
        self.add_with(name, &self.postgres.url()).await
    }

    /// A node that has the database under this URL.
    async fn add_with(&mut self, name: &str, database: &str) -> Result<()> {
        self.launch(name, database, &self.redis.url()).await
    }

    /// A node that has the database and Redis under these URLs.
    async fn launch(&mut self, name: &str, database: &str, redis: &str) -> Result<()> {
        let launch = Launch {
            name,
            arguments: &["--database", database, "--redis", redis],
            ..Launch::default()
        };
        self.nodes.push(RoomServer::launch(launch).await?);
        Ok(())
    }

    async fn client(&self, node: usize) -> Result<PlainClient> {
        PlainClient::connect(&self.nodes[node].url()).await
    }

    async fn stop(self) -> Result<()> {
        for node in self.nodes {
            node.stop().await?;
        }
        Ok(())
    }

    /// Whom the database has inside a room.
    async fn inside(&self, room: &str) -> Result<u32> {
        let sql = format!(
            "SELECT COUNT(*) FROM participants JOIN rooms ON rooms.uid = participants.room \
             WHERE rooms.code = '{room}' AND left_at IS NULL"
        );
        Ok(self.postgres.query(&sql).await?.trim().parse()?)
    }
}

async fn enter(client: &mut PlainClient, room: &str, features: &[&str]) -> Result<Value> {
    let payload = json!({"roomId": room, "features": features});
    let join = json!({"type": "join-room", "payload": payload});
    client.ask(join, "room-joined").await
}

/// Waits until a client was sent such a message.
async fn told(client: &PlainClient, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
    wait_until(what, LEASE_LIMIT, async || {
        Ok(client.received().into_iter().find(|message| is(message)))
    })
    .await
}

#[tokio::test]
async fn s3_15_members_on_two_nodes_see_signal_and_chat_with_each_other() -> Result<()> {
    let service = Service::start(2).await?;
    let (mut ann, mut ben) = (service.client(0).await?, service.client(1).await?);
    let room = ann.create("Tea", 0).await?;
    let inside = ben.join(&room).await?;
    ensure!(inside == [ann.id(), ben.id()], "{inside:?}");
    let joined = ann.hears("member-joined").await?;
    ensure!(joined["memberId"] == ben.id() && joined["participants"] == json!(inside));

    let sdp = json!({"type": "offer", "sdp": "v=0"});
    ben.say(json!({"type": "offer", "roomId": room, "to": ann.id(), "payload": sdp}))
        .await?;
    let offer = ann.hears("offer").await?;
    ensure!(
        offer["from"] == ben.id() && offer["payload"] == sdp,
        "{offer}"
    );
    let sdp = json!({"type": "answer", "sdp": "v=0"});
    ann.say(json!({"type": "answer", "roomId": room, "to": ben.id(), "payload": sdp}))
        .await?;
    ensure!(ben.hears("answer").await?["from"] == ann.id());
    for node in [0, 1] {
        let mut asker = service.client(node).await?;
        wait_until("the room is in a call, on either node", LIMIT, async || {
            let get = json!({"type": "get-room", "payload": {"roomId": room}});
            let info = asker.ask(get, "room-info").await?;
            Ok((info["room"]["state"] == "IN_CALL").then_some(()))
        })
        .await?;
    }

    ann.say(json!({"type": "chat", "roomId": room, "payload": "hello"}))
        .await?;
    for client in [&ann, &ben] {
        ensure!(client.hears("chat").await?["payload"] == "hello");
    }
    ensure!(ben.participants_in(&room).await? == Some(2));
    let ann_id = ann.id().to_owned();
    drop(ann);
    ensure!(ben.hears("member-left").await?["memberId"] == ann_id.as_str());
    service.stop().await
}

/// Asks to join with feature `waiting`; the first answer.
async fn ask_to_join(client: &mut PlainClient, room: &str) -> Result<()> {
    let payload = json!({"roomId": room, "features": ["waiting"]});
    client
        .say(json!({"type": "join-room", "payload": payload}))
        .await
}

#[tokio::test]
async fn s2_67_a_host_on_another_node_hears_who_waits_and_admits_and_denies() -> Result<()> {
    let service = Service::start(2).await?;
    let mut host = service.client(0).await?;
    let payload = json!({"name": "Tea", "waitingRoom": true, "features": ["waiting"]});
    let create = json!({"type": "create-room", "payload": payload});
    let created = host.ask(create, "room-created").await?;
    let room = created["room"]["id"].as_str().context("an id")?.to_owned();
    let mut guests = [service.client(1).await?, service.client(1).await?];
    for guest in &mut guests {
        ask_to_join(guest, &room).await?;
        ensure!(guest.hears("join-waiting").await?["reason"] == "approval");
        told(&host, "the host is asked", |message| {
            message["type"] == "join-request" && message["memberId"] == guest.id()
        })
        .await?;
    }
    for (guest, control) in guests.iter().zip(["admit-member", "deny-member"]) {
        host.say(json!({"type": control, "roomId": room, "to": guest.id()}))
            .await?;
    }
    guests[0].hears("room-joined").await?;
    ensure!(guests[1].hears("error").await?["code"] == "denied");
    service.stop().await
}

#[tokio::test]
async fn s3_59_places_of_a_full_room_go_to_whom_asked_first_on_any_node() -> Result<()> {
    let service = Service::start(2).await?;
    let mut inside = service.client(0).await?;
    let room = inside.create("Tea", 1).await?;
    let mut waiting = Vec::new();
    for number in 0..6 {
        let mut client = service.client((number + 1) % 2).await?;
        ask_to_join(&mut client, &room).await?;
        let position = client.hears("join-waiting").await?["position"].clone();
        ensure!(position == number + 1, "{number}: {position}");
        waiting.push(client);
    }
    for number in 0..waiting.len() {
        let leave = json!({"type": "leave-room", "payload": {"roomId": room}});
        inside.say(leave).await?;
        waiting[0].hears("room-joined").await?;
        let later = waiting.iter().skip(1);
        let early = later.filter(|client| {
            let received = client.received();
            received
                .iter()
                .any(|message| message["type"] == "room-joined")
        });
        ensure!(early.count() == 0, "the first to ask enters, {number}");
        inside = waiting.remove(0);
        if waiting.is_empty() {
            break;
        }
    }
    service.stop().await
}

/// Its sockets live on, its word that it is alive does not.
#[tokio::test]
async fn who_is_on_a_node_that_lost_the_database_for_long_is_told_to_come_anew() -> Result<()> {
    let mut service = Service::start(1).await?;
    let url = service.postgres.url();
    let (_, place) = url.split_once('@').context("a place")?;
    let (address, _) = place.split_once('/').context("an address")?;
    let line = TcpProxy::start(address).await?;
    let url = url.replace(address, &line.address().to_string());
    service.add_with("cut off", &url).await?;
    let (mut ann, mut ben) = (service.client(0).await?, service.client(1).await?);
    let room = ann.create("Tea", 0).await?;
    ben.join(&room).await?;
    told(&ann, "ann sees ben", |message| {
        message["memberId"] == ben.id()
    })
    .await?;

    line.close();
    ann.hears("member-left").await?;
    ensure!(ben.closed().is_none(), "ben's socket is whole");
    line.open();
    wait_until("ben is told", LEASE_LIMIT, async || Ok(ben.closed())).await?;
    ensure!(ben.closed() == Some(1001), "{:?}", ben.closed());

    let mut back = service.client(1).await?;
    let inside = back.join(&room).await?;
    ensure!(inside == [ann.id(), back.id()], "{inside:?}");
    let told_ben = |message: &Value| message["type"] == "member-left";
    ensure!(ben.received().iter().all(|message| !told_ben(message)));
    for node in service.nodes {
        node.stop_after(&["the store failed"]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn s3_39_who_loses_a_killed_node_comes_back_on_another_and_the_rest_are_gone_in_time()
-> Result<()> {
    let mut service = Service::start(2).await?;
    let features = ["members", "resume", "chat"];
    let (mut ann, mut ben) = (service.client(0).await?, service.client(1).await?);
    let mut plain = service.client(1).await?;
    let room = ann.create("Tea", 0).await?;
    let token = enter(&mut ben, &room, &features).await?;
    let token = token["resumeToken"].as_str().context("a token")?.to_owned();
    plain.join(&room).await?;
    told(&ann, "ann sees both", |message| {
        message["memberId"] == plain.id()
    })
    .await?;
    let ben_id = ben.id().to_owned();
    service.nodes.remove(1).kill().await?;

    // Said while nobody is there to hear it.
    ann.say(json!({"type": "offer", "to": ben_id, "payload": {"n": 1}}))
        .await?;
    ann.say(json!({"type": "chat", "payload": "still there?"}))
        .await?;
    ann.hears("chat").await?;

    let mut back = service.client(0).await?;
    let resume = json!({"type": "resume", "payload": {"resumeToken": token}});
    let resumed = back.ask(resume.clone(), "resumed").await?;
    let members = resumed["room"]["participants"]
        .as_array()
        .context("members")?;
    ensure!(members.iter().any(|id| *id == ben_id.as_str()), "{resumed}");
    ensure!(resumed["room"]["chat"][0]["payload"] == "still there?");
    let offer = back.hears("offer").await?;
    ensure!(
        offer["payload"] == json!({"n": 1}),
        "what was kept is delivered"
    );
    back.say(json!({"type": "chat", "payload": "here I am"}))
        .await?;
    told(&ann, "ann reads it", |message| {
        message["payload"] == "here I am" && message["from"] == ben_id.as_str()
    })
    .await?;
    let mut thief = service.client(0).await?;
    ensure!(
        thief.ask(resume, "error").await?["code"] == "unauthorized",
        "good once"
    );

    // The other one cannot resume: the lease of its node runs out.
    let plain_id = plain.id().to_owned();
    told(&ann, "the plain client is gone", |message| {
        message["type"] == "member-left" && message["memberId"] == plain_id.as_str()
    })
    .await?;
    ensure!(service.inside(&room).await? == 2);
    service.stop().await
}

/// Two hundred come at once, through both doors; how many got in.
async fn crowd(service: &Service, clients: &mut [PlainClient]) -> Result<usize> {
    let room = {
        let made = service.nodes[0].http().post("/rooms", &json!({})).await?;
        made.expect(201)?["roomId"]
            .as_str()
            .context("a room")?
            .to_owned()
    };
    let joins = clients.iter_mut().map(async |client| {
        let before = client.received().len();
        client
            .say(json!({"type": "join-room", "payload": {"roomId": room}}))
            .await?;
        wait_until("the join is answered", LIMIT, async || {
            let news = client.received().into_iter().skip(before);
            Ok(news
                .into_iter()
                .find_map(|message| match message["type"].as_str() {
                    Some("room-joined") => Some(Ok(true)),
                    Some("error") if message["code"] == "room-full" => Some(Ok(false)),
                    Some("error") => Some(Err(anyhow::anyhow!("{message}"))),
                    _ => None,
                }))
        })
        .await?
    });
    let inside = try_join_all(joins).await?;
    let admitted = inside.iter().filter(|inside| **inside).count();
    ensure!(service.inside(&room).await? as usize == admitted);
    for (client, inside) in clients.iter_mut().zip(inside) {
        if inside {
            client.say(json!({"type": "leave-room"})).await?;
        }
    }
    wait_until("the room is empty", LIMIT, async || {
        Ok((service.inside(&room).await? == 0).then_some(()))
    })
    .await?;
    Ok(admitted)
}

#[tokio::test]
async fn s4_28_atomic_join_admits_exactly_four_of_two_hundred_across_two_nodes() -> Result<()> {
    let service = Service::start(2).await?;
    let mut clients = Vec::new();
    for number in 0..200 {
        clients.push(service.client(number % 2).await?);
    }
    for round in 0..100 {
        let admitted = crowd(&service, &mut clients).await?;
        ensure!(admitted == 4, "round {round}: {admitted}");
    }
    service.stop().await
}

#[tokio::test]
async fn s4_30_with_redis_down_rooms_work_and_joins_are_as_exact() -> Result<()> {
    let mut service = Service::start(2).await?;
    let mut clients = Vec::new();
    for number in 0..40 {
        clients.push(service.client(number % 2).await?);
    }
    let (mut ann, mut ben) = (service.client(0).await?, service.client(1).await?);
    let room = ann.create("Tea", 0).await?;
    ben.join(&room).await?;
    ann.hears("member-joined").await?;
    service.redis.kill().await?;

    for _ in 0..3 {
        let admitted = crowd(&service, &mut clients).await?;
        ensure!(admitted == 4, "down: {admitted}");
    }
    let http = service.nodes[1].http();
    let made = http
        .post("/rooms", &json!({"name": "meanwhile"}))
        .await?
        .expect(201)?;
    let code = made["roomId"].as_str().context("a code")?.to_owned();
    let path = format!("/rooms/{code}");
    ensure!(http.get(&path).await?.expect(200)?["name"] == "meanwhile");
    // Said and done meanwhile, unheard by the other node.
    let mut cid = service.client(1).await?;
    cid.join(&room).await?;
    ben.hears("member-joined").await?;
    cid.say(json!({"type": "chat", "payload": "unheard"}))
        .await?;
    ben.hears("chat").await?;

    service.redis.restart().await?;
    told(&ann, "ann catches up with who came", |message| {
        message["type"] == "member-joined" && message["memberId"] == cid.id()
    })
    .await?;
    told(&ann, "and with what was said", |message| {
        message["payload"] == "unheard"
    })
    .await?;
    let admitted = crowd(&service, &mut clients).await?;
    ensure!(admitted == 4, "back: {admitted}");
    // Each node finds out for itself that Redis is back.
    wait_until("what was read is cached again", LIMIT, async || {
        service.nodes[1].http().get(&path).await?.expect(200)?;
        let key = format!("room:{code}");
        Ok((service.redis.ask(&["EXISTS", &key]).await? == "1").then_some(()))
    })
    .await?;
    service.stop().await
}

/// Makes a room with its host on the last node and two members on the first.
async fn host_and_two(service: &Service) -> Result<(String, [PlainClient; 3])> {
    let mut host = service.client(service.nodes.len() - 1).await?;
    let features = ["members", "controls"];
    let payload = json!({"name": "Tea", "features": features});
    let create = json!({"type": "create-room", "payload": payload});
    let created = host.ask(create, "room-created").await?;
    let room = created["room"]["id"].as_str().context("an id")?.to_owned();
    let (mut ben, mut cid) = (service.client(0).await?, service.client(0).await?);
    for client in [&mut ben, &mut cid] {
        enter(client, &room, &features).await?;
        told(&host, "the host sees the member", |message| {
            message["type"] == "member-joined" && message["memberId"] == client.id()
        })
        .await?;
    }
    Ok((room, [host, ben, cid]))
}

/// The host makes another one host, and the members on the other node do not hear of it.
async fn hand_over_unheard(
    service: &Service,
    room: &str,
    [host, ben, cid]: &mut [PlainClient; 3],
) -> Result<()> {
    let transfer = json!({"type": "transfer-host", "roomId": room, "to": ben.id()});
    host.say(transfer).await?;
    wait_until("both roles are stored", LIMIT, async || {
        let sql = "SELECT string_agg(doc::json->>'role', ' ' ORDER BY joined_at, sid) \
                   FROM participants WHERE left_at IS NULL";
        let roles = service.postgres.query(sql).await?;
        Ok((roles.trim() == "participant host participant").then_some(()))
    })
    .await?;
    for client in [ben, cid] {
        let received = client.received();
        let hears = |message: &Value| message["type"] == "room-updated";
        let last = received.iter().rfind(|message| hears(message));
        ensure!(
            last.is_none_or(|last| last["room"]["host"] == host.id()),
            "{last:?}"
        );
    }
    Ok(())
}

/// Every client sees one host, the new one, which is obeyed on its own node.
async fn check_new_host(room: &str, [host, ben, cid]: &mut [PlainClient; 3]) -> Result<()> {
    for client in [&*host, &*ben, &*cid] {
        told(client, "the room has the new host", |message| {
            message["type"] == "room-updated" && message["room"]["host"] == ben.id()
        })
        .await?;
        for (who, role) in [(&*host, "participant"), (&*ben, "host")] {
            wait_until("the member has its role", LIMIT, async || {
                let received = client.received();
                let last = received.iter().rfind(|message| {
                    message["type"] == "member-updated" && message["memberId"] == who.id()
                });
                Ok(last.and_then(|last| (last["member"]["role"] == role).then_some(())))
            })
            .await?;
        }
    }
    let refused = json!({"type": "remove-member", "roomId": room, "to": cid.id()});
    ensure!(host.ask(refused.clone(), "error").await?["code"] == "forbidden");
    ben.say(refused).await?;
    cid.hears("member-removed").await?;
    Ok(())
}

#[tokio::test]
async fn a_host_change_while_redis_is_down_heals_on_every_node() -> Result<()> {
    let mut service = Service::start(2).await?;
    let (room, mut clients) = host_and_two(&service).await?;
    service.redis.kill().await?;
    hand_over_unheard(&service, &room, &mut clients).await?;
    service.redis.restart().await?;
    check_new_host(&room, &mut clients).await?;
    service.stop().await
}

/// The other node's subscription has no gap: it does not know that it missed something.
#[tokio::test]
async fn a_host_change_by_a_node_that_redis_does_not_hear_heals_on_the_others() -> Result<()> {
    let mut service = Service::start(1).await?;
    let url = service.redis.url();
    let (_, address) = url.split_once("://").context("an address")?;
    let address = address.trim_end_matches('/').to_owned();
    let proxy = TcpProxy::start(&address).await?;
    let redis = url.replace(&address, &proxy.address().to_string());
    let database = service.postgres.url();
    service.launch("cut off", &database, &redis).await?;
    let (room, mut clients) = host_and_two(&service).await?;
    proxy.close();
    hand_over_unheard(&service, &room, &mut clients).await?;
    proxy.open();
    check_new_host(&room, &mut clients).await?;
    service.stop().await
}

#[tokio::test]
async fn s4_12_s4_13_s4_14_s4_15_s4_16_s4_21_s4_26_the_cache_in_redis_holds_a_room_for_a_day()
-> Result<()> {
    let service = Service::start(1).await?;
    let http = service.nodes[0].http();
    let made = http.post("/rooms", &json!({})).await?.expect(201)?;
    let code = made["roomId"].as_str().context("a code")?;
    let key = format!("room:{code}");
    let path = format!("/rooms/{code}");
    for way in ["written through", "read through", "back after its time"] {
        let value: Value = serde_json::from_str(&service.redis.ask(&["GET", &key]).await?)?;
        let shown = http.get(&path).await?.expect(200)?;
        ensure!(
            value["id"] == shown["id"] && value["maxParticipants"] == 4,
            "{way}: {value}"
        );
        ensure!(value["hostId"] == shown["hostId"], "{way}: {value}");
        let ttl: i64 = service.redis.ask(&["TTL", &key]).await?.parse()?;
        ensure!((86_391..=86_400).contains(&ttl), "{way}: {ttl}");
        match way {
            "written through" => service.redis.ask(&["DEL", &key]).await?,
            _ => service.redis.ask(&["PEXPIRE", &key, "1"]).await?,
        };
        wait_until("the key is gone", LIMIT, async || {
            Ok((service.redis.ask(&["EXISTS", &key]).await? == "0").then_some(()))
        })
        .await?;
        http.get(&path).await?.expect(200)?;
    }
    // A limit is never left out, and follows every change.
    for (said, held) in [(json!(10), 10), (Value::Null, 0)] {
        let change = json!({"max_participants": said});
        http.patch(&path, &change).await?.expect(200)?;
        let value: Value = serde_json::from_str(&service.redis.ask(&["GET", &key]).await?)?;
        ensure!(value["maxParticipants"] == held, "{value}");
    }
    service.stop().await
}

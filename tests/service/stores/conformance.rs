//! What every store does: in memory, in a file, and in PostgreSQL.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;
use visavis_server::Timestamp;
use visavis_server::model::{
    Closing, EndReason, Event, EventLabel, Link, Participant, Room, Topic,
};
use visavis_server::store::{
    AgedRows, BATCH, Database, RoomCursor, RoomKey, Rtc, Stay, Store, StoreError, Tx,
};
use visavis_tests::postgres::Postgres;
use visavis_tests::wait::wait_until;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const LIMIT: Duration = Duration::from_secs(30);

fn later(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

/// All that a store has to show, on each of them.
#[tokio::test(flavor = "multi_thread")]
async fn every_store_does_the_same() -> Result<()> {
    let postgres = Postgres::start().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("Ann's rooms, 100%? #1 ü.db");
    let file = format!("sqlite:{}", file.display());
    for database in ["memory".to_owned(), file, postgres.url()] {
        let shown = async {
            let database = Database::from_str(&database)?;
            let store = Store::open(&database).await?;
            store.check().await?;
            a_room_has_one_row_under_all_its_names(&store).await?;
            a_change_is_whole_or_not_at_all(&store).await?;
            changes_of_one_room_come_one_after_the_other(&store).await?;
            what_is_due_comes_in_its_order(&store).await?;
            people_come_and_go(&store).await?;
            the_list_of_rooms_is_paged(&store).await?;
            events_are_read_from_any_place(&store).await?;
            chat_is_kept_in_order(&store).await?;
            an_rtc_belongs_to_a_room(&store).await?;
            a_lease_has_one_holder(&store).await?;
            what_is_forgotten_is_forgotten_whole(&store).await?;
            old_rows_are_deleted_in_batches(&store).await?;
            anyhow::Ok(())
        };
        shown.await.with_context(|| database.clone())?;
    }
    let files = std::fs::read_dir(&folder)?.flatten();
    let names: Vec<_> = files.map(|file| file.file_name()).collect();
    let ours = |name: &std::ffi::OsString| {
        name.to_string_lossy()
            .starts_with("Ann's rooms, 100%? #1 ü.db")
    };
    ensure!(!names.is_empty() && names.iter().all(ours), "{names:?}");
    Ok(())
}

/// What is wrong with a write is told at once, or at the commit.
async fn committed(written: Result<(), StoreError>, tx: Tx) -> Result<(), StoreError> {
    written?;
    tx.commit().await
}

#[tokio::test]
async fn s4_08_a_host_who_is_no_user_is_refused_by_every_store() -> Result<()> {
    let postgres = Postgres::start().await?;
    for database in ["memory", &postgres.url()] {
        let store = Store::open(&Database::from_str(database)?).await?;
        let host = Uuid::new_v4();
        let mut hosted = room("hos-tist-nou");
        hosted.host = Some(host);
        let mut tx = store.begin().await?;
        let written = tx.insert_room(&hosted).await;
        let refused = committed(written, tx).await;
        ensure!(
            matches!(refused, Err(StoreError::Dangling(_))),
            "{database}: {refused:?}"
        );
        let mut tx = store.begin().await?;
        tx.ensure_user(host, NOW).await?;
        tx.ensure_user(host, NOW).await?;
        tx.insert_room(&hosted).await?;
        hosted.host = Some(Uuid::new_v4());
        let written = tx.put_room(&mut hosted).await;
        let refused = committed(written, tx).await;
        ensure!(
            matches!(refused, Err(StoreError::Dangling(_))),
            "{database}: {refused:?}"
        );
    }
    Ok(())
}

/// A room by this code, whose other names follow from it.
fn room(code: &str) -> Room {
    Room {
        code: code.to_owned(),
        ro: format!("ro_{code}"),
        rtc_name: format!("open-{code}"),
        ..Room::draft(NOW)
    }
}

async fn add(store: &Store, room: &Room) -> Result<()> {
    let mut tx = store.begin().await?;
    tx.insert_room(room).await?;
    Ok(tx.commit().await?)
}

async fn find(store: &Store, room: &Room) -> Result<Option<Room>> {
    Ok(store.find_room(&RoomKey::Uid(room.uid)).await?)
}

async fn a_room_has_one_row_under_all_its_names(store: &Store) -> Result<()> {
    let mut one = room("nam-esof-one");
    one.link = Some(Link::Booking("b-1".to_owned()));
    one.tags = json!({"ü\u{0}": [1, 0.5, null], "big": u64::MAX});
    add(store, &one).await?;
    let mut tx = store.begin().await?;
    tx.start_instance(one.uid, "RM_nameofone", NOW).await?;
    tx.commit().await?;
    for key in [
        RoomKey::Uid(one.uid),
        RoomKey::Code(one.code.clone()),
        RoomKey::Ro(one.ro.clone()),
        RoomKey::Name(one.rtc_name.clone()),
        RoomKey::Sid("RM_nameofone".to_owned()),
    ] {
        ensure!(
            store.find_room(&key).await?.as_ref() == Some(&one),
            "{key:?}"
        );
    }
    let link = one.link.clone().context("a link")?;
    ensure!(store.find_linked(&link).await? == Some(one.clone()));
    ensure!(
        store
            .find_linked(&Link::Channel("b-1".to_owned()))
            .await?
            .is_none()
    );
    ensure!(
        store
            .find_room(&RoomKey::Code("non-eeee-one".to_owned()))
            .await?
            .is_none()
    );
    for taken in [
        Room {
            code: one.code.clone(),
            ..room("nam-esof-two")
        },
        Room {
            ro: one.ro.clone(),
            ..room("nam-esof-two")
        },
        Room {
            rtc_name: one.rtc_name.clone(),
            ..room("nam-esof-two")
        },
        Room {
            uid: one.uid,
            ..room("nam-esof-two")
        },
    ] {
        let refused = add(store, &taken).await.err().context("refused")?;
        let refused = refused.downcast::<StoreError>()?;
        ensure!(matches!(refused, StoreError::Taken(_)), "{refused:?}");
    }
    Ok(())
}

async fn a_change_is_whole_or_not_at_all(store: &Store) -> Result<()> {
    let mut one = room("who-leor-not");
    add(store, &one).await?;
    let before = one.clone();
    let mut tx = store.begin().await?;
    one.name = "Tea".to_owned();
    tx.put_room(&mut one).await?;
    tx.append_event(&event("rooms/whole/events", "EV_half"))
        .await?;
    drop(tx);
    ensure!(find(store, &one).await? == Some(before));
    ensure!(
        store
            .event_place("rooms/whole/events", "EV_half")
            .await?
            .is_none()
    );

    let mut tx = store.begin().await?;
    let mut locked = tx.lock_room(one.uid).await?.context("it is there")?;
    locked.name = "Tea".to_owned();
    locked.metadata = serde_json::from_value(json!({"private": true}))?;
    let version = locked.version;
    tx.put_room(&mut locked).await?;
    ensure!(locked.version == version + 1);
    tx.commit().await?;
    ensure!(find(store, &one).await? == Some(locked.clone()));
    let is_it = |rooms: Vec<Room>| rooms.iter().any(|room| room.uid == one.uid);
    ensure!(is_it(store.active_rooms(1_000).await?));

    let mut tx = store.begin().await?;
    locked.closed = Some(Closing {
        at: NOW,
        reason: EndReason::Ended,
    });
    tx.put_room(&mut locked).await?;
    tx.commit().await?;
    ensure!(!is_it(store.active_rooms(1_000).await?), "it is closed");
    let mut tx = store.begin().await?;
    ensure!(tx.lock_room(Uuid::new_v4()).await?.is_none());
    Ok(())
}

async fn the_list_of_rooms_is_paged(store: &Store) -> Result<()> {
    let made = |code: &str, age: u64| Room {
        created_at: later(10_000_000 - age),
        opens_at: NOW,
        ..room(code)
    };
    let [newest, oldest, occupied, hidden] = [
        ("pag-enew-est", 1),
        ("pag-eold-est", 4),
        ("pag-eocc-upi", 3),
        ("pag-ehid-den", 2),
    ]
    .map(|(code, age)| made(code, age));
    let mut private = made("pag-epri-vat", 0);
    private.metadata = Some(serde_json::from_value(json!({"private": true}))?);
    let pending = Room {
        opens_at: later(20_000_000),
        ..made("pag-epen-din", 0)
    };
    for one in [&newest, &oldest, &occupied, &hidden, &private, &pending] {
        add(store, one).await?;
    }
    let mut tx = store.begin().await?;
    tx.insert_participant(&stay(&occupied, "PA_page", Uuid::new_v4(), 1)?)
        .await?;
    let unseen = Participant {
        hidden: true,
        ..stay(&hidden, "PA_unseen", Uuid::new_v4(), 1)?
    };
    tx.insert_participant(&unseen).await?;
    tx.commit().await?;
    let now = later(10_000_000);
    let page = async |with_private, offset, limit| {
        let rooms = store.open_rooms(with_private, now, offset, limit).await?;
        let rooms = rooms.into_iter();
        let ours = rooms.filter(|(room, _)| room.code.starts_with("pag-"));
        anyhow::Ok(
            ours.map(|(room, present)| (room.code, present))
                .collect::<Vec<_>>(),
        )
    };
    let row = |room: &Room, present| (room.code.clone(), present);
    let all = page(false, 0, 100).await?;
    let wanted = [
        row(&occupied, 1),
        row(&newest, 0),
        row(&hidden, 0),
        row(&oldest, 0),
    ];
    ensure!(all == wanted, "{all:?}");
    let with_private = page(true, 0, 100).await?;
    ensure!(with_private.contains(&row(&private, 0)), "{with_private:?}");
    // Every page continues the one before.
    let mut paged = Vec::new();
    for offset in 0..100 {
        paged.extend(page(false, offset, 1).await?);
    }
    ensure!(paged == wanted, "{paged:?}");
    Ok(())
}

async fn changes_of_one_room_come_one_after_the_other(store: &Store) -> Result<()> {
    let one = room("one-byon-eee");
    add(store, &one).await?;
    let raise = || async {
        let mut tx = store.begin().await?;
        let mut room = tx.lock_room(one.uid).await?.context("it is there")?;
        room.max_participants += 1;
        tx.put_room(&mut room).await?;
        anyhow::Ok(tx.commit().await?)
    };
    for raised in join_all((0..100).map(|_| raise())).await {
        raised?;
    }
    let raised = find(store, &one).await?.context("it is there")?;
    ensure!((raised.max_participants, raised.version) == (100, 100));
    Ok(())
}

async fn what_is_due_comes_in_its_order(store: &Store) -> Result<()> {
    let due = |code: &str, seconds| Room {
        closes_at: Some(later(seconds)),
        ..room(code)
    };
    let (second, first) = (due("due-seco-ond", 20), due("due-firs-rst", 10));
    add(store, &second).await?;
    add(store, &first).await?;
    ensure!(store.due_rooms(later(9), 10).await?.is_empty());
    ensure!(store.next_due(Timestamp(0)).await? == first.closes_at);
    ensure!(store.due_rooms(later(20), 10).await? == [first.uid, second.uid]);
    ensure!(store.due_rooms(later(20), 1).await? == [first.uid]);
    let mut tx = store.begin().await?;
    for mut room in [first, second.clone()] {
        room.closed = Some(Closing {
            at: later(30),
            reason: EndReason::Time,
        });
        tx.put_room(&mut room).await?;
    }
    tx.commit().await?;
    ensure!(
        store.due_rooms(later(30), 10).await?.is_empty()
            && store.next_due(Timestamp(0)).await?.is_none()
    );
    Ok(())
}

/// Someone who comes in so many seconds from the start.
fn stay(room: &Room, sid: &str, client: Uuid, seconds: u64) -> Result<Participant> {
    let stay = json!({
        "sid": sid, "room": room.uid, "instance": "RM_1", "client": client,
        "identity": "ann", "name": "Ann", "role": "participant", "kind": "video",
        "joinedAt": later(seconds), "leftAt": null, "node": "ND_conformance",
        "features": [], "grants": {}, "tracks": [], "handRaised": false, "quality": null,
        "metadata": "", "secret": "2a",
    });
    Ok(serde_json::from_value(stay)?)
}

async fn people_come_and_go(store: &Store) -> Result<()> {
    let place = room("peo-plec-ome");
    add(store, &place).await?;
    let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
    let late = stay(&place, "PA_late", a, 5)?;
    let early = stay(&place, "PA_early", b, 1)?;
    let mut tx = store.begin().await?;
    tx.insert_participant(&late).await?;
    tx.insert_participant(&early).await?;
    ensure!(tx.crowd(place.uid).await? == (2, Some(late.joined_at)));
    ensure!(tx.present(place.uid).await? == [early.clone(), late.clone()]);
    ensure!(tx.lock_present(place.uid, a).await? == Some(late.clone()));
    tx.commit().await?;

    let mut tx = store.begin().await?;
    let again = stay(&place, "PA_twice", a, 6)?;
    let written = tx.insert_participant(&again).await;
    let twice = committed(written, tx).await;
    ensure!(matches!(twice, Err(StoreError::Taken(_))), "{twice:?}");
    let nowhere = stay(&room("now-here-ere"), "PA_nowhere", a, 6)?;
    let mut tx = store.begin().await?;
    let written = tx.insert_participant(&nowhere).await;
    let dangling = committed(written, tx).await;
    ensure!(
        matches!(dangling, Err(StoreError::Dangling(_))),
        "{dangling:?}"
    );

    ensure!(store.counts().await?.contains(&(place.uid, 2)));
    ensure!(store.participants_of_node("ND_conformance").await?.len() == 2);
    ensure!(store.dead_nodes().await? == ["ND_conformance"]);
    let gone = early.gone(later(9));
    let mut tx = store.begin().await?;
    ensure!(tx.put_participant(&gone).await?, "it was inside");
    ensure!(!tx.put_participant(&gone).await?, "it is not any more");
    // The same client comes again: another stay.
    tx.insert_participant(&stay(&place, "PA_again", b, 10)?)
        .await?;
    tx.commit().await?;
    let sids = |stays: Vec<Participant>| -> Vec<String> {
        stays.into_iter().map(|stay| stay.sid).collect()
    };
    let present = store.participants(place.uid, Stay::Present).await?;
    ensure!(sids(present) == ["PA_late", "PA_again"]);
    let any = store.participants(place.uid, Stay::Any).await?;
    ensure!(any[0] == gone && sids(any) == ["PA_early", "PA_late", "PA_again"]);
    Ok(())
}

fn event(uri: &str, id: &str) -> Event {
    Event {
        id: id.to_owned(),
        at: NOW,
        room: None,
        uri: uri.to_owned(),
        label: EventLabel::RoomCreate,
        payload: r#"{"a":1}"#.to_owned(),
    }
}

async fn events_are_read_from_any_place(store: &Store) -> Result<()> {
    let (ours, theirs) = (Topic::audience("ours"), Topic::audience("theirs"));
    let start = store.last_place(&ours).await?;
    let mut tx = store.begin().await?;
    for (uri, id) in [
        (&ours, "EV_1"),
        (&theirs, "EV_2"),
        (&ours, "EV_2"),
        (&ours, "EV_3"),
    ] {
        tx.append_event(&event(uri, id)).await?;
    }
    tx.commit().await?;
    let read = store.events_after(&ours, start, 10).await?;
    let events: Vec<_> = read.iter().map(|(_, event)| event.clone()).collect();
    ensure!(
        events == ["EV_1", "EV_2", "EV_3"].map(|id| event(&ours, id)),
        "{events:?}"
    );
    ensure!(read.is_sorted_by_key(|(place, _)| *place));
    ensure!(store.event_place(&ours, "EV_2").await? == Some(read[1].0));
    ensure!(store.events_after(&ours, read[1].0, 10).await? == read[2..]);
    ensure!(store.events_after(&ours, start, 1).await? == read[..1]);
    ensure!(store.event_place(&theirs, "EV_1").await?.is_none());
    ensure!(store.last_place(&ours).await? == read[2].0);
    Ok(())
}

/// PostgreSQL numbers rows before they are committed.
#[tokio::test]
async fn of_a_topic_no_event_comes_to_light_before_an_earlier_one() -> Result<()> {
    let postgres = Postgres::start().await?;
    let store = Store::open(&Database::from_str(&postgres.url())?).await?;
    let (topic, other) = (Topic::audience("ours"), Topic::audience("theirs"));
    let mut first = store.begin().await?;
    first.append_event(&event(&topic, "EV_1")).await?;
    let append = async |topic: &str, id: &str| {
        let mut tx = store.begin().await?;
        tx.append_event(&event(topic, id)).await?;
        tx.commit().await
    };
    append(&other, "EV_other").await?;
    let waits = wait_until("the second waits for the first", LIMIT, async || {
        let waiting = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        Ok((postgres.query(waiting).await? == "1").then_some(()))
    });
    let ends = async {
        waits.await?;
        ensure!(store.events_after(&topic, 0, 10).await?.is_empty());
        Ok(first.commit().await?)
    };
    let (second, ended) = tokio::join!(append(&topic, "EV_2"), ends);
    ended?;
    second?;
    let read = store.events_after(&topic, 0, 10).await?;
    let ids: Vec<&str> = read.iter().map(|(_, event)| event.id.as_str()).collect();
    ensure!(ids == ["EV_1", "EV_2"], "{ids:?}");
    Ok(())
}

async fn chat_is_kept_in_order(store: &Store) -> Result<()> {
    let place = room("cha-tind-ord");
    add(store, &place).await?;
    for id in 1..=5 {
        let entry = json!({
            "id": id.to_string(), "from": "x", "name": "Ann", "payload": {"text": "ü\u{0}"},
            "sentAt": "2026-01-22T10:30:00Z",
        });
        let entry = serde_json::from_value(entry)?;
        store.append_chat(place.uid, &entry).await?;
        let nowhere = store.append_chat(Uuid::new_v4(), &entry).await;
        ensure!(
            matches!(nowhere, Err(StoreError::Dangling(_))),
            "{nowhere:?}"
        );
    }
    let recent = store.recent_chat(place.uid, 3).await?;
    let ids: Vec<_> = recent.iter().map(|entry| entry.id.as_str()).collect();
    ensure!(ids == ["3", "4", "5"], "{ids:?}");
    let payload: Value = serde_json::from_str(recent[0].payload.get())?;
    ensure!(payload == json!({"text": "ü\u{0}"}));
    Ok(())
}

async fn an_rtc_belongs_to_a_room(store: &Store) -> Result<()> {
    let place = room("rtc-sroo-oom");
    add(store, &place).await?;
    let rtc = |room, at| Rtc {
        id: Uuid::new_v4(),
        room,
        created_at: at,
        created_by: Some("ann".to_owned()),
    };
    let (second, first) = (rtc(place.uid, later(2)), rtc(place.uid, later(1)));
    let mut tx = store.begin().await?;
    tx.insert_rtc(&second).await?;
    tx.insert_rtc(&first).await?;
    tx.commit().await?;
    ensure!(store.rtc(first.id).await?.as_ref() == Some(&first));
    ensure!(store.rtc(Uuid::new_v4()).await?.is_none());
    ensure!(store.rtcs(place.uid).await? == [first, second]);
    let mut tx = store.begin().await?;
    let written = tx.insert_rtc(&rtc(Uuid::new_v4(), NOW)).await;
    let dangling = committed(written, tx).await;
    ensure!(
        matches!(dangling, Err(StoreError::Dangling(_))),
        "{dangling:?}"
    );
    Ok(())
}

async fn a_lease_has_one_holder(store: &Store) -> Result<()> {
    let (long, none) = (Duration::from_secs(60), Duration::ZERO);
    let take = |holder, lease| store.take_lease("thing", holder, lease);
    ensure!(take("a", long).await?);
    ensure!(!take("b", long).await?, "another node holds it");
    ensure!(take("a", none).await?, "its holder renews it, until now");
    ensure!(take("b", long).await?, "it has expired");
    ensure!(store.lease_end("thing").await?.is_some());
    store.drop_lease("thing", "a").await?;
    ensure!(!take("c", long).await?, "only its holder releases it");
    store.drop_lease("thing", "b").await?;
    ensure!(take("c", long).await?);
    Ok(())
}

async fn what_is_forgotten_is_forgotten_whole(store: &Store) -> Result<()> {
    let mut gone = room("for-gott-ten");
    gone.link = Some(Link::Booking("b-gone".to_owned()));
    let kept = room("kep-tfor-now");
    add(store, &gone).await?;
    add(store, &kept).await?;
    let mut tx = store.begin().await?;
    tx.insert_participant(&stay(&gone, "PA_forgotten", Uuid::new_v4(), 1)?)
        .await?;
    gone.deleted_at = Some(later(10));
    tx.put_room(&mut gone).await?;
    tx.commit().await?;
    // Of the other rooms of these tests some ended at this time or before.
    for (before, left) in [(10, true), (11, false)] {
        let mut from = Some(RoomCursor::default());
        let mut codes = Vec::new();
        while let Some(cursor) = from {
            let purged = store.purge_ended_rooms(later(before), &cursor).await?;
            codes.extend(purged.codes);
            from = purged.next;
        }
        ensure!(codes.contains(&gone.code) != left, "{codes:?}");
        ensure!(find(store, &gone).await?.is_some() == left);
    }
    ensure!(store.participants(gone.uid, Stay::Any).await?.is_empty());
    ensure!(find(store, &kept).await?.is_some());
    Ok(())
}

/// The number of rows that each batch deletes.
async fn batches(store: &Store, rows: AgedRows, before: Timestamp) -> Result<Vec<u64>> {
    let mut batches = Vec::new();
    loop {
        let deleted = store.purge_aged(rows, before).await?;
        batches.push(deleted);
        if deleted < BATCH {
            return Ok(batches);
        }
    }
}

async fn old_rows_are_deleted_in_batches(store: &Store) -> Result<()> {
    let place = room("old-rows-goo");
    add(store, &place).await?;
    let topic = Topic::room(place.uid);
    let old = |id: u64| Event {
        at: Timestamp(1),
        ..event(&topic, &format!("EV_{id}"))
    };
    let mut tx = store.begin().await?;
    for id in 0..2 * BATCH + 1 {
        tx.append_event(&old(id)).await?;
    }
    tx.append_event(&event(&topic, "EV_young")).await?;
    tx.start_instance(place.uid, "RM_old", Timestamp(1)).await?;
    tx.end_instance("RM_old", Timestamp(1)).await?;
    tx.start_instance(place.uid, "RM_now", Timestamp(1)).await?;
    let left = stay(&place, "PA_old", Uuid::new_v4(), 1)?.gone(Timestamp(1));
    tx.insert_participant(&left).await?;
    tx.insert_participant(&stay(&place, "PA_now", Uuid::new_v4(), 1)?)
        .await?;
    tx.commit().await?;
    for sent_at in ["1970-01-01T00:00:00Z", "2024-01-01T00:00:00Z"] {
        let entry = json!({
            "id": sent_at, "from": "x", "name": "Ann", "payload": "ü", "sentAt": sent_at,
        });
        store
            .append_chat(place.uid, &serde_json::from_value(entry)?)
            .await?;
    }
    let deleted = batches(store, AgedRows::Events, NOW).await?;
    ensure!(deleted == [BATCH, BATCH, 1], "{deleted:?}");
    let events = store.events_after(&topic, 0, 10).await?;
    ensure!(events.len() == 1 && events[0].1.id == "EV_young");
    for rows in [AgedRows::Chat, AgedRows::Stays, AgedRows::RoomInstances] {
        let deleted = batches(store, rows, NOW).await?;
        ensure!(deleted == [1], "{rows:?} {deleted:?}");
    }
    ensure!(store.recent_chat(place.uid, 9).await?.len() == 1);
    let stays = store.participants(place.uid, Stay::Any).await?;
    ensure!(stays.len() == 1 && stays[0].sid == "PA_now");
    for (sid, is_there) in [("RM_old", false), ("RM_now", true)] {
        let found = store.find_room(&RoomKey::Sid(sid.to_owned())).await?;
        ensure!(found.is_some() == is_there, "{sid}");
    }
    Ok(())
}

#[tokio::test]
async fn nodes_that_delete_at_the_same_time_take_different_rows() -> Result<()> {
    let postgres = Postgres::start().await?;
    let database = Database::from_str(&postgres.url())?;
    let (one, other) = (Store::open(&database).await?, Store::open(&database).await?);
    let mut tx = one.begin().await?;
    let rows = 4 * BATCH + 1;
    for id in 0..rows {
        tx.append_event(&event("rooms/x/events", &format!("EV_{id}")))
            .await?;
    }
    tx.commit().await?;
    let delete = |store| batches(store, AgedRows::Events, later(1));
    let (ones, others) = tokio::join!(delete(&one), delete(&other));
    let deleted: Vec<u64> = [ones?, others?].concat();
    ensure!(deleted.iter().sum::<u64>() == rows, "{deleted:?}");
    Ok(())
}

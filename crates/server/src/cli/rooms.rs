//! `rooms`: lists the stored rooms.

use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::Value;

use super::args::RoomsArgs;
use super::remote::Remote;
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::render::table::{self, table};
use crate::store::{Database, Store};

/// Rooms listed at most.
const MOST: i64 = 100_000;

pub(super) async fn rooms(config: ServerConfig, asked: RoomsArgs) -> anyhow::Result<ExitCode> {
    let text = match open(&config.database).await? {
        Some(store) => stored(&store, &asked).await?,
        None if asked.all => bail!("a server with its database in memory lists only active rooms"),
        None => running(&config, &asked).await?,
    };
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// Opens the database; `None` if it is in the memory of a server.
pub(super) async fn open(database: &Database) -> anyhow::Result<Option<Store>> {
    match database {
        Database::Memory => return Ok(None),
        // A listing creates no file.
        Database::Sqlite(path) if !std::path::Path::new(path).exists() => {
            bail!("there is no file {path}; the server makes it at its first start");
        }
        Database::Sqlite(_) | Database::Postgres(_) => {}
    }
    let store = Store::open_existing(database).await;
    store
        .map(Some)
        .with_context(|| format!("{database} cannot be used"))
}

async fn stored(store: &Store, asked: &RoomsArgs) -> anyhow::Result<String> {
    let rooms = match asked.all {
        true => store.all_rooms(MOST).await?,
        false => store.active_rooms(MOST).await?,
    };
    if asked.json {
        let lines = rooms.iter().map(serde_json::to_string);
        let lines: Vec<String> = lines.collect::<Result<_, _>>()?;
        return Ok(lines.into_iter().map(|line| line + "\n").collect());
    }
    let counts = store.counts().await?.into_iter().collect();
    Ok(table::rooms(&rooms, &counts, Clock::real()))
}

/// Active rooms from the LiveKit API of the running server.
async fn running(config: &ServerConfig, asked: &RoomsArgs) -> anyhow::Result<String> {
    let remote = Remote::of(config)?;
    let answer = remote.twirp("ListRooms").await?;
    let rooms = answer["rooms"].as_array().cloned().unwrap_or_default();
    if asked.json {
        return Ok(rooms.iter().map(|room| format!("{room}\n")).collect());
    }
    let cell = |room: &Value, key: &str| match &room[key] {
        Value::Null => "0".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let row = |room: &Value| {
        ["name", "sid", "numParticipants"]
            .map(|key| cell(room, key))
            .to_vec()
    };
    Ok(table(
        &["rtc name", "sid", "inside"],
        rooms.iter().map(row).collect(),
    ))
}

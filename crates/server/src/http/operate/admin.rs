//! `/admin`: the rows, as plain text.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;

use super::for_developers;
use crate::http::App;
use crate::http::problem::Problem;
use crate::render::table::{self, rooms};
use crate::store::Stay;

/// The most rooms shown.
const MOST_ROOMS: i64 = 200;

pub(super) async fn rows(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<String, Problem> {
    for_developers(&app, peer, &headers)?;
    let store = &app.service.store;
    let now = app.service.clock.now();
    let stored = store.active_rooms(MOST_ROOMS).await?;
    let counts = store.counts().await?.into_iter().collect();
    let mut people = Vec::new();
    for room in &stored {
        for who in store.participants(room.uid, Stay::Any).await? {
            people.push(vec![
                room.code.clone(),
                who.sid,
                who.identity,
                who.name,
                format!("{:?}", who.role).to_lowercase(),
                who.joined_at.rfc3339(),
                who.left_at.map(|at| at.rfc3339()).unwrap_or_default(),
            ]);
        }
    }
    let sessions = store.session_figures().await?.into_iter().map(|session| {
        let made = session.created_at.rfc3339();
        vec![
            session.id,
            session.status,
            session.present.to_string(),
            made,
        ]
    });
    Ok(format!(
        "{}\n{}\n{}\n{} webhooks queued\n",
        rooms(&stored, &counts, now),
        table::table(
            &[
                "room",
                "participant",
                "identity",
                "name",
                "role",
                "joined",
                "left"
            ],
            people
        ),
        table::table(
            &["session", "status", "present", "made"],
            sessions.collect()
        ),
        store.queued_webhooks().await?,
    ))
}

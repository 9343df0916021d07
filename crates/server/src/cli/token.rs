//! `token`: an access token, on stdout.

use std::process::ExitCode;

use anyhow::Context;
use visavis_protocol::token::VideoGrant;

use super::args::TokenArgs;
use crate::clock::Clock;
use crate::config::ServerConfig;

pub(super) fn token(config: &ServerConfig, asked: &TokenArgs) -> anyhow::Result<ExitCode> {
    let keys = config
        .keys
        .as_ref()
        .context("a token needs --api-key and --api-secret")?;
    let grant = VideoGrant {
        room: Some(asked.room.clone()),
        room_join: true,
        room_admin: asked.admin,
        room_record: asked.admin,
        can_publish: Some(!asked.viewer),
        can_subscribe: Some(true),
        can_publish_data: Some(true),
        ..VideoGrant::default()
    };
    let now = Clock::real();
    let mut claims = keys.claims(&asked.identity, asked.name.as_deref(), grant, now);
    claims.exp = keys.dated(now, asked.ttl).exp;
    println!("{}", keys.sign(&claims)?);
    Ok(ExitCode::SUCCESS)
}

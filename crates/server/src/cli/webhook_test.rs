//! `webhook-test`: whether each receiver accepts a signed event.

use std::process::ExitCode;

use anyhow::{Context, ensure};

use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::rooms::test_event;
use crate::webhook::dispatcher::WebhookClient;

pub(super) async fn webhook_test(config: ServerConfig) -> anyhow::Result<ExitCode> {
    ensure!(!config.webhooks.is_empty(), "there is no --webhook to test");
    let keys = config
        .keys
        .context("webhooks are signed with --api-key and --api-secret")?;
    let post = WebhookClient::new(keys)?;
    let mut passed = true;
    for url in &config.webhooks {
        let now = Clock::real();
        let event = test_event(now)?;
        let answer = post.send(url, &event.payload, now).await;
        let verdict = if answer.is_taken() {
            "taken"
        } else {
            "not taken"
        };
        let elapsed = answer.elapsed.as_millis();
        println!(
            "{url}: {verdict}: {answer} in {elapsed} ms, event {}",
            event.id
        );
        passed &= answer.is_taken();
    }
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

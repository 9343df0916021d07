//! The service against its own OpenAPI document.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::time::timeout;
use visavis_tests::acceptance::schemathesis;
use visavis_tests::postgres::Postgres;
use visavis_tests::server::RoomServer;

/// What it may take, and no more than it needs for each operation.
const LIMIT: Duration = Duration::from_secs(300);
const EXAMPLES: &str = "25";

/// What it looks at in each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance";

#[tokio::test]
async fn whatever_the_document_allows_is_answered_as_it_says() -> Result<()> {
    let postgres = Postgres::start().await?;
    let database = postgres.url();
    let server = RoomServer::start(&[
        "--database",
        &database,
        "--clock",
        "manual",
        // Without keys nobody can be given a token, and that is a 501.
        "--api-key",
        "key",
        "--api-secret",
        "a secret of thirty-two characters",
    ])
    .await?;
    let room = json!({"audience": "acme", "time": [1, null], "backend": "none"});
    let mut rooms = Vec::new();
    for _ in 0..2 {
        let made = server
            .http()
            .post("/api/v1/rooms", &room)
            .await?
            .expect(201)?;
        rooms.push(made["code"].as_str().context("a code")?.to_owned());
    }
    let folder = tempfile::tempdir()?;
    let settings = folder.path().join("schemathesis.toml");
    std::fs::write(&settings, settings_for(&rooms[0], &rooms[1]))?;
    let mut command = schemathesis()?;
    command
        .arg("--config-file")
        .arg(&settings)
        .args([
            "run",
            "--checks",
            CHECKS,
            "--max-examples",
            EXAMPLES,
            "--seed",
            "7420",
        ])
        .args(["--generation-database", "none"])
        // It answers for ever.
        .args(["--exclude-path", "/api/v1/events"])
        .arg(format!("http://{}/openapi.json", server.address()))
        .kill_on_drop(true);
    let told = timeout(LIMIT, command.output()).await??;
    let text = String::from_utf8_lossy(&told.stdout);
    ensure!(told.status.success(), "{text}");
    server.stop().await
}

/// Which room it asks of, and which one it may end.
fn settings_for(room: &str, ending: &str) -> String {
    // Some operations are a documented 501 without an egress.
    let mut text = format!(
        "[parameters]\n\"path.id\" = \"{room}\"\n\
         [checks]\nnot_a_server_error.expected-statuses = [\"2xx\", \"3xx\", \"4xx\", 501]\n"
    );
    for operation in [
        "DELETE /rooms/{id}",
        "DELETE /api/v1/rooms/{id}",
        "POST /api/v1/rooms/{id}/close",
    ] {
        text += &format!(
            "[[operations]]\ninclude-name = \"{operation}\"\n\
             parameters = {{ \"path.id\" = \"{ending}\" }}\n"
        );
    }
    text
}

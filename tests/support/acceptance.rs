//! The public SDKs that our service is to work with, unmodified, as
//! `cargo xtask test` installed them: LiveKit's for Node.js and for Python.
//!
//! Each script of `tests/acceptance` reads one JSON object from its standard
//! input and writes one to its standard output.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};
use tokio::process::Command;

use crate::programs;

/// Whose SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sdk {
    /// npm's `livekit-server-sdk`, which speaks JSON.
    Node,
    /// PyPI's `livekit-api`, which speaks protobuf.
    Python,
}

impl Sdk {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Node, Self::Python];
}

/// The API key and secret that a service and its users share.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    /// The key: its name.
    pub key: &'a str,
    /// The secret.
    pub secret: &'a str,
}

/// Has a token made: `wanted` has `identity`, and optionally `name`, `ttl` in
/// seconds, `metadata`, `attributes` and `video`, the grant as in a token.
///
/// # Errors
/// When the SDK refuses.
pub async fn make_token(sdk: Sdk, keys: Keys<'_>, wanted: Value) -> Result<String> {
    let made = run(sdk, "make_token", keys, wanted).await?;
    Ok(made["token"].as_str().context("a token")?.to_owned())
}

/// Has a token verified, and gives its claims.
///
/// # Errors
/// When the SDK refuses the token, with its reason.
pub async fn verify_token(sdk: Sdk, keys: Keys<'_>, token: &str) -> Result<Value> {
    let mut told = run(sdk, "verify_token", keys, json!({"token": token})).await?;
    if let Some(error) = told.get("error") {
        bail!("the token is refused: {error}");
    }
    Ok(told["claims"].take())
}

/// Has the SDK's room service client make calls, one after the other, of the
/// service at `http://HOST:PORT`. A call is the name of a LiveKit RPC and its
/// request in LiveKit's JSON: `("CreateRoom", json!({"name": "ro_1"}))`; `data`
/// of `SendData` is base64. An answer is `{"ok": answer}` in the same JSON, or
/// `{"error": {"status", "code", "message"}}`.
///
/// # Errors
/// When the SDK cannot make a call at all.
pub async fn room_service(
    sdk: Sdk,
    keys: Keys<'_>,
    url: &str,
    calls: &[(&str, Value)],
) -> Result<Vec<Value>> {
    let calls: Vec<_> = calls
        .iter()
        .map(|(rpc, request)| json!({"rpc": rpc, "request": request}))
        .collect();
    let question = json!({"url": url, "calls": calls});
    let mut told = run(sdk, "room_service", keys, question).await?;
    let answers: Vec<Value> = serde_json::from_value(told["answers"].take())?;
    ensure!(answers.len() == calls.len(), "an answer to each call");
    Ok(answers)
}

/// What happens to a webhook on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It arrives as it was sent.
    Plain,
    /// One byte of its body is another.
    Altered,
    /// It arrives a second time.
    Repeated,
}

/// Sends a webhook to `url` as a LiveKit server does, signed by the SDK for
/// Node.js; gives the status of each answer. `event` is LiveKit's JSON.
///
/// # Errors
/// When nobody answers.
pub async fn send_webhook(
    keys: Keys<'_>,
    url: &str,
    event: &Value,
    delivery: Delivery,
) -> Result<Vec<u16>> {
    let question = json!({
        "url": url,
        "event": event,
        "altered": delivery == Delivery::Altered,
        "times": if delivery == Delivery::Repeated { 2 } else { 1 },
    });
    let mut told = run(Sdk::Node, "send_webhook", keys, question).await?;
    Ok(serde_json::from_value(told["statuses"].take())?)
}

/// `schemathesis`, which tries a service against its OpenAPI document.
///
/// # Errors
/// When it is not installed.
pub fn schemathesis() -> Result<Command> {
    Ok(Command::new(of_python("schemathesis")?))
}

/// One of the scripts for Node.js in `tests/acceptance/node`.
///
/// # Errors
/// When its packages are not installed.
pub fn node(script: &str) -> Result<Command> {
    let folder = scripts()?.join("node");
    present(&folder.join("node_modules"))?;
    let mut command = Command::new(programs::installed("node")?);
    command.arg(folder.join(script).with_extension("mjs"));
    Ok(command)
}

/// One of the scripts for Python in `tests/acceptance/python`.
///
/// # Errors
/// When its packages are not installed.
pub fn python(script: &str) -> Result<Command> {
    let mut command = Command::new(of_python("python3")?);
    // Without a cache in the checkout.
    command
        .arg("-B")
        .arg(scripts()?.join("python").join(script).with_extension("py"));
    Ok(command)
}

/// Asks a script: `question` and the keys go in, its answer comes out.
async fn run(sdk: Sdk, script: &str, keys: Keys<'_>, question: Value) -> Result<Value> {
    let mut question: Map<String, Value> = serde_json::from_value(question)?;
    question.insert("key".to_owned(), keys.key.into());
    question.insert("secret".to_owned(), keys.secret.into());
    let mut command = match sdk {
        Sdk::Node => node(script)?,
        Sdk::Python => python(script)?,
    };
    let answer = programs::answer(&mut command, &Value::Object(question).to_string()).await?;
    serde_json::from_str(&answer).with_context(|| format!("{script} answers {answer}"))
}

fn scripts() -> Result<PathBuf> {
    Ok(programs::sources()?.join("acceptance"))
}

/// A program of the Python packages.
///
/// # Errors
/// When they are not installed.
pub fn of_python(program: &str) -> Result<PathBuf> {
    let program = programs::target()?.join("python/bin").join(program);
    present(&program)?;
    Ok(program)
}

fn present(path: &Path) -> Result<()> {
    ensure!(
        path.exists(),
        "{} is not there; `cargo xtask test` installs what the tests need",
        path.display()
    );
    Ok(())
}

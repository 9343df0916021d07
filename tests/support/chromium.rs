//! Debian's Chromium with its fake camera and microphone, asked over its
//! DevTools protocol: one process, a page for each participant.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::files::FileServer;
use crate::http::client;
use crate::process::Process;
use crate::programs;
use crate::wait::wait_until;

const START_LIMIT: Duration = Duration::from_secs(60);
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// From the page to the room, and from there to media, on a loaded machine.
const MEDIA_LIMIT: Duration = Duration::from_secs(60);

/// As root, without a GPU, with fake devices, on this machine alone, at full
/// speed in pages that nobody looks at, and quiet about the desktop's absence.
const FLAGS: [&str; 16] = [
    "--log-level=3",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream=fps=30",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--remote-debugging-port=0",
];

/// A running Chromium and the server of the participant's page.
pub struct Chromium {
    process: Process,
    devtools: String,
    files: FileServer,
    _profile: TempDir,
}

impl Chromium {
    /// Starts it with a new profile.
    ///
    /// # Errors
    /// When it is not installed or does not come up.
    pub async fn start() -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let mut command = Command::new(programs::installed("chromium")?);
        command
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank");
        let mut process = Process::start("chromium", &mut command)?;
        let devtools = process
            .wait_for_line("its DevTools address", START_LIMIT, |line| {
                let url = line.strip_prefix("DevTools listening on ws://")?;
                Some(url.split('/').next()?.to_owned())
            })
            .await?;
        let page = programs::sources()?.join("call/page");
        Ok(Self {
            process,
            devtools,
            files: FileServer::start(page).await?,
            _profile: profile,
        })
    }

    /// The process that everything of this Chromium descends from.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Lets a participant join through the signalling server at `server`; the
    /// rest of the query is as `page.js` describes it.
    ///
    /// # Errors
    /// When the page does not open.
    pub async fn participant(&self, server: &str, query: &str) -> Result<Page> {
        let url = format!("{}?server={server}&{query}", self.files.url("index.html"));
        let target = format!("http://{}/json/new", self.devtools);
        let mut target = reqwest::Url::parse(&target)?;
        target.set_query(Some(&percent_encoded(&url)));
        let opened = client().put(target).send().await?;
        let opened: Value = serde_json::from_str(&opened.text().await?)?;
        let socket = opened["webSocketDebuggerUrl"]
            .as_str()
            .with_context(|| format!("Chromium opened no page: {opened}"))?;
        Ok(Page {
            socket: connect_async(socket).await?.0,
            asked: 0,
        })
    }
}

/// A query's reserved characters, so that it can be a query itself.
fn percent_encoded(url: &str) -> String {
    url.replace('%', "%25")
        .replace('&', "%26")
        .replace('#', "%23")
        .replace('+', "%2B")
}

/// A page of Chromium.
pub struct Page {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    asked: u64,
}

impl Page {
    /// Evaluates JavaScript in the page, awaits it, and gives what it came to.
    ///
    /// # Errors
    /// When it throws, or Chromium does not answer.
    pub async fn evaluate(&mut self, expression: &str) -> Result<Value> {
        self.asked += 1;
        let request = json!({"id": self.asked, "method": "Runtime.evaluate", "params":
            {"expression": expression, "awaitPromise": true, "returnByValue": true}});
        self.socket.send(Message::text(request.to_string())).await?;
        let answer = timeout(ANSWER_LIMIT, self.answer())
            .await
            .with_context(|| format!("Chromium does not answer to {expression}"))??;
        if let Some(exception) = answer.pointer("/result/exceptionDetails") {
            bail!("{expression} threw {exception}");
        }
        Ok(answer
            .pointer("/result/result/value")
            .cloned()
            .unwrap_or_default())
    }

    /// Waits until the participant is inside; gives the room's id and its own.
    ///
    /// # Errors
    /// When it does not get there.
    pub async fn inside(&mut self) -> Result<(String, String)> {
        wait_until("Chromium is inside", MEDIA_LIMIT, async || {
            let stats = self.evaluate("window.stats?.()").await?;
            let text = |key: &str| stats[key].as_str().map(str::to_owned);
            Ok(text("room").zip(text("id")))
        })
        .await
    }

    /// Waits until the figures of a peer, as `peer.js` gives them, satisfy
    /// `enough`; gives them.
    ///
    /// # Errors
    /// When they do not in time, with the last ones.
    pub async fn sees(
        &mut self,
        peer: &str,
        what: &str,
        enough: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let mut last = Value::Null;
        wait_until(what, MEDIA_LIMIT, async || {
            last = self.evaluate("window.stats()").await?["peers"][peer].take();
            Ok(enough(&last).then(|| last.clone()))
        })
        .await
        .with_context(|| format!("its last figures: {last}"))
    }

    async fn answer(&mut self) -> Result<Value> {
        while let Some(message) = self.socket.next().await {
            if let Message::Text(text) = message? {
                let message: Value = serde_json::from_str(&text)?;
                if message["id"] == self.asked {
                    return Ok(message);
                }
            }
        }
        bail!("Chromium closed its page")
    }
}

//! A page of a browser with the participant of `tests/call/page`, driven over the
//! protocol that the browser has for that.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::wait::wait_until;

/// The connection to a browser.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// From the page to the room, and from there to media, on a loaded machine.
const MEDIA_LIMIT: Duration = Duration::from_secs(60);

/// A page. Dropping it leaves it open.
pub struct Page {
    socket: Socket,
    asked: u64,
    /// The browsing context of WebDriver BiDi; `None` for Chromium's DevTools.
    context: Option<String>,
}

impl Page {
    /// The page that this socket of Chromium's DevTools belongs to.
    pub fn of_devtools(socket: Socket) -> Self {
        Self {
            socket,
            asked: 0,
            context: None,
        }
    }

    /// Opens a page over WebDriver BiDi, in a session of its own.
    ///
    /// # Errors
    /// When the browser does not open it.
    pub async fn open_bidi(socket: Socket, url: &str) -> Result<Self> {
        let mut page = Self::of_devtools(socket);
        page.ask("session.new", json!({"capabilities": {}})).await?;
        let tab = page
            .ask("browsingContext.create", json!({"type": "tab"}))
            .await?;
        let context = tab["context"].as_str().context("no context")?.to_owned();
        let target = json!({"context": context, "url": url, "wait": "complete"});
        page.ask("browsingContext.navigate", target).await?;
        page.context = Some(context);
        Ok(page)
    }

    /// Evaluates JavaScript in the page, awaits it, and gives what it came to.
    ///
    /// # Errors
    /// When it throws, or the browser does not answer.
    pub async fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let Some(context) = self.context.clone() else {
            let question = json!({"expression": expression, "awaitPromise": true,
                "returnByValue": true});
            let mut answer = self.ask("Runtime.evaluate", question).await?;
            if let Some(exception) = answer.get("exceptionDetails") {
                bail!("{expression} threw {exception}");
            }
            return Ok(answer["result"]["value"].take());
        };
        // BiDi has a notation of its own for objects; text is text in it.
        let as_text = format!("(async () => JSON.stringify((await ({expression})) ?? null))()");
        let question = json!({"expression": as_text, "target": {"context": context},
            "awaitPromise": true});
        let answer = self.ask("script.evaluate", question).await?;
        let text = answer["result"]["value"].as_str();
        let text = text.with_context(|| format!("{expression} threw {answer}"))?;
        Ok(serde_json::from_str(text)?)
    }

    /// Waits until the participant is inside; gives the room's id and its own.
    ///
    /// # Errors
    /// When it does not get there.
    pub async fn inside(&mut self) -> Result<(String, String)> {
        wait_until("the browser is inside", MEDIA_LIMIT, async || {
            let stats = self.evaluate("window.stats?.()").await?;
            let text = |key: &str| stats[key].as_str().map(str::to_owned);
            Ok(text("room").zip(text("id")))
        })
        .await
    }

    /// The figures of a peer, as `peer.js` gives them; null without it.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub async fn figures(&mut self, peer: &str) -> Result<Value> {
        Ok(self.evaluate("window.stats()").await?["peers"][peer].take())
    }

    /// Waits until the figures of a peer satisfy `enough`; gives them.
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
            last = self.figures(peer).await?;
            Ok(enough(&last).then(|| last.clone()))
        })
        .await
        .with_context(|| format!("its last figures: {last}"))
    }

    /// Asks the browser; gives the result.
    async fn ask(&mut self, method: &str, question: Value) -> Result<Value> {
        self.asked += 1;
        let request = json!({"id": self.asked, "method": method, "params": question});
        self.socket.send(Message::text(request.to_string())).await?;
        let mut answer = timeout(ANSWER_LIMIT, self.answer())
            .await
            .with_context(|| format!("the browser does not answer to {request}"))??;
        if let Some(error) = answer.get("error") {
            bail!("{request}: {error}: {}", answer["message"]);
        }
        Ok(answer["result"].take())
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
        bail!("the browser closed its page")
    }
}

//! A receiver of webhooks: LiveKit's own, which verifies what it gets.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde::Deserialize;
use serde_json::Value;

use crate::acceptance::{self, Keys};
use crate::process::Process;
use crate::wait::wait_until;
use crate::{http::Http, ports};

const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// One request that reached the receiver.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// What it was answered: 200, 401 where it does not verify, or what the
    /// test told the receiver to answer.
    pub status: u16,
    /// The header `Content-Type`.
    pub content_type: String,
    /// The verified event in LiveKit's JSON; null where it does not verify.
    pub event: Value,
    /// The body as it came.
    pub body: String,
}

/// A running receiver, which may be told to fail, or be stopped and come back.
pub struct WebhookSink {
    port: u16,
    key: String,
    secret: String,
    /// `None` while it is down.
    process: Option<Process>,
    /// What came before it was last stopped.
    earlier: Vec<Delivery>,
}

impl WebhookSink {
    /// Starts it; it accepts what is signed with these keys.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(keys: Keys<'_>) -> Result<Self> {
        let mut sink = Self {
            port: ports::free()?,
            key: keys.key.to_owned(),
            secret: keys.secret.to_owned(),
            process: None,
            earlier: Vec::new(),
        };
        sink.restart().await?;
        Ok(sink)
    }

    /// Where to send webhooks.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// From now on it answers with this status what it would have accepted;
    /// 200 lets it accept again.
    ///
    /// # Errors
    /// When it is down.
    pub async fn answer_with(&self, status: u16) -> Result<()> {
        let http = Http::new(format!("http://127.0.0.1:{}", self.port));
        http.post("/answer", &Value::from(status))
            .await?
            .expect(204)?;
        Ok(())
    }

    /// Everything that reached it so far.
    ///
    /// # Errors
    /// When it writes nonsense.
    pub fn deliveries(&self) -> Result<Vec<Delivery>> {
        let lines = self.process.as_ref().map(Process::stdout);
        let news = lines.into_iter().flatten();
        let news = news.filter(|line| line.starts_with('{'));
        let news = news.map(|line| serde_json::from_str(&line).context(line));
        let mut all = self.earlier.clone();
        for delivery in news {
            all.push(delivery?);
        }
        Ok(all)
    }

    /// The events that it accepted so far, in the order in which they came.
    ///
    /// # Errors
    /// When it writes nonsense.
    pub fn events(&self) -> Result<Vec<Value>> {
        let accepted = self.deliveries()?.into_iter().filter(|d| d.status == 200);
        Ok(accepted.map(|delivery| delivery.event).collect())
    }

    /// Waits until the events that it accepted are what the test waits for, and
    /// gives what `find` found in them.
    ///
    /// # Errors
    /// When they do not become so in time.
    pub async fn wait_for<T>(
        &self,
        what: &str,
        limit: Duration,
        find: impl Fn(&[Value]) -> Option<T>,
    ) -> Result<T> {
        wait_until(what, limit, async || Ok(find(&self.events()?))).await
    }

    /// Ends it: nobody listens where it was.
    ///
    /// # Errors
    /// When it is down already, or does not end.
    pub async fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the receiver is down")?;
        process.signal(Signal::SIGTERM)?;
        process.wait(STOP_LIMIT).await?;
        self.process = Some(process);
        self.earlier = self.deliveries()?;
        self.process = None;
        Ok(())
    }

    /// Starts it again where it was.
    ///
    /// # Errors
    /// When it runs, or does not come up.
    pub async fn restart(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the receiver runs already");
        let mut command = acceptance::node("webhook_sink")?;
        command.args([&self.port.to_string(), &self.key, &self.secret]);
        let mut process = Process::start("webhooks", &mut command)?;
        process
            .wait_for_line("listening", START_LIMIT, |line| {
                (line == "listening").then_some(())
            })
            .await?;
        self.process = Some(process);
        Ok(())
    }
}

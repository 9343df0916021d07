//! Debian's Chromium with its fake camera and microphone, asked over its
//! DevTools protocol: one process, a page for each participant.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;
use tokio_tungstenite::connect_async;

use crate::display::Display;
use crate::files::FileServer;
use crate::http::client;
use crate::namespaces;
use crate::page::Page;
use crate::process::Process;
use crate::programs;
use crate::proxy::TcpProxy;

const START_LIMIT: Duration = Duration::from_secs(60);

/// As root, without a GPU, on this machine alone, at full
/// speed in pages that nobody looks at, and quiet about the desktop's absence.
const FLAGS: [&str; 14] = [
    "--log-level=3",
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
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--remote-debugging-port=0",
];

/// A camera of test pictures and a microphone of beeps, unless files replace them.
const FAKE_DEVICES: &str = "--use-fake-device-for-media-stream=fps=30";

/// How a Chromium is started.
#[derive(Debug, Clone, Copy)]
pub struct Launch<'a> {
    /// Flags beside the usual ones.
    pub flags: &'a [String],
    /// The environment, beside our own.
    pub environment: &'a [(String, String)],
    /// The network namespace; none: this machine's.
    pub namespace: Option<&'a str>,
    /// Whether it has the system's microphone and speaker, and no fake camera. It has a
    /// display then: without one, Chromium mutes its sound.
    pub has_real_devices: bool,
}

/// A running Chromium and the server of the participant's page.
pub struct Chromium {
    process: Process,
    devtools: String,
    files: FileServer,
    _way_in: Option<TcpProxy>,
    _display: Option<Display>,
    _profile: TempDir,
}

impl Chromium {
    /// Starts it with a new profile.
    ///
    /// # Errors
    /// When it is not installed or does not come up.
    pub async fn start() -> Result<Self> {
        Self::launch(Launch {
            flags: &[],
            environment: &[],
            namespace: None,
            has_real_devices: false,
        })
        .await
    }

    /// Starts it with a new profile.
    ///
    /// # Errors
    /// When it is not installed or does not come up.
    pub async fn launch(launch: Launch<'_>) -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let program = programs::installed("chromium")?;
        let mut command = namespaces::command(launch.namespace, &program);
        let display = if launch.has_real_devices {
            let display = Display::start().await?;
            command.env("DISPLAY", display.name());
            Some(display)
        } else {
            command.args(["--headless", FAKE_DEVICES]);
            None
        };
        command
            .args(FLAGS)
            .args(launch.flags)
            .envs(launch.environment.iter().cloned())
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
        let (files, way_in) = match launch.namespace {
            None => (FileServer::start(page).await?, None),
            Some(namespace) => {
                let way_in = TcpProxy::into_namespace(namespace, devtools.parse()?).await?;
                (FileServer::start_in(namespace, page)?, Some(way_in))
            }
        };
        let devtools = match &way_in {
            None => devtools,
            Some(way_in) => way_in.address().to_string(),
        };
        Ok(Self {
            process,
            devtools,
            files,
            _way_in: way_in,
            _display: display,
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
        Ok(Page::of_devtools(connect_async(socket).await?.0))
    }
}

/// A query's reserved characters, so that it can be a query itself.
fn percent_encoded(url: &str) -> String {
    url.replace('%', "%25")
        .replace('&', "%26")
        .replace('#', "%23")
        .replace('+', "%2B")
}

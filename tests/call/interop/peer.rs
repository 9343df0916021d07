//! The peers, driven in one way.

use std::any::Any;
use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::process::Command;
use visavis_tests::acceptance;
use visavis_tests::agent::Agent;
use visavis_tests::chromium::Chromium;
use visavis_tests::firefox::Firefox;
use visavis_tests::janus::Janus;
use visavis_tests::page::Page;
use visavis_tests::programs;

/// Whose WebRTC it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Chromium,
    Firefox,
    Aiortc,
    /// `webrtcbin` with this bundle policy.
    Gstreamer(&'static str),
    /// Its echo test, which only answers.
    Janus,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chromium => f.write_str("Chromium"),
            Self::Firefox => f.write_str("Firefox ESR"),
            Self::Aiortc => f.write_str("aiortc"),
            Self::Gstreamer("none") => f.write_str("GStreamer, default"),
            Self::Gstreamer(policy) => write!(f, "GStreamer, {policy}"),
            Self::Janus => f.write_str("Janus echo test"),
        }
    }
}

impl Kind {
    /// Whether sound and pictures can share a transport.
    pub fn has_pictures(self) -> bool {
        self != Self::Gstreamer("none")
    }
}

/// What a person or a program does at a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Mute(bool),
    Camera(bool),
    RestartIce,
    AddCamera,
    AddSecond,
}

/// How a peer is driven.
enum Control {
    Page(Box<Page>),
    Agent(Agent),
}

/// A peer in a room.
pub struct Peer {
    control: Control,
    /// Its browser or server, which ends with it.
    _host: Option<Box<dyn Any + Send>>,
    room: String,
    id: String,
}

/// How a peer starts.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    pub server: &'a str,
    /// The room to join; a new one without.
    pub room: Option<&'a str>,
    pub codec: &'a str,
    pub video: bool,
}

impl Peer {
    pub async fn start(kind: Kind, start: Start<'_>) -> Result<Self> {
        match kind {
            Kind::Chromium => {
                let chromium = Chromium::start().await?;
                let page = chromium.participant(start.server, &query(start)).await?;
                Self::with_page(page, chromium).await
            }
            Kind::Firefox => {
                let (firefox, page) = Firefox::participant(start.server, &query(start)).await?;
                Self::with_page(page, firefox).await
            }
            Kind::Aiortc => {
                let python = acceptance::of_python("python3")?;
                let agent = agent(python, "aiortc", &[], start).await?;
                Ok(Self::with_agent(agent, None))
            }
            Kind::Gstreamer(policy) => {
                let policy = ["--policy", policy];
                let agent = agent(system_python(), "gstreamer", &policy, start).await?;
                Ok(Self::with_agent(agent, None))
            }
            Kind::Janus => {
                let janus = Janus::start().await?;
                let server = ["--server", janus.url()];
                let agent = agent(system_python(), "janus", &server, start).await?;
                Ok(Self::with_agent(agent, Some(Box::new(janus))))
            }
        }
    }

    async fn with_page(mut page: Page, browser: impl Any + Send) -> Result<Self> {
        let (room, id) = page.inside().await?;
        Ok(Self {
            control: Control::Page(Box::new(page)),
            _host: Some(Box::new(browser)),
            room,
            id,
        })
    }

    fn with_agent(agent: Agent, host: Option<Box<dyn Any + Send>>) -> Self {
        Self {
            room: agent.room().to_owned(),
            id: agent.id().to_owned(),
            control: Control::Agent(agent),
            _host: host,
        }
    }

    pub fn room(&self) -> &str {
        &self.room
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its figures of the call with `ours`.
    pub async fn figures(&mut self, ours: &str) -> Result<Value> {
        match &mut self.control {
            Control::Page(page) => {
                let figures = page.figures(ours).await?;
                let errors = figures["errors"].as_array();
                ensure!(errors.is_none_or(Vec::is_empty), "{}", figures["errors"]);
                Ok(figures)
            }
            Control::Agent(agent) => agent.figures(),
        }
    }

    pub async fn does(&mut self, action: Action) -> Result<()> {
        match &mut self.control {
            Control::Page(page) => {
                let script = match action {
                    Action::Mute(on) => format!("window.mute({on})"),
                    Action::Camera(on) => format!("window.camera({on})"),
                    Action::RestartIce => "window.restartIce()".to_owned(),
                    Action::AddCamera => "window.addCamera()".to_owned(),
                    Action::AddSecond => "window.addSecond()".to_owned(),
                };
                page.evaluate(&script).await?;
                Ok(())
            }
            Control::Agent(agent) => {
                agent
                    .obeys(match action {
                        Action::Mute(on) => json!({"do": "mute", "on": on}),
                        Action::Camera(on) => json!({"do": "camera", "on": on}),
                        Action::RestartIce => json!({"do": "restart"}),
                        Action::AddCamera => json!({"do": "add-camera"}),
                        Action::AddSecond => json!({"do": "add-second"}),
                    })
                    .await
            }
        }
    }
}

/// Debian's, which has GStreamer's bindings; a virtual environment's does not.
fn system_python() -> PathBuf {
    PathBuf::from("/usr/bin/python3")
}

/// The participant's page, with the browser's fake devices.
fn query(start: Start<'_>) -> String {
    let way_in = match start.room {
        Some(room) => format!("room={room}"),
        None => "create=interop".to_owned(),
    };
    let source = if start.video { "camera" } else { "none" };
    let codec = start.codec;
    format!("{way_in}&source={source}&width=320&height=180&fps=15&codec={codec}")
}

async fn agent(python: PathBuf, name: &str, arguments: &[&str], start: Start<'_>) -> Result<Agent> {
    let folder = programs::sources()?.join("call/peers");
    let mut command = Command::new(python);
    // Without a cache in the checkout.
    command
        .arg("-B")
        .arg(folder.join(format!("{name}_peer.py")))
        .args(["--codec", start.codec])
        .args((!start.video).then_some("--no-video"))
        .args(start.room.map(|_| "--offers"))
        .args(arguments);
    match start.room {
        None => Agent::create(name, start.server, &mut command).await,
        Some(room) => Agent::join(name, start.server, room, &mut command).await,
    }
    .with_context(|| format!("{name} does not start"))
}

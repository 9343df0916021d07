//! The room service in use: someone else's, or the one hosted here.

use std::path::PathBuf;

use tokio::task::JoinHandle;

use crate::host::Host;
use crate::view::{CommandError, Reach, ServerView};

/// Owns the hosted room service and knows which one is in use.
pub(super) struct RoomService {
    /// None: the hosted one.
    foreign: Option<String>,
    /// Hosted while it is in use, and from a demonstration on.
    host: Option<Host>,
    /// An earlier one of this run, which has the profile's rooms until it ends.
    ending: Option<JoinHandle<()>>,
    /// Where its rooms are kept.
    profile: PathBuf,
    pub reach: Reach,
}

impl RoomService {
    /// Uses this room service, or hosts one. A host that cannot start is
    /// shown as unreachable.
    pub async fn start(foreign: Option<String>, profile: PathBuf) -> Self {
        let hosts = foreign.is_none();
        let mut service = Self {
            foreign,
            host: None,
            ending: None,
            profile,
            reach: Reach::Checking,
        };
        if hosts && service.host().await.is_err() {
            service.reach = Reach::Unreachable;
        }
        service
    }

    /// The URL in use; none when hosting failed.
    pub fn url(&self) -> Option<String> {
        self.foreign
            .clone()
            .or_else(|| self.host.as_ref().map(Host::url))
    }

    /// Whether the room service in use is hosted here.
    pub fn is_hosted(&self) -> bool {
        self.foreign.is_none()
    }

    /// Whether a URL leads to the hosted room service.
    pub fn is_own(&self, url: &str) -> bool {
        self.host
            .as_ref()
            .is_some_and(|host| host.url() == url || host.addresses().iter().any(|own| own == url))
    }

    /// The URL to give to others.
    pub fn public_url(&self) -> Option<String> {
        let shared = self.host.as_ref().filter(|_| self.is_hosted());
        shared
            .and_then(|host| host.addresses().into_iter().next())
            .or_else(|| self.url())
    }

    /// Uses someone else's. Nobody is hosted any longer.
    pub fn use_foreign(&mut self, url: String) {
        self.foreign = Some(url);
        self.reach = Reach::Checking;
        // Its sockets may take seconds to close; nobody waits for them.
        if let Some(host) = self.host.take() {
            self.ending = Some(tokio::spawn(host.shutdown()));
        }
    }

    /// Uses the hosted one.
    pub async fn use_own(&mut self) -> Result<(), CommandError> {
        self.host().await?;
        self.foreign = None;
        self.reach = Reach::Checking;
        Ok(())
    }

    /// The hosted one's URL; starts it where it does not run.
    pub async fn host(&mut self) -> Result<String, CommandError> {
        if let Some(host) = &self.host {
            return Ok(host.url());
        }
        if let Some(ending) = self.ending.take() {
            ending.await.ok();
        }
        let host = Host::start(&self.profile).await.map_err(refused)?;
        Ok(self.host.insert(host).url())
    }

    /// Lets others on this network in, or nobody more. Rooms and calls go on.
    pub async fn share(&mut self, shared: bool) -> Result<(), CommandError> {
        match &mut self.host {
            Some(host) if self.foreign.is_none() => host.share(shared).await.map_err(refused),
            _ => Ok(()),
        }
    }

    /// For the page.
    pub fn view(&self) -> ServerView {
        let host = self.host.as_ref().filter(|_| self.is_hosted());
        ServerView {
            url: self.url().unwrap_or_default(),
            hosted: self.is_hosted(),
            shared: host.is_some_and(Host::is_shared),
            addresses: host.map(Host::addresses).unwrap_or_default(),
            reach: self.reach,
        }
    }

    pub async fn shutdown(self) {
        if let Some(host) = self.host {
            host.shutdown().await;
        }
        if let Some(ending) = self.ending {
            ending.await.ok();
        }
    }
}

fn refused(error: impl std::error::Error) -> CommandError {
    tracing::warn!(%error, "no room service can be hosted");
    CommandError::System {
        detail: error.to_string(),
    }
}

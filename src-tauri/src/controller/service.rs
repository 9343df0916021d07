//! The room service in use: someone else's, or the one hosted here.

use std::path::PathBuf;

use tokio::task::JoinHandle;

use super::stage::Service;
use crate::host::Host;
use crate::server_url;
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
        self.url_of(&self.in_use())
    }

    /// The server that the lobby shows.
    pub fn in_use(&self) -> Service {
        match &self.foreign {
            Some(url) => Service::Url(url.clone()),
            None => Service::Own,
        }
    }

    /// The URL of a server; none while this application hosts none.
    pub fn url_of(&self, service: &Service) -> Option<String> {
        match service {
            Service::Own => self.host.as_ref().map(Host::url),
            Service::Url(url) => Some(url.clone()),
        }
    }

    /// The server with this URL, which may be an address of the hosted one.
    pub fn with_url(&self, url: String) -> Service {
        if self.is_own(&url) {
            Service::Own
        } else {
            Service::Url(url)
        }
    }

    /// Whether a URL leads to the hosted room service.
    pub fn is_own(&self, url: &str) -> bool {
        let place = server_url::place(url);
        let leads_to = |own: String| server_url::place(&own) == place;
        self.host.as_ref().is_some_and(|host| {
            place.is_some() && (leads_to(host.url()) || host.addresses().into_iter().any(leads_to))
        })
    }

    /// The URL under which others reach a server.
    ///
    /// # Errors
    /// When nobody else reaches the hosted one.
    pub fn public_url(&self, service: &Service) -> Result<String, CommandError> {
        let host = match service {
            Service::Url(url) => return Ok(url.clone()),
            Service::Own => self.host.as_ref().filter(|host| host.is_shared()),
        };
        let addresses = host.ok_or(CommandError::NotShared)?.addresses();
        addresses.into_iter().next().ok_or(CommandError::NoNetwork)
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
            Some(host) => host.share(shared).await.map_err(refused),
            None => Ok(()),
        }
    }

    /// For the page.
    pub fn view(&self, service: &Service) -> ServerView {
        let hosted = *service == Service::Own;
        let host = self.host.as_ref().filter(|_| hosted);
        ServerView {
            url: self.url_of(service).unwrap_or_default(),
            hosted,
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

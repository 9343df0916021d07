//! Stands in for the hosted room service where it is not built in: none can
//! be made.

use std::path::Path;

/// A room service that cannot be.
#[derive(Debug)]
pub enum Host {}

/// This build hosts no rooms.
#[derive(Debug, thiserror::Error)]
#[error("this build of Visavis hosts no rooms: name a server")]
pub struct NotBuiltIn;

impl Host {
    /// Always refuses.
    ///
    /// # Errors
    /// Always.
    pub async fn start(_profile: &Path) -> Result<Self, NotBuiltIn> {
        Err(NotBuiltIn)
    }

    /// Never called, like the rest.
    pub fn url(&self) -> String {
        match *self {}
    }

    /// See [`Host::url`].
    ///
    /// # Errors
    /// Never.
    pub async fn share(&mut self, _shared: bool) -> Result<(), NotBuiltIn> {
        match *self {}
    }

    /// See [`Host::url`].
    pub fn is_shared(&self) -> bool {
        match *self {}
    }

    /// See [`Host::url`].
    pub fn addresses(&self) -> Vec<String> {
        match *self {}
    }

    /// See [`Host::url`].
    pub async fn shutdown(self) {
        match self {}
    }
}

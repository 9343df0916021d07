//! Carrying rooms elsewhere: to a stream provider, into a recording, to a phone.

use async_trait::async_trait;

use crate::lifecycle::session::Session;
use crate::model::Room;

/// Why nothing is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EgressError {
    /// There is nothing that could.
    #[error("this service cannot do this yet: it has no egress")]
    NotImplemented,
}

/// Who carries rooms elsewhere. What is started is named by its id, `EG_…`.
#[async_trait]
pub(crate) trait Egress: std::fmt::Debug + Send + Sync {
    /// Begins a broadcast.
    async fn broadcast(&self, session: &Session) -> Result<String, EgressError>;

    /// Begins a recording.
    async fn record(&self, room: &Room) -> Result<String, EgressError>;

    /// Ends a room's recording; its id, where one was running.
    async fn stop_recording(&self, room: &Room) -> Option<String>;

    /// Lets people dial in to a room by phone.
    async fn dial_in(&self, room: &Room) -> Result<(), EgressError>;

    /// Ends a broadcast. One that it did not begin is not its affair.
    async fn stop(&self, egress: &str);
}

/// Nobody.
#[derive(Debug)]
pub(crate) struct NoEgress;

#[async_trait]
impl Egress for NoEgress {
    async fn broadcast(&self, _: &Session) -> Result<String, EgressError> {
        Err(EgressError::NotImplemented)
    }

    async fn record(&self, _: &Room) -> Result<String, EgressError> {
        Err(EgressError::NotImplemented)
    }

    async fn stop_recording(&self, _: &Room) -> Option<String> {
        None
    }

    async fn dial_in(&self, _: &Room) -> Result<(), EgressError> {
        Err(EgressError::NotImplemented)
    }

    async fn stop(&self, _: &str) {}
}

//! The page of the room list that a `list-rooms` asks for.

use serde::Deserialize;
use visavis_protocol::{ErrorCode, ListedRoom};

use super::Session;
use crate::refusal::Refusal;

/// Rooms in a page at most, and where the message names no number.
const MOST_LISTED: u32 = 100;

/// The fields of `list-rooms` besides its envelope.
#[derive(Deserialize)]
struct Listing {
    #[serde(default)]
    payload: Option<Page>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Page {
    /// Rooms to skip.
    offset: u32,
    /// Rooms at most; more than [`MOST_LISTED`] counts as that.
    limit: Option<u32>,
}

impl Session {
    /// The rooms that this `list-rooms` message asks for.
    pub(super) async fn list(&self, message: &str) -> Result<Vec<ListedRoom>, Refusal> {
        let listing: Listing = serde_json::from_str(message).map_err(|_| {
            let why = "offset and limit of list-rooms are whole numbers from 0";
            Refusal::new(ErrorCode::BadMessage, why)
        })?;
        let page = listing.payload.unwrap_or_default();
        let limit = page.limit.unwrap_or(MOST_LISTED);
        let limit = limit.min(MOST_LISTED);
        self.service.list(page.offset, limit).await
    }
}

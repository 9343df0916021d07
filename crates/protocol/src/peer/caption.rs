//! Captions.

use serde::{Deserialize, Serialize};

/// A caption of the sender's speech. The speaker is the peer at the other end of
/// the link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Caption {
    /// The utterance; later revisions repeat it.
    pub id: String,
    /// The revision, from 0. A receiver ignores a revision that is not newer.
    pub rev: u32,
    /// The complete text of this revision, at most
    /// [`crate::limits::MAX_CAPTION_CHARS`].
    pub text: String,
    /// Whether this is the last revision.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// The language tag (BCP 47), for example `en`.
    pub lang: String,
    /// When the utterance started: RFC 3339, UTC.
    pub started_at: String,
}

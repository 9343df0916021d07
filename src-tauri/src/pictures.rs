//! Where the window's pictures come from.

use serde::Deserialize;
use tokio::sync::watch;
use visavis_call::CallHandle;
use visavis_media::{Frame, Latest};
use visavis_protocol::TrackSource;

/// Whose picture.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Source {
    /// The local user's camera, as a mirror shows it.
    Me,
    /// Another participant's, by its id in the view.
    Participant(String, TrackSource),
}

/// Precedes the participant's id in the name of a shared screen.
const SCREEN: &str = "screen:";

impl From<String> for Source {
    fn from(text: String) -> Self {
        if text == "me" {
            return Self::Me;
        }
        match text.strip_prefix(SCREEN) {
            Some(id) => Self::Participant(id.to_owned(), TrackSource::ScreenShare),
            None => Self::Participant(text, TrackSource::Camera),
        }
    }
}

/// Finds pictures: the preview always, the others' while a call runs.
#[derive(Clone)]
pub struct Pictures {
    preview: Latest<Frame>,
    call: watch::Receiver<Option<CallHandle>>,
}

impl Pictures {
    pub(crate) fn new(preview: Latest<Frame>, call: watch::Receiver<Option<CallHandle>>) -> Self {
        Self { preview, call }
    }

    /// The newest picture of this source; none while there is no such source.
    pub fn find(&self, source: &Source) -> Option<Latest<Frame>> {
        match source {
            Source::Me => Some(self.preview.clone()),
            Source::Participant(id, source) => self.call.borrow().as_ref()?.frames(id, *source),
        }
    }
}

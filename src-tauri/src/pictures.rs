//! Where the window's pictures come from.

use serde::Deserialize;
use tokio::sync::watch;
use visavis_call::{CallCommand, CallHandle, ShownTrack, ShownVideo};
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

/// Finds pictures: the preview always, the others' while a call runs. The call is
/// told which of them the page shows.
#[derive(Clone)]
pub struct Pictures {
    preview: Latest<Frame>,
    call: watch::Receiver<Option<CallHandle>>,
    /// None until the page has said what it shows.
    shown: watch::Sender<Option<Vec<ShownTrack>>>,
}

impl Pictures {
    /// Needs a tokio runtime.
    pub(crate) fn new(preview: Latest<Frame>, call: watch::Receiver<Option<CallHandle>>) -> Self {
        let shown = watch::Sender::new(None);
        tokio::spawn(tell_calls(call.clone(), shown.subscribe()));
        Self {
            preview,
            call,
            shown,
        }
    }

    /// The tracks that the page shows.
    pub fn show(&self, tracks: Vec<ShownTrack>) {
        let tracks = Some(tracks);
        self.shown.send_if_modified(|shown| {
            let has_changed = *shown != tracks;
            *shown = tracks;
            has_changed
        });
    }

    /// The newest picture of this source; none while there is no such source.
    pub fn find(&self, source: &Source) -> Option<Latest<Frame>> {
        match source {
            Source::Me => Some(self.preview.clone()),
            Source::Participant(id, source) => self.call.borrow().as_ref()?.frames(id, *source),
        }
    }
}

/// Tells each call what is shown, until the controller is gone.
async fn tell_calls(
    mut call: watch::Receiver<Option<CallHandle>>,
    mut shown: watch::Receiver<Option<Vec<ShownTrack>>>,
) {
    loop {
        tokio::select! {
            changed = call.changed() => if changed.is_err() { return },
            changed = shown.changed() => if changed.is_err() { return },
        }
        let tracks = shown.borrow_and_update().clone();
        let handle = call.borrow_and_update().clone();
        if let (Some(tracks), Some(handle)) = (tracks, handle) {
            handle
                .send(CallCommand::Show(ShownVideo::Only(tracks)))
                .await;
        }
    }
}

//! The screen or window that the local user shares.

use visavis_media::video::{CaptureState, VideoSender, screen};
use visavis_media::{DeviceError, Latest, ScreenInfo, ScreenKind, VideoFormat, VideoSource};

use crate::devices::problem;
use crate::view::{CommandError, ShareChoice, ShareKind, ShareView};

/// The size is the source's own. The encoder lowers the rate before the sharpness.
const FORMAT: VideoFormat = VideoFormat {
    width: 0,
    height: 0,
    frames_per_second: 30,
};

/// Owns the source of the shared screen during a call.
pub(crate) struct ScreenShare {
    sender: VideoSender,
    shared: Option<ShareChoice>,
    seen: u64,
}

impl ScreenShare {
    pub fn new(sender: VideoSender) -> Self {
        Self {
            sender,
            shared: None,
            seen: 0,
        }
    }

    /// Shares this in the place of what was shared.
    ///
    /// # Errors
    /// When there is no such screen or window.
    pub fn start(&mut self, choice: ShareChoice) -> Result<(), CommandError> {
        let source = match choice.id.parse() {
            Ok(source @ VideoSource::Screen(_)) => source,
            _ => return Err(CommandError::NothingToShare),
        };
        tracing::info!(kind = ?choice.kind, "sharing");
        self.sender.set_source(source, FORMAT);
        self.shared = Some(choice);
        Ok(())
    }

    /// Shares nothing.
    pub fn stop(&mut self) {
        if self.shared.take().is_some() {
            tracing::info!("no longer sharing");
            self.sender
                .set_source(VideoSource::None, VideoFormat::default());
        }
    }

    /// Waits until the share began, failed or stopped.
    pub async fn changed(&mut self) {
        let state: Latest<CaptureState> = self.sender.state();
        self.seen = state.changed(self.seen).await.0;
    }

    /// For the page.
    pub fn view(&self) -> ShareView {
        let state = self.sender.state().get().unwrap_or(CaptureState::Off);
        view(self.shared.clone(), &state)
    }
}

fn view(shared: Option<ShareChoice>, state: &CaptureState) -> ShareView {
    let Some(choice) = shared else {
        return ShareView::Off;
    };
    match state {
        CaptureState::Off | CaptureState::Starting => ShareView::Starting { choice },
        CaptureState::Live(_) => ShareView::Live { choice },
        CaptureState::Failed(error) => ShareView::Failed {
            choice,
            problem: problem(error),
            detail: error.to_string(),
        },
    }
}

/// What can be shared. Takes milliseconds, and up to 5 s when the X server hangs.
///
/// # Errors
/// When the system lets nothing be captured.
pub(crate) async fn choices() -> Result<Vec<ShareChoice>, CommandError> {
    let listed = tokio::task::spawn_blocking(screen::list).await;
    let listed = listed.unwrap_or_else(|error| Err(DeviceError::Failed(error.to_string())));
    match listed {
        Ok(found) => Ok(found.into_iter().map(to_choice).collect()),
        Err(error) => Err(CommandError::CannotShare {
            problem: problem(&error),
            detail: error.to_string(),
        }),
    }
}

fn to_choice(info: ScreenInfo) -> ShareChoice {
    ShareChoice {
        id: info.id,
        kind: match info.kind {
            ScreenKind::Screen => ShareKind::Screen,
            ScreenKind::Window => ShareKind::Window,
        },
        name: info.name,
        width: info.width,
        height: info.height,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::DeviceProblem;

    fn choice(id: &str) -> ShareChoice {
        ShareChoice {
            id: id.into(),
            kind: ShareKind::Window,
            name: "Slides".into(),
            width: 640,
            height: 480,
        }
    }

    #[test]
    fn a_share_is_shown_as_its_capture_is() {
        let shared = || Some(choice("window:0x1"));
        let shown = |state| view(shared(), &state);
        let choice = choice("window:0x1");
        assert_eq!(view(None, &CaptureState::Live(FORMAT)), ShareView::Off);
        for (state, expected) in [
            (
                CaptureState::Starting,
                ShareView::Starting {
                    choice: choice.clone(),
                },
            ),
            (
                CaptureState::Live(FORMAT),
                ShareView::Live {
                    choice: choice.clone(),
                },
            ),
        ] {
            assert_eq!(shown(state), expected);
        }
        assert_eq!(
            shown(CaptureState::Failed(DeviceError::Lost)),
            ShareView::Failed {
                choice,
                problem: DeviceProblem::Lost,
                detail: DeviceError::Lost.to_string(),
            }
        );
    }

    #[test]
    fn only_screens_and_windows_are_shared() {
        let mut share = ScreenShare::new(VideoSender::new());
        for id in ["camera", "y4m:/etc/passwd", "window:", ""] {
            assert_eq!(share.start(choice(id)), Err(CommandError::NothingToShare));
            assert_eq!(share.view(), ShareView::Off, "{id}");
        }
    }
}

//! What can be shared of the desktop, and what is.

use serde::Serialize;

use super::DeviceProblem;

/// Which kind of thing can be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum ShareKind {
    /// All that one monitor shows.
    Screen,
    /// One window, whatever lies over it.
    Window,
}

/// A screen or window to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct ShareChoice {
    /// For `share_screen`.
    pub id: String,
    /// Screen or window.
    pub kind: ShareKind,
    /// The monitor's name or the window's title; may be empty.
    pub name: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// What the local user shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum ShareView {
    /// Nothing.
    Off,
    /// It was chosen; its first frame is awaited.
    Starting {
        /// The chosen one.
        choice: ShareChoice,
    },
    /// The others see it.
    Live {
        /// The chosen one.
        choice: ShareChoice,
    },
    /// It ended by itself, or did not begin. Ending the share takes note of it.
    Failed {
        /// The chosen one.
        choice: ShareChoice,
        /// Why.
        problem: DeviceProblem,
        /// What the system said; for the curious.
        detail: String,
    },
}

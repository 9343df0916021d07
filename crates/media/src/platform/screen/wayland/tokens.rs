//! What the portal gives for choosing the same screen or window again without a dialog.

use std::sync::{Mutex, PoisonError};

use crate::video::screen::ScreenKind;

/// The longest token that is kept, in bytes.
const MAX_LENGTH: usize = 4096;

/// The token of the last screen and that of the last window. They are valid while this
/// process runs, and each once.
static TOKENS: Mutex<[Option<String>; 2]> = Mutex::new([None, None]);

fn with<T>(kind: ScreenKind, change: impl FnOnce(&mut Option<String>) -> T) -> T {
    let mut tokens = TOKENS.lock().unwrap_or_else(PoisonError::into_inner);
    change(
        &mut tokens[match kind {
            ScreenKind::Screen => 0,
            ScreenKind::Window => 1,
        }],
    )
}

pub(super) fn get(kind: ScreenKind) -> Option<String> {
    with(kind, |token| token.clone())
}

/// Keeps the token of a share that has begun; without one the old one is used up.
pub(super) fn set(kind: ScreenKind, new: Option<&str>) {
    let new = new.filter(|new| !new.is_empty() && new.len() <= MAX_LENGTH);
    with(kind, |token| *token = new.map(str::to_owned));
}

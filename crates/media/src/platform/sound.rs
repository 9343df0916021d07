//! The system's sound, as cpal reaches it.

#[cfg(target_os = "linux")]
mod server;

use std::sync::Arc;

use cpal::Host;

/// The system's sound. On Linux it is the sound server (PulseAudio, or PipeWire in
/// its place) where one answers, else ALSA; `None` while a server that was there
/// does not answer. Takes up to 4 s when one hangs.
pub(crate) fn host() -> Option<Arc<Host>> {
    keep_quiet();
    #[cfg(target_os = "linux")]
    return server::host();
    #[cfg(not(target_os = "linux"))]
    Some(Arc::new(cpal::default_host()))
}

/// ALSA writes to standard error about every card that is not there: the calling
/// thread's messages go to a buffer instead, new with each call.
pub(crate) fn keep_quiet() {
    #[cfg(target_os = "linux")]
    let _ = alsa::Output::local_error_handler();
}

//! The devices that are there, looked for again and again: no system tells
//! all of its changes.

use std::time::Duration;

use tokio::sync::watch;
use visavis_media::{Devices, device};

/// How soon a device that was plugged in is seen.
const INTERVAL: Duration = Duration::from_secs(2);

/// Starts looking, until nobody wants to know. Empty before the first look.
/// Needs a tokio runtime.
pub(super) fn start() -> watch::Receiver<Option<Devices>> {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        while !sender.is_closed() {
            // Slow, and slower when a sound server hangs: not on the runtime's threads.
            if let Ok(found) = tokio::task::spawn_blocking(device::list).await {
                sender.send_if_modified(|known: &mut Option<Devices>| {
                    let is_new = known.as_ref() != Some(&found);
                    *known = Some(found);
                    is_new
                });
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = sender.closed() => {}
            }
        }
    });
    receiver
}

//! Connections to the sound server.
//!
//! cpal's client closes a connection only if something happens to wake its thread
//! after the last user has gone; one in ten or so stays open. At a look for devices
//! every two seconds the 64 that PulseAudio accepts are used up within half an hour.
//! So connections that nobody uses any more are used again. They are not shared,
//! because cpal gives all speaker streams of a connection the same synchronisation
//! id, and PulseAudio refuses such streams at different speakers.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use cpal::traits::HostTrait;
use cpal::{ErrorKind, Host, HostId};

/// How long a server may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

struct Server {
    connections: Vec<Connection>,
    /// ALSA takes the place of a server that never was there. While one is away,
    /// ALSA's devices are its own: held open, it could not take them back.
    was_there: bool,
}

struct Connection {
    /// In use while there is another reference.
    host: Arc<Host>,
    /// The question that it has not answered.
    asked: Option<Receiver<bool>>,
}

static SERVER: Mutex<Server> = Mutex::new(Server {
    connections: Vec::new(),
    was_there: false,
});

/// A connection of the caller's own until it is dropped, or ALSA; `None` while a
/// server that was there does not answer.
pub(super) fn host() -> Option<Arc<Host>> {
    // What is behind this lock is whole at every moment, after a panic too.
    let mut server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    let mut next = 0;
    while let Some(connection) = server.connections.get_mut(next) {
        if connection.asked.is_none() && Arc::strong_count(&connection.host) > 1 {
            next += 1;
            continue;
        }
        let asked = connection.asked.take();
        let asked = asked.unwrap_or_else(|| ask(&connection.host));
        match asked.recv_timeout(ANSWER_LIMIT) {
            Ok(true) => return Some(Arc::clone(&connection.host)),
            Err(RecvTimeoutError::Timeout) => {
                connection.asked = Some(asked);
                return None;
            }
            Ok(false) | Err(RecvTimeoutError::Disconnected) => {
                server.connections.swap_remove(next);
            }
        }
    }
    match cpal::host_from_id(HostId::PulseAudio) {
        Ok(host) => {
            let host = Arc::new(host);
            server.was_there = true;
            server.connections.push(Connection {
                host: Arc::clone(&host),
                asked: None,
            });
            Some(host)
        }
        Err(_) if server.was_there => None,
        Err(_) => Some(Arc::new(cpal::default_host())),
    }
}

/// Asks whether the connection still works, on a thread that a server which hangs
/// may keep.
fn ask(host: &Arc<Host>) -> Receiver<bool> {
    let (answer, answered) = sync_channel(1);
    let host = Arc::clone(host);
    thread::spawn(move || {
        let is_closed = host.devices().is_err_and(|error| {
            matches!(
                error.kind(),
                ErrorKind::StreamInvalidated | ErrorKind::HostUnavailable
            )
        });
        // Before the answer: the connection is free for the one who asked.
        drop(host);
        // The receiver waits in `SERVER` until the answer comes.
        let _ = answer.send(!is_closed);
    });
    answered
}

//! The handle of a running call.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{broadcast, mpsc, watch};
use tracing::Instrument;
use visavis_media::{Frame, Latest};
use visavis_protocol::TrackSource;

use crate::command::{COMMANDS_CAPACITY, CallCommand, CallConfig, Media};
use crate::event::{CallEvent, EVENTS_CAPACITY};
use crate::outputs::{Outputs, ReceivedFrames};
use crate::peer::needs_tcp;
use crate::signalling::{NotAServer, socket_url};
use crate::statistics::Statistics;
use crate::task::CallTask;
use crate::view::{CallView, EndReason};

/// Starts calls.
#[derive(Debug, Clone, Copy)]
pub struct Call;

/// Why a call cannot start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// `server` is not a server URL.
    #[error(transparent)]
    NotAServer(#[from] NotAServer),
    /// A STUN or TURN server is to be reached over TCP or TLS.
    #[error(
        "STUN and TURN over TCP or TLS are not supported: name a server over UDP, for example turn:192.0.2.1:3478"
    )]
    IceServerOverTcp,
}

impl Call {
    /// Starts a call. Its progress is in the view. Must be called within a Tokio
    /// runtime.
    ///
    /// # Errors
    /// [`StartError`] when `config` names a server that cannot be used.
    pub fn start(config: CallConfig, media: Media) -> Result<CallHandle, StartError> {
        let url = socket_url(&config.server)?;
        if config.ice_servers.iter().any(needs_tcp) {
            return Err(StartError::IceServerOverTcp);
        }
        let (commands, commands_in) = mpsc::channel(COMMANDS_CAPACITY);
        let (events, first_reader) = broadcast::channel(EVENTS_CAPACITY);
        let outputs = Outputs {
            view: watch::Sender::new(CallView::default()),
            statistics: watch::Sender::default(),
            events,
            received_frames: ReceivedFrames::default(),
            ended: watch::Sender::new(None),
        };
        let handle = CallHandle {
            commands,
            view: outputs.view.subscribe(),
            statistics: outputs.statistics.subscribe(),
            events: Arc::new(Mutex::new(Some(first_reader))),
            more_events: outputs.events.clone(),
            received_frames: Arc::clone(&outputs.received_frames),
            ended: outputs.ended.subscribe(),
        };
        let task = CallTask::new(url, config, media, outputs);
        tokio::spawn(
            task.run(commands_in)
                .instrument(tracing::info_span!("call")),
        );
        Ok(handle)
    }
}

/// A running call. Dropping the last clone leaves the call.
#[derive(Debug, Clone)]
pub struct CallHandle {
    commands: mpsc::Sender<CallCommand>,
    view: watch::Receiver<CallView>,
    statistics: watch::Receiver<Statistics>,
    events: Arc<Mutex<Option<broadcast::Receiver<CallEvent>>>>,
    more_events: broadcast::Sender<CallEvent>,
    received_frames: ReceivedFrames,
    ended: watch::Receiver<Option<EndReason>>,
}

impl CallHandle {
    /// The view of the call, updated with each change.
    pub fn view(&self) -> watch::Receiver<CallView> {
        self.view.clone()
    }

    /// The statistics of every peer, updated once a second.
    pub fn statistics(&self) -> watch::Receiver<Statistics> {
        self.statistics.clone()
    }

    /// The events of the call. The first receiver gets all events, later ones those
    /// after their subscription.
    pub fn events(&self) -> broadcast::Receiver<CallEvent> {
        let first = self
            .events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        first.unwrap_or_else(|| self.more_events.subscribe())
    }

    /// Sends a command. Waits while the queue is full; does nothing after the call
    /// ended.
    pub async fn send(&self, command: CallCommand) {
        // The queue is closed after the call ended.
        let _ = self.commands.send(command).await;
    }

    /// The newest decoded frame of a remote participant, by its id in the view and
    /// the source.
    pub fn frames(&self, participant: &str, source: TrackSource) -> Option<Latest<Frame>> {
        self.received_frames
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&(participant.to_owned(), source))
            .cloned()
    }

    /// Waits until the call ended and has shut down. Cancel safe.
    pub async fn ended(&self) -> EndReason {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or(EndReason::ConnectionLost),
            // The task panicked.
            Err(_) => EndReason::ConnectionLost,
        }
    }
}

//! The handle of a running call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{broadcast, mpsc, watch};
use tracing::Instrument;
use visavis_media::{Frame, Latest};

use crate::command::{COMMANDS_CAPACITY, CallCommand, CallConfig, Media};
use crate::event::{CallEvent, EVENTS_CAPACITY, Statistics};
use crate::signal::{NotAServer, socket_url};
use crate::task::CallTask;
use crate::view::{CallView, EndReason};

/// Makes calls.
#[derive(Debug, Clone, Copy)]
pub struct Call;

/// The newest picture of each participant, by client id.
pub(crate) type Pictures = Arc<Mutex<HashMap<String, Latest<Frame>>>>;

/// What the task tells its handles.
#[derive(Debug)]
pub(crate) struct Outputs {
    pub view: watch::Sender<CallView>,
    pub statistics: watch::Sender<Statistics>,
    pub events: broadcast::Sender<CallEvent>,
    pub pictures: Pictures,
    /// Set last of all: everything is torn down.
    pub ended: watch::Sender<Option<EndReason>>,
}

impl Call {
    /// Begins a call; how it goes is seen in the view. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the server's URL is none.
    pub fn start(config: CallConfig, media: Media) -> Result<CallHandle, NotAServer> {
        let url = socket_url(&config.server)?;
        let (commands, commands_in) = mpsc::channel(COMMANDS_CAPACITY);
        let (events, first_reader) = broadcast::channel(EVENTS_CAPACITY);
        let outputs = Outputs {
            view: watch::Sender::new(CallView::default()),
            statistics: watch::Sender::default(),
            events,
            pictures: Pictures::default(),
            ended: watch::Sender::new(None),
        };
        let handle = CallHandle {
            commands,
            view: outputs.view.subscribe(),
            statistics: outputs.statistics.subscribe(),
            events: Arc::new(Mutex::new(Some(first_reader))),
            more_events: outputs.events.clone(),
            pictures: Arc::clone(&outputs.pictures),
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

/// A running call. When the last clone is dropped the call is left.
#[derive(Debug, Clone)]
pub struct CallHandle {
    commands: mpsc::Sender<CallCommand>,
    view: watch::Receiver<CallView>,
    statistics: watch::Receiver<Statistics>,
    events: Arc<Mutex<Option<broadcast::Receiver<CallEvent>>>>,
    more_events: broadcast::Sender<CallEvent>,
    pictures: Pictures,
    ended: watch::Receiver<Option<EndReason>>,
}

impl CallHandle {
    /// What a window shows, renewed with each change.
    pub fn view(&self) -> watch::Receiver<CallView> {
        self.view.clone()
    }

    /// The figures of every peer, renewed once a second.
    pub fn statistics(&self) -> watch::Receiver<Statistics> {
        self.statistics.clone()
    }

    /// What happens: from the beginning for the first who asks, from now on for others.
    pub fn events(&self) -> broadcast::Receiver<CallEvent> {
        let first = self
            .events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        first.unwrap_or_else(|| self.more_events.subscribe())
    }

    /// Asks something of the call; after its end that does nothing.
    pub async fn send(&self, command: CallCommand) {
        // A call that has ended has nobody to ask.
        let _ = self.commands.send(command).await;
    }

    /// The newest picture of someone else, by client id.
    pub fn picture(&self, member: &str) -> Option<Latest<Frame>> {
        self.pictures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(member)
            .cloned()
    }

    /// Waits until the call is over and everything of it is torn down.
    pub async fn ended(&self) -> EndReason {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or(EndReason::ConnectionLost),
            // The task itself is gone.
            Err(_) => EndReason::ConnectionLost,
        }
    }
}

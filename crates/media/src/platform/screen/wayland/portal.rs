//! The ScreenCast portal of the desktop: one dialog, then a PipeWire stream.
//!
//! One thread with a runtime serves every share as long as the process runs: a D-Bus
//! connection stops with the runtime on which it was made.

use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ashpd::desktop::screencast::{CursorMode, Screencast, SelectSourcesOptions, SourceType};
use ashpd::desktop::{PersistMode, ResponseError, Session};
use ashpd::zbus::Connection;
use futures_util::StreamExt as _;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::tokens;
use crate::device::DeviceError;
use crate::video::screen::ScreenKind;

/// How long the portal may take to answer what asks no person. The first call starts it.
const LIMIT: Duration = Duration::from_secs(10);

/// What the portal grants.
pub(super) struct Grant {
    /// A connection to PipeWire that reaches the shared stream.
    pub remote: OwnedFd,
    /// The stream's node.
    pub node: u32,
}

/// What becomes of a share.
pub(super) enum Answer {
    /// The person chose.
    Granted(Grant),
    /// The person closed the dialog.
    Declined,
    /// The desktop ended the share.
    Ended,
    /// The portal cannot be used.
    Failed(DeviceError),
}

/// A share of the portal. Dropping it closes its dialog or ends it.
pub(super) struct Share {
    pub answers: mpsc::Receiver<Answer>,
    _closing: oneshot::Sender<()>,
}

impl Share {
    /// Shows the dialog.
    pub(super) fn start(kind: ScreenKind) -> Result<Self, DeviceError> {
        let (sender, answers) = mpsc::channel();
        let (closing, closed) = oneshot::channel();
        runtime()?.spawn(async move {
            if let Err(error) = share(kind, &sender, closed).await {
                // The share may have been dropped.
                let _ = sender.send(Answer::Failed(error));
            }
        });
        Ok(Self {
            answers,
            _closing: closing,
        })
    }
}

/// The kinds that the dialog offers.
pub(super) fn kinds() -> Result<Vec<ScreenKind>, DeviceError> {
    let (sender, receiver) = mpsc::channel();
    runtime()?.spawn(async move {
        // The caller waits longer than this takes.
        let _ = sender.send(in_time(offered()).await);
    });
    receiver
        .recv_timeout(2 * LIMIT)
        .unwrap_or_else(|_| Err(hangs()))
}

fn runtime() -> Result<&'static Handle, DeviceError> {
    static RUNTIME: OnceLock<Result<Handle, String>> = OnceLock::new();
    let started = RUNTIME.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let handle = runtime.handle().clone();
        thread::Builder::new()
            .name("desktop portal".into())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))
            .map_err(|error| error.to_string())?;
        Ok(handle)
    });
    let failed = |reason: &String| DeviceError::Failed(reason.clone());
    started.as_ref().map_err(failed)
}

fn hangs() -> DeviceError {
    DeviceError::Failed("the desktop portal does not answer".into())
}

/// Awaits an answer for which nobody is asked.
async fn in_time<T, E: Into<ashpd::Error>>(
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, DeviceError> {
    let answer = timeout(LIMIT, answer).await.map_err(|_| hangs())?;
    answer.map_err(|error| failed(&error.into()))
}

fn failed(error: &ashpd::Error) -> DeviceError {
    DeviceError::Failed(format!(
        "the desktop portal for sharing a screen (ScreenCast of xdg-desktop-portal) \
         cannot be used: {error}"
    ))
}

async fn connect() -> Result<Screencast, ashpd::Error> {
    // A connection for each share: the session's bus may have been started again.
    Screencast::with_connection(Connection::session().await?).await
}

async fn offered() -> Result<Vec<ScreenKind>, ashpd::Error> {
    let offered = connect().await?.available_source_types().await?;
    let kinds = [
        (SourceType::Monitor, ScreenKind::Screen),
        (SourceType::Window, ScreenKind::Window),
    ];
    let kinds = kinds
        .into_iter()
        .filter(|(kind, _)| offered.contains(*kind));
    Ok(kinds.map(|(_, kind)| kind).collect())
}

async fn share(
    kind: ScreenKind,
    answers: &mpsc::Sender<Answer>,
    closed: oneshot::Receiver<()>,
) -> Result<(), DeviceError> {
    let portal = in_time(connect()).await?;
    let session = in_time(portal.create_session(Default::default())).await?;
    let outcome = tokio::select! {
        // The sender is never used: this is its drop.
        _ = closed => Ok(()),
        outcome = run(kind, &portal, &session, answers) => outcome,
    };
    // The desktop may have closed it already.
    let _ = timeout(LIMIT, session.close()).await;
    outcome
}

async fn run(
    kind: ScreenKind,
    portal: &Screencast,
    session: &Session<Screencast>,
    answers: &mpsc::Sender<Answer>,
) -> Result<(), DeviceError> {
    let mut ends = std::pin::pin!(in_time(session.receive_closed()).await?);
    in_time(select_source(kind, portal, session)).await?;
    // A person answers: no limit.
    let started = tokio::select! {
        started = portal.start(session, None, Default::default()) => started,
        _ = ends.next() => {
            let _ = answers.send(Answer::Declined);
            return Ok(());
        }
    };
    let chosen = match started.and_then(|request| request.response()) {
        Ok(chosen) => chosen,
        Err(ashpd::Error::Response(ResponseError::Cancelled)) => {
            let _ = answers.send(Answer::Declined);
            return Ok(());
        }
        Err(error) => return Err(failed(&error)),
    };
    tokens::set(kind, chosen.restore_token());
    // KDE lists streams that were replaced: the last one counts.
    let Some(stream) = chosen.streams().last() else {
        let _ = answers.send(Answer::Declined);
        return Ok(());
    };
    let remote = in_time(portal.open_pipe_wire_remote(session, Default::default())).await?;
    let node = stream.pipe_wire_node_id();
    // The share may have been dropped, here and below.
    let _ = answers.send(Answer::Granted(Grant { remote, node }));
    ends.next().await;
    // The person who stops a share from the desktop does not want it back unasked.
    tokens::set(kind, None);
    let _ = answers.send(Answer::Ended);
    Ok(())
}

async fn select_source(
    kind: ScreenKind,
    portal: &Screencast,
    session: &Session<Screencast>,
) -> Result<(), ashpd::Error> {
    let cursors = portal.available_cursor_modes().await.unwrap_or_default();
    let cursor = if cursors.contains(CursorMode::Embedded) {
        CursorMode::Embedded
    } else {
        CursorMode::Hidden
    };
    let token = tokens::get(kind);
    let kind = match kind {
        ScreenKind::Screen => SourceType::Monitor,
        ScreenKind::Window => SourceType::Window,
    };
    let options = SelectSourcesOptions::default()
        .set_sources(Some(kind.into()))
        .set_multiple(false)
        .set_cursor_mode(cursor)
        .set_persist_mode(PersistMode::Application)
        .set_restore_token(token.as_deref());
    portal.select_sources(session, options).await?.response()
}

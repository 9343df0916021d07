//! One participant: joins, reports, leaves.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::broadcast::error::RecvError;
use visavis_call::{
    Call, CallCommand, CallConfig, CallEvent, CallHandle, EndReason, Media, PeerConnectionState,
    RoomChoice,
};
use visavis_media::audio::{AudioCaptureState, AudioSender, Playout, PlayoutState};
use visavis_media::video::{CaptureState, VideoSender, snapshot};
use visavis_media::{DeviceError, Frame, Latest, VideoFormat};
use visavis_protocol::ErrorCode;

use crate::arguments::Participant;
use crate::report::{Line, Report};

/// How long leaving may take before we stop waiting for it.
const LEAVE_LIMIT: Duration = Duration::from_secs(3);
const COULD_NOT_JOIN: u8 = 3;
const BAD_ARGUMENTS: u8 = 2;

/// Runs until the time is over, a signal comes or the call ends.
pub async fn run(arguments: Participant) -> anyhow::Result<ExitCode> {
    let mut report = Report::open(&arguments.stats)
        .with_context(|| format!("{} cannot be written", arguments.stats.display()))?;
    if let Some(folder) = &arguments.snapshots {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let media = Media {
        video: VideoSender::new(),
        audio: AudioSender::new(),
        playout: Playout::new(),
    };
    media
        .video
        .set_source(arguments.video.clone(), VideoFormat::default());
    media.audio.set_source(arguments.audio.clone());
    media.playout.set_sink(arguments.play.clone());
    let room = match (&arguments.room.room, &arguments.room.create) {
        (Some(id), _) => RoomChoice::Join(id.clone()),
        (None, name) => RoomChoice::Create {
            name: name.clone().unwrap_or_default(),
            private: false,
        },
    };
    let config = CallConfig {
        server: arguments.server.clone(),
        room,
        display_name: arguments.name.clone(),
        preferred_codec: arguments.codec.into(),
        ice_servers: arguments.ice_server.clone(),
        relay_only: arguments.relay_only,
        microphone_muted: false,
        camera_muted: false,
    };
    let call = match Call::start(config, media.clone()) {
        Ok(call) => call,
        Err(error) => {
            eprintln!("error: --server: {error}");
            return Ok(ExitCode::from(BAD_ARGUMENTS));
        }
    };
    let mut session = Running {
        call,
        media,
        snapshots: Snapshots::new(arguments.snapshots),
        joined: false,
    };
    let reason = session.follow(&mut report, arguments.seconds).await?;
    session.snapshots.save_all();
    report.summary(session.media.video.stats())?;
    Ok(match reason {
        EndReason::Left => ExitCode::SUCCESS,
        _ if session.joined => ExitCode::FAILURE,
        _ => ExitCode::from(COULD_NOT_JOIN),
    })
}

struct Running {
    call: CallHandle,
    media: Media,
    snapshots: Snapshots,
    joined: bool,
}

impl Running {
    /// Reports what happens until the call is over.
    async fn follow(
        &mut self,
        report: &mut Report,
        limit: Option<Duration>,
    ) -> anyhow::Result<EndReason> {
        let mut events = self.call.events();
        let mut statistics = self.call.statistics();
        let mut seen = (0, 0, 0);
        let (sound, picture, playout) = (
            self.media.audio.state(),
            self.media.video.state(),
            self.media.playout.state(),
        );
        let stop = stop_signal();
        tokio::pin!(stop);
        let time_over = async {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(time_over);
        let mut leaving: Option<tokio::time::Instant> = None;
        loop {
            let left_too_long = async {
                match leaving {
                    Some(since) => tokio::time::sleep_until(since + LEAVE_LIMIT).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = events.recv() => match event {
                    Ok(CallEvent::Ended(reason)) => {
                        self.ended(report, &reason)?;
                        // Everyone is told and everything closed before we go.
                        let _ = tokio::time::timeout(LEAVE_LIMIT, self.call.ended()).await;
                        return Ok(reason);
                    }
                    Ok(event) => self.event(report, event)?,
                    Err(RecvError::Lagged(lost)) => tracing::warn!(lost, "events were lost"),
                    Err(RecvError::Closed) => return Ok(EndReason::ConnectionLost),
                },
                Ok(()) = statistics.changed() => {
                    let figures = statistics.borrow_and_update().clone();
                    for peer in figures.peers {
                        report.stats(Instant::now(), peer)?;
                    }
                }
                (version, state) = sound.changed(seen.0) => {
                    seen.0 = version;
                    if let Some(AudioCaptureState::Failed(error)) = state {
                        device_failed(report, "microphone", &error)?;
                    }
                }
                (version, state) = picture.changed(seen.1) => {
                    seen.1 = version;
                    if let Some(CaptureState::Failed(error)) = state {
                        device_failed(report, "camera", &error)?;
                    }
                }
                (version, state) = playout.changed(seen.2) => {
                    seen.2 = version;
                    if let Some(PlayoutState::Failed(error)) = state {
                        device_failed(report, "speaker", &error)?;
                    }
                }
                () = &mut stop, if leaving.is_none() => leaving = Some(self.leave().await),
                () = &mut time_over, if leaving.is_none() => leaving = Some(self.leave().await),
                () = left_too_long => return Ok(EndReason::Left),
            }
        }
    }

    async fn leave(&mut self) -> tokio::time::Instant {
        // The pictures go with the call.
        self.snapshots.save_all();
        self.call.send(CallCommand::Leave).await;
        tokio::time::Instant::now()
    }

    fn event(&mut self, report: &mut Report, event: CallEvent) -> anyhow::Result<()> {
        match event {
            CallEvent::Joined { room, member, ms } => {
                self.joined = true;
                report.line(&Line::Joined {
                    room: &room,
                    member: &member,
                    ms,
                })?;
            }
            CallEvent::Peer { member, state } => report.line(&Line::Peer {
                member: &member,
                state,
            })?,
            CallEvent::FirstFrame { member, ms } => {
                if let Some(frames) = self.call.frames(&member) {
                    self.snapshots.watch(&member, frames);
                }
                report.line(&Line::FirstFrame {
                    member: &member,
                    ms,
                })?;
            }
            CallEvent::Chat { member, text } => report.line(&Line::Chat {
                member: &member,
                text: &text,
            })?,
            CallEvent::Error { code } => report.line(&Line::Error {
                code: &name_of(code),
            })?,
            CallEvent::MemberLeft { member } => {
                self.snapshots.save(&member);
                report.line(&Line::Peer {
                    member: &member,
                    state: PeerConnectionState::Closed,
                })?;
            }
            CallEvent::MemberJoined { .. } | CallEvent::Ended(_) => {}
        }
        Ok(())
    }

    fn ended(&self, report: &mut Report, reason: &EndReason) -> anyhow::Result<()> {
        let code = match reason {
            // The refusal itself was reported.
            EndReason::Left | EndReason::Refused { .. } => return Ok(()),
            EndReason::ServerUnreachable => "server-unreachable",
            EndReason::ConnectionLost => "connection-lost",
        };
        Ok(report.line(&Line::Error { code })?)
    }
}

/// The wire's name of a code.
fn name_of(code: ErrorCode) -> String {
    serde_json::to_value(code)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn device_failed(report: &mut Report, device: &str, error: &DeviceError) -> anyhow::Result<()> {
    tracing::warn!(device, %error, "a device failed; the call goes on without it");
    let problem = match error {
        DeviceError::Absent => "absent",
        DeviceError::Busy => "busy",
        DeviceError::Refused => "refused",
        DeviceError::Unsupported(_) => "unsupported",
        DeviceError::File { .. } => "file",
        DeviceError::Lost => "lost",
        DeviceError::Failed(_) => "failed",
    };
    Ok(report.line(&Line::Error {
        code: &format!("{device}-{problem}"),
    })?)
}

/// Where the pictures of each member are, to be saved.
pub struct Snapshots {
    folder: Option<PathBuf>,
    members: HashMap<String, Latest<Frame>>,
}

impl Snapshots {
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            members: HashMap::new(),
        }
    }

    /// A member's first picture is there: it is saved, so that one is in any case.
    pub fn watch(&mut self, member: &str, frames: Latest<Frame>) {
        self.members.insert(member.to_owned(), frames);
        self.save(member);
    }

    /// Saves the newest picture of everyone.
    pub fn save_all(&self) {
        self.members.keys().for_each(|member| self.save(member));
    }

    fn save(&self, member: &str) {
        let frame = self.members.get(member).and_then(Latest::get);
        let (Some(folder), Some(frame)) = (&self.folder, frame) else {
            return;
        };
        // Ids come from a server: only what cannot leave the folder becomes a name.
        let name: String = member
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        if let Err(error) = snapshot::save_png(&frame, &folder.join(name).with_extension("png")) {
            tracing::warn!(%error, "a picture could not be saved");
        }
    }
}

/// Comes when the process is asked to stop.
pub async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = interrupt => {}
                    _ = terminate.recv() => {}
                }
            }
            Err(_) => drop(interrupt.await),
        }
    }
    #[cfg(not(unix))]
    drop(interrupt.await);
}

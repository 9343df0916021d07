//! One participant: joins a room, reports events and statistics, and leaves.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use visavis_call::{
    Call, CallCommand, CallConfig, CallEvent, CallHandle, CallPhase, EndReason, Media,
    PeerConnectionState, RoomChoice, ShownVideo,
};
use visavis_media::audio::{AudioCaptureState, PlayoutState};
use visavis_media::video::background::{BackgroundError, BackgroundState};
use visavis_media::video::{CaptureState, snapshot};
use visavis_media::{DeviceError, Frame, Latest, VideoFormat};
use visavis_protocol::{ErrorCode, TrackSource, WaitReason};

use crate::arguments::Participant;
use crate::control::{self, Control};
use crate::report::{Line, Report};
use crate::speaking::Speakers;

/// Longest wait for the call to end after leaving.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);
/// The frame rate of a shared screen; its size is its own.
const SHARED: VideoFormat = VideoFormat {
    width: 0,
    height: 0,
    frames_per_second: 30,
};
const COULD_NOT_JOIN: u8 = 3;
const BAD_ARGUMENTS: u8 = 2;

/// Runs until the time limit, SIGINT or SIGTERM, or the end of the call.
pub async fn run(arguments: Participant) -> anyhow::Result<ExitCode> {
    let mut report = Report::open(&arguments.stats)
        .with_context(|| format!("cannot write {}", arguments.stats.display()))?;
    if let Some(folder) = &arguments.snapshots {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let media = Media::new();
    media
        .video
        .set_source(arguments.video.clone(), VideoFormat::default());
    media.video.set_background(arguments.background.clone());
    media.set_audio_source(arguments.audio.clone());
    if let Some(share) = &arguments.share {
        media.screen.set_source(share.clone(), SHARED);
    }
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
        muted: Vec::new(),
        wait: arguments.wait,
        passcode: arguments.passcode.clone(),
        token: arguments.token.clone(),
    };
    let call = match Call::start(config, media.clone()) {
        Ok(call) => call,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(ExitCode::from(BAD_ARGUMENTS));
        }
    };
    if let Some(size) = arguments.show {
        call.send(CallCommand::Show(ShownVideo::Within(size))).await;
    }
    let mut session = Session {
        call,
        media,
        snapshots: Snapshots::new(arguments.snapshots),
        joined: false,
        bad_file: None,
        bad_passcode: false,
    };
    let commands = arguments.control.then(control::read);
    let reason = session
        .follow(&mut report, commands, arguments.seconds)
        .await?;
    session.snapshots.save_all();
    report.summary(session.media.video.stats())?;
    if let Some(error) = session.bad_file {
        eprintln!("error: {error}");
        return Ok(ExitCode::from(BAD_ARGUMENTS));
    }
    Ok(match reason {
        EndReason::Left if !session.bad_passcode => ExitCode::SUCCESS,
        EndReason::RoomClosed { .. } if session.joined => ExitCode::SUCCESS,
        _ if session.joined => ExitCode::FAILURE,
        _ => ExitCode::from(COULD_NOT_JOIN),
    })
}

struct Session {
    call: CallHandle,
    media: Media,
    snapshots: Snapshots,
    joined: bool,
    /// A file of the command line that cannot be read or written, which ends the
    /// call.
    bad_file: Option<DeviceError>,
    /// The room has another passcode than that of the command line.
    bad_passcode: bool,
}

impl Session {
    /// Reports events, statistics and device failures until the call ends.
    async fn follow(
        &mut self,
        report: &mut Report,
        mut commands: Option<mpsc::Receiver<Result<Control, serde_json::Error>>>,
        limit: Option<Duration>,
    ) -> anyhow::Result<EndReason> {
        let mut events = self.call.events();
        let mut statistics = self.call.statistics();
        let (mut view, mut speakers) = (self.call.view(), Speakers::default());
        let mut waiting = None;
        let mut versions = (0, 0, 0);
        let mut background_version = 0;
        let (audio_state, video_state, playout_state) = (
            self.media.audio.state(),
            self.media.video.state(),
            self.media.playout.state(),
        );
        let background_state = self.media.video.background();
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
                    Some(since) => tokio::time::sleep_until(since + LEAVE_TIMEOUT).await,
                    None => std::future::pending().await,
                }
            };
            let command = async {
                match &mut commands {
                    Some(commands) => commands.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = events.recv() => match event {
                    Ok(CallEvent::Ended(reason)) => {
                        self.ended(report, &reason)?;
                        // Wait until the leave was sent and all connections are closed.
                        let _ = tokio::time::timeout(LEAVE_TIMEOUT, self.call.ended()).await;
                        return Ok(reason);
                    }
                    Ok(event) => self.event(report, event)?,
                    Err(RecvError::Lagged(lost)) => tracing::warn!(lost, "events were dropped"),
                    Err(RecvError::Closed) => return Ok(EndReason::ConnectionLost),
                },
                Ok(()) = statistics.changed() => {
                    let newest = statistics.borrow_and_update().clone();
                    for peer in newest.peers {
                        report.stats(Instant::now(), peer)?;
                    }
                }
                Ok(()) = view.changed() => {
                    let newest = view.borrow_and_update();
                    let changes = speakers.update(&newest);
                    for (member, speaking) in changes {
                        report.line(&Line::Speaking { member: &member, speaking })?;
                    }
                    let before = std::mem::replace(&mut waiting, place_in_queue(&newest.phase));
                    if let Some((position, reason)) = waiting.filter(|_| waiting != before) {
                        report.line(&Line::Waiting { position, reason })?;
                    }
                }
                (version, state) = audio_state.changed(versions.0) => {
                    versions.0 = version;
                    if let Some(AudioCaptureState::Failed(error)) = state {
                        self.device_failed(report, "microphone", error)?;
                    }
                }
                (version, state) = video_state.changed(versions.1) => {
                    versions.1 = version;
                    if let Some(CaptureState::Failed(error)) = state {
                        self.device_failed(report, "camera", error)?;
                    }
                }
                (version, state) = playout_state.changed(versions.2) => {
                    versions.2 = version;
                    if let Some(PlayoutState::Failed(error)) = state {
                        self.device_failed(report, "speaker", error)?;
                    }
                }
                (version, state) = background_state.changed(background_version) => {
                    background_version = version;
                    if let Some(BackgroundState::Failed(error)) = state {
                        self.background_failed(report, error)?;
                    }
                }
                () = std::future::ready(()), if (self.bad_file.is_some() || self.bad_passcode) && leaving.is_none() => {
                    leaving = Some(self.leave().await);
                }
                command = command, if leaving.is_none() => match command {
                    None => leaving = Some(self.leave().await),
                    Some(Ok(command)) => self.obey(report, command).await?,
                    Some(Err(error)) => {
                        eprintln!("error: standard input has a line that is no command: {error}");
                        report.line(&Line::Error { code: "bad-command" })?;
                    }
                },
                () = &mut stop, if leaving.is_none() => leaving = Some(self.leave().await),
                () = &mut time_over, if leaving.is_none() => leaving = Some(self.leave().await),
                () = left_too_long => return Ok(EndReason::Left),
            }
        }
    }

    async fn obey(&self, report: &mut Report, command: Control) -> anyhow::Result<()> {
        let set_muted = async |source, muted| {
            let command = CallCommand::SetMuted { source, muted };
            self.call.send(command).await;
        };
        match command {
            Control::Mute { source } => set_muted(source, true).await,
            Control::Unmute { source } => set_muted(source, false).await,
            Control::Video { source } => {
                self.media.video.set_source(source, VideoFormat::default());
            }
            Control::Background { source } => self.media.video.set_background(source),
            Control::Audio { source } => self.media.set_audio_source(source),
            Control::Share { source } => self.media.screen.set_source(source, SHARED),
            Control::Show { size } => {
                let shown = ShownVideo::Within(size);
                self.call.send(CallCommand::Show(shown)).await;
            }
            Control::Snapshot { folder } => {
                self.snapshots.save_y4m(&folder);
                self.save_screens(&folder);
            }
            Control::Volume {
                participant,
                percent,
            } => {
                let found = self.participants_named(&participant);
                if found.is_empty() {
                    report.line(&Line::Error {
                        code: "unknown-participant",
                    })?;
                }
                for participant in found {
                    let command = CallCommand::SetVolume {
                        participant,
                        percent,
                    };
                    self.call.send(command).await;
                }
            }
            Control::Chat { text } => self.call.send(CallCommand::SendChat(text)).await,
        }
        Ok(())
    }

    /// Saves the newest frame of every screen that a member shares, as it was decoded.
    fn save_screens(&self, folder: &Path) {
        let members: Vec<String> = {
            let view = self.call.view();
            let view = view.borrow();
            let others = view.participants.iter().filter(|one| !one.is_me);
            others.map(|one| one.id.clone()).collect()
        };
        for member in members {
            let frames = self.call.frames(&member, TrackSource::ScreenShare);
            if let Some(frame) = frames.and_then(|frames| frames.get()) {
                save_frame(&frame, &file_of(folder, &format!("{member}-screen")));
            }
        }
    }

    /// The ids of the remote participants with this id or display name.
    fn participants_named(&self, name: &str) -> Vec<String> {
        let view = self.call.view();
        let view = view.borrow();
        let others = view.participants.iter().filter(|one| !one.is_me);
        let named = others.filter(|one| one.id == name || one.name == name);
        named.map(|one| one.id.clone()).collect()
    }

    async fn leave(&mut self) -> tokio::time::Instant {
        // The received frames are dropped when the call ends.
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
            CallEvent::NegotiationFailed { member, reason } => {
                report.line(&Line::NegotiationFailed {
                    member: &member,
                    reason: &reason,
                })?;
            }
            // Nobody is there to enter one.
            CallEvent::PasscodeNeeded => {
                report.line(&Line::Error {
                    code: &name_of(ErrorCode::WrongPasscode),
                })?;
                self.bad_passcode = true;
            }
            CallEvent::MutedByHost(by_host) => report.line(&Line::Muted {
                source: by_host.source,
                by: &by_host.name,
            })?,
            CallEvent::FirstFrame { member, ms } => {
                if let Some(frames) = self.call.frames(&member, TrackSource::Camera) {
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
        let (error, reason) = match reason {
            EndReason::Left => (None, "left".to_owned()),
            // A refusal was already reported as an error event.
            EndReason::Refused { code } => (None, name_of(*code)),
            EndReason::RoomClosed { why } => (None, name_of(*why)),
            EndReason::ServerUnreachable => {
                (Some("server-unreachable"), "server-unreachable".to_owned())
            }
            EndReason::ConnectionLost => (Some("connection-lost"), "connection-lost".to_owned()),
            EndReason::Removed { why } => (Some("removed"), name_of(*why)),
        };
        if let Some(code) = error {
            report.line(&Line::Error { code })?;
        }
        Ok(report.line(&Line::Ended { reason: &reason })?)
    }

    /// Reports a failed device. A file that was named on the command line ends the
    /// call: without it the participant would not send what it was asked to.
    fn device_failed(
        &mut self,
        report: &mut Report,
        device: &str,
        error: DeviceError,
    ) -> anyhow::Result<()> {
        let problem = match &error {
            DeviceError::Absent => "absent",
            DeviceError::Busy => "busy",
            DeviceError::Refused => "refused",
            DeviceError::Unsupported(_) => "unsupported",
            DeviceError::File { .. } => "file",
            DeviceError::Lost => "lost",
            DeviceError::Failed(_) => "failed",
        };
        report.line(&Line::Error {
            code: &format!("{device}-{problem}"),
        })?;
        if matches!(error, DeviceError::File { .. }) {
            self.bad_file = Some(error);
        } else {
            tracing::warn!(device, %error, "a device failed; the call continues without it");
        }
        Ok(())
    }

    /// Reports a background that is not shown. A file that was named on the command line
    /// ends the call, as others do.
    fn background_failed(
        &mut self,
        report: &mut Report,
        error: BackgroundError,
    ) -> anyhow::Result<()> {
        let problem = match &error {
            BackgroundError::ModelMissing => "model-missing",
            BackgroundError::ModelDamaged(_) => "model-damaged",
            BackgroundError::Picture { .. } => "file",
            BackgroundError::TooSlow => "too-slow",
        };
        report.line(&Line::Error {
            code: &format!("background-{problem}"),
        })?;
        if let BackgroundError::Picture { path, reason } = error {
            self.bad_file = Some(DeviceError::File { path, reason });
        } else {
            tracing::warn!(%error, "the call continues without a background");
        }
        Ok(())
    }
}

/// The position in the queue or waiting room, and why the join waits.
fn place_in_queue(phase: &CallPhase) -> Option<(u32, WaitReason)> {
    match phase {
        CallPhase::Waiting { reason, position } => Some((*position, *reason)),
        _ => None,
    }
}

/// The protocol's name of an error code or of a reason.
fn name_of(value: impl Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Saves snapshots of the members' video.
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

    /// Registers a member when its first frame arrives, and saves that frame.
    pub fn watch(&mut self, member: &str, frames: Latest<Frame>) {
        self.members.insert(member.to_owned(), frames);
        self.save(member);
    }

    /// Saves the newest frame of every member.
    pub fn save_all(&self) {
        self.members.keys().for_each(|member| self.save(member));
    }

    fn save(&self, member: &str) {
        let frame = self.members.get(member).and_then(Latest::get);
        let (Some(folder), Some(frame)) = (&self.folder, frame) else {
            return;
        };
        let file = file_of(folder, member).with_extension("png");
        if let Err(error) = snapshot::save_png(&frame, &file) {
            tracing::warn!(%error, "saving a snapshot failed");
        }
    }

    /// Saves the newest frame of every member as it was decoded.
    fn save_y4m(&self, folder: &Path) {
        for (member, frames) in &self.members {
            if let Some(frame) = frames.get() {
                save_frame(&frame, &file_of(folder, member));
            }
        }
    }
}

/// Saves a frame under a path without extension.
fn save_frame(frame: &Frame, path: &Path) {
    if let Err(error) = write_y4m(frame, &path.with_extension("y4m")) {
        tracing::warn!(%error, "saving a frame failed");
    }
}

/// The path of a member's file, without extension. Ids come from a server: what could
/// leave the directory is replaced.
fn file_of(folder: &Path, member: &str) -> PathBuf {
    let name: String = member
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    folder.join(name)
}

/// Writes a y4m file of one frame. It appears whole or not at all.
fn write_y4m(frame: &Frame, path: &Path) -> std::io::Result<()> {
    let (width, height) = (frame.width(), frame.height());
    let mut bytes = format!("YUV4MPEG2 W{width} H{height} F1:1 C420\nFRAME\n").into_bytes();
    bytes.extend_from_slice(frame.data());
    let unfinished = path.with_extension("y4m.part");
    std::fs::write(&unfinished, bytes)?;
    std::fs::rename(unfinished, path)
}

/// Completes on SIGINT or SIGTERM.
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

//! The call: joining, following it, leaving.

use std::time::{Duration, Instant};

use tokio::time::timeout;
use visavis_call::{Call, CallCommand, CallConfig, CallPhase, CallView, EndReason, RoomChoice};
use visavis_media::{VideoCodec, time};
use visavis_protocol::limits::MAX_CHAT_TEXT_BYTES;
use visavis_protocol::{ErrorCode, RoomLink, TrackSource};

use super::ControllerTask;
use super::stage::{Ended, Running, Service, Stage, Target};
use crate::demo::{self, Guests};
use crate::measured::Measured;
use crate::settings::Visit;
use crate::view::{CommandError, ConnectionStatistics, DeviceKind, VisitedRoom};

/// How long leaving may take when the window closes.
const LEAVE_LIMIT: Duration = Duration::from_secs(3);

impl ControllerTask {
    pub(super) async fn join(&mut self) -> Result<(), CommandError> {
        let Stage::PreJoin(pre_join) = &self.stage else {
            return Ok(());
        };
        let target = pre_join.target.clone();
        let service = pre_join.service.clone();
        let is_demo = target == Target::Demo;
        let server = match &service {
            Service::Own => self.service.host().await?,
            Service::Url(url) => url.clone(),
        };
        let config = CallConfig {
            server: server.clone(),
            room: match target.clone() {
                Target::Known(room) => RoomChoice::Join(room),
                Target::New { name, private } => RoomChoice::Create { name, private },
                Target::Demo => RoomChoice::Create {
                    name: demo::ROOM_NAME.into(),
                    private: true,
                },
            },
            display_name: self.settings.get().name.clone(),
            preferred_codec: VideoCodec::Vp8,
            ice_servers: Vec::new(),
            relay_only: false,
            muted: self.local.muted(),
            wait: true,
            passcode: None,
            token: None,
        };
        let handle = Call::start(config, self.local.media().clone());
        let handle = handle.map_err(|_| CommandError::NotAServer)?;
        let mut changes = handle.view();
        let view = changes.borrow_and_update().clone();
        let statistics = handle.statistics();
        tracing::info!(is_demo, "joining");
        self.calls.send_replace(Some(handle.clone()));
        let running = Running {
            target,
            service,
            server,
            handle,
            changes,
            view: view.clone(),
            statistics,
            measured: Measured::default(),
            entered_at: None,
            guests: None,
        };
        self.stage = Stage::Room(Box::new(running));
        self.follow_call(Some(view));
        Ok(())
    }

    /// Takes the call's newest view; none when it broke off.
    pub(super) fn follow_call(&mut self, view: Option<CallView>) {
        let Stage::Room(call) = &mut self.stage else {
            return;
        };
        let is_broken = view.is_none();
        let mut new_view = view.unwrap_or_else(|| call.view.clone());
        // A call that broke off has given its chat already.
        if !is_broken {
            self.chat.replace(std::mem::take(&mut new_view.chat));
        }
        let old_view = std::mem::replace(&mut call.view, new_view);
        if let Some(by_host) = &call.view.muted_by_host
            && old_view.muted_by_host.as_ref() != Some(by_host)
        {
            match by_host.source {
                TrackSource::Camera => self.local.set_muted(DeviceKind::Camera, true),
                TrackSource::Microphone => self.local.set_muted(DeviceKind::Microphone, true),
                TrackSource::ScreenShare => self.share.stop(),
                TrackSource::ScreenShareAudio => {}
            }
        }
        // A share without the grant is sent to nobody.
        if !may_publish(&call.view, TrackSource::ScreenShare) {
            self.share.stop();
        }
        if is_broken {
            call.view.phase = CallPhase::Ended {
                reason: EndReason::ConnectionLost,
            };
        }
        match (&call.view.phase, &call.view.room, call.entered_at) {
            (CallPhase::Inside, Some(room), None) => {
                tracing::info!("in the room");
                call.entered_at = Some(Instant::now());
                if call.target == Target::Demo {
                    call.guests = Guests::enter(&call.server, &room.id).ok();
                } else {
                    let room = VisitedRoom {
                        id: room.id.clone(),
                        name: room.name.clone(),
                        at: time::unix_ms(),
                    };
                    let visit = Visit {
                        server: call.server.clone(),
                        hosted: call.service == Service::Own,
                        room,
                    };
                    self.settings.change(|settings| settings.remember(visit));
                }
            }
            (CallPhase::Ended { .. }, ..) => self.show_ended(),
            _ => {}
        }
    }

    fn show_ended(&mut self) {
        let Stage::Room(call) = std::mem::replace(&mut self.stage, Stage::Lobby) else {
            return;
        };
        let call = *call;
        let known = match &call.target {
            Target::Known(room) => Some(room.clone()),
            Target::New { .. } | Target::Demo => None,
        };
        let seconds = call
            .entered_at
            .map_or(0, |entered| entered.elapsed().as_secs());
        tracing::info!(seconds, phase = ?call.view.phase, "the call is over");
        self.stage = Stage::Ended(Box::new(Ended {
            service: call.service,
            target: call.target,
            room_id: call
                .view
                .room
                .as_ref()
                .map(|room| room.id.clone())
                .or(known),
            view: call.view,
            seconds,
        }));
        self.calls.send_replace(None);
        self.local.release();
        self.share.stop();
    }

    /// The devices stop at once; the screen follows when the others were told.
    pub(super) async fn leave(&mut self) {
        if let Stage::Room(call) = &mut self.stage {
            self.local.release();
            self.share.stop();
            call.guests = None;
            call.handle.send(CallCommand::Leave).await;
        }
    }

    /// Leaves and waits for it, for a window that closes.
    pub(super) async fn end_call(&mut self) {
        self.leave().await;
        if let Stage::Room(call) = &self.stage
            && timeout(LEAVE_LIMIT, call.handle.ended()).await.is_err()
        {
            tracing::warn!("the call did not end in time");
        }
    }

    pub(super) async fn set_muted(
        &mut self,
        kind: DeviceKind,
        muted: bool,
    ) -> Result<(), CommandError> {
        let source = match kind {
            DeviceKind::Camera => TrackSource::Camera,
            DeviceKind::Microphone => TrackSource::Microphone,
            DeviceKind::Speaker => return Ok(()),
        };
        if let Stage::Room(call) = &self.stage {
            if !muted && !may_publish(&call.view, source) {
                return Err(forbidden());
            }
            let set = CallCommand::SetMuted { source, muted };
            call.handle.send(set).await;
        }
        self.local.set_muted(kind, muted);
        Ok(())
    }

    /// Shares what was listed last under this id.
    pub(super) async fn share_screen(&mut self, id: Option<String>) -> Result<(), CommandError> {
        let Stage::Room(call) = &self.stage else {
            return Ok(());
        };
        let Some(id) = id else {
            self.share.stop();
            return Ok(());
        };
        if !may_publish(&call.view, TrackSource::ScreenShare) {
            return Err(forbidden());
        }
        let choice = self.screens.iter().find(|choice| choice.id == id);
        let choice = choice.cloned().ok_or(CommandError::NothingToShare)?;
        self.share.start(choice)?;
        // A host's mute ended the last share, not this one.
        let unmute = CallCommand::SetMuted {
            source: TrackSource::ScreenShare,
            muted: false,
        };
        call.handle.send(unmute).await;
        Ok(())
    }

    pub(super) async fn enter_passcode(&mut self, passcode: String) {
        if let Stage::Room(call) = &self.stage {
            call.handle.send(CallCommand::EnterPasscode(passcode)).await;
        }
    }

    pub(super) async fn send_chat(&mut self, text: String) -> Result<(), CommandError> {
        let Stage::Room(call) = &self.stage else {
            return Ok(());
        };
        // The engine ignores a longer one.
        if text.len() > MAX_CHAT_TEXT_BYTES {
            let code = ErrorCode::MessageTooLarge;
            return Err(CommandError::Refused { code });
        }
        if !text.trim().is_empty() {
            call.handle.send(CallCommand::SendChat(text)).await;
        }
        Ok(())
    }

    pub(super) fn statistics(&self) -> Vec<ConnectionStatistics> {
        match &self.stage {
            Stage::Room(call) => call.measured.view(),
            _ => Vec::new(),
        }
    }

    pub(super) async fn set_volume(&mut self, participant: String, percent: u8) {
        if let Stage::Room(call) = &self.stage {
            let volume = CallCommand::SetVolume {
                participant,
                percent,
            };
            call.handle.send(volume).await;
        }
    }

    pub(super) fn invitation(&self) -> Result<String, CommandError> {
        let (service, room) = match &self.stage {
            Stage::PreJoin(pre_join) => match &pre_join.target {
                Target::Known(room) => (&pre_join.service, Some(room)),
                Target::New { .. } | Target::Demo => (&pre_join.service, None),
            },
            Stage::Room(call) => {
                let room = call.view.room.as_ref();
                (&call.service, room.map(|room| &room.id))
            }
            Stage::Ended(ended) => (&ended.service, ended.room_id.as_ref()),
            Stage::Lobby => return Err(CommandError::NotARoom),
        };
        let room = room.ok_or(CommandError::NotARoom)?;
        let server = self.service.public_url(service)?;
        Ok(RoomLink::invitation(room, &server))
    }
}

/// Whether the local user may send this source, as far as the room has said so.
fn may_publish(view: &CallView, source: TrackSource) -> bool {
    view.phase != CallPhase::Inside || view.may_publish.contains(&source)
}

fn forbidden() -> CommandError {
    CommandError::Refused {
        code: ErrorCode::Forbidden,
    }
}

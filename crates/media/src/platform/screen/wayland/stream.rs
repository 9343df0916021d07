//! Frames of a PipeWire node.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use pipewire::channel;
use pipewire::context::ContextRc;
use pipewire::keys;
use pipewire::main_loop::MainLoopRc;
use pipewire::properties::properties;
use pipewire::spa::buffer::ChunkFlags;
use pipewire::spa::buffer::meta::{MetaHeader, MetaHeaderFlags, MetaVideoCrop};
use pipewire::spa::param::ParamType;
use pipewire::spa::param::video::{VideoFormat, VideoInfoRaw};
use pipewire::spa::pod::Pod;
use pipewire::spa::sys;
use pipewire::spa::utils::Direction;
use pipewire::stream::{Stream as PipeWireStream, StreamBox, StreamFlags, StreamState};

use super::format;
use super::pixels::{self, Crop, Layout};
use super::portal::Grant;
use crate::device::DeviceError;
use crate::platform::screen::newest::Slot;

/// A stream that is played. Dropping it ends its thread and its connection.
pub(super) struct Stream {
    pub slot: Arc<Slot>,
    quit: channel::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Stream {
    pub(super) fn open(grant: Grant) -> Result<Self, DeviceError> {
        let slot = Arc::new(Slot::default());
        let (quit, quits) = channel::channel();
        let filled = Arc::clone(&slot);
        let thread = thread::Builder::new()
            .name("screen stream".into())
            .spawn(move || {
                let failed = |error: pipewire::Error| {
                    DeviceError::Failed(format!("PipeWire cannot be used: {error}"))
                };
                if let Err(error) = play(&filled, grant, quits) {
                    filled.end(failed(error));
                }
            })
            .map_err(|error| DeviceError::Failed(error.to_string()))?;
        Ok(Self {
            slot,
            quit,
            thread: Some(thread),
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Its thread may have ended.
        let _ = self.quit.send(());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the thread of a screen's stream panicked");
        }
    }
}

/// What the callbacks of a stream share.
struct Player {
    slot: Arc<Slot>,
    format: VideoInfoRaw,
}

/// Runs until it is told to quit.
fn play(
    slot: &Arc<Slot>,
    grant: Grant,
    quits: channel::Receiver<()>,
) -> Result<(), pipewire::Error> {
    pipewire::init();
    let main_loop = MainLoopRc::new(None)?;
    let _quits = {
        let main_loop_quits = main_loop.clone();
        quits.attach(main_loop.loop_(), move |()| main_loop_quits.quit())
    };
    let context = ContextRc::new(&main_loop, None)?;
    let core = context.connect_fd_rc(grant.remote, None)?;
    let ended = Arc::clone(slot);
    let _errors = core
        .add_listener_local()
        .error(move |id, _, code, message| {
            tracing::debug!(id, code, message, "PipeWire reports an error");
            if id == pipewire::core::PW_ID_CORE {
                ended.end(DeviceError::Lost);
            }
        })
        .register();
    let properties = properties! {
        *keys::MEDIA_TYPE => "Video",
        *keys::MEDIA_CATEGORY => "Capture",
        *keys::MEDIA_ROLE => "Screen",
    };
    let stream = StreamBox::new(&core, "visavis-screen", properties)?;
    let player = Player {
        slot: Arc::clone(slot),
        format: VideoInfoRaw::default(),
    };
    let _listener = stream
        .add_local_listener_with_user_data(player)
        .state_changed(|_, player, old, new| player.state_changed(&old, &new))
        .param_changed(|stream, player, id, param| {
            if let Some(param) = param
                && id == ParamType::Format.as_raw()
            {
                player.format_changed(stream, param);
            }
        })
        .process(|stream, player| player.process(stream))
        .register()?;
    let formats = format::formats();
    let mut formats: Vec<&Pod> = formats
        .iter()
        .filter_map(|pod| Pod::from_bytes(pod))
        .collect();
    let flags = StreamFlags::AUTOCONNECT | StreamFlags::MAP_BUFFERS | StreamFlags::DONT_RECONNECT;
    stream.connect(Direction::Input, Some(grant.node), flags, &mut formats)?;
    main_loop.run();
    Ok(())
}

impl Player {
    fn state_changed(&self, old: &StreamState, new: &StreamState) {
        tracing::debug!(?old, ?new, "a screen's stream");
        match new {
            StreamState::Error(reason) => {
                let was_open = matches!(old, StreamState::Paused | StreamState::Streaming);
                self.slot.end(if was_open {
                    DeviceError::Lost
                } else {
                    DeviceError::Failed(format!("the screen's stream does not open: {reason}"))
                });
            }
            StreamState::Unconnected => self.slot.end(DeviceError::Lost),
            _ => {}
        }
    }

    /// The first format, and each that follows when the window or screen changes its
    /// size.
    fn format_changed(&mut self, stream: &PipeWireStream, param: &Pod) {
        if self.format.parse(param).is_err() {
            let reason = "the screen's stream has a format that is not understood";
            self.slot.end(DeviceError::Unsupported(reason.into()));
            return;
        }
        let params = [
            format::buffers(),
            format::meta(sys::SPA_META_Header, size_of::<sys::spa_meta_header>()),
            format::meta(sys::SPA_META_VideoCrop, size_of::<sys::spa_meta_region>()),
        ];
        let params = params.iter().flatten();
        let mut params: Vec<&Pod> = params.filter_map(|pod| Pod::from_bytes(pod)).collect();
        if let Err(error) = stream.update_params(&mut params) {
            tracing::warn!(%error, "a screen's stream refuses parameters");
        }
    }

    fn process(&self, stream: &PipeWireStream) {
        // Only the newest counts; those before go back when they are dropped.
        let mut newest = None;
        while let Some(buffer) = stream.dequeue_buffer() {
            newest = Some(buffer);
        }
        let Some(mut buffer) = newest else {
            return;
        };
        let header = buffer.find_meta::<MetaHeader>().map(MetaHeader::flags);
        if header.is_some_and(|flags| flags.contains(MetaHeaderFlags::CORRUPTED)) {
            return;
        }
        let crop = buffer.find_meta::<MetaVideoCrop>().and_then(crop);
        let Some(data) = buffer.datas_mut().first_mut() else {
            return;
        };
        let (chunk_size, offset) = (data.chunk().size(), data.chunk().offset() as usize);
        let stride = usize::try_from(data.chunk().stride()).unwrap_or(0);
        // Empty: only the pointer moved, or nothing changed.
        if chunk_size == 0 || data.chunk().flags().contains(ChunkFlags::CORRUPTED) {
            return;
        }
        let size = self.format.size();
        let layout = Layout {
            width: size.width,
            height: size.height,
            stride: if stride == 0 {
                size.width as usize * 4
            } else {
                stride
            },
            is_rgb: [VideoFormat::RGBx, VideoFormat::RGBA].contains(&self.format.format()),
        };
        let Some(bytes) = data.data().and_then(|bytes| bytes.get(offset..)) else {
            return;
        };
        self.slot.fill(|out| pixels::pack(bytes, layout, crop, out));
    }
}

fn crop(meta: &MetaVideoCrop) -> Option<Crop> {
    let region = meta.meta_region();
    let (at, size) = (region.position(), region.size());
    Some(Crop {
        x: u32::try_from(at.x).ok()?,
        y: u32::try_from(at.y).ok()?,
        width: size.width,
        height: size.height,
    })
}

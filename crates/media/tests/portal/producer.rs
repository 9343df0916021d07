//! A node of PipeWire that shows one colour, as a compositor shows a screen: a frame
//! when something changes, in memory that is shared.

use std::cell::{Cell, RefCell};
use std::io::Cursor;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pipewire::channel;
use pipewire::context::ContextRc;
use pipewire::keys;
use pipewire::main_loop::MainLoopRc;
use pipewire::properties::properties;
use pipewire::spa::buffer::DataType;
use pipewire::spa::param::ParamType;
use pipewire::spa::param::format::{FormatProperties, MediaSubtype, MediaType};
use pipewire::spa::param::video::VideoFormat;
use pipewire::spa::pod::serialize::PodSerializer;
use pipewire::spa::pod::{ChoiceValue, Object, Pod, Property, Value, object, property};
use pipewire::spa::sys;
use pipewire::spa::utils::{
    Choice, ChoiceEnum, ChoiceFlags, Direction, Fraction, Rectangle, SpaTypes,
};
use pipewire::stream::{Stream, StreamFlags, StreamRc, StreamState};

enum Order {
    /// Width, height and colour of what is shown from now on.
    Show(u32, u32, u32),
    Quit,
}

/// A node. Dropping it removes it.
pub(crate) struct Producer {
    pub node: u32,
    orders: channel::Sender<Order>,
    frames: Arc<AtomicU32>,
    thread: Option<JoinHandle<()>>,
}

impl Producer {
    pub(crate) fn start(width: u32, height: u32, colour: u32) -> Self {
        let (orders, ordered) = channel::channel();
        let (ready, is_ready) = mpsc::channel();
        let frames = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&frames);
        let thread = thread::spawn(move || {
            produce((width, height, colour), ordered, ready, counted);
        });
        let node = is_ready.recv_timeout(super::session::LIMIT).unwrap();
        Self {
            node,
            orders,
            frames,
            thread: Some(thread),
        }
    }

    pub(crate) fn show(&self, width: u32, height: u32, colour: u32) {
        let sent = self.orders.send(Order::Show(width, height, colour));
        assert!(sent.is_ok());
    }

    /// Frames that were filled.
    pub(crate) fn frames(&self) -> u32 {
        self.frames.load(Ordering::Relaxed)
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Quit);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// What the callbacks of the stream share.
struct Shown {
    width: Cell<u32>,
    height: Cell<u32>,
    colour: Cell<u32>,
    /// The size that was negotiated.
    negotiated: Cell<(u32, u32)>,
    /// Until when frames come.
    moves_until: Cell<Instant>,
}

/// How long and how often frames come after something changed. One alone would be lost
/// while the consumer starts or takes over another size.
const MOVES_FOR: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(50);

impl Shown {
    fn moves(&self) {
        self.moves_until.set(Instant::now() + MOVES_FOR);
    }
}

fn produce(
    (width, height, colour): (u32, u32, u32),
    ordered: channel::Receiver<Order>,
    ready: mpsc::Sender<u32>,
    frames: Arc<AtomicU32>,
) {
    pipewire::init();
    let main_loop = MainLoopRc::new(None).unwrap();
    let context = ContextRc::new(&main_loop, None).unwrap();
    let core = context.connect_rc(None).unwrap();
    let properties = properties! {
        *keys::MEDIA_CLASS => "Video/Source",
        *keys::MEDIA_ROLE => "Screen",
        *keys::NODE_NAME => "test-screen",
    };
    let stream = StreamRc::new(core.clone(), "test-screen", properties).unwrap();
    let shown = Rc::new(Shown {
        width: Cell::new(width),
        height: Cell::new(height),
        colour: Cell::new(colour),
        negotiated: Cell::new((0, 0)),
        moves_until: Cell::new(Instant::now()),
    });
    let in_state = Rc::clone(&shown);
    let in_process = Rc::clone(&shown);
    let in_format = Rc::clone(&shown);
    let ready = RefCell::new(Some(ready));
    let _listener = stream
        .add_local_listener::<()>()
        .state_changed(move |stream, (), _, new| match new {
            StreamState::Paused => {
                if let Some(ready) = ready.borrow_mut().take() {
                    ready.send(stream.node_id()).unwrap();
                }
            }
            // A consumer has come: it gets the first frames.
            StreamState::Streaming => in_state.moves(),
            _ => {}
        })
        .param_changed(move |stream, (), id, param| {
            if param.is_none() || id != ParamType::Format.as_raw() {
                return;
            }
            let (width, height) = (in_format.width.get(), in_format.height.get());
            in_format.negotiated.set((width, height));
            let buffers = buffers(width, height);
            let mut params = [Pod::from_bytes(&buffers).unwrap()];
            stream.update_params(&mut params).unwrap();
            in_format.moves();
        })
        .process(move |stream, ()| fill(stream, &in_process, &frames))
        .register()
        .unwrap();
    let format = format(width, height);
    let mut params = [Pod::from_bytes(&format).unwrap()];
    let flags = StreamFlags::DRIVER | StreamFlags::MAP_BUFFERS;
    stream
        .connect(Direction::Output, None, flags, &mut params)
        .unwrap();
    let timer = {
        let (stream, shown) = (stream.clone(), Rc::clone(&shown));
        main_loop.loop_().add_timer(move |_| {
            if Instant::now() < shown.moves_until.get() {
                trigger(&stream);
            }
        })
    };
    timer
        .update_timer(Some(INTERVAL), Some(INTERVAL))
        .into_result()
        .unwrap();
    let orders = {
        let main_loop = main_loop.clone();
        move |order| match order {
            Order::Show(width, height, colour) => {
                let is_resized = (width, height) != (shown.width.get(), shown.height.get());
                shown.width.set(width);
                shown.height.set(height);
                shown.colour.set(colour);
                if is_resized {
                    let format = self::format(width, height);
                    let mut params = [Pod::from_bytes(&format).unwrap()];
                    stream.update_params(&mut params).unwrap();
                }
                shown.moves();
            }
            Order::Quit => main_loop.quit(),
        }
    };
    let _orders = ordered.attach(main_loop.loop_(), orders);
    main_loop.run();
}

/// Asks for a frame; nothing comes of it while no one consumes the stream.
fn trigger(stream: &Stream) {
    // SAFETY: the stream is alive, and this is its loop's thread.
    unsafe { pipewire::sys::pw_stream_trigger_process(stream.as_raw_ptr()) };
}

fn fill(stream: &Stream, shown: &Shown, frames: &AtomicU32) {
    let Some(mut buffer) = stream.dequeue_buffer() else {
        return;
    };
    let (width, height) = shown.negotiated.get();
    let Some(data) = buffer.datas_mut().first_mut() else {
        return;
    };
    // Rows have a padding, which is no part of the picture.
    let stride = width as usize * 4 + PADDING;
    let length = stride * height as usize;
    let [_, red, green, blue] = shown.colour.get().to_be_bytes();
    let Some(bytes) = data.data().filter(|bytes| bytes.len() >= length) else {
        return;
    };
    bytes[..length].fill(0xff);
    for row in bytes[..length].chunks_exact_mut(stride) {
        for pixel in row[..width as usize * 4].chunks_exact_mut(4) {
            pixel.copy_from_slice(&[blue, green, red, 0]);
        }
    }
    let chunk = data.chunk_mut();
    *chunk.offset_mut() = 0;
    *chunk.size_mut() = length as u32;
    *chunk.stride_mut() = stride as i32;
    frames.fetch_add(1, Ordering::Relaxed);
}

const PADDING: usize = 64;

fn format(width: u32, height: u32) -> Vec<u8> {
    serialized(object!(
        SpaTypes::ObjectParamFormat,
        ParamType::EnumFormat,
        property!(FormatProperties::MediaType, Id, MediaType::Video),
        property!(FormatProperties::MediaSubtype, Id, MediaSubtype::Raw),
        property!(FormatProperties::VideoFormat, Id, VideoFormat::BGRx),
        property!(
            FormatProperties::VideoSize,
            Rectangle,
            Rectangle { width, height }
        ),
        property!(
            FormatProperties::VideoFramerate,
            Fraction,
            Fraction { num: 0, denom: 1 }
        ),
    ))
}

fn buffers(width: u32, height: u32) -> Vec<u8> {
    let stride = width as i32 * 4 + PADDING as i32;
    let kinds = 1 << DataType::MemFd.as_raw() | 1 << DataType::MemPtr.as_raw();
    let flags = Value::Choice(ChoiceValue::Int(Choice(
        ChoiceFlags::empty(),
        ChoiceEnum::Flags {
            default: kinds,
            flags: Vec::new(),
        },
    )));
    let count = Value::Choice(ChoiceValue::Int(Choice(
        ChoiceFlags::empty(),
        ChoiceEnum::Range {
            default: 4,
            min: 2,
            max: 8,
        },
    )));
    serialized(Object {
        type_: SpaTypes::ObjectParamBuffers.as_raw(),
        id: ParamType::Buffers.as_raw(),
        properties: vec![
            Property::new(sys::SPA_PARAM_BUFFERS_buffers, count),
            Property::new(sys::SPA_PARAM_BUFFERS_blocks, Value::Int(1)),
            Property::new(
                sys::SPA_PARAM_BUFFERS_size,
                Value::Int(stride * height as i32),
            ),
            Property::new(sys::SPA_PARAM_BUFFERS_stride, Value::Int(stride)),
            Property::new(sys::SPA_PARAM_BUFFERS_dataType, flags),
        ],
    })
}

fn serialized(object: Object) -> Vec<u8> {
    let value = Value::Object(object);
    let (bytes, _) = PodSerializer::serialize(Cursor::new(Vec::new()), &value).unwrap();
    bytes.into_inner()
}

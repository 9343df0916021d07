//! An X server of the test's own, a client that draws, and what a capture shows.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use visavis_media::video::convert;
use visavis_media::video::screen::Screen;
use visavis_media::{DeviceError, Frame, ScreenSource, VideoFormat};
use x11rb::COPY_DEPTH_FROM_PARENT;
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    AtomEnum, ChangeGCAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, Gcontext, PropMode,
    Rectangle, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

pub(crate) const RED: u32 = 0xd0_2020;
pub(crate) const GREEN: u32 = 0x20_c030;
pub(crate) const BLUE: u32 = 0x30_40e0;
pub(crate) const GREY: u32 = 0x80_8080;

/// How long a condition may take.
const LIMIT: Duration = Duration::from_secs(20);

/// How far a colour may be from the one that was drawn, in each of its parts.
const TOLERANCE: u8 = 8;

/// A running Xvfb with one screen of 1280x720.
pub(crate) struct Display {
    server: Child,
    pub name: String,
}

impl Display {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one under a name that is free.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-noreset"])
            .args(["-screen", "0", "1280x720x24"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is installed (package xvfb)");
        let mut number = String::new();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        output.read_line(&mut number).unwrap();
        let name = format!(":{}", number.trim().parse::<u32>().unwrap());
        Self { server, name }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.name)
    }

    pub(crate) fn open(&self, source: &ScreenSource) -> Result<Screen, DeviceError> {
        Screen::open(Some(&self.name), source, VideoFormat::default())
    }

    pub(crate) fn stop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // It may have been stopped already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A program with windows.
pub(crate) struct Client {
    pub conn: RustConnection,
    pub root: Window,
    gc: Gcontext,
}

impl Client {
    pub(crate) fn connect(display: &str) -> Self {
        let (conn, number) = RustConnection::connect(Some(display)).unwrap();
        let root = conn.setup().roots[number].root;
        let gc = conn.generate_id().unwrap();
        conn.create_gc(gc, root, &CreateGCAux::new()).unwrap();
        Self { conn, root, gc }
    }

    /// Shows a window of one colour.
    pub(crate) fn window(&self, title: &str, area: Rectangle, colour: u32) -> Window {
        let window = self.create(
            title,
            area,
            &CreateWindowAux::new().background_pixel(colour),
        );
        self.conn.map_window(window).unwrap();
        self.sync();
        window
    }

    pub(crate) fn create(&self, title: &str, area: Rectangle, how: &CreateWindowAux) -> Window {
        let window = self.conn.generate_id().unwrap();
        let (x, y) = (area.x, area.y);
        let (width, height) = (area.width, area.height);
        let class = WindowClass::INPUT_OUTPUT;
        let depth = COPY_DEPTH_FROM_PARENT;
        self.conn
            .create_window(
                depth, window, self.root, x, y, width, height, 0, class, 0, how,
            )
            .unwrap();
        let (name, kind) = (self.atom("_NET_WM_NAME"), self.atom("UTF8_STRING"));
        self.conn
            .change_property8(PropMode::REPLACE, window, name, kind, title.as_bytes())
            .unwrap();
        self.sync();
        window
    }

    pub(crate) fn atom(&self, name: &str) -> u32 {
        let reply = self.conn.intern_atom(false, name.as_bytes()).unwrap();
        reply.reply().unwrap().atom
    }

    pub(crate) fn set_numbers(&self, window: Window, name: &str, kind: AtomEnum, values: &[u32]) {
        let name = self.atom(name);
        self.conn
            .change_property32(PropMode::REPLACE, window, name, kind, values)
            .unwrap();
        self.sync();
    }

    pub(crate) fn fill(&self, window: Window, area: Rectangle, colour: u32) {
        let colour = ChangeGCAux::new().foreground(colour);
        self.conn.change_gc(self.gc, &colour).unwrap();
        self.conn
            .poly_fill_rectangle(window, self.gc, &[area])
            .unwrap();
        self.sync();
    }

    /// Returns when the server has done all that was asked.
    pub(crate) fn sync(&self) {
        self.conn.sync().unwrap();
    }

    pub(crate) fn point_at(&self, x: i16, y: i16) {
        self.conn
            .warp_pointer(x11rb::NONE, self.root, 0, 0, 0, 0, x, y)
            .unwrap();
        self.sync();
    }
}

pub(crate) fn area(x: i16, y: i16, width: u16, height: u16) -> Rectangle {
    Rectangle {
        x,
        y,
        width,
        height,
    }
}

/// Whether a frame has this colour at this place.
pub(crate) fn shows(frame: &Frame, x: u32, y: u32, colour: u32) -> bool {
    if x >= frame.width() || y >= frame.height() {
        return false;
    }
    let at = (y * frame.width() + x) as usize * 3;
    let [_, wanted @ ..] = colour.to_be_bytes();
    let rgb = convert::rgb(frame);
    let pixel = &rgb[at..at + 3];
    let mut parts = pixel.iter().zip(wanted);
    parts.all(|(value, wanted)| value.abs_diff(wanted) <= TOLERANCE)
}

/// The first frame of which this is true.
pub(crate) fn wait_for(screen: &mut Screen, what: &str, wanted: impl Fn(&Frame) -> bool) -> Frame {
    let start = Instant::now();
    let mut last = None;
    while start.elapsed() < LIMIT {
        let Some(frame) = screen.next_frame().unwrap() else {
            continue;
        };
        if wanted(&frame) {
            return frame;
        }
        last = Some((frame.width(), frame.height()));
    }
    panic!("{what} is not seen; the last frame's size: {last:?}");
}

/// The error that the source ends with.
pub(crate) fn wait_for_end(screen: &mut Screen) -> DeviceError {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if let Err(error) = screen.next_frame() {
            return error;
        }
    }
    panic!("it does not end");
}

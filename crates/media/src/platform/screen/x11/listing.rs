//! The screens and windows of a display.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use x11rb::protocol::randr;
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ConnectionExt as _, GetPropertyReply, MapState, Window, WindowClass,
};

use super::server::{Server, failed, lost};
use super::target::Area;
use super::thumbnail;
use crate::device::DeviceError;
use crate::source::{ScreenSource, VideoSource};
use crate::video::screen::{MAX_SOURCES, ScreenInfo, ScreenKind, ShareSources};

/// How long the X server may take to answer all of it.
const LIMIT: Duration = Duration::from_secs(5);

/// Lists that wait for a server that hangs: the next one is refused.
const MOST_WAITING: usize = 4;

static WAITING: AtomicUsize = AtomicUsize::new(0);

/// The most windows that are listed.
const MOST_WINDOWS: usize = 256;

/// The longest title and the longest name of a screen, in characters.
const MAX_TITLE: usize = 200;

/// How much of a title's property is read, in units of four bytes.
const TITLE_UNITS: u32 = 256;

/// A monitor, in the coordinates of the root window.
pub(super) struct Monitor {
    pub name: String,
    pub area: Area,
    pub is_primary: bool,
}

/// One of the lists that wait, until it is dropped.
struct Waiting;

impl Waiting {
    fn begin() -> Option<Self> {
        if WAITING.fetch_add(1, Ordering::Relaxed) < MOST_WAITING {
            return Some(Self);
        }
        WAITING.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The screens, then the windows. Another thread asks the server, so that one that
/// hangs keeps its caller for 5 s at most.
///
/// # Errors
/// No X display, or it does not answer.
pub(crate) fn list(display: Option<&str>) -> Result<Vec<ScreenInfo>, DeviceError> {
    answered(display, listed)
}

/// As [`list`], with thumbnails and at most [`MAX_SOURCES`].
///
/// # Errors
/// No X display, or it does not answer.
pub(crate) fn sources(display: Option<&str>) -> Result<ShareSources, DeviceError> {
    answered(display, |server| {
        let mut found = listed(server)?;
        found.truncate(MAX_SOURCES);
        Ok(ShareSources {
            system_asks: false,
            sources: thumbnail::all(server, found)?,
        })
    })
}

fn answered<T: Send + 'static>(
    display: Option<&str>,
    ask: impl FnOnce(&Server) -> Result<T, DeviceError> + Send + 'static,
) -> Result<T, DeviceError> {
    let hangs = || DeviceError::Failed("the X server does not answer".into());
    let waiting = Waiting::begin().ok_or_else(hangs)?;
    let (sender, receiver) = sync_channel(1);
    let display = display.map(str::to_owned);
    let listing = move || {
        let listed = Server::connect(display.as_deref()).and_then(|server| ask(&server));
        drop(waiting);
        // The caller may have given up.
        let _ = sender.send(listed);
    };
    thread::Builder::new()
        .name("screen list".into())
        .spawn(listing)
        .map_err(|error| DeviceError::Failed(error.to_string()))?;
    receiver.recv_timeout(LIMIT).map_err(|error| match error {
        RecvTimeoutError::Timeout => hangs(),
        RecvTimeoutError::Disconnected => {
            DeviceError::Failed("the X display cannot be listed".into())
        }
    })?
}

fn listed(server: &Server) -> Result<Vec<ScreenInfo>, DeviceError> {
    server.refuse_wayland()?;
    let screen = |(place, monitor): (usize, Monitor)| {
        // A name of digits is read as a place, and one that is too long not at all.
        let named = ScreenSource::Named(monitor.name.clone());
        let source = match named.to_string().parse() {
            Ok(VideoSource::Screen(read)) if read == named => named,
            _ => ScreenSource::Index(place as u32),
        };
        let mut info = info(ScreenKind::Screen, &source, monitor.name, monitor.area);
        info.is_primary = monitor.is_primary;
        info
    };
    let monitors = monitors(server)?.into_iter().enumerate();
    let mut found: Vec<_> = monitors.map(screen).collect();
    found.extend(windows(server)?);
    Ok(found)
}

fn info(kind: ScreenKind, source: &ScreenSource, name: String, area: Area) -> ScreenInfo {
    ScreenInfo {
        kind,
        id: source.to_string(),
        name,
        x: area.x.into(),
        y: area.y.into(),
        width: area.width.into(),
        height: area.height.into(),
        is_primary: false,
    }
}

/// The monitors, cut to the root window; where the server knows none, all of it.
pub(super) fn monitors(server: &Server) -> Result<Vec<Monitor>, DeviceError> {
    let (conn, root) = (&server.conn, server.root());
    let whole = conn.get_geometry(root).map_err(lost)?;
    let whole = whole.reply().map_err(failed)?;
    let mut found = Vec::new();
    if server.has_monitors()? {
        let reply = randr::get_monitors(conn, root, true).map_err(lost)?;
        for monitor in reply.reply().map_err(failed)?.monitors {
            let (x, y) = (monitor.x.max(0), monitor.y.max(0));
            let within = |from: i16, length: u16, whole: u16| {
                length.min(whole.saturating_sub(from.unsigned_abs()))
            };
            let area = Area {
                x,
                y,
                width: within(x, monitor.width, whole.width),
                height: within(y, monitor.height, whole.height),
            };
            if area.width == 0 || area.height == 0 {
                continue;
            }
            let name = conn.get_atom_name(monitor.name).map_err(lost)?;
            let name = name.reply().map_err(failed)?.name;
            found.push(Monitor {
                name: readable(&String::from_utf8_lossy(&name)),
                area,
                is_primary: monitor.primary,
            });
        }
    }
    if found.is_empty() {
        found.push(Monitor {
            name: "screen".into(),
            area: Area {
                x: 0,
                y: 0,
                width: whole.width,
                height: whole.height,
            },
            is_primary: true,
        });
    }
    Ok(found)
}

/// The properties that windows are listed by.
struct Names {
    client_list: Atom,
    check: Atom,
    title: Atom,
    utf8: Atom,
    pid: Atom,
}

impl Names {
    fn find(server: &Server) -> Result<Self, DeviceError> {
        let atom = |name: &[u8]| {
            let reply = server.conn.intern_atom(false, name).map_err(lost)?;
            Ok(reply.reply().map_err(failed)?.atom)
        };
        Ok(Self {
            client_list: atom(b"_NET_CLIENT_LIST")?,
            check: atom(b"_NET_SUPPORTING_WM_CHECK")?,
            title: atom(b"_NET_WM_NAME")?,
            utf8: atom(b"UTF8_STRING")?,
            pid: atom(b"_NET_WM_PID")?,
        })
    }
}

/// The windows of the window manager, or without one the named children of the root
/// window. Those that go away meanwhile and those of this process are left out.
fn windows(server: &Server) -> Result<Vec<ScreenInfo>, DeviceError> {
    let names = Names::find(server)?;
    let managed = managed(server, &names)?;
    let is_managed = managed.is_some();
    let ids = match managed {
        Some(ids) => ids,
        None => {
            let tree = server.conn.query_tree(server.root()).map_err(lost)?;
            tree.reply().map_err(failed)?.children
        }
    };
    let mut found = Vec::new();
    for id in ids {
        if found.len() == MOST_WINDOWS {
            break;
        }
        if let Ok(Some(info)) = window(server, &names, id, is_managed) {
            found.push(info);
        }
    }
    Ok(found)
}

/// The list of a window manager that still runs.
fn managed(server: &Server, names: &Names) -> Result<Option<Vec<Window>>, DeviceError> {
    let property = |window, name, kind: AtomEnum| property(server, window, name, kind.into());
    let check = property(server.root(), names.check, AtomEnum::WINDOW)?;
    let Some(check) = check.value32().and_then(|mut values| values.next()) else {
        return Ok(None);
    };
    // The window that it names is its own and goes away with it.
    let same = property(check, names.check, AtomEnum::WINDOW).ok();
    let same = same.and_then(|reply| reply.value32()?.next());
    if same != Some(check) {
        return Ok(None);
    }
    let list = property(server.root(), names.client_list, AtomEnum::WINDOW)?;
    Ok(list.value32().map(Iterator::collect))
}

fn window(
    server: &Server,
    names: &Names,
    id: Window,
    is_managed: bool,
) -> Result<Option<ScreenInfo>, DeviceError> {
    let conn = &server.conn;
    let shown = conn.get_window_attributes(id).map_err(lost)?;
    let shape = conn.get_geometry(id).map_err(lost)?;
    let origin = conn
        .translate_coordinates(id, server.root(), 0, 0)
        .map_err(lost)?;
    let shown = shown.reply().map_err(failed)?;
    let shape = shape.reply().map_err(failed)?;
    let origin = origin.reply().map_err(failed)?;
    let is_shown =
        shown.map_state == MapState::VIEWABLE && shown.class == WindowClass::INPUT_OUTPUT;
    // A managed window stays in the list while it is minimised; it cannot be read then.
    if !is_shown || (!is_managed && shown.override_redirect) {
        return Ok(None);
    }
    let pid = property(server, id, names.pid, AtomEnum::CARDINAL.into())?;
    let pid = pid.value32().and_then(|mut values| values.next());
    if pid == Some(std::process::id()) {
        return Ok(None);
    }
    let title = title(server, names, id)?;
    if title.is_empty() {
        return Ok(None);
    }
    let area = Area {
        x: origin.dst_x,
        y: origin.dst_y,
        width: shape.width,
        height: shape.height,
    };
    let source = ScreenSource::Window(id);
    Ok(Some(info(ScreenKind::Window, &source, title, area)))
}

fn title(server: &Server, names: &Names, id: Window) -> Result<String, DeviceError> {
    let modern = property(server, id, names.title, names.utf8)?;
    if !modern.value.is_empty() {
        return Ok(readable(&String::from_utf8_lossy(&modern.value)));
    }
    let old = property(server, id, AtomEnum::WM_NAME.into(), AtomEnum::ANY.into())?;
    let text = if old.type_ == u32::from(AtomEnum::STRING) {
        // ISO 8859-1: each byte is a character.
        old.value.iter().map(|byte| char::from(*byte)).collect()
    } else {
        String::from_utf8_lossy(&old.value).into_owned()
    };
    Ok(readable(&text))
}

fn property(
    server: &Server,
    window: Window,
    name: Atom,
    kind: Atom,
) -> Result<GetPropertyReply, DeviceError> {
    let units = TITLE_UNITS.max(MOST_WINDOWS as u32);
    let reply = server
        .conn
        .get_property(false, window, name, kind, 0, units);
    reply.map_err(lost)?.reply().map_err(failed)
}

/// Text for people: bounded, and without what would break a row of a list.
fn readable(text: &str) -> String {
    let characters = text.chars().filter(|character| !character.is_control());
    let bounded: String = characters.take(MAX_TITLE).collect();
    bounded.trim().to_owned()
}

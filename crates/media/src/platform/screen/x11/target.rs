//! What is captured: a part of the root window, or a window.

use std::time::{Duration, Instant};

use x11rb::protocol::composite::{self, Redirect};
use x11rb::protocol::randr::{self, NotifyMask};
use x11rb::protocol::xproto::{
    ChangeWindowAttributesAux, ConnectionExt as _, Drawable, EventMask, MapState, Rectangle, Window,
};

use super::listing::{self, Monitor};
use super::overlap;
use super::server::{Server, failed, lost};
use crate::device::DeviceError;
use crate::source::ScreenSource;
use crate::video::convert;

/// The most ancestors of a window that are walked.
const MAX_DEPTH: usize = 64;

/// How long a screen may be missing: while its mode is set it is switched off.
const MISSING_LIMIT: Duration = Duration::from_secs(3);

/// A part of a drawable, in pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Area {
    pub x: i16,
    pub y: i16,
    pub width: u16,
    pub height: u16,
}

pub(super) enum Target {
    Screen {
        root: Window,
        /// Identifies it after the arrangement of the screens changed.
        name: String,
        area: Area,
        is_outdated: bool,
        missing_since: Option<Instant>,
    },
    Window {
        window: Window,
        /// The child of the root window that it is in: a window manager's frame.
        toplevel: Window,
        /// Its pixels in the drawable that it is read from.
        area: Area,
        /// It is drawn into a pixmap of its own, whatever lies over it.
        is_redirected: bool,
    },
}

impl Target {
    /// Finds it and asks for the events that concern it.
    pub(super) fn open(server: &Server, source: &ScreenSource) -> Result<Self, DeviceError> {
        match source {
            ScreenSource::Window(id) => Self::open_window(server, *id),
            ScreenSource::ChosenWindow => {
                let reason = "this system has no dialog to choose a window: name it as window:ID";
                Err(DeviceError::Failed(reason.into()))
            }
            screen => Self::open_screen(server, screen),
        }
    }

    fn open_screen(server: &Server, source: &ScreenSource) -> Result<Self, DeviceError> {
        server.check_format(server.screen.root_depth, server.screen.root_visual)?;
        let has_monitors = server.has_monitors()?;
        let monitor = chosen(listing::monitors(server)?, source).ok_or(DeviceError::Absent)?;
        check_size(monitor.area)?;
        let (conn, root) = (&server.conn, server.root());
        select_structure(server, root)?;
        if has_monitors {
            let events = NotifyMask::SCREEN_CHANGE | NotifyMask::CRTC_CHANGE;
            randr::select_input(conn, root, events).map_err(lost)?;
        }
        Ok(Self::Screen {
            root,
            name: monitor.name,
            area: monitor.area,
            is_outdated: false,
            missing_since: None,
        })
    }

    fn open_window(server: &Server, window: Window) -> Result<Self, DeviceError> {
        let absent = |error: DeviceError| match error {
            DeviceError::Lost => DeviceError::Absent,
            error => error,
        };
        if window == server.root() {
            return Err(DeviceError::Absent);
        }
        let shown = server.conn.get_window_attributes(window).map_err(lost)?;
        let shape = server.conn.get_geometry(window).map_err(lost)?;
        let shown = shown.reply().map_err(failed).map_err(absent)?;
        let shape = shape
            .reply()
            .map_err(failed)
            .map_err(|_| DeviceError::Absent)?;
        server.check_format(shape.depth, shown.visual)?;
        if shown.map_state != MapState::VIEWABLE {
            let reason = "the window is minimised or hidden: show it before it is shared";
            return Err(DeviceError::Failed(reason.into()));
        }
        select_structure(server, window).map_err(absent)?;
        let is_redirected = server.has(composite::X11_EXTENSION_NAME)
            && composite::redirect_window(&server.conn, window, Redirect::AUTOMATIC)
                .map_err(lost)?
                .check()
                .is_ok();
        let border = if is_redirected { shape.border_width } else { 0 };
        let area = Area {
            x: border as i16,
            y: border as i16,
            width: shape.width,
            height: shape.height,
        };
        check_size(area)?;
        let mut target = Self::Window {
            window,
            toplevel: window,
            area,
            is_redirected,
        };
        target.find_toplevel(server)?;
        Ok(target)
    }

    /// The window whose damage and events concern it.
    pub(super) fn window(&self) -> Window {
        match self {
            Self::Screen { root, .. } => *root,
            Self::Window { window, .. } => *window,
        }
    }

    pub(super) fn area(&self) -> Area {
        match self {
            Self::Screen { area, .. } | Self::Window { area, .. } => *area,
        }
    }

    /// Whether the pointer over this child of the root window is over the target.
    pub(super) fn shows(&self, under_pointer: Window) -> bool {
        match self {
            Self::Screen { .. } => true,
            Self::Window { toplevel, .. } => *toplevel == under_pointer,
        }
    }

    /// Whether what was drawn is in the captured part.
    pub(super) fn is_in_view(&self, damaged: &Rectangle) -> bool {
        match self {
            Self::Screen { area, .. } => overlap(damaged, *area),
            Self::Window { .. } => true,
        }
    }

    /// The arrangement of the screens may have changed. A window is looked up at each
    /// capture.
    pub(super) fn geometry_changed(&mut self) {
        if let Self::Screen { is_outdated, .. } = self {
            *is_outdated = true;
        }
    }

    /// Whether a screen is to be looked for again.
    pub(super) fn is_missing(&self) -> bool {
        matches!(
            self,
            Self::Screen {
                missing_since: Some(_),
                ..
            }
        )
    }

    /// A window manager puts windows into frames and takes them out.
    pub(super) fn find_toplevel(&mut self, server: &Server) -> Result<(), DeviceError> {
        let Self::Window {
            window, toplevel, ..
        } = self
        else {
            return Ok(());
        };
        *toplevel = *window;
        for _ in 0..MAX_DEPTH {
            let tree = server.conn.query_tree(*toplevel).map_err(lost)?;
            let tree = tree.reply().map_err(failed)?;
            if tree.parent == tree.root || tree.parent == x11rb::NONE {
                break;
            }
            *toplevel = tree.parent;
        }
        Ok(())
    }

    /// The drawable to read and its part; `None` while a window is not shown
    /// or a screen is missing. A drawable that is not [`window`](Self::window) is a pixmap to be freed.
    pub(super) fn locate(
        &mut self,
        server: &Server,
    ) -> Result<Option<(Drawable, Area)>, DeviceError> {
        match self {
            Self::Screen {
                root,
                name,
                area,
                is_outdated,
                missing_since,
            } => {
                if *is_outdated {
                    let mut monitors = listing::monitors(server)?.into_iter();
                    let Some(monitor) = monitors.find(|monitor| monitor.name == *name) else {
                        let since = missing_since.get_or_insert_with(Instant::now);
                        if since.elapsed() > MISSING_LIMIT {
                            return Err(DeviceError::Lost);
                        }
                        return Ok(None);
                    };
                    *area = monitor.area;
                    *missing_since = None;
                    *is_outdated = false;
                    check_size(*area)?;
                }
                Ok(Some((*root, *area)))
            }
            Self::Window {
                window,
                area,
                is_redirected,
                ..
            } => {
                let conn = &server.conn;
                let shown = conn.get_window_attributes(*window).map_err(lost)?;
                let shape = conn.get_geometry(*window).map_err(lost)?;
                let shown = shown.reply().map_err(failed)?;
                let shape = shape.reply().map_err(|_| DeviceError::Lost)?;
                if shown.map_state != MapState::VIEWABLE {
                    return Ok(None);
                }
                (area.width, area.height) = (shape.width, shape.height);
                check_size(*area)?;
                if !*is_redirected {
                    return Ok(Some((*window, *area)));
                }
                // A window gets another pixmap whenever it is resized or mapped.
                let pixmap = server.id()?;
                composite::name_window_pixmap(conn, *window, pixmap).map_err(lost)?;
                Ok(Some((pixmap, *area)))
            }
        }
    }
}

fn chosen(monitors: Vec<Monitor>, source: &ScreenSource) -> Option<Monitor> {
    let place = match source {
        ScreenSource::Primary => monitors
            .iter()
            .position(|monitor| monitor.is_primary)
            .unwrap_or(0),
        ScreenSource::Index(index) => *index as usize,
        ScreenSource::Named(name) => monitors.iter().position(|monitor| monitor.name == *name)?,
        ScreenSource::Window(_) | ScreenSource::ChosenWindow => return None,
    };
    monitors.into_iter().nth(place)
}

fn check_size(area: Area) -> Result<(), DeviceError> {
    convert::even(area.width.into(), area.height.into())
        .map(drop)
        .map_err(|error| DeviceError::Unsupported(error.to_string()))
}

fn select_structure(server: &Server, window: Window) -> Result<(), DeviceError> {
    let events = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
    let selected = server.conn.change_window_attributes(window, &events);
    selected.map_err(lost)?.check().map_err(failed)
}

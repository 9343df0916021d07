//! X11: shared memory, damage, the pointer's image, and redirected windows.

mod listing;
mod pixels;
mod pointer;
mod server;
mod target;
mod thumbnail;

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::damage::{self, ReportLevel};
use x11rb::protocol::xproto::{ConnectionExt as _, Rectangle};

pub(crate) use self::listing::{list, sources};
use self::pixels::Pixels;
use self::pointer::Pointer;
use self::server::{Server, failed, lost};
use self::target::{Area, Target};
use super::{Capture, Image};
use crate::device::DeviceError;
use crate::source::ScreenSource;

/// How often the pointer's position is asked for: X reports no movement to clients
/// that do not hold the pointer.
const POINTER_CHECK: Duration = Duration::from_millis(33);

/// Refused images in a row after which the source has failed. A few are usual while
/// a window or a screen changes its size.
const REFUSED_LIMIT: u32 = 30;

/// Captures one screen or window. Dropping it closes the connection, with which the
/// server frees the shared segment, the damage and the redirection.
pub(crate) struct Capturer {
    server: Server,
    target: Target,
    pixels: Pixels,
    pointer: Pointer,
    pointer_checked: Instant,
    damage: damage::Damage,
    /// Something was drawn outside the shared screen: the damage is emptied at the
    /// next check, so that its bounding box does not grow over the screen.
    is_damaged_elsewhere: bool,
    has_changed: bool,
    refused: u32,
}

impl Capturer {
    /// Opens a screen or window and checks that its pixels can be read.
    ///
    /// # Errors
    /// No X display, no such screen or window, or a pixel format that is not
    /// understood.
    pub(crate) fn open(display: Option<&str>, source: &ScreenSource) -> Result<Self, DeviceError> {
        let server = Server::connect(display)?;
        server.refuse_wayland()?;
        server.start_extensions()?;
        let target = Target::open(&server, source)?;
        let damage = server.id()?;
        let drawable = target.window();
        damage::create(&server.conn, damage, drawable, ReportLevel::BOUNDING_BOX)
            .map_err(lost)?
            .check()
            .map_err(failed)?;
        let mut pointer = Pointer::default();
        pointer.select(&server)?;
        pointer.check(&server, &target)?;
        Ok(Self {
            pixels: Pixels::new(&server)?,
            server,
            target,
            pointer,
            pointer_checked: Instant::now(),
            damage,
            is_damaged_elsewhere: false,
            has_changed: true,
            refused: 0,
        })
    }

    fn wait(&self, limit: Duration) -> Result<(), DeviceError> {
        let limit = Timespec::try_from(limit).unwrap_or_default();
        let mut sockets = [PollFd::new(self.server.conn.stream(), PollFlags::IN)];
        match poll(&mut sockets, Some(&limit)) {
            // A signal ends the wait early.
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(DeviceError::Failed(error.to_string())),
        }
    }

    fn take(&mut self, event: Event) -> Result<(), DeviceError> {
        match event {
            Event::DamageNotify(event) => {
                if self.target.is_in_view(&event.area) {
                    self.has_changed = true;
                } else {
                    self.is_damaged_elsewhere = true;
                }
            }
            Event::XfixesCursorNotify(_) => self.has_changed |= self.pointer.image_changed(),
            Event::DestroyNotify(event) if event.window == self.target.window() => {
                return Err(DeviceError::Lost);
            }
            Event::ReparentNotify(_) => self.target.find_toplevel(&self.server)?,
            Event::ConfigureNotify(_)
            | Event::MapNotify(_)
            | Event::RandrScreenChangeNotify(_)
            | Event::RandrNotify(_) => {
                self.target.geometry_changed();
                self.has_changed = true;
            }
            // Errors of requests without a reply belong to a window that is changing.
            _ => {}
        }
        Ok(())
    }

    fn empty_damage(&self) -> Result<(), DeviceError> {
        damage::subtract(&self.server.conn, self.damage, x11rb::NONE, x11rb::NONE).map_err(lost)?;
        Ok(())
    }
}

impl Capture for Capturer {
    fn size(&self) -> (u32, u32) {
        let area = self.target.area();
        (area.width.into(), area.height.into())
    }

    fn changed(&mut self, until: Instant) -> Result<bool, DeviceError> {
        loop {
            let now = Instant::now();
            if now >= self.pointer_checked + POINTER_CHECK {
                self.pointer_checked = now;
                self.has_changed |= self.pointer.check(&self.server, &self.target)?;
                if std::mem::take(&mut self.is_damaged_elsewhere) {
                    self.empty_damage()?;
                }
            }
            // Replies bring events with them: they are read before the wait.
            while let Some(event) = self.server.conn.poll_for_event().map_err(lost)? {
                self.take(event)?;
            }
            if self.has_changed || now >= until {
                return Ok(self.has_changed);
            }
            let limit = until.min(self.pointer_checked + POINTER_CHECK);
            self.server.conn.flush().map_err(lost)?;
            self.wait(limit.saturating_duration_since(now))?;
        }
    }

    fn capture(&mut self, take: &mut dyn FnMut(&Image<'_>)) -> Result<(), DeviceError> {
        // First, so that what is drawn from here on is reported.
        self.empty_damage()?;
        self.has_changed = false;
        let Some((drawable, area)) = self.target.locate(&self.server)? else {
            self.has_changed = self.target.is_missing();
            return Ok(());
        };
        let Area { width, height, .. } = area;
        let read = self.pixels.read(&self.server.conn, drawable, area);
        if drawable != self.target.window() {
            self.server.conn.free_pixmap(drawable).map_err(lost)?;
        }
        let data = match read {
            Ok(data) => data,
            Err(error) => {
                let error = failed(error);
                self.refused += 1;
                if error == DeviceError::Lost || self.refused > REFUSED_LIMIT {
                    return Err(error);
                }
                tracing::debug!(%error, "the X server gives no image");
                self.target.geometry_changed();
                self.has_changed = true;
                return Ok(());
            }
        };
        self.refused = 0;
        self.pointer.draw(&self.server, data, area)?;
        take(&Image {
            data,
            width: width.into(),
            height: height.into(),
        });
        Ok(())
    }
}

/// Whether a rectangle of a damage report and an area have a pixel in common.
fn overlap(damaged: &Rectangle, area: Area) -> bool {
    let meet = |from: i16, length: u16, other: i16, other_length: u16| {
        let (from, other) = (i32::from(from), i32::from(other));
        from < other + i32::from(other_length) && other < from + i32::from(length)
    };
    meet(damaged.x, damaged.width, area.x, area.width)
        && meet(damaged.y, damaged.height, area.y, area.height)
}

//! The connection to the X server.

use std::env;

use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::errors::{ConnectError, ConnectionError, ReplyError};
use x11rb::protocol::xproto::{ConnectionExt as _, ImageOrder, Screen, Window};
use x11rb::protocol::{ErrorKind, composite, damage, randr, xfixes};
use x11rb::rust_connection::RustConnection;

use crate::device::DeviceError;

/// A Wayland session has no X screen to read: Xwayland's is black.
const WAYLAND: &str = "this X display belongs to a Wayland session: its screen is shared \
                       through the desktop portal";

/// The extension that Xwayland names itself by.
const XWAYLAND: &[u8] = b"XWAYLAND";

pub(super) struct Server {
    pub conn: RustConnection,
    pub screen: Screen,
}

impl Server {
    /// Connects to a display, or to the one that the environment names.
    pub(super) fn connect(display: Option<&str>) -> Result<Self, DeviceError> {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        if display.is_none() && !is_set("DISPLAY") {
            let reason = "there is no X display: DISPLAY is not set";
            return Err(DeviceError::Failed(reason.into()));
        }
        let (conn, number) = RustConnection::connect(display).map_err(unconnected)?;
        let screen = conn.setup().roots[number].clone();
        Ok(Self { conn, screen })
    }

    pub(super) fn root(&self) -> Window {
        self.screen.root
    }

    /// An id for a new resource.
    pub(super) fn id(&self) -> Result<u32, DeviceError> {
        self.conn
            .generate_id()
            .map_err(|error| DeviceError::Failed(error.to_string()))
    }

    pub(super) fn has(&self, extension: &'static str) -> bool {
        matches!(self.conn.extension_information(extension), Ok(Some(_)))
    }

    /// Xwayland shows X windows on Wayland: its root window has no pixels.
    pub(super) fn refuse_wayland(&self) -> Result<(), DeviceError> {
        let reply = self.conn.query_extension(XWAYLAND).map_err(lost)?.reply();
        if reply.map_err(failed)?.present {
            return Err(DeviceError::Failed(WAYLAND.into()));
        }
        Ok(())
    }

    /// Tells the server which versions of its extensions are used, as each asks for
    /// before any other request.
    pub(super) fn start_extensions(&self) -> Result<(), DeviceError> {
        for needed in [xfixes::X11_EXTENSION_NAME, damage::X11_EXTENSION_NAME] {
            if !self.has(needed) {
                let reason = format!("the X server has no {needed} extension");
                return Err(DeviceError::Failed(reason));
            }
        }
        let conn = &self.conn;
        let xfixes = xfixes::query_version(conn, 5, 0).map_err(lost)?;
        let damage = damage::query_version(conn, 1, 1).map_err(lost)?;
        xfixes.reply().map_err(failed)?;
        damage.reply().map_err(failed)?;
        if self.has(composite::X11_EXTENSION_NAME) {
            let composite = composite::query_version(conn, 0, 4).map_err(lost)?;
            composite.reply().map_err(failed)?;
        }
        Ok(())
    }

    /// Whether monitors can be asked for (RandR 1.5).
    pub(super) fn has_monitors(&self) -> Result<bool, DeviceError> {
        if !self.has(randr::X11_EXTENSION_NAME) {
            return Ok(false);
        }
        let version = randr::query_version(&self.conn, 1, 5).map_err(lost)?;
        let version = version.reply().map_err(failed)?;
        Ok((version.major_version, version.minor_version) >= (1, 5))
    }

    /// Checks that a pixel has four bytes in the order blue, green, red.
    pub(super) fn check_format(&self, depth: u8, visual: u32) -> Result<(), DeviceError> {
        let setup = self.conn.setup();
        let mut formats = setup.pixmap_formats.iter();
        let bits = formats.find(|format| format.depth == depth);
        let depths = setup.roots.iter().flat_map(|screen| &screen.allowed_depths);
        let mut visuals = depths.flat_map(|depth| &depth.visuals);
        let visual = visuals.find(|known| known.visual_id == visual);
        let is_known = setup.image_byte_order == ImageOrder::LSB_FIRST
            && bits.is_some_and(|format| format.bits_per_pixel == 32)
            && visual.is_some_and(|visual| {
                (visual.red_mask, visual.green_mask, visual.blue_mask) == (0xff_0000, 0xff00, 0xff)
            });
        if is_known {
            return Ok(());
        }
        Err(DeviceError::Unsupported(format!(
            "an X screen with a colour depth of {depth} bits; 24 and 32 are understood"
        )))
    }
}

fn unconnected(error: ConnectError) -> DeviceError {
    match error {
        ConnectError::SetupAuthenticate(_) => DeviceError::Refused,
        ConnectError::SetupFailed(setup) => {
            let reason = String::from_utf8_lossy(&setup.reason).trim().to_owned();
            let reason_lower = reason.to_lowercase();
            // "Authorization required, but no authorization protocol specified",
            // "Invalid MIT-MAGIC-COOKIE-1 key", "No protocol specified".
            let words = ["authori", "cookie", "no protocol"];
            if words.iter().any(|word| reason_lower.contains(word)) {
                DeviceError::Refused
            } else {
                DeviceError::Failed(format!("the X server refused the connection: {reason}"))
            }
        }
        error => DeviceError::Failed(format!("the X display cannot be reached: {error}")),
    }
}

/// The connection broke: the server has ended.
pub(super) fn lost(error: ConnectionError) -> DeviceError {
    match error {
        ConnectionError::IoError(_) => DeviceError::Lost,
        error => DeviceError::Failed(format!("the X server cannot be used: {error}")),
    }
}

/// What the server answered to a request.
pub(super) fn failed(error: ReplyError) -> DeviceError {
    match error {
        ReplyError::ConnectionError(error) => lost(error),
        ReplyError::X11Error(error) => match error.error_kind {
            ErrorKind::Window => DeviceError::Lost,
            ErrorKind::Access => DeviceError::Refused,
            kind => DeviceError::Failed(format!(
                "the X server answered {kind:?} to {}",
                error.request_name.unwrap_or("a request")
            )),
        },
    }
}

//! Reading pixels: through shared memory where the server takes a file descriptor,
//! else through the connection.

use std::ptr::{self, NonNull};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use x11rb::connection::Connection as _;
use x11rb::errors::ReplyError;
use x11rb::protocol::shm;
use x11rb::protocol::xproto::{self, Drawable, ImageFormat};
use x11rb::rust_connection::RustConnection;

use super::server::{Server, failed, lost};
use super::target::Area;
use crate::device::DeviceError;

/// Every plane of a pixel.
const ALL_PLANES: u32 = !0;

/// The buffer that images are read into.
pub(super) struct Pixels {
    /// Whether the server attaches a file descriptor (MIT-SHM 1.2).
    has_shm: bool,
    segment: Option<Segment>,
    copied: Vec<u8>,
}

impl Pixels {
    pub(super) fn new(server: &Server) -> Result<Self, DeviceError> {
        let has_shm = server.has(shm::X11_EXTENSION_NAME) && {
            let version = shm::query_version(&server.conn).map_err(lost)?;
            let version = version.reply().map_err(failed)?;
            (version.major_version, version.minor_version) >= (1, 2)
        };
        Ok(Self {
            has_shm,
            segment: None,
            copied: Vec::new(),
        })
    }

    /// Reads an area of a drawable in tightly packed rows of four bytes a pixel.
    pub(super) fn read(
        &mut self,
        conn: &RustConnection,
        drawable: Drawable,
        area: Area,
    ) -> Result<&mut [u8], ReplyError> {
        let Area {
            x,
            y,
            width,
            height,
        } = area;
        let length = usize::from(width) * usize::from(height) * 4;
        self.attach(conn, length)?;
        let format = ImageFormat::Z_PIXMAP;
        if let Some(segment) = &mut self.segment {
            shm::get_image(
                conn,
                drawable,
                x,
                y,
                width,
                height,
                ALL_PLANES,
                format.into(),
                segment.id,
                0,
            )?
            .reply()?;
            return Ok(&mut segment.memory.bytes()[..length]);
        }
        let reply =
            xproto::get_image(conn, format, drawable, x, y, width, height, ALL_PLANES)?.reply()?;
        self.copied = reply.data;
        // Four bytes a pixel were checked; the server pads no row of them.
        self.copied.resize(length, 0);
        Ok(&mut self.copied)
    }

    /// Makes the shared segment as large as an image. A server that cannot map it,
    /// on another computer for example, sends images through the connection.
    fn attach(&mut self, conn: &RustConnection, length: usize) -> Result<(), ReplyError> {
        let fits = |segment: &Segment| segment.memory.length >= length;
        if !self.has_shm || self.segment.as_ref().is_some_and(fits) {
            return Ok(());
        }
        if let Some(old) = self.segment.take() {
            shm::detach(conn, old.id)?;
        }
        match Segment::attach(conn, length) {
            Ok(segment) => self.segment = Some(segment),
            Err(reason) => {
                tracing::debug!(reason, "the X server shares no memory");
                self.has_shm = false;
            }
        }
        Ok(())
    }
}

/// Memory that the server writes into.
struct Segment {
    id: shm::Seg,
    memory: Memory,
}

impl Segment {
    fn attach(conn: &RustConnection, length: usize) -> Result<Self, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let file = memfd_create(
            "visavis-screen",
            MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
        )
        .map_err(|error| text(&error))?;
        ftruncate(&file, length as u64).map_err(|error| text(&error))?;
        // A file that shrinks would end this process at the next access.
        fcntl_add_seals(&file, SealFlags::SHRINK).map_err(|error| text(&error))?;
        let memory = Memory::map(&file, length).map_err(|error| text(&error))?;
        let id = conn.generate_id().map_err(|error| text(&error))?;
        shm::attach_fd(conn, id, file, false)
            .map_err(|error| text(&error))?
            .check()
            .map_err(|error| text(&error))?;
        Ok(Self { id, memory })
    }
}

/// A mapped file.
struct Memory {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to this value alone and to no thread.
unsafe impl Send for Memory {}

impl Memory {
    fn map(file: &impl std::os::fd::AsFd, length: usize) -> rustix::io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice touches no other.
        let start = unsafe {
            mmap(
                ptr::null_mut(),
                length,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                file,
                0,
            )?
        };
        let start = NonNull::new(start.cast()).ok_or(rustix::io::Errno::NOMEM)?;
        Ok(Self { start, length })
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the mapping has this length until it is dropped. The server writes
        // into it only between a request for an image and its reply, for which this
        // side waits.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: no slice of it outlives this value.
        if let Err(error) = unsafe { munmap(self.start.as_ptr().cast(), self.length) } {
            tracing::warn!(%error, "shared memory is not released");
        }
    }
}

//! Small images of what is listed.

use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::ConnectionExt as _;

use super::pixels::Pixels;
use super::server::{Server, lost};
use super::target::Target;
use crate::device::DeviceError;
use crate::platform::screen::Image;
use crate::source::VideoSource;
use crate::video::convert;
use crate::video::screen::{MAX_THUMBNAIL, ScreenInfo, ShareSource, Thumbnail};

/// How long all thumbnails may take. What is left then has none.
const LIMIT: Duration = Duration::from_secs(3);

/// The listed sources with thumbnails. A window that was closed since then is left out.
pub(super) fn all(
    server: &Server,
    listed: Vec<ScreenInfo>,
) -> Result<Vec<ShareSource>, DeviceError> {
    server.start_extensions()?;
    // All windows are redirected before the first is read, so that their programs have
    // begun to draw what other windows cover.
    let mut opened = Vec::with_capacity(listed.len());
    for info in listed {
        match info.id.parse() {
            Ok(VideoSource::Screen(source)) => match Target::open(server, &source) {
                Err(DeviceError::Absent | DeviceError::Lost) => {}
                target => opened.push((info, target.ok())),
            },
            _ => opened.push((info, None)),
        }
    }
    let mut pixels = Pixels::new(server)?;
    let started = Instant::now();
    let mut sources = Vec::with_capacity(opened.len());
    for (info, target) in opened {
        let thumbnail = match target {
            Some(mut target) if started.elapsed() < LIMIT => {
                match one(server, &mut pixels, &mut target) {
                    Err(DeviceError::Absent | DeviceError::Lost) => continue,
                    thumbnail => thumbnail.ok().flatten(),
                }
            }
            _ => None,
        };
        sources.push(ShareSource {
            kind: info.kind,
            id: info.id,
            title: info.name,
            is_primary: info.is_primary,
            thumbnail,
        });
    }
    Ok(sources)
}

/// `None` while it is not shown, or when the server gives no image.
fn one(
    server: &Server,
    pixels: &mut Pixels,
    target: &mut Target,
) -> Result<Option<Thumbnail>, DeviceError> {
    let Some((drawable, area)) = target.locate(server)? else {
        return Ok(None);
    };
    let read = pixels.read(&server.conn, drawable, area);
    if drawable != target.window() {
        server.conn.free_pixmap(drawable).map_err(lost)?;
        server.conn.flush().map_err(lost)?;
    }
    let image = read.ok().map(|data| Image {
        data,
        width: area.width.into(),
        height: area.height.into(),
    });
    Ok(image.and_then(|image| {
        let (width, height, rgba) =
            convert::thumbnail(image.data, (image.width, image.height), MAX_THUMBNAIL).ok()?;
        Some(Thumbnail {
            width,
            height,
            rgba,
        })
    }))
}

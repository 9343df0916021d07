//! The pointer: the X server leaves it out of images, so it is drawn into them.

use x11rb::protocol::xfixes::{self, CursorNotifyMask, GetCursorImageReply};
use x11rb::protocol::xproto::ConnectionExt as _;

use super::server::{Server, failed, lost};
use super::target::{Area, Target};
use crate::device::DeviceError;

#[derive(Default)]
pub(super) struct Pointer {
    /// Its image; `None` until it is needed, and after it changed.
    image: Option<GetCursorImageReply>,
    /// Its hot spot in the shared area; `None` outside.
    position: Option<(i32, i32)>,
}

impl Pointer {
    /// Asks for an event when its image changes.
    pub(super) fn select(&self, server: &Server) -> Result<(), DeviceError> {
        let mask = CursorNotifyMask::DISPLAY_CURSOR;
        xfixes::select_cursor_input(&server.conn, server.root(), mask).map_err(lost)?;
        Ok(())
    }

    /// Asks where it is, and says whether that changes the frame.
    pub(super) fn check(&mut self, server: &Server, target: &Target) -> Result<bool, DeviceError> {
        let position = self.find(server, target)?;
        Ok(std::mem::replace(&mut self.position, position) != position)
    }

    fn find(&self, server: &Server, target: &Target) -> Result<Option<(i32, i32)>, DeviceError> {
        let on_screen = server.conn.query_pointer(server.root()).map_err(lost)?;
        let in_window = server.conn.query_pointer(target.window()).map_err(lost)?;
        let on_screen = on_screen.reply().map_err(failed)?;
        let in_window = in_window.reply().map_err(failed)?;
        // Another window may lie over the shared one at this place.
        if !in_window.same_screen || !target.shows(on_screen.child) {
            return Ok(None);
        }
        let area = target.area();
        let (x, y) = match target {
            Target::Screen { .. } => (
                i32::from(in_window.win_x) - i32::from(area.x),
                i32::from(in_window.win_y) - i32::from(area.y),
            ),
            Target::Window { .. } => (in_window.win_x.into(), in_window.win_y.into()),
        };
        let is_inside =
            (0..i32::from(area.width)).contains(&x) && (0..i32::from(area.height)).contains(&y);
        Ok(is_inside.then_some((x, y)))
    }

    /// Its image is another one. Says whether that changes the frame.
    pub(super) fn image_changed(&mut self) -> bool {
        self.image = None;
        self.position.is_some()
    }

    /// Draws it into an image of the shared area.
    pub(super) fn draw(
        &mut self,
        server: &Server,
        data: &mut [u8],
        area: Area,
    ) -> Result<(), DeviceError> {
        let Some(position) = self.position else {
            return Ok(());
        };
        let image = match &mut self.image {
            Some(image) => image,
            none => {
                let reply = xfixes::get_cursor_image(&server.conn).map_err(lost)?;
                none.insert(reply.reply().map_err(failed)?)
            }
        };
        blend(image, position, data, (area.width, area.height));
        Ok(())
    }
}

/// Lays the pointer's pixels (ARGB, multiplied by their alpha) over an image.
fn blend(
    pointer: &GetCursorImageReply,
    (x, y): (i32, i32),
    data: &mut [u8],
    (width, height): (u16, u16),
) {
    let left = x - i32::from(pointer.xhot);
    let top = y - i32::from(pointer.yhot);
    let columns = usize::from(pointer.width).max(1);
    for (row, pixels) in pointer.cursor_image.chunks(columns).enumerate() {
        let y = top + row as i32;
        if !(0..i32::from(height)).contains(&y) {
            continue;
        }
        for (column, pixel) in pixels.iter().enumerate() {
            let x = left + column as i32;
            if !(0..i32::from(width)).contains(&x) {
                continue;
            }
            let [blue, green, red, alpha] = pixel.to_le_bytes();
            let at = (y as usize * usize::from(width) + x as usize) * 4;
            for (below, above) in data[at..at + 3].iter_mut().zip([blue, green, red]) {
                let rest = u16::from(*below) * u16::from(255 - alpha) / 255;
                *below = above.saturating_add(rest as u8);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_at_the_edge_is_cut_off_and_its_transparent_pixels_leave_what_is_below() {
        let pointer = GetCursorImageReply {
            width: 2,
            height: 2,
            xhot: 1,
            yhot: 1,
            // Above and to the left: outside. The last one is half red.
            cursor_image: vec![!0, !0, 0, 0x8080_0000],
            ..GetCursorImageReply::default()
        };
        let mut data = vec![100; 3 * 2 * 4];
        blend(&pointer, (0, 0), &mut data, (3, 2));
        assert_eq!(data[..4], [49, 49, 177, 100]);
        assert!(data[4..].iter().all(|value| *value == 100));
        let mut data = vec![100; 3 * 2 * 4];
        blend(&pointer, (3, 2), &mut data, (3, 2));
        assert_eq!(data[5 * 4..], [255, 255, 255, 100]);
        assert!(data[..5 * 4].iter().all(|value| *value == 100));
    }
}

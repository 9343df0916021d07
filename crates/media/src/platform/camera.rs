//! Cameras as each system names them.

use nokhwa::utils::CameraInfo;

/// An id that lasts across restarts, as far as the system knows one; `None`
/// where this is no source of pictures.
///
/// Linux numbers cameras anew at each start, and a camera has several nodes,
/// of which the first gives the pictures: so the id is its name and where it
/// is plugged in.
#[cfg(target_os = "linux")]
pub(crate) fn id(info: &CameraInfo) -> Option<String> {
    let node = format!(
        "/sys/class/video4linux/video{}",
        info.index().as_index().ok()?
    );
    let place_among_nodes = std::fs::read_to_string(format!("{node}/index")).unwrap_or_default();
    if !matches!(place_among_nodes.trim(), "" | "0") {
        return None;
    }
    let plugged_at = std::fs::canonicalize(format!("{node}/device")).ok();
    let plugged_at = plugged_at
        .as_deref()
        .and_then(|path| path.file_name())
        .unwrap_or_default();
    Some(format!(
        "{}@{}",
        info.human_name(),
        plugged_at.to_string_lossy()
    ))
}

/// An id that lasts across restarts: AVFoundation's unique id, Media
/// Foundation's symbolic link.
#[cfg(not(target_os = "linux"))]
pub(crate) fn id(info: &CameraInfo) -> Option<String> {
    Some(info.misc())
}

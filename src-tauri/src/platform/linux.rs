//! WebKitGTK.

use std::fs;

use webkit2gtk::{HardwareAccelerationPolicy, SettingsExt, WebViewExt};

/// Without a render node, WebKit's accelerated path is drawn by the processor
/// at twice the cost of its plain one.
pub(super) fn prepare(window: &tauri::WebviewWindow) {
    if has_render_node() {
        return;
    }
    let set = window.with_webview(|webview| {
        if let Some(settings) = WebViewExt::settings(&webview.inner()) {
            settings.set_hardware_acceleration_policy(HardwareAccelerationPolicy::Never);
        }
    });
    if let Err(error) = set {
        tracing::warn!(%error, "the window draws slower than it could");
    }
}

fn has_render_node() -> bool {
    let Ok(nodes) = fs::read_dir("/dev/dri") else {
        return false;
    };
    nodes
        .flatten()
        .any(|node| node.file_name().to_string_lossy().starts_with("renderD"))
}

//! What one system needs and the others do not.

#[cfg(target_os = "linux")]
mod linux;

/// Prepares a window that was just made.
pub fn prepare(window: &tauri::WebviewWindow) {
    #[cfg(target_os = "linux")]
    linux::prepare(window);
    #[cfg(not(target_os = "linux"))]
    let _ = window;
}

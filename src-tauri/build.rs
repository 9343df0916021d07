//! Embeds the page and the window's description.

fn main() {
    tauri_build::build();
}

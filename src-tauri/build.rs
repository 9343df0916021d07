//! Embeds the page and the window's description.

/// The commands that the page may use. Each is permitted in `capabilities/main.json`.
const COMMANDS: &[&str] = &[
    "get_view",
    "video_endpoint",
    "set_server",
    "share_on_network",
    "refresh_rooms",
    "open_room",
    "open_recent",
    "answer_link",
    "set_shortcuts",
    "new_room",
    "try_demo",
    "set_name",
    "choose_device",
    "set_muted",
    "set_sound",
    "set_background",
    "test_speaker",
    "join",
    "back_to_lobby",
    "rejoin",
    "enter_passcode",
    "send_chat",
    "read_chat",
    "set_volume",
    "read_statistics",
    "list_screens",
    "share_screen",
    "leave",
    "restart",
    "invitation",
];

fn main() {
    let manifest = tauri_build::AppManifest::new().commands(COMMANDS);
    let attributes = tauri_build::Attributes::new().app_manifest(manifest);
    tauri_build::try_build(attributes).expect("the application's manifest is valid");
}

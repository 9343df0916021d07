//! The window: it is made, shown what there is to show, and closed in order.

use std::time::Duration;

use anyhow::Context;
use tauri::utils::config::Csp;
use tauri::webview::NewWindowResponse;
use tauri::{App, AppHandle, Emitter, Manager, RunEvent, Url, WebviewWindowBuilder, WindowEvent};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::arguments::Arguments;
use crate::commands;
use crate::controller::Controller;
use crate::platform;
use crate::video_out::VideoListener;
use crate::view::{LevelView, Screen};

/// Views reach the page at most 20 times a second.
const VIEW_INTERVAL: Duration = Duration::from_millis(50);
/// The microphone's level reaches it about 15 times a second.
const LEVEL_INTERVAL: Duration = Duration::from_millis(66);
/// Past it the application ends whatever is left undone.
const QUIT_LIMIT: Duration = Duration::from_secs(5);

/// Runs the application until its window is closed or the system asks it to end.
///
/// # Errors
/// When the window, its profile or a port on this machine cannot be opened.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let runtime = Runtime::new().context("no threads can be started")?;
    tauri::async_runtime::set(runtime.handle().clone());
    let listener = runtime.block_on(VideoListener::open());
    let listener = listener.context("no port on this machine can be opened")?;
    let mut context = tauri::generate_context!();
    let policy = page_policy(&listener.origin()?);
    context.config_mut().app.security.csp = Some(Csp::Policy(policy));
    let app = tauri::Builder::default()
        .invoke_handler(tauri::generate_handler![
            commands::get_view,
            commands::video_endpoint,
            commands::set_server,
            commands::share_on_network,
            commands::refresh_rooms,
            commands::open_room,
            commands::open_recent,
            commands::answer_link,
            commands::set_shortcuts,
            commands::new_room,
            commands::try_demo,
            commands::set_name,
            commands::choose_device,
            commands::set_muted,
            commands::set_sound,
            commands::set_background,
            commands::test_speaker,
            commands::join,
            commands::back_to_lobby,
            commands::rejoin,
            commands::enter_passcode,
            commands::send_chat,
            commands::read_chat,
            commands::set_volume,
            commands::read_statistics,
            commands::list_screens,
            commands::share_screen,
            commands::leave,
            commands::restart,
            commands::invitation,
        ])
        .setup(|app| Ok(set_up(app, arguments, listener)?))
        .build(context)
        .context("the window cannot be opened")?;
    app.run(|app, event| match event {
        RunEvent::WindowEvent {
            label,
            event: WindowEvent::CloseRequested { api, .. },
            ..
        } => {
            api.prevent_close();
            if let Some(window) = app.get_webview_window(&label) {
                window.hide().ok();
            }
            quit(app.clone());
        }
        RunEvent::ExitRequested {
            code: None, api, ..
        } => {
            api.prevent_exit();
            quit(app.clone());
        }
        _ => {}
    });
    Ok(())
}

/// What the page may load: itself, the shell's commands and its own pictures.
fn page_policy(pictures: &str) -> String {
    format!(
        "default-src 'self'; connect-src ipc: http://ipc.localhost {pictures}; \
         img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; \
         font-src 'self' data:; object-src 'none'; frame-src 'none'; \
         base-uri 'none'; form-action 'none'"
    )
}

/// Whether the window may go there: to its own page only.
fn is_own_page(url: &Url) -> bool {
    let is_page = match url.scheme() {
        "tauri" => url.host_str() == Some("localhost"),
        "http" | "https" => url.host_str() == Some("tauri.localhost"),
        _ => false,
    };
    let is_development = cfg!(debug_assertions)
        && (url.scheme(), url.host_str(), url.port()) == ("http", Some("localhost"), Some(5173));
    is_page || is_development || url.as_str() == "about:blank"
}

fn set_up(app: &App, arguments: Arguments, listener: VideoListener) -> anyhow::Result<()> {
    let profile = match arguments.profile.clone() {
        Some(profile) => profile,
        None => app
            .path()
            .app_data_dir()
            .context("the system names no folder for settings")?,
    };
    let web_data = profile.join("webview");
    let (controller, video) = tauri::async_runtime::block_on(async {
        let controller = Controller::start(arguments, profile).await;
        let video = listener.serve(controller.pictures());
        (controller, video)
    });
    app.manage(controller.clone());
    app.manage(video.context("no port on this machine can be opened")?);
    let config = app
        .config()
        .app
        .windows
        .first()
        .context("no window is described")?;
    let window = WebviewWindowBuilder::from_config(app, config)?
        .data_directory(web_data)
        .on_navigation(is_own_page)
        .on_new_window(|url, _| {
            open_elsewhere(&url);
            NewWindowResponse::Deny
        })
        .build()?;
    platform::prepare(&window);
    tauri::async_runtime::spawn(push_views(app.handle().clone(), controller.clone()));
    tauri::async_runtime::spawn(push_levels(app.handle().clone(), controller));
    tauri::async_runtime::spawn(quit_when_asked(app.handle().clone()));
    Ok(())
}

/// A link of the chat, in the user's browser; nothing else is opened for others' words.
fn open_elsewhere(url: &Url) {
    if matches!(url.scheme(), "http" | "https")
        && let Err(error) = open::that_detached(url.as_str())
    {
        tracing::warn!(%error, "a link cannot be opened");
    }
}

async fn push_views(app: AppHandle, controller: Controller) {
    let mut changes = controller.view();
    while changes.changed().await.is_ok() {
        let view = changes.borrow_and_update().clone();
        if let Err(error) = app.emit("view", view) {
            tracing::warn!(%error, "the page was not shown what changed");
        }
        tokio::time::sleep(VIEW_INTERVAL).await;
    }
    // The controller is gone: after quitting, or because it failed.
    if let Err(error) = app.emit("stopped", ()) {
        tracing::warn!(%error, "the page does not know that it is alone");
    }
}

async fn push_levels(app: AppHandle, controller: Controller) {
    let view = controller.view();
    let mut ticks = tokio::time::interval(LEVEL_INTERVAL);
    while view.has_changed().is_ok() {
        ticks.tick().await;
        let is_shown = matches!(
            view.borrow().screen,
            Screen::PreJoin { .. } | Screen::Room { .. }
        );
        if is_shown {
            let level = controller.level();
            app.emit(
                "level",
                LevelView {
                    rms: level.rms,
                    peak: level.peak,
                },
            )
            .ok();
        }
    }
}

/// Leaves the call and ends the application; a second request changes nothing.
fn quit(app: AppHandle) {
    tauri::async_runtime::spawn(async move {
        let controller = app.state::<Controller>().inner().clone();
        if timeout(QUIT_LIMIT, controller.quit()).await.is_err() {
            tracing::warn!("the application ends before everything was put away");
        }
        app.exit(0);
    });
}

/// SIGTERM and SIGINT end the application as its window's close button does.
async fn quit_when_asked(app: AppHandle) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else {
            return;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    quit(app);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_goes_to_its_own_page_only() {
        for (url, is_own) in [
            ("tauri://localhost/index.html", true),
            ("http://tauri.localhost/", true),
            ("https://example.org/", false),
            ("tauri://example.org/", false),
            ("http://127.0.0.1:5173/", false),
            ("file:///etc/passwd", false),
            ("data:text/html,x", false),
        ] {
            assert_eq!(is_own_page(&url.parse().unwrap()), is_own, "{url}");
        }
    }

    #[test]
    fn the_page_loads_nothing_but_itself_and_its_own_port() {
        let policy = page_policy("ws://127.0.0.1:4711");
        for directive in ["object-src 'none'", "base-uri 'none'", "form-action 'none'"] {
            assert!(policy.contains(directive), "{directive}");
        }
        assert!(policy.contains("connect-src ipc: http://ipc.localhost ws://127.0.0.1:4711;"));
        assert!(!policy.contains('*'));
    }

    /// The commands of a file that names each as `before` NAME `after`.
    fn names(text: &str, before: &str, after: &str) -> Vec<String> {
        let parts = text.split(before).skip(1);
        let mut names: Vec<_> = parts
            .filter_map(|part| part.split_once(after))
            .map(|(name, _)| name.replace('-', "_"))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn every_command_of_the_page_is_in_the_manifest_and_permitted() {
        let handler = format!("{}commands::", " ".repeat(12));
        let handlers = names(include_str!("window.rs"), &handler, ",");
        assert!(handlers.len() > 20);
        let manifest = include_str!("../build.rs");
        let manifest = names(manifest, "    \"", "\",");
        assert_eq!(manifest, handlers);
        let permitted = names(include_str!("../capabilities/main.json"), "\"allow-", "\"");
        assert_eq!(permitted, handlers);
    }
}

//! Firefox with its fake camera and microphone, asked over WebDriver BiDi: a
//! process for each participant.

use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;
use tokio::process::Command;
use tokio_tungstenite::connect_async;

use crate::files::FileServer;
use crate::page::Page;
use crate::process::Process;
use crate::programs;

const START_LIMIT: Duration = Duration::from_secs(60);

/// Fake devices without a question, sound without a click, loopback and host
/// addresses as candidates, and no connection to anywhere.
const PREFERENCES: &str = r#"
user_pref("media.navigator.streams.fake", true);
user_pref("media.navigator.permission.disabled", true);
user_pref("media.autoplay.default", 0);
user_pref("media.peerconnection.ice.loopback", true);
user_pref("media.peerconnection.ice.obfuscate_host_addresses", false);
user_pref("network.manage-offline-status", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("media.gmp-manager.url", "");
user_pref("browser.safebrowsing.update.enabled", false);
user_pref("services.settings.server", "");
user_pref("app.update.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
"#;

/// A running Firefox, with the participant's page in it.
pub struct Firefox {
    _process: Process,
    _files: FileServer,
    _profile: TempDir,
}

impl Firefox {
    /// Starts it with a new profile, and lets its participant join through the
    /// signalling server at `server`; the rest of the query is as `page.js`
    /// describes it.
    ///
    /// # Errors
    /// When it is not installed, does not come up, or does not open the page.
    pub async fn participant(server: &str, query: &str) -> Result<(Self, Page)> {
        let profile = tempfile::tempdir()?;
        std::fs::write(profile.path().join("user.js"), PREFERENCES)?;
        let mut command = Command::new(programs::installed_as(&["firefox-esr", "firefox"])?);
        command
            .args(["--headless", "--no-remote", "--remote-debugging-port", "0"])
            .arg("--profile")
            .arg(profile.path())
            .env("HOME", profile.path())
            .env("MOZ_DISABLE_CONTENT_SANDBOX", "1");
        let mut process = Process::start("firefox", &mut command)?;
        let address = process
            .wait_for_line("its address", START_LIMIT, |line| {
                let (_, url) = line.split_once("WebDriver BiDi listening on ")?;
                Some(url.trim().to_owned())
            })
            .await?;
        let files = FileServer::start(programs::sources()?.join("call/page")).await?;
        let url = format!("{}?server={server}&{query}", files.url("index.html"));
        let (socket, _) = connect_async(format!("{address}/session")).await?;
        let page = Page::open_bidi(socket, &url).await?;
        let firefox = Self {
            _process: process,
            _files: files,
            _profile: profile,
        };
        Ok((firefox, page))
    }
}

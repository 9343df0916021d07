//! The application's window on a display of its own.

use std::net::TcpListener;
use std::ops::Deref;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use crate::display::{Display, Picture};
use crate::http::client;
use crate::process::Process;
use crate::programs;
use crate::wait::wait_until;
use crate::webdriver::{Rectangle, Session};

const START_LIMIT: Duration = Duration::from_secs(30);

/// An open window. Dropping it ends the application, its driver and its display.
pub struct Window {
    session: Session,
    driver: Process,
    display: Display,
    _profile: TempDir,
}

impl Window {
    /// Starts the application with a profile of its own.
    ///
    /// # Errors
    /// When a part is not installed or does not come up.
    pub async fn open(name: &str, arguments: &[&str]) -> Result<Self> {
        let display = Display::start().await?;
        let profile = tempfile::tempdir()?;
        let application = programs::built("visavis")?;
        // The driver cannot choose a port itself: it gets one that is free now.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(programs::installed("WebKitWebDriver")?);
        command
            .args(["--host=127.0.0.1", &format!("--port={port}")])
            .env("DISPLAY", display.name())
            .env("TAURI_WEBVIEW_AUTOMATION", "true");
        let mut driver = Process::start(name, &mut command)?;
        let url = format!("http://127.0.0.1:{port}");
        wait_until("the driver listens", START_LIMIT, async || {
            if !driver.is_running()? {
                bail!("the driver ended");
            }
            Ok(client().get(format!("{url}/status")).send().await.ok())
        })
        .await?;
        let folder = profile.path().display().to_string();
        let arguments = [&["--profile", &folder], arguments].concat();
        let options = json!({"binary": application, "args": arguments});
        let session = Session::start(&url, json!({"webkitgtk:browserOptions": options})).await?;
        Ok(Self {
            session,
            driver,
            display,
            _profile: profile,
        })
    }

    /// What of the page is on the display now.
    ///
    /// # Errors
    /// When the display cannot be read.
    pub async fn picture_of(&self, part: Rectangle) -> Result<Picture> {
        Ok(self.display.picture().await?.middle_of(part))
    }

    /// Closes the window.
    ///
    /// # Errors
    /// When the driver is gone, or the application logged an error in its life.
    pub async fn close(self) -> Result<()> {
        self.session.end().await?;
        self.driver.check_log()
    }
}

impl Deref for Window {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

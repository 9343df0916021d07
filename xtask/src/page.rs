//! The window's page in `ui/`, built and tested with npm.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use crate::build::root;
use crate::process::{find, heading, output, run};

/// The oldest Node.js that the page's build tool supports.
const MINIMUM_NODE: (u32, u32) = (20, 19);

/// Builds the page if it is older than its sources.
///
/// # Errors
/// When Node.js is missing or the build fails.
pub fn build() -> Result<()> {
    let ui = ui();
    install(&ui)?;
    let built = modified(&ui.join("dist").join("index.html"));
    if built.is_none() || latest_change(&ui)? > built {
        heading("Building the page");
        npm(&ui, &["run", "build"])?;
    }
    Ok(())
}

/// Checks types, lints and formatting of the page.
///
/// # Errors
/// When one of them fails.
pub fn check() -> Result<()> {
    install(&ui())?;
    heading("Checking the page");
    npm(&ui(), &["run", "check"])
}

/// Runs the page's unit tests, then its tests in Chromium.
///
/// # Errors
/// When one of them fails.
pub fn test() -> Result<()> {
    heading("Testing the page");
    npm(&ui(), &["test"])?;
    npm(&ui(), &["run", "test:page"])
}

/// Installs the npm packages of a folder if its lock file is newer than the
/// installation. npm writes a copy of the lock file into `node_modules`.
///
/// # Errors
/// When Node.js is missing or a package cannot be installed.
pub fn install(folder: &Path) -> Result<()> {
    check_node()?;
    let installed = modified(&folder.join("node_modules").join(".package-lock.json"));
    if installed.is_none() || modified(&folder.join("package-lock.json")) > installed {
        heading(&format!("Installing the packages of {}", folder.display()));
        npm(folder, &["ci", "--no-audit", "--no-fund"])?;
    }
    Ok(())
}

/// Downloads a package, which is named with its version, as an archive into a folder.
///
/// # Errors
/// When Node.js is missing or the package cannot be fetched.
pub fn pack(folder: &Path, package: &str) -> Result<()> {
    check_node()?;
    npm(folder, &["pack", "--silent", package])
}

fn check_node() -> Result<()> {
    let (major, minor) = MINIMUM_NODE;
    let requirement =
        format!("Node.js {major}.{minor} or newer with npm is required: https://nodejs.org");
    if find("node").is_none() {
        bail!("node was not found. {requirement}");
    }
    let version = output(Command::new("node").arg("--version"))?;
    if node_version(&version).context("unexpected output of node --version")? < MINIMUM_NODE {
        bail!(
            "the installed version is Node.js {}. {requirement}",
            version.trim()
        );
    }
    Ok(())
}

/// Major and minor of `v20.19.2`.
fn node_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn npm(folder: &Path, arguments: &[&str]) -> Result<()> {
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    run(Command::new(program).args(arguments).current_dir(folder))
}

fn ui() -> PathBuf {
    root().join("ui")
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|data| data.modified()).ok()
}

/// The time of the latest change to a source below this folder.
fn latest_change(folder: &Path) -> Result<Option<SystemTime>> {
    let mut latest = None;
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let is_generated = ["node_modules", "dist"]
            .iter()
            .any(|name| path.ends_with(name));
        let changed = match path.is_dir() {
            true if is_generated => None,
            true => latest_change(&path)?,
            false => modified(&path),
        };
        latest = latest.max(changed);
    }
    Ok(latest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_node_is_read() {
        assert_eq!(node_version("v20.19.2\n"), Some((20, 19)));
        assert_eq!(node_version("v24.1.0-nightly"), Some((24, 1)));
        assert_eq!(node_version("20"), None);
    }

    #[test]
    fn the_latest_change_ignores_generated_folders() {
        let folder = tempfile::tempdir().unwrap();
        let touch = |name: &str, seconds| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            std::fs::File::create(&path)
                .unwrap()
                .set_modified(at)
                .unwrap();
            Some(at)
        };
        touch("index.html", 10);
        let source = touch("src/deep/app.ts", 20);
        touch("dist/index.html", 30);
        touch("node_modules/a/index.js", 40);
        assert_eq!(latest_change(folder.path()).unwrap(), source);
    }
}

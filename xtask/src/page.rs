//! The page in `ui/`, through npm.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use crate::build::root;
use crate::process::{find, heading, output, run};

/// The oldest Node.js that the page's build tool runs on.
const OLDEST_NODE: (u32, u32) = (20, 19);

/// Builds the page where it is older than its sources.
///
/// # Errors
/// When Node.js is missing or the build fails.
pub fn build() -> Result<()> {
    let ui = ui();
    install(&ui)?;
    let built = modified(&ui.join("dist").join("index.html"));
    if built.is_none() || newest(&ui)? > built {
        heading("Building the page");
        npm(&ui, &["run", "build"])?;
    }
    Ok(())
}

/// Types, style, unit tests.
///
/// # Errors
/// When one of them fails.
pub fn check() -> Result<()> {
    install(&ui())?;
    heading("Checking the page");
    npm(&ui(), &["run", "check"])
}

/// The page's own tests, without a browser and in Chromium.
///
/// # Errors
/// When one of them fails.
pub fn test() -> Result<()> {
    heading("Testing the page");
    npm(&ui(), &["test"])?;
    npm(&ui(), &["run", "test:page"])
}

/// Installs the packages of a folder's lock file, where they are not there as
/// it says: npm leaves a copy of it in `node_modules`.
///
/// # Errors
/// When Node.js is missing or a package is not to be had.
pub fn install(folder: &Path) -> Result<()> {
    need_node()?;
    let installed = modified(&folder.join("node_modules").join(".package-lock.json"));
    if installed.is_none() || modified(&folder.join("package-lock.json")) > installed {
        heading(&format!("Installing the packages of {}", folder.display()));
        npm(folder, &["ci", "--no-audit", "--no-fund"])?;
    }
    Ok(())
}

fn need_node() -> Result<()> {
    let (major, minor) = OLDEST_NODE;
    let wanted = format!("Node.js {major}.{minor} or newer with npm is needed: https://nodejs.org");
    if find("node").is_none() {
        bail!("node was not found. {wanted}");
    }
    let version = output(Command::new("node").arg("--version"))?;
    if node_version(&version).context("node --version says no version")? < OLDEST_NODE {
        bail!("this is Node.js {}. {wanted}", version.trim());
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

/// When the newest source below this folder changed.
fn newest(folder: &Path) -> Result<Option<SystemTime>> {
    let mut newest = None;
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let made_here = ["node_modules", "dist"]
            .iter()
            .any(|made| path.ends_with(made));
        let changed = match path.is_dir() {
            true if made_here => None,
            true => self::newest(&path)?,
            false => modified(&path),
        };
        newest = newest.max(changed);
    }
    Ok(newest)
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
    fn a_source_changed_later_is_newer_and_what_is_made_here_is_not_looked_at() {
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
        assert_eq!(newest(folder.path()).unwrap(), source);
    }
}

//! A kernel with a virtual camera, for the camera test: Debian's own, fetched
//! and unpacked beside the build, never installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build::target;
use crate::process::{find, heading, output, run};

/// The package that depends on the current kernel.
const CURRENT: &str = "linux-image-amd64";

/// A folder with the kernel's `boot/` and `lib/modules/` below it.
///
/// # Errors
/// When the system is not Debian on a PC, or the package cannot be had.
pub fn unpacked() -> Result<PathBuf> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) || find("apt-cache").is_none() {
        bail!("the camera test needs Debian's kernel for PCs; run it on Debian");
    }
    let listing = output(Command::new("apt-cache").args(["depends", CURRENT]))?;
    let package = current(&listing).with_context(|| format!("apt knows no {CURRENT}"))?;
    let kernels = target()?.join("kernel");
    let folder = kernels.join(package);
    if !folder.is_dir() {
        heading(&format!("Fetching {package} for the camera test"));
        fetch(package, &kernels, &folder)?;
    }
    Ok(folder)
}

/// Unpacks under another name first: a folder that bears the kernel's name is whole.
fn fetch(package: &str, kernels: &Path, folder: &Path) -> Result<()> {
    let partial = kernels.join("partial");
    if partial.exists() {
        std::fs::remove_dir_all(&partial)?;
    }
    std::fs::create_dir_all(&partial)?;
    run(Command::new("apt-get")
        .args(["download", package])
        .current_dir(&partial))?;
    let archive = partial
        .read_dir()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|end| end == "deb"))
        .context("apt-get downloaded nothing")?;
    run(Command::new("dpkg-deb")
        .arg("--extract")
        .args([&archive, &partial]))?;
    std::fs::remove_file(archive)?;
    std::fs::rename(partial, folder)?;
    Ok(())
}

/// The kernel that the listing of `apt-cache depends` names.
fn current(listing: &str) -> Option<&str> {
    listing
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|name| name.starts_with("linux-image-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_kernel_is_what_the_listing_depends_on() {
        let listing =
            "linux-image-amd64\n  Depends: linux-image-6.1.0-56-amd64\n  Suggests: grub\n";
        assert_eq!(current(listing), Some("linux-image-6.1.0-56-amd64"));
        assert_eq!(current("linux-image-amd64\n"), None);
    }
}

//! A Linux kernel with the virtual camera driver, for the camera test. It is
//! Debian's package, unpacked in the target directory and not installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build::target;
use crate::process::{find, heading, output, run};

/// The metapackage that depends on the current kernel.
const METAPACKAGE: &str = "linux-image-amd64";

/// Unpacks the kernel unless that was done before, and returns the folder that
/// contains its `boot/` and `lib/modules/`.
///
/// # Errors
/// When the system is not Debian on x86-64, or the package cannot be downloaded.
pub fn ensure() -> Result<PathBuf> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) || find("apt-cache").is_none() {
        bail!("the camera test needs Debian's x86-64 kernel; run it on Debian");
    }
    let listing = output(Command::new("apt-cache").args(["depends", METAPACKAGE]))?;
    let package =
        kernel_package(&listing).with_context(|| format!("apt has no package {METAPACKAGE}"))?;
    let kernels = target()?.join("kernel");
    let folder = kernels.join(package);
    if !folder.is_dir() {
        heading(&format!("Downloading {package} for the camera test"));
        download(package, &kernels, &folder)?;
    }
    Ok(folder)
}

/// Unpacks into a temporary folder and renames it at the end, so a folder with the
/// name of the package is always complete.
fn download(package: &str, kernels: &Path, folder: &Path) -> Result<()> {
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

/// The kernel package in the output of `apt-cache depends`.
fn kernel_package(listing: &str) -> Option<&str> {
    listing
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|name| name.starts_with("linux-image-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_package_is_read_from_the_dependencies_of_the_metapackage() {
        let listing =
            "linux-image-amd64\n  Depends: linux-image-6.1.0-56-amd64\n  Suggests: grub\n";
        assert_eq!(kernel_package(listing), Some("linux-image-6.1.0-56-amd64"));
        assert_eq!(kernel_package("linux-image-amd64\n"), None);
    }
}

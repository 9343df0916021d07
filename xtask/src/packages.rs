//! What the system has to bring. On Debian and Ubuntu it is installed; on
//! other systems the one command that does it is told.

mod debian;

use std::process::Command;

use anyhow::{Result, bail};

use crate::process::find;

/// A thing that is needed.
pub struct Need {
    present: Probe,
    /// Its package on each [`System`], in that order; empty where it comes with
    /// the system or is not to be had.
    packages: [&'static str; 5],
}

/// How to see that a thing is there, where no package manager is asked.
enum Probe {
    Program(&'static str),
    Library(&'static str),
}
use Probe::{Library, Program};

const fn need(present: Probe, packages: [&'static str; 5]) -> Need {
    Need { present, packages }
}

/// A system whose packages have names here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum System {
    /// And Ubuntu, and whatever else has apt.
    Debian,
    Fedora,
    Arch,
    MacOs,
    Windows,
}

/// To build everything but the window: a C and C++ compiler for the bundled
/// codecs (nasm, or OpenH264 is three times slower), libclang for the bindings
/// to V4L2, and the libraries that are linked.
#[rustfmt::skip]
pub const BUILD: &[Need] = &[
    need(Program("c++"), ["build-essential", "gcc-c++", "base-devel", "", ""]),
    need(Program("pkg-config"), ["pkg-config", "pkgconf-pkg-config", "pkgconf", "pkgconf", ""]),
    need(Program("cmake"), ["cmake", "cmake", "cmake", "cmake", "Kitware.CMake"]),
    need(Program("nasm"), ["nasm", "nasm", "nasm", "nasm", "NASM.NASM"]),
    need(Program("clang"), ["libclang-dev", "clang-devel", "clang", "", "LLVM.LLVM"]),
    need(Library("vpx"), ["libvpx-dev", "libvpx-devel", "libvpx", "libvpx", ""]),
    need(Library("alsa"), ["libasound2-dev", "alsa-lib-devel", "alsa-lib", "", ""]),
];

/// To build the window.
#[rustfmt::skip]
pub const WINDOW: &[Need] = &[
    need(Library("webkit2gtk-4.1"), ["libwebkit2gtk-4.1-dev", "webkit2gtk4.1-devel", "webkit2gtk-4.1", "", ""]),
    need(Library("dbus-1"), ["libdbus-1-dev", "dbus-devel", "dbus", "", ""]),
];

/// The real parts that the tests put together.
#[rustfmt::skip]
pub const TESTS: &[Need] = &[
    need(Program("chromium"), ["chromium", "chromium", "chromium", "", ""]),
    need(Program("turnserver"), ["coturn", "coturn", "coturn", "", ""]),
    need(Program("postgres"), ["postgresql", "postgresql-server", "postgresql", "", ""]),
    need(Program("redis-server"), ["redis-server", "valkey-compat-redis", "valkey", "redis", ""]),
    need(Program("python3"), ["python3-venv", "python3", "python", "python", "Python.Python.3.13"]),
    need(Program("pulseaudio"), ["pulseaudio", "pulseaudio", "pulseaudio", "", ""]),
    need(Program("pactl"), ["pulseaudio-utils", "pulseaudio-utils", "libpulse", "", ""]),
    need(Program("espeak-ng"), ["espeak-ng", "espeak-ng", "espeak-ng", "", ""]),
    need(Program("Xvfb"), ["xvfb", "xorg-x11-server-Xvfb", "xorg-server-xvfb", "", ""]),
    need(Program("import"), ["imagemagick", "ImageMagick", "imagemagick", "imagemagick", ""]),
    need(Program("WebKitWebDriver"), ["webkit2gtk-driver", "webkit2gtk4.1", "webkit2gtk-4.1", "", ""]),
];

/// The virtual machine of the camera test; its kernel is [`crate::kernel`]'s.
#[rustfmt::skip]
pub const CAMERA: &[Need] = &[
    need(Program("qemu-system-x86_64"), ["qemu-system-x86", "qemu-system-x86-core", "qemu-system-x86", "", ""]),
    need(Program("busybox"), ["busybox-static", "busybox", "busybox", "", ""]),
    need(Program("depmod"), ["kmod", "kmod", "kmod", "", ""]),
    need(Program("cpio"), ["cpio", "cpio", "cpio", "", ""]),
];

/// Sees to it that everything is there: quick when it is.
///
/// # Errors
/// When something is missing and cannot be installed from here.
pub fn ensure(groups: &[&[Need]]) -> Result<()> {
    let needs = groups.iter().copied().flatten();
    match system() {
        Some(System::Debian) => {
            let missing = debian::not_installed(names(needs, System::Debian))?;
            if missing.is_empty() {
                return Ok(());
            }
            debian::install(&missing)
        }
        Some(system) => {
            let missing = names(needs.filter(|need| !need.present.is_there()), system);
            if missing.is_empty() {
                return Ok(());
            }
            bail!(
                "this is missing; please run:\n  {}",
                remedy(system, &missing)
            )
        }
        None => {
            let missing: Vec<_> = needs
                .filter(|need| !need.present.is_there())
                .map(|need| match need.present {
                    Program(name) => format!("the program {name}"),
                    Library(name) => format!("the library {name} with its headers"),
                })
                .collect();
            if missing.is_empty() {
                return Ok(());
            }
            bail!("please install {}", missing.join(", "))
        }
    }
}

fn system() -> Option<System> {
    if cfg!(target_os = "macos") {
        return Some(System::MacOs);
    }
    if cfg!(windows) {
        return Some(System::Windows);
    }
    [
        ("apt-get", System::Debian),
        ("dnf", System::Fedora),
        ("pacman", System::Arch),
    ]
    .into_iter()
    .find_map(|(program, system)| find(program).map(|_| system))
}

impl Probe {
    fn is_there(&self) -> bool {
        match self {
            Program(name) => find(name).is_some(),
            // Where there is no pkg-config, this tells where libvpx is.
            Library("vpx") if std::env::var_os("VPX_LIB_DIR").is_some() => true,
            Library(name) => Command::new("pkg-config")
                .args(["--exists", name])
                .status()
                .is_ok_and(|status| status.success()),
        }
    }
}

/// Each package once, in the order of the table.
fn names<'a>(needs: impl Iterator<Item = &'a Need>, system: System) -> Vec<&'static str> {
    let mut names = Vec::new();
    for need in needs {
        let name = need.packages[system as usize];
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn remedy(system: System, missing: &[&str]) -> String {
    let missing = missing.join(" ");
    match system {
        System::Debian => format!("sudo apt-get install {missing}"),
        System::Fedora => format!("sudo dnf install {missing}"),
        System::Arch => format!("sudo pacman -S --needed {missing}"),
        System::MacOs => format!("brew install {missing}"),
        System::Windows => format!("winget install {missing}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_need_of_a_build_has_a_package_on_every_linux() {
        for need in BUILD.iter().chain(WINDOW).chain(TESTS).chain(CAMERA) {
            for system in [System::Debian, System::Fedora, System::Arch] {
                assert_ne!(need.packages[system as usize], "");
            }
        }
    }

    #[test]
    fn a_package_that_two_things_come_from_is_named_once() {
        let webkit = WINDOW.iter().chain(TESTS);
        let named = names(webkit, System::Arch);
        let times = named.iter().filter(|name| **name == "webkit2gtk-4.1");
        assert_eq!(times.count(), 1, "the library and its driver: {named:?}");
    }
}

//! System packages that builds and tests need. On Debian and Ubuntu the missing
//! ones are installed; on other systems the error names the command that installs
//! them.

mod debian;

use std::process::Command;

use anyhow::{Result, bail};

use crate::process::find;

/// A program or library of the system.
pub struct Dependency {
    probe: Probe,
    /// Its package on each [`System`], in that order. Empty where it is part of the
    /// system or has no package.
    packages: [&'static str; 5],
}

/// How to detect a dependency on systems whose package manager is not asked.
enum Probe {
    Program(&'static str),
    Library(&'static str),
}
use Probe::{Library, Program};

const fn needs(probe: Probe, packages: [&'static str; 5]) -> Dependency {
    Dependency { probe, packages }
}

/// A system whose package names are known here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum System {
    /// Debian, Ubuntu and other systems with apt.
    Debian,
    Fedora,
    Arch,
    MacOs,
    Windows,
}

/// To build everything except the window: a C and C++ compiler for the bundled
/// codecs, nasm (without it OpenH264 is three times slower), libclang for the
/// bindings to V4L2 and PipeWire, and the linked libraries.
#[rustfmt::skip]
pub const BUILD: &[Dependency] = &[
    needs(Program("c++"), ["build-essential", "gcc-c++", "base-devel", "", ""]),
    needs(Program("pkg-config"), ["pkg-config", "pkgconf-pkg-config", "pkgconf", "pkgconf", ""]),
    needs(Program("cmake"), ["cmake", "cmake", "cmake", "cmake", "Kitware.CMake"]),
    needs(Program("nasm"), ["nasm", "nasm", "nasm", "nasm", "NASM.NASM"]),
    needs(Program("clang"), ["libclang-dev", "clang-devel", "clang", "", "LLVM.LLVM"]),
    needs(Library("vpx"), ["libvpx-dev", "libvpx-devel", "libvpx", "libvpx", ""]),
    needs(Library("alsa"), ["libasound2-dev", "alsa-lib-devel", "alsa-lib", "", ""]),
    needs(Library("libpipewire-0.3"), ["libpipewire-0.3-dev", "pipewire-devel", "libpipewire", "", ""]),
];

/// To build the window.
#[rustfmt::skip]
pub const WINDOW: &[Dependency] = &[
    needs(Library("webkit2gtk-4.1"), ["libwebkit2gtk-4.1-dev", "webkit2gtk4.1-devel", "webkit2gtk-4.1", "", ""]),
    needs(Library("dbus-1"), ["libdbus-1-dev", "dbus-devel", "dbus", "", ""]),
];

/// The programs that the tests start.
#[rustfmt::skip]
pub const TESTS: &[Dependency] = &[
    needs(Program("chromium"), ["chromium", "chromium", "chromium", "", ""]),
    needs(Program("firefox"), ["firefox-esr", "firefox", "firefox", "", ""]),
    // Arch has Janus in its user repository (AUR) only.
    needs(Program("janus"), ["janus", "janus-gateway", "janus-gateway", "", ""]),
    needs(Program("gst-inspect-1.0"), ["gstreamer1.0-tools", "gstreamer1", "gstreamer", "", ""]),
    needs(Program("gst-inspect-1.0"), ["gstreamer1.0-plugins-bad", "gstreamer1-plugins-bad-free", "gst-plugins-bad", "", ""]),
    needs(Program("gst-inspect-1.0"), ["gstreamer1.0-nice", "libnice-gstreamer1", "libnice", "", ""]),
    needs(Program("gst-inspect-1.0"), ["gstreamer1.0-plugins-good", "gstreamer1-plugins-good", "gst-plugins-good", "", ""]),
    needs(Program("gst-inspect-1.0"), ["python3-gst-1.0", "python3-gstreamer1", "gst-python", "", ""]),
    needs(Program("gst-inspect-1.0"), ["gir1.2-gst-plugins-bad-1.0", "gstreamer1-plugins-bad-free", "gst-plugins-bad", "", ""]),
    // A desktop portal of the tests' own hands out streams of a real PipeWire.
    needs(Program("dbus-daemon"), ["dbus-daemon", "dbus-daemon", "dbus", "", ""]),
    needs(Program("pipewire"), ["pipewire", "pipewire", "pipewire", "", ""]),
    needs(Program("wireplumber"), ["wireplumber", "wireplumber", "wireplumber", "", ""]),
    needs(Program("turnserver"), ["coturn", "coturn", "coturn", "", ""]),
    needs(Program("postgres"), ["postgresql", "postgresql-server", "postgresql", "", ""]),
    needs(Program("redis-server"), ["redis-server", "valkey-compat-redis", "valkey", "redis", ""]),
    needs(Program("faketime"), ["faketime", "libfaketime", "libfaketime", "", ""]),
    needs(Program("ip"), ["iproute2", "iproute", "iproute2", "", ""]),
    needs(Program("python3"), ["python3-venv", "python3", "python", "python", "Python.Python.3.13"]),
    needs(Program("pulseaudio"), ["pulseaudio", "pulseaudio", "pulseaudio", "", ""]),
    needs(Program("pactl"), ["pulseaudio-utils", "pulseaudio-utils", "libpulse", "", ""]),
    needs(Program("espeak-ng"), ["espeak-ng", "espeak-ng", "espeak-ng", "", ""]),
    needs(Program("Xvfb"), ["xvfb", "xorg-x11-server-Xvfb", "xorg-server-xvfb", "", ""]),
    needs(Program("import"), ["imagemagick", "ImageMagick", "imagemagick", "imagemagick", ""]),
    needs(Program("WebKitWebDriver"), ["webkit2gtk-driver", "webkit2gtk4.1", "webkit2gtk-4.1", "", ""]),
];

/// The virtual machine of the camera test; [`crate::kernel`] provides its kernel.
#[rustfmt::skip]
pub const CAMERA: &[Dependency] = &[
    needs(Program("qemu-system-x86_64"), ["qemu-system-x86", "qemu-system-x86-core", "qemu-system-x86", "", ""]),
    needs(Program("busybox"), ["busybox-static", "busybox", "busybox", "", ""]),
    needs(Program("depmod"), ["kmod", "kmod", "kmod", "", ""]),
    needs(Program("cpio"), ["cpio", "cpio", "cpio", "", ""]),
    needs(Program("v4l2-ctl"), ["v4l-utils", "v4l-utils", "v4l-utils", "", ""]),
];

/// Installs what is missing, or fails and names it. Takes little time when
/// everything is installed.
///
/// # Errors
/// When a dependency is missing and cannot be installed from here.
pub fn ensure(groups: &[&[Dependency]]) -> Result<()> {
    let dependencies = groups.iter().copied().flatten();
    match system() {
        Some(System::Debian) => {
            let missing = debian::not_installed(package_names(dependencies, System::Debian))?;
            if missing.is_empty() {
                return Ok(());
            }
            debian::install(&missing)
        }
        Some(system) => {
            let missing = dependencies.filter(|dependency| !dependency.probe.is_present());
            let missing = package_names(missing, system);
            if missing.is_empty() {
                return Ok(());
            }
            bail!(
                "packages are missing; please run:\n  {}",
                install_command(system, &missing)
            )
        }
        None => {
            let missing: Vec<_> = dependencies
                .filter(|dependency| !dependency.probe.is_present())
                .map(|dependency| match dependency.probe {
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
    fn is_present(&self) -> bool {
        match self {
            Program(name) => find(name).is_some(),
            // Locates libvpx on systems without pkg-config.
            Library("vpx") if std::env::var_os("VPX_LIB_DIR").is_some() => true,
            Library(name) => Command::new("pkg-config")
                .args(["--exists", name])
                .status()
                .is_ok_and(|status| status.success()),
        }
    }
}

/// Each package once, in the order of the table.
fn package_names<'a>(
    dependencies: impl Iterator<Item = &'a Dependency>,
    system: System,
) -> Vec<&'static str> {
    let mut names = Vec::new();
    for dependency in dependencies {
        let name = dependency.packages[system as usize];
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The command that installs these packages.
fn install_command(system: System, missing: &[&str]) -> String {
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
    fn every_dependency_has_a_package_on_every_linux() {
        for dependency in BUILD.iter().chain(WINDOW).chain(TESTS).chain(CAMERA) {
            for system in [System::Debian, System::Fedora, System::Arch] {
                assert_ne!(dependency.packages[system as usize], "");
            }
        }
    }

    #[test]
    fn a_package_that_provides_two_dependencies_is_named_once() {
        let webkit = WINDOW.iter().chain(TESTS);
        let names = package_names(webkit, System::Arch);
        let times = names.iter().filter(|name| **name == "webkit2gtk-4.1");
        assert_eq!(times.count(), 1, "the library and its driver: {names:?}");
    }
}

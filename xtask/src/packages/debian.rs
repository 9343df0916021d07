//! Debian and Ubuntu: dpkg lists the installed packages, apt installs the missing
//! ones.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process::{find, heading, output, run};

/// The packages that are not installed.
pub fn not_installed(wanted: Vec<&'static str>) -> Result<Vec<&'static str>> {
    let wanted: Vec<_> = wanted.into_iter().map(distribution_name).collect();
    // The exit status is an error when dpkg does not know one of them; the listing is
    // complete all the same.
    let answer = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(&wanted)
        .stderr(Stdio::null())
        .output()
        .context("dpkg-query")?;
    Ok(missing(&wanted, &String::from_utf8_lossy(&answer.stdout)))
}

/// The packages that dpkg-query's listing does not show as installed.
fn missing(wanted: &[&'static str], listing: &str) -> Vec<&'static str> {
    let installed = |name: &str| {
        listing
            .lines()
            .any(|line| line.split_once(' ') == Some((name, "installed")))
    };
    wanted
        .iter()
        .copied()
        .filter(|name| !installed(name))
        .collect()
}

/// The package's name on this distribution: Ubuntu names Chromium differently.
fn distribution_name(name: &'static str) -> &'static str {
    let is_ubuntu = || {
        std::fs::read_to_string("/etc/os-release")
            .is_ok_and(|text| text.lines().any(|line| line == "ID=ubuntu"))
    };
    if name == "chromium" && is_ubuntu() {
        return "chromium-browser";
    }
    name
}

/// Installs packages with apt. Fails if that would remove others.
pub fn install(missing: &[&str]) -> Result<()> {
    heading(&format!("Installing with apt: {}", missing.join(" ")));
    let is_root = output(Command::new("id").arg("-u"))?.trim() == "0";
    if !is_root && find("sudo").is_none() {
        bail!(
            "please run as root:\n  apt-get install {}",
            missing.join(" ")
        );
    }
    let apt = |arguments: &[&str]| {
        let mut command = if is_root {
            Command::new("env")
        } else {
            let mut command = Command::new("sudo");
            command.arg("env");
            command
        };
        command
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
            .args(arguments);
        run(&mut command)
    };
    apt(&["update"])?;
    let mut arguments = vec!["install", "--yes", "--no-install-recommends", "--no-remove"];
    arguments.extend(missing);
    apt(&arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_dpkg_does_not_show_as_installed_is_missing() {
        let listing = "cmake installed\nnasm not-installed\nlibvpx-dev config-files\n";
        let wanted = ["cmake", "nasm", "libvpx-dev", "cpio"];
        assert_eq!(missing(&wanted, listing), ["nasm", "libvpx-dev", "cpio"]);
    }
}

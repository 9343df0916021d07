//! Rules about dependencies between packages, checked with `cargo metadata`.

mod layers;

use anyhow::{Result, bail};
use serde::Deserialize;

use crate::build::cargo;
use crate::process::{heading, output};

/// Each package of the workspace, with the workspace packages it may depend on.
const WORKSPACE: &[(&str, &[&str])] = &[
    ("visavis-protocol", &[]),
    ("visavis-media", &[]),
    ("visavis-server", &["visavis-protocol"]),
    // Of the tests of `call`, and of the tests from outside.
    ("visavis-network-simulator", &[]),
    (
        "visavis-call",
        &[
            "visavis-protocol",
            "visavis-media",
            "visavis-network-simulator",
        ],
    ),
    (
        "visavis-headless",
        &[
            "visavis-protocol",
            "visavis-media",
            "visavis-server",
            "visavis-call",
        ],
    ),
    (
        "visavis",
        &[
            "visavis-protocol",
            "visavis-media",
            "visavis-server",
            "visavis-call",
        ],
    ),
    (
        TESTS,
        &[
            "visavis-protocol",
            "visavis-media",
            "visavis-server",
            "visavis-call",
            "visavis-network-simulator",
        ],
    ),
    ("xtask", &[]),
];

/// Third-party crates that only one package may use, by package. The tests may use
/// them too.
const EXCLUSIVE: &[(&str, &[&str])] = &[
    ("visavis-call", &["webrtc", "rtc"]),
    (
        "visavis-media",
        &[
            "cpal",
            "alsa",
            "nokhwa",
            "v4l",
            "openh264",
            "openh264-sys2",
            "env-libvpx-sys",
            "opusic-c",
            "rubato",
            "yuv",
            "fast_image_resize",
            "zune-jpeg",
            "sonora",
            "sonora-aec3",
            "nnnoiseless",
            "earshot",
            "x11rb",
            "ashpd",
            "pipewire",
        ],
    ),
    (
        "visavis-server",
        &["axum", "tower-http", "sqlx", "rusqlite", "redis"],
    ),
    ("visavis", &["tauri", "tauri-build", "webkit2gtk"]),
];

const TESTS: &str = "visavis-tests";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
}

/// Checks the dependencies of all packages of the workspace.
///
/// # Errors
/// Names every dependency that breaks a rule.
pub fn check() -> Result<()> {
    heading("Checking the dependencies between packages");
    let metadata = output(&mut cargo(&[
        "metadata",
        "--format-version=1",
        "--no-deps",
    ])?)?;
    let metadata: Metadata = serde_json::from_str(&metadata)?;
    let breaches = breaches(&metadata);
    if !breaches.is_empty() {
        bail!("forbidden dependencies:\n  {}", breaches.join("\n  "));
    }
    layers::check(crate::build::root())
}

fn breaches(metadata: &Metadata) -> Vec<String> {
    let mut breaches = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let Some((_, allowed)) = WORKSPACE.iter().find(|(package, _)| *package == name) else {
            breaches.push(format!("{name} is not listed in xtask/src/rules.rs"));
            continue;
        };
        for dependency in &package.dependencies {
            let dependency = dependency.name.as_str();
            let in_workspace = WORKSPACE.iter().any(|(package, _)| *package == dependency);
            if in_workspace && !allowed.contains(&dependency) {
                breaches.push(format!("{name} may not depend on {dependency}"));
            }
            match owner(dependency) {
                Some(owner) if owner != name && name != TESTS => {
                    breaches.push(format!("{dependency} belongs in {owner}, not in {name}"));
                }
                _ => {}
            }
        }
    }
    breaches
}

/// The only package that may use this third-party crate.
fn owner(dependency: &str) -> Option<&'static str> {
    EXCLUSIVE
        .iter()
        .find(|(_, crates)| crates.contains(&dependency))
        .map(|(owner, _)| *owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(packages: &[(&str, &[&str])]) -> Metadata {
        let package = |(name, dependencies): &(&str, &[&str])| Package {
            name: (*name).to_owned(),
            dependencies: dependencies
                .iter()
                .map(|name| Dependency {
                    name: (*name).to_owned(),
                })
                .collect(),
        };
        Metadata {
            packages: packages.iter().map(package).collect(),
        }
    }

    #[test]
    fn allowed_dependencies_are_no_breach() {
        let allowed = workspace(&[
            ("visavis-protocol", &["serde"]),
            ("visavis-call", &["visavis-media", "webrtc"]),
            ("visavis", &["visavis-call", "tauri"]),
            ("visavis-tests", &["visavis-call", "webrtc"]),
        ]);
        assert!(breaches(&allowed).is_empty());
    }

    #[test]
    fn every_breach_is_named() {
        let forbidden = workspace(&[
            ("visavis-media", &["visavis-protocol"]),
            ("visavis-server", &["visavis-call"]),
            ("visavis-tests", &["visavis"]),
            ("visavis-headless", &["webrtc"]),
            ("visavis-extra", &[]),
        ]);
        assert_eq!(
            breaches(&forbidden),
            [
                "visavis-media may not depend on visavis-protocol",
                "visavis-server may not depend on visavis-call",
                "visavis-tests may not depend on visavis",
                "webrtc belongs in visavis-call, not in visavis-headless",
                "visavis-extra is not listed in xtask/src/rules.rs",
            ]
        );
    }

    #[test]
    fn the_output_of_cargo_metadata_is_parsed() {
        let text = r#"{"packages":[{"name":"xtask","version":"0.1.0","dependencies":
            [{"name":"visavis-call","kind":"dev","req":"*"}]}],"version":1}"#;
        let metadata: Metadata = serde_json::from_str(text).unwrap();
        assert_eq!(
            breaches(&metadata),
            ["xtask may not depend on visavis-call"]
        );
    }
}

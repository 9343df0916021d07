//! Who may depend on whom, read from `cargo metadata`.

use anyhow::{Result, bail};
use serde::Deserialize;

use crate::build::cargo;
use crate::process::{heading, output};

/// Each of our packages, with those of ours that it may depend on.
const OURS: &[(&str, &[&str])] = &[
    ("visavis-protocol", &[]),
    ("visavis-media", &[]),
    ("visavis-server", &["visavis-protocol"]),
    ("visavis-call", &["visavis-protocol", "visavis-media"]),
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
        ],
    ),
    ("xtask", &[]),
];

/// Foreign crates with one home, and that home. The tests may name them too.
const HOMES: &[(&str, &[&str])] = &[
    ("visavis-call", &["webrtc", "rtc"]),
    (
        "visavis-media",
        &[
            "cpal",
            "alsa",
            "nokhwa",
            "openh264",
            "openh264-sys2",
            "env-libvpx-sys",
            "opusic-c",
            "rubato",
            "yuv",
            "fast_image_resize",
            "zune-jpeg",
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

/// Checks the workspace.
///
/// # Errors
/// When it breaks a rule; all that do are named.
pub fn check() -> Result<()> {
    heading("Checking who depends on whom");
    let metadata = output(&mut cargo(&[
        "metadata",
        "--format-version=1",
        "--no-deps",
    ])?)?;
    let metadata: Metadata = serde_json::from_str(&metadata)?;
    let broken = broken(&metadata);
    if !broken.is_empty() {
        bail!(
            "dependencies that the design forbids:\n  {}",
            broken.join("\n  ")
        );
    }
    Ok(())
}

fn broken(metadata: &Metadata) -> Vec<String> {
    let mut broken = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let Some((_, allowed)) = OURS.iter().find(|(ours, _)| *ours == name) else {
            broken.push(format!("{name} has no place in xtask/src/rules.rs"));
            continue;
        };
        for Dependency { name: wanted } in &package.dependencies {
            let wanted = wanted.as_str();
            let is_ours = OURS.iter().any(|(ours, _)| *ours == wanted);
            if is_ours && !allowed.contains(&wanted) {
                broken.push(format!("{name} may not depend on {wanted}"));
            }
            match home(wanted) {
                Some(home) if home != name && name != TESTS => {
                    broken.push(format!("{wanted} belongs in {home}, not in {name}"));
                }
                _ => {}
            }
        }
    }
    broken
}

fn home(foreign: &str) -> Option<&'static str> {
    HOMES
        .iter()
        .find(|(_, crates)| crates.contains(&foreign))
        .map(|(home, _)| *home)
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
    fn what_the_design_allows_is_no_breach() {
        let fine = workspace(&[
            ("visavis-protocol", &["serde"]),
            ("visavis-call", &["visavis-media", "webrtc"]),
            ("visavis", &["visavis-call", "tauri"]),
            ("visavis-tests", &["visavis-call", "webrtc"]),
        ]);
        assert!(broken(&fine).is_empty());
    }

    #[test]
    fn every_breach_is_named() {
        let bad = workspace(&[
            ("visavis-media", &["visavis-protocol"]),
            ("visavis-server", &["visavis-call"]),
            ("visavis-tests", &["visavis"]),
            ("visavis-headless", &["webrtc"]),
            ("visavis-extra", &[]),
        ]);
        assert_eq!(
            broken(&bad),
            [
                "visavis-media may not depend on visavis-protocol",
                "visavis-server may not depend on visavis-call",
                "visavis-tests may not depend on visavis",
                "webrtc belongs in visavis-call, not in visavis-headless",
                "visavis-extra has no place in xtask/src/rules.rs",
            ]
        );
    }

    #[test]
    fn the_answer_of_cargo_is_read() {
        let text = r#"{"packages":[{"name":"xtask","version":"0.1.0","dependencies":
            [{"name":"visavis-call","kind":"dev","req":"*"}]}],"version":1}"#;
        let metadata: Metadata = serde_json::from_str(text).unwrap();
        assert_eq!(broken(&metadata), ["xtask may not depend on visavis-call"]);
    }
}

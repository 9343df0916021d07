//! `cargo xtask models`: the model of virtual backgrounds, from the npm registry into
//! `models/`, where bundles and development builds find it.
//!
//! It is fetched by name, version and hash, and never by a build: without it everything
//! builds, and the application says that its model is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::build::{root, target};
use crate::page;
use crate::process::{heading, run};

/// MediaPipe's package, under the Apache License 2.0.
const PACKAGE: &str = "@mediapipe/selfie_segmentation@0.1.1675465747";
/// The archive that npm makes of it.
const ARCHIVE: &str = "mediapipe-selfie_segmentation-0.1.1675465747.tgz";
/// The model's file, in the package and in `models/`.
const FILE: &str = "selfie_segmentation_landscape.tflite";
const SHA256: &str = "4aafe6223bb8dac6fac8ca8ed56852870a33051ef3f6238822d282a109962894";

/// Fetches the model if it is missing or another one.
///
/// # Errors
/// When it cannot be fetched, or is not the pinned one.
pub fn ensure() -> Result<()> {
    let path = folder().join(FILE);
    if fs::read(&path).is_ok_and(|bytes| check(&bytes).is_ok()) {
        return Ok(());
    }
    heading("Fetching the model of virtual backgrounds");
    let scratch = target()?.join("models");
    fs::create_dir_all(&scratch)?;
    let fetched = fetch(&scratch);
    let removed = fs::remove_dir_all(&scratch);
    let bytes = fetched?;
    removed?;
    check(&bytes)?;
    let unfinished = path.with_extension("part");
    fs::write(&unfinished, bytes)?;
    fs::rename(unfinished, &path).with_context(|| path.display().to_string())
}

/// The folder with a README in the repository and the models beside it.
fn folder() -> PathBuf {
    root().join("models")
}

fn fetch(scratch: &Path) -> Result<Vec<u8>> {
    page::pack(scratch, PACKAGE)?;
    let member = format!("package/{FILE}");
    run(Command::new("tar")
        .args(["-xzf", ARCHIVE, &member])
        .current_dir(scratch))?;
    Ok(fs::read(scratch.join(member))?)
}

fn check(bytes: &[u8]) -> Result<()> {
    let hash: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if hash != SHA256 {
        bail!("{FILE} of {PACKAGE} has the hash {hash}, not {SHA256}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_another_hash_is_refused_by_name() {
        let error = check(b"another model").unwrap_err().to_string();
        assert!(error.contains(FILE) && error.contains(SHA256), "{error}");
    }

    #[test]
    fn the_pinned_model_is_the_one_that_the_application_accepts() {
        let source = root().join("crates/media/src/video/background/model.rs");
        let source = fs::read_to_string(source).unwrap();
        assert!(source.contains(FILE) && source.contains(SHA256));
    }
}

//! The file of the segmentation model: where it is and which one it must be.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::BackgroundError;

/// The model: MediaPipe's selfie segmentation, landscape, which `cargo xtask models`
/// fetches.
const FILE: &str = "selfie_segmentation_landscape.tflite";
const BYTES: u64 = 249_792;
const SHA256: &str = "4aafe6223bb8dac6fac8ca8ed56852870a33051ef3f6238822d282a109962894";

/// Overrides where the models are.
const FOLDER: &str = "VISAVIS_MODELS";

/// The model's bytes, whose hash is right.
pub(super) fn load() -> Result<Vec<u8>, BackgroundError> {
    for folder in folders() {
        match read(&folder.join(FILE)) {
            Err(BackgroundError::ModelMissing) => {}
            outcome => return outcome,
        }
    }
    Err(BackgroundError::ModelMissing)
}

/// Where the models are: the folder of the environment variable, or `models` beside
/// the program, or in the resources of an installed package.
fn folders() -> Vec<PathBuf> {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return vec![folder.into()];
    }
    let program = std::env::current_exe().and_then(std::fs::canonicalize);
    let Some(beside) = program.as_deref().ok().and_then(Path::parent) else {
        return Vec::new();
    };
    [".", "../lib/Visavis", "../Resources"]
        .map(|folder| beside.join(folder).join("models"))
        .into()
}

fn read(path: &Path) -> Result<Vec<u8>, BackgroundError> {
    let damaged = |reason: String| BackgroundError::ModelDamaged(reason);
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => BackgroundError::ModelMissing,
        _ => damaged(error.to_string()),
    })?;
    let mut bytes = Vec::new();
    file.take(BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| damaged(error.to_string()))?;
    if bytes.len() as u64 != BYTES {
        return Err(damaged("its file has the wrong length".into()));
    }
    if hex(&Sha256::digest(&bytes)) != SHA256 {
        return Err(damaged("its file has the wrong contents".into()));
    }
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_missing_cut_or_another_one_says_which() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert_eq!(read(&path), Err(BackgroundError::ModelMissing));
        let mut model = load().expect("`cargo xtask models` fetches the model");
        let reason = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read(&path).unwrap_err().to_string()
        };
        for length in [0, 1, model.len() - 1] {
            assert!(reason(&model[..length]).contains("wrong length"));
        }
        assert!(reason(&[&model[..], &[0]].concat()).contains("wrong length"));
        model[100_000] ^= 1;
        assert!(reason(&model).contains("wrong contents"));
        model[100_000] ^= 1;
        std::fs::write(&path, &model).unwrap();
        assert_eq!(read(&path), Ok(model));
    }
}

//! Files of a crate that no module names: they are compiled by nobody, and their
//! tests fail for nobody.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::build::root;
use crate::process::heading;

/// Refuses them.
///
/// # Errors
/// When there is one, or a folder cannot be read.
pub fn check() -> Result<()> {
    heading("Looking for files that no module names");
    let crates = fs::read_dir(root().join("crates"))?;
    let mut folders: Vec<PathBuf> = crates
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    folders.extend(["src-tauri", "xtask"].map(|name| root().join(name)));
    for folder in folders {
        let mut files = Vec::new();
        gather(&folder.join("src"), &mut files)?;
        if let Some(path) = forgotten(&files) {
            bail!("no module names {}", path.display());
        }
    }
    Ok(())
}

fn gather(folder: &Path, files: &mut Vec<(PathBuf, String)>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, files)?;
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path)?;
            files.push((path, text));
        }
    }
    Ok(())
}

/// The first file that none of the others names.
fn forgotten(files: &[(PathBuf, String)]) -> Option<&Path> {
    let is_named = |path: &Path| {
        let (Some(stem), Some(parent)) = (path.file_stem(), path.parent()) else {
            return true;
        };
        let stem = stem.to_string_lossy();
        let names = [format!("mod {stem};"), format!("\"{stem}.rs\"")];
        // A module stands beside its folder, a root and a `#[path]` in it.
        files
            .iter()
            .filter(|(by, _)| by.with_extension("") == parent || by.parent() == Some(parent))
            .any(|(_, text)| names.iter().any(|name| text.contains(name)))
    };
    let is_root = |path: &Path| path.ends_with("main.rs") || path.ends_with("lib.rs");
    files
        .iter()
        .map(|(path, _)| path.as_path())
        .find(|path| !is_root(path) && !is_named(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_module_is_found() {
        let file = |path: &str, text: &str| (PathBuf::from(path), text.to_owned());
        let mut files = vec![
            file("src/lib.rs", "mod ws;\n#[path = \"other.rs\"] mod this;"),
            file("src/ws.rs", "#[cfg(test)]\nmod script;"),
            file("src/ws/script.rs", ""),
            file("src/other.rs", ""),
        ];
        assert_eq!(forgotten(&files), None);
        files[1].1.clear();
        assert_eq!(forgotten(&files), Some(Path::new("src/ws/script.rs")));
    }
}

//! Source files that no module declares. Cargo does not compile them, so their
//! tests never run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::build::root;
use crate::process::heading;

/// Checks that a module declares each source file of our crates.
///
/// # Errors
/// When no module declares a file, or a folder cannot be read.
pub fn check() -> Result<()> {
    heading("Checking that a module declares each source file");
    let crates = fs::read_dir(root().join("crates"))?;
    let mut folders: Vec<PathBuf> = crates
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    folders.extend(["src-tauri", "xtask"].map(|name| root().join(name)));
    for folder in folders {
        let mut files = Vec::new();
        gather(&folder.join("src"), &mut files)?;
        if let Some(path) = orphan(&files) {
            bail!("no module declares {}", path.display());
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

/// The first file that no other file declares as a module.
fn orphan(files: &[(PathBuf, String)]) -> Option<&Path> {
    let is_declared = |path: &Path| {
        let (Some(stem), Some(parent)) = (path.file_stem(), path.parent()) else {
            return true;
        };
        let stem = stem.to_string_lossy();
        let declarations = [format!("mod {stem};"), format!("\"{stem}.rs\"")];
        // `ws.rs` declares the files of `ws/`; a crate root and `#[path]` declare files of
        // their own folder.
        files
            .iter()
            .filter(|(other, _)| {
                other.with_extension("") == parent || other.parent() == Some(parent)
            })
            .any(|(_, text)| declarations.iter().any(|it| text.contains(it)))
    };
    let is_root = |path: &Path| path.ends_with("main.rs") || path.ends_with("lib.rs");
    files
        .iter()
        .map(|(path, _)| path.as_path())
        .find(|path| !is_root(path) && !is_declared(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_no_module_declares_is_found() {
        let file = |path: &str, text: &str| (PathBuf::from(path), text.to_owned());
        let mut files = vec![
            file("src/lib.rs", "mod ws;\n#[path = \"other.rs\"] mod this;"),
            file("src/ws.rs", "#[cfg(test)]\nmod script;"),
            file("src/ws/script.rs", ""),
            file("src/other.rs", ""),
        ];
        assert_eq!(orphan(&files), None);
        files[1].1.clear();
        assert_eq!(orphan(&files), Some(Path::new("src/ws/script.rs")));
    }
}

//! The page's TypeScript types. ts-rs derives them from the Rust types: it adds an
//! `export_bindings` test to each type, which writes the type's file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::build::{root, target};
use crate::process::{heading, run};
use crate::test::nextest;

/// The environment variable with the folder that ts-rs writes into.
pub const EXPORT_FOLDER: &str = "TS_RS_EXPORT_DIR";
/// The tests that write the types, as a filter for nextest.
pub const EXPORTS: &str = "test(/(^|::)export_bindings_/)";

/// A folder in the target directory for exported types.
///
/// # Errors
/// See [`target`].
pub fn scratch() -> Result<PathBuf> {
    Ok(target()?.join("page-types"))
}

/// Checks that the committed types match the Rust types.
///
/// # Errors
/// Names the files that differ.
pub fn check() -> Result<()> {
    heading("Checking that the page's types are up to date");
    let different = differences(&files(&committed())?, &files(&export()?)?);
    if !different.is_empty() {
        bail!(
            "the page's types are out of date; `cargo xtask types` regenerates them:\n  {}",
            different.join("\n  ")
        );
    }
    Ok(())
}

/// Regenerates the page's types. Nothing is written unless the whole export succeeds.
///
/// # Errors
/// When the build or an export fails.
pub fn regenerate() -> Result<ExitCode> {
    let current = files(&export()?)?;
    if current.is_empty() {
        bail!("no type was exported; the page's types are unchanged");
    }
    replace(&committed(), &current)?;
    Ok(ExitCode::SUCCESS)
}

fn committed() -> PathBuf {
    root().join("ui").join("src").join("generated")
}

/// Exports all types into an empty scratch folder and returns its path.
fn export() -> Result<PathBuf> {
    let folder = scratch()?;
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    // One thread: several tests write the same file.
    run(nextest()?.args(["--test-threads=1", "--status-level=fail", "-E", EXPORTS]))?;
    Ok(folder)
}

/// Writes these files into a folder and removes all others from it.
fn replace(folder: &Path, new: &BTreeMap<PathBuf, String>) -> Result<()> {
    for (path, text) in new {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, text)?;
    }
    for path in files(folder)?
        .keys()
        .filter(|path| !new.contains_key(*path))
    {
        std::fs::remove_file(folder.join(path))?;
    }
    Ok(())
}

/// The text of each file below a folder, by relative path.
fn files(folder: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let entries = next
            .read_dir()
            .with_context(|| next.display().to_string())?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path)?;
                found.insert(path.strip_prefix(folder)?.to_owned(), text);
            }
        }
    }
    Ok(found)
}

/// What has to change in the committed files, one item a file.
fn differences(
    committed: &BTreeMap<PathBuf, String>,
    current: &BTreeMap<PathBuf, String>,
) -> Vec<String> {
    let changed = current
        .iter()
        .filter_map(|(path, text)| match committed.get(path) {
            None => Some(format!("{} is missing", path.display())),
            Some(old) if old != text => Some(format!("{} changed", path.display())),
            Some(_) => None,
        });
    let removed = committed
        .keys()
        .filter(|path| !current.contains_key(*path))
        .map(|path| format!("{} has no Rust type", path.display()));
    changed.chain(removed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_changed_and_removed_types_are_named_and_then_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("committed/Same.ts", "a");
        write("committed/Changed.ts", "a");
        write("committed/Gone.ts", "a");
        write("current/Same.ts", "a");
        write("current/Changed.ts", "b");
        write("current/deep/New.ts", "b");
        let read = |name| files(&folder.path().join(name)).unwrap();
        assert_eq!(
            differences(&read("committed"), &read("current")),
            [
                "Changed.ts changed",
                "deep/New.ts is missing",
                "Gone.ts has no Rust type",
            ]
        );
        replace(&folder.path().join("committed"), &read("current")).unwrap();
        assert!(differences(&read("committed"), &read("current")).is_empty());
    }
}

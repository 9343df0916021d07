//! The page's types, derived from the Rust types by the `export_bindings` tests
//! that ts-rs adds to each of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::build::{root, target};
use crate::process::{heading, run};
use crate::test::nextest;

/// Where ts-rs writes.
pub const EXPORT_FOLDER: &str = "TS_RS_EXPORT_DIR";
/// The tests that write, as nextest names a set of tests.
pub const EXPORTS: &str = "test(/(^|::)export_bindings_/)";

/// A place for what no one wants to keep.
///
/// # Errors
/// See [`target`].
pub fn scratch() -> Result<PathBuf> {
    Ok(target()?.join("page-types"))
}

/// Fails when the page's types are not those of the Rust types.
///
/// # Errors
/// Names the files.
pub fn check() -> Result<()> {
    heading("Checking that the page's types are current");
    let different = differences(&files(&committed())?, &files(&export()?)?);
    if !different.is_empty() {
        bail!(
            "the page's types are not current; `cargo xtask types` renews them:\n  {}",
            different.join("\n  ")
        );
    }
    Ok(())
}

/// Writes the page's types anew, once all of them are there.
///
/// # Errors
/// When the build fails; the page's types are then as they were.
pub fn renew() -> Result<ExitCode> {
    let current = files(&export()?)?;
    if current.is_empty() {
        bail!("no type was exported; the page's types stay as they are");
    }
    replace(&committed(), &current)?;
    Ok(ExitCode::SUCCESS)
}

fn committed() -> PathBuf {
    root().join("ui").join("src").join("generated")
}

/// Exports into the scratch folder, and says where that is.
fn export() -> Result<PathBuf> {
    let folder = scratch()?;
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    // One at a time: several tests write the same file.
    run(nextest()?.args(["--test-threads=1", "--status-level=fail", "-E", EXPORTS]))?;
    Ok(folder)
}

/// Makes a folder hold these files and no others.
fn replace(folder: &Path, wanted: &BTreeMap<PathBuf, String>) -> Result<()> {
    for (path, text) in wanted {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, text)?;
    }
    for path in files(folder)?
        .keys()
        .filter(|path| !wanted.contains_key(*path))
    {
        std::fs::remove_file(folder.join(path))?;
    }
    Ok(())
}

/// The text of each file below a folder.
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
    let gone = committed
        .keys()
        .filter(|path| !current.contains_key(*path))
        .map(|path| format!("{} has no Rust type any more", path.display()));
    changed.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_is_new_changed_or_gone_is_named_and_then_renewed() {
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
                "Gone.ts has no Rust type any more",
            ]
        );
        replace(&folder.path().join("committed"), &read("current")).unwrap();
        assert!(differences(&read("committed"), &read("current")).is_empty());
    }
}

//! Finds in the sources the tests whose names begin with ids of requirements.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Tests;

/// Folders that contain tests.
const FOLDERS: [&str; 4] = ["crates", "src-tauri", "tests", "ui"];
/// Folders with generated or third-party files.
const EXCLUDED: [&str; 4] = ["node_modules", "dist", "target", "generated"];
/// Folders whose tests count for the server's side.
pub const SERVER: &[&str] = &["crates/protocol", "crates/server", "tests"];
/// Folders whose tests count for the client's side.
pub const CLIENT: &[&str] = &[
    "crates/call",
    "crates/headless",
    "crates/media",
    "src-tauri",
    "ui",
    "tests/call",
    "tests/room",
    "tests/desktop",
    "tests/media",
];
/// Folders whose tests run the application or its page.
pub const APPLICATION: &[&str] = &["src-tauri", "ui", "tests/desktop"];

/// A test.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Test {
    /// A function's name in Rust, a title in TypeScript.
    pub name: String,
    /// Path from the root of the checkout, with slashes.
    pub file: String,
}

impl Test {
    /// Whether the file is below one of these folders.
    pub fn is_in(&self, folders: &[&str]) -> bool {
        folders
            .iter()
            .any(|folder| Path::new(&self.file).starts_with(folder))
    }

    /// A Markdown link, relative to `docs`.
    pub fn link(&self) -> String {
        format!("[`{}`](../{})", self.name, self.file)
    }
}

/// All tests that carry ids, by id.
///
/// # Errors
/// When a file cannot be read.
pub fn all(root: &Path) -> Result<Tests> {
    let mut tests = Tests::new();
    for folder in FOLDERS {
        gather(root, &root.join(folder), &mut tests)?;
    }
    for tests in tests.values_mut() {
        tests.sort();
        tests.dedup();
    }
    Ok(tests)
}

fn gather(root: &Path, folder: &Path, tests: &mut Tests) -> Result<()> {
    for entry in folder.read_dir().context(folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            if !EXCLUDED.iter().any(|name| path.ends_with(name)) {
                gather(root, &path, tests)?;
            }
            continue;
        }
        let test_name = match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => function,
            Some("ts") => title,
            _ => continue,
        };
        let parts = path.strip_prefix(root)?.components();
        let parts: Vec<_> = parts
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        for name in text.lines().filter_map(test_name) {
            for id in ids(name) {
                tests.entry(id).or_default().push(Test {
                    name: name.to_owned(),
                    file: parts.join("/"),
                });
            }
        }
    }
    Ok(())
}

/// The name of the Rust function that begins on this line.
fn function(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let name = line.strip_prefix("fn ")?;
    name.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .next()
}

/// The title of the TypeScript test that begins on this line, unless it is skipped.
fn title(line: &str) -> Option<&str> {
    let (call, rest) = line.split_once('(')?;
    let mut call = call.trim().split('.');
    let is_test = matches!(call.next(), Some("it" | "test" | "describe"));
    let is_skipped = call.any(|modifier| matches!(modifier, "skip" | "todo"));
    let quote = rest.chars().next().filter(|c| "\"'`".contains(*c))?;
    let title = rest[1..].split(quote).next();
    title.filter(|_| is_test && !is_skipped)
}

/// The ids at the beginning of a name. There may be several in a row.
fn ids(name: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut rest = name;
    while let Some((id, after)) = id(rest) {
        ids.push(id);
        rest = after;
    }
    ids
}

/// The id at the beginning of `s4_28_…` or `S4-28 …`, and the rest of the name.
fn id(text: &str) -> Option<(String, &str)> {
    let (system, rest) = text.strip_prefix(['s', 'S'])?.split_at_checked(1)?;
    let (number, rest) = rest.strip_prefix(['_', '-'])?.split_at_checked(2)?;
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let rest = rest.strip_prefix(['_', ' ', ','])?.trim_start();
    (are_digits(system) && are_digits(number)).then(|| (format!("S{system}-{number}"), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_test_is_read_from_its_first_line() {
        assert_eq!(function("    async fn s4_28_four() {"), Some("s4_28_four"));
        assert_eq!(function("pub fn s4_28_four<T>(x: T)"), Some("s4_28_four"));
        assert_eq!(function("// fn s4_28_four()"), None);
        assert_eq!(title("  it(\"S3-47 two\", () => {"), Some("S3-47 two"));
        assert_eq!(title("test.only('S3-47 two', "), Some("S3-47 two"));
        assert_eq!(title("it.skip('S3-47 two', "), None);
        assert_eq!(title("it.todo('S3-47 two')"), None);
        assert_eq!(title("const limit(\"S3-47 two\")"), None);
    }

    #[test]
    fn ids_are_read_only_from_the_beginning_of_a_name() {
        assert_eq!(ids("s4_28_admits_four"), ["S4-28"]);
        assert_eq!(ids("s4_11_s4_28_admits_four"), ["S4-11", "S4-28"]);
        assert_eq!(ids("S3-47, S3-48 two and three"), ["S3-47", "S3-48"]);
        assert!(ids("sends_s4_28").is_empty());
        assert!(ids("s4_2_x").is_empty());
        assert!(ids("sé_28_x").is_empty());
    }

    #[test]
    fn tests_are_gathered_except_from_excluded_folders() {
        let top = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = top.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for folder in FOLDERS {
            fs::create_dir_all(top.path().join(folder)).unwrap();
        }
        write("tests/service/a.rs", "fn s0_01_s0_02_ids() {}\n");
        write("ui/src/b.test.ts", "it(\"S0-01 shown\", () => {\n");
        write("ui/node_modules/c.ts", "it(\"S0-01 excluded\", () => {\n");
        let found = all(top.path()).unwrap();
        let names = |id: &str| -> Vec<_> { found[id].iter().map(|t| t.name.as_str()).collect() };
        assert_eq!(names("S0-01"), ["S0-01 shown", "s0_01_s0_02_ids"]);
        assert_eq!(names("S0-02"), ["s0_01_s0_02_ids"]);
    }
}

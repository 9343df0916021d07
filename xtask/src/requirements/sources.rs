//! The tests whose names begin with the ids of requirements, found in the sources.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Tests;

/// Where tests are.
const FOLDERS: [&str; 4] = ["crates", "src-tauri", "tests", "ui"];
/// What was not written here.
const NOT_OURS: [&str; 4] = ["node_modules", "dist", "target", "generated"];
/// Where the tests of the service's side are.
const OF_THE_SERVICE: [&str; 3] = ["crates/protocol/", "crates/server/", "tests/"];

/// A test.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Test {
    /// A function's name, or a title in the page's tests.
    pub name: String,
    /// From the top of the checkout, with slashes.
    pub file: String,
}

impl Test {
    pub fn is_of_the_service(&self) -> bool {
        let mut folders = OF_THE_SERVICE.iter();
        folders.any(|folder| self.file.starts_with(folder))
    }

    /// As Markdown in `docs`.
    pub fn link(&self) -> String {
        format!("[`{}`](../{})", self.name, self.file)
    }
}

/// All of them, by id.
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
            if !NOT_OURS.iter().any(|other| path.ends_with(other)) {
                gather(root, &path, tests)?;
            }
            continue;
        }
        let name = match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => function,
            Some("ts") => title,
            _ => continue,
        };
        let parts = path.strip_prefix(root)?.components();
        let parts: Vec<_> = parts
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        for name in text.lines().filter_map(name) {
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

/// The name of the function that a line of Rust begins.
fn function(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let name = line.strip_prefix("fn ")?;
    name.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .next()
}

/// The title of the test that a line of TypeScript begins.
fn title(line: &str) -> Option<&str> {
    let (call, rest) = line.split_once('(')?;
    let is_test = matches!(
        call.trim().split('.').next(),
        Some("it" | "test" | "describe")
    );
    let quote = rest.chars().next().filter(|c| "\"'`".contains(*c))?;
    rest[1..].split(quote).next().filter(|_| is_test)
}

/// The ids that a name begins with: one, or several, one after the other.
fn ids(name: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut rest = name;
    while let Some((id, after)) = id(rest) {
        ids.push(id);
        rest = after;
    }
    ids
}

/// The id at the beginning of `s4_28_…` or `S4-28 …`, and what comes after it.
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
    fn names_are_found_where_a_test_begins() {
        assert_eq!(function("    async fn s4_28_four() {"), Some("s4_28_four"));
        assert_eq!(function("pub fn s4_28_four<T>(x: T)"), Some("s4_28_four"));
        assert_eq!(function("// fn s4_28_four()"), None);
        assert_eq!(title("  it(\"S3-47 two\", () => {"), Some("S3-47 two"));
        assert_eq!(title("test.only('S3-47 two', "), Some("S3-47 two"));
        assert_eq!(title("const limit(\"S3-47 two\")"), None);
    }

    #[test]
    fn a_name_bears_the_ids_that_it_begins_with() {
        assert_eq!(ids("s4_28_admits_four"), ["S4-28"]);
        assert_eq!(ids("s4_11_s4_28_admits_four"), ["S4-11", "S4-28"]);
        assert_eq!(ids("S3-47, S3-48 two and three"), ["S3-47", "S3-48"]);
        assert!(ids("sends_s4_28").is_empty());
        assert!(ids("s4_2_x").is_empty());
        assert!(ids("sé_28_x").is_empty());
    }

    #[test]
    fn tests_are_gathered_from_files_of_ours() {
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
        write("ui/node_modules/c.ts", "it(\"S0-01 not ours\", () => {\n");
        let found = all(top.path()).unwrap();
        let names = |id: &str| -> Vec<_> { found[id].iter().map(|t| t.name.as_str()).collect() };
        assert_eq!(names("S0-01"), ["S0-01 shown", "s0_01_s0_02_ids"]);
        assert_eq!(names("S0-02"), ["s0_01_s0_02_ids"]);
    }
}

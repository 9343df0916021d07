//! Reads the modules of a crate and the paths from one top-level module to another.
//!
//! Starts at `lib.rs` and follows `mod` declarations. Test-only items are skipped, so
//! files that only tests declare are never read. Paths count wherever their tokens
//! stand, in the arguments of macros too; strings and comments do not count.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use proc_macro2::{Delimiter, Ident, Spacing, TokenStream, TokenTree};

/// The top-level modules of a crate.
#[derive(Debug, Default)]
pub struct Modules {
    /// Their names, with the lines in `lib.rs` that declare them.
    pub declared: Vec<(String, usize)>,
    pub uses: Vec<Use>,
}

/// A path from one top-level module to another.
#[derive(Debug, PartialEq, Eq)]
pub struct Use {
    /// From the folder of `lib.rs`, with slashes.
    pub file: String,
    pub line: usize,
    pub from: String,
    /// A top-level module, or another item of `lib.rs`.
    pub to: String,
}

/// Reads the crate whose `lib.rs` is in this folder.
///
/// # Errors
/// When a file of a module cannot be read or is not Rust.
pub fn read(source: &Path) -> Result<Modules> {
    let mut modules = Modules::default();
    let mut unread: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(module) = unread.pop() {
        let file = match module.as_slice() {
            [] => "lib.rs".to_owned(),
            names => format!("{}.rs", names.join("/")),
        };
        let path = source.join(&file);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let tokens: TokenStream = text
            .parse()
            .map_err(|error| anyhow!("{}: {error}", path.display()))?;
        let mut reader = Reader {
            file: &file,
            modules: &mut modules,
            unread: &mut unread,
        };
        reader.read(tokens, &module);
    }
    Ok(modules)
}

/// Reads one file.
struct Reader<'a> {
    file: &'a str,
    modules: &'a mut Modules,
    /// Modules in files of their own.
    unread: &'a mut Vec<Vec<String>>,
}

impl Reader<'_> {
    /// Reads tokens of the module with this path.
    fn read(&mut self, tokens: TokenStream, module: &[String]) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut rest = tokens.as_slice();
        while let [first, after @ ..] = rest {
            let consumed = match (first, after) {
                (TokenTree::Punct(hash), [TokenTree::Group(attribute), after @ ..])
                    if hash.as_char() == '#' && is_test_only(attribute.stream()) =>
                {
                    2 + item(after)
                }
                (TokenTree::Ident(keyword), [TokenTree::Ident(name), body, ..])
                    if *keyword == "mod" =>
                {
                    self.module(name, body, module);
                    3
                }
                (TokenTree::Ident(start), [TokenTree::Punct(colon), ..])
                    if is_keyword(start) && colon.spacing() == Spacing::Joint =>
                {
                    self.path(rest, module, module.len())
                }
                (TokenTree::Group(group), _) => {
                    self.read(group.stream(), module);
                    1
                }
                _ => 1,
            };
            rest = &rest[consumed..];
        }
    }

    /// Reads the declaration of a module: its body, or later its file.
    fn module(&mut self, name: &Ident, body: &TokenTree, parent: &[String]) {
        if parent.is_empty() {
            let line = name.span().start().line;
            self.modules.declared.push((name.to_string(), line));
        }
        let path = [parent, &[name.to_string()]].concat();
        match body {
            TokenTree::Group(body) => self.read(body.stream(), &path),
            _ => self.unread.push(path),
        }
    }

    /// Follows a path, or a branch of a `use` tree, from `depth` modules below the root
    /// of the crate. Returns the number of tokens read.
    fn path(&mut self, tokens: &[TokenTree], module: &[String], depth: usize) -> usize {
        match tokens {
            [TokenTree::Ident(start), _, _, rest @ ..] if is_keyword(start) => {
                let depth = if *start == "crate" {
                    0
                } else {
                    depth.saturating_sub(1)
                };
                3 + self.path(rest, module, depth)
            }
            [TokenTree::Group(tree), ..] if tree.delimiter() == Delimiter::Brace => {
                for branch in split(tree.stream()) {
                    self.path(&branch, module, depth);
                }
                1
            }
            [item, ..] if depth == 0 => {
                self.found(item, module);
                1
            }
            _ => 0,
        }
    }

    /// Records a path to this item of the crate's root.
    fn found(&mut self, item: &TokenTree, module: &[String]) {
        let to = item.to_string();
        if let Some(from) = module.first().filter(|from| **from != to) {
            self.modules.uses.push(Use {
                file: self.file.to_owned(),
                line: item.span().start().line,
                from: from.clone(),
                to,
            });
        }
    }
}

/// Whether a path that starts with this identifier is relative to the crate or to the
/// parent module.
fn is_keyword(start: &Ident) -> bool {
    *start == "crate" || *start == "super"
}

/// Whether the attribute removes its item from every build except those of tests and
/// fuzz targets.
fn is_test_only(attribute: TokenStream) -> bool {
    fn holds_in_tests_only(predicate: &[TokenTree]) -> bool {
        match predicate {
            [TokenTree::Ident(name)] => *name == "test" || *name == "fuzzing",
            [TokenTree::Ident(name), TokenTree::Group(list)] => {
                let list = split(list.stream());
                match name.to_string().as_str() {
                    "any" => list.iter().all(|one| holds_in_tests_only(one)),
                    "all" => list.iter().any(|one| holds_in_tests_only(one)),
                    _ => false,
                }
            }
            _ => false,
        }
    }
    let tokens: Vec<_> = attribute.into_iter().collect();
    match tokens.as_slice() {
        [TokenTree::Ident(cfg), TokenTree::Group(predicate)] if *cfg == "cfg" => {
            let predicate: Vec<_> = predicate.stream().into_iter().collect();
            holds_in_tests_only(&predicate)
        }
        _ => false,
    }
}

/// The number of tokens of the item at the beginning, at most up to a body in braces.
fn item(tokens: &[TokenTree]) -> usize {
    let is_end = |token: &TokenTree| match token {
        TokenTree::Group(body) => body.delimiter() == Delimiter::Brace,
        TokenTree::Punct(end) => matches!(end.as_char(), ';' | ','),
        _ => false,
    };
    let end = tokens.iter().position(is_end);
    end.map_or(tokens.len(), |end| end + 1)
}

/// The parts between commas.
fn split(list: TokenStream) -> Vec<Vec<TokenTree>> {
    let tokens: Vec<_> = list.into_iter().collect();
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(it) if it.as_char() == ',');
    tokens
        .split(is_comma)
        .filter(|part| !part.is_empty())
        .map(<[_]>::to_vec)
        .collect()
}

#[cfg(test)]
mod tests;

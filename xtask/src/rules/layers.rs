//! The layers of `crates/server`: which of its top-level modules may use which.
//!
//! [`LAYERS`] lists the modules from the lowest up. A module may name only modules that
//! are listed before it, so there can be no cycle. `lib.rs` is above all of them: it
//! re-exports their items for other crates, and none of them uses it.

mod paths;

use std::path::Path;

use anyhow::{Result, bail};

use crate::process::heading;
use paths::{Modules, Use};

/// A top-level module, with the modules it may use.
type Layer = (&'static str, &'static [&'static str]);

const SERVER: &str = "crates/server/src";
const TABLE: &str = "xtask/src/rules/layers.rs";

/// From the lowest up.
#[rustfmt::skip]
const LAYERS: &[Layer] = &[
    ("clock", &[]),
    ("id", &["clock"]),
    ("model", &["clock", "id"]),
    ("tls", &[]),
    ("access", &["clock", "id", "model"]),
    ("lifecycle", &["clock", "id", "model"]),
    ("render", &["clock", "id", "model", "lifecycle"]),
    ("ice", &["clock", "id"]),
    ("egress", &["model", "lifecycle"]),
    ("store", &["clock", "id", "model", "lifecycle"]),
    ("stun", &["access"]),
    ("config", &["tls", "access", "store", "stun"]),
    ("socket", &["tls", "access", "config"]),
    ("cluster", &["clock", "id", "model"]),
    ("cache", &["clock", "id", "model", "cluster"]),
    ("refusal", &["clock", "access", "store"]),
    ("metrics", &["clock", "model", "store", "refusal"]),
    ("room", &[
        "clock", "id", "model", "socket", "access", "ice", "store", "cluster", "refusal",
    ]),
    ("rooms", &[
        "clock", "id", "model", "socket", "access", "lifecycle", "render", "ice", "egress",
        "store", "config", "cluster", "cache", "refusal", "metrics", "room",
    ]),
    ("webhook", &["clock", "tls", "access", "lifecycle", "store", "metrics"]),
    ("signalling", &["clock", "id", "model", "socket", "access", "refusal", "room", "rooms"]),
    ("ws", &["id", "tls", "socket", "access", "stun", "refusal", "rooms", "signalling"]),
    ("http", &[
        "clock", "id", "model", "tls", "access", "lifecycle", "render", "egress", "store",
        "stun", "config", "socket", "refusal", "metrics", "rooms", "webhook", "ws",
    ]),
    ("server", &["tls", "store", "stun", "config", "rooms", "webhook", "http"]),
    ("cli", &[
        "clock", "id", "model", "tls", "access", "render", "store", "stun", "config", "rooms",
        "webhook", "server",
    ]),
];

/// Checks the modules of the server.
///
/// # Errors
/// Names every breach with its file and line.
pub fn check(root: &Path) -> Result<()> {
    heading("Checking the module layers of the server");
    let modules = paths::read(&root.join(SERVER))?;
    let mut breaches = order_breaches(LAYERS);
    breaches.extend(list_breaches(LAYERS, &modules));
    breaches.extend(use_breaches(LAYERS, &modules));
    if !breaches.is_empty() {
        bail!("the server breaks its layers:\n  {}", breaches.join("\n  "));
    }
    Ok(())
}

/// Modules of the table that are listed twice or may use a module above them.
fn order_breaches(layers: &[Layer]) -> Vec<String> {
    let mut breaches = Vec::new();
    for (at, (module, allowed)) in layers.iter().enumerate() {
        let is_below = |name| layers[..at].iter().any(|(below, _)| *below == name);
        if is_below(*module) {
            breaches.push(format!("{TABLE}: {module} is listed twice"));
        }
        for name in allowed.iter().filter(|name| !is_below(**name)) {
            breaches.push(format!(
                "{TABLE}: {module} names {name}, which is not listed before it"
            ));
        }
    }
    breaches
}

/// Modules that only the table or only the server has.
fn list_breaches(layers: &[Layer], modules: &Modules) -> Vec<String> {
    let mut breaches = Vec::new();
    for (name, line) in &modules.declared {
        if !layers.iter().any(|(module, _)| module == name) {
            breaches.push(format!(
                "{SERVER}/lib.rs:{line}: {TABLE} does not list {name}"
            ));
        }
    }
    for (module, _) in layers {
        if !modules.declared.iter().any(|(name, _)| name == module) {
            breaches.push(format!(
                "{TABLE}: {SERVER}/lib.rs does not declare {module}"
            ));
        }
    }
    breaches
}

/// Uses that the table does not allow.
fn use_breaches(layers: &[Layer], modules: &Modules) -> Vec<String> {
    let mut breaches = Vec::new();
    for Use {
        file,
        line,
        from,
        to,
    } in &modules.uses
    {
        let Some((_, allowed)) = layers.iter().find(|(module, _)| module == from) else {
            continue; // Reported by `list_breaches`.
        };
        let is_module = modules.declared.iter().any(|(name, _)| name == to);
        if !is_module {
            breaches.push(format!(
                "{SERVER}/{file}:{line}: {from} may not use crate::{to} of lib.rs"
            ));
        } else if !allowed.contains(&to.as_str()) {
            breaches.push(format!("{SERVER}/{file}:{line}: {from} may not use {to}"));
        }
    }
    breaches.sort();
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE_UP: &[Layer] = &[("id", &[]), ("store", &["id"]), ("http", &["id", "store"])];

    fn modules(names: &[&str], uses: &[(&str, usize, &str, &str)]) -> Modules {
        let declared = names
            .iter()
            .enumerate()
            .map(|(at, name)| ((*name).to_owned(), at + 1));
        let uses = uses.iter().map(|(file, line, from, to)| Use {
            file: (*file).to_owned(),
            line: *line,
            from: (*from).to_owned(),
            to: (*to).to_owned(),
        });
        Modules {
            declared: declared.collect(),
            uses: uses.collect(),
        }
    }

    #[test]
    fn the_table_is_in_order() {
        assert_eq!(order_breaches(LAYERS), Vec::<String>::new());
        assert_eq!(order_breaches(MADE_UP), Vec::<String>::new());
    }

    #[test]
    fn a_module_that_names_itself_or_one_above_it_and_one_listed_twice_are_refused() {
        let cycle: &[Layer] = &[("id", &["store"]), ("store", &["id", "store"]), ("id", &[])];
        assert_eq!(
            order_breaches(cycle),
            [
                "xtask/src/rules/layers.rs: id names store, which is not listed before it",
                "xtask/src/rules/layers.rs: store names store, which is not listed before it",
                "xtask/src/rules/layers.rs: id is listed twice",
            ]
        );
    }

    #[test]
    fn an_unlisted_module_and_a_listed_one_that_does_not_exist_are_refused() {
        assert_eq!(
            list_breaches(MADE_UP, &modules(&["id", "store", "http"], &[])),
            Vec::<String>::new()
        );
        assert_eq!(
            list_breaches(MADE_UP, &modules(&["id", "store", "egress"], &[])),
            [
                "crates/server/src/lib.rs:3: xtask/src/rules/layers.rs does not list egress",
                "xtask/src/rules/layers.rs: crates/server/src/lib.rs does not declare http",
            ]
        );
    }

    #[test]
    fn each_use_that_the_table_does_not_allow_is_named_with_its_file_and_line() {
        let names = ["id", "store", "http"];
        let uses = [
            ("http/rooms.rs", 3, "http", "store"),
            ("store.rs", 7, "store", "http"),
            ("id/ulid.rs", 2, "id", "store"),
            ("http.rs", 9, "http", "ServerConfig"),
        ];
        assert_eq!(
            use_breaches(MADE_UP, &modules(&names, &uses)),
            [
                "crates/server/src/http.rs:9: http may not use crate::ServerConfig of lib.rs",
                "crates/server/src/id/ulid.rs:2: id may not use store",
                "crates/server/src/store.rs:7: store may not use http",
            ]
        );
    }
}

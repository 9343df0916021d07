use super::*;

/// The uses in a crate whose `lib.rs` declares the modules `a` to `d`, as
/// `file:line from -> to`.
fn uses(files: &[(&str, &str)]) -> Vec<String> {
    let source = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = source.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "lib.rs",
        "//! A crate.\n\nmod a;\npub mod b;\nmod c;\nmod d;\npub use a::Item;\n",
    );
    for name in ["a.rs", "b.rs", "c.rs", "d.rs"] {
        write(name, "");
    }
    for (name, text) in files {
        write(name, text);
    }
    let modules = read(source.path()).unwrap();
    let declared = [("a", 3), ("b", 4), ("c", 5), ("d", 6)];
    assert_eq!(
        modules.declared,
        declared.map(|(name, line)| (name.to_owned(), line))
    );
    let mut uses: Vec<_> = modules
        .uses
        .iter()
        .map(
            |Use {
                 file,
                 line,
                 from,
                 to,
             }| { format!("{file}:{line} {from} -> {to}") },
        )
        .collect();
    uses.sort();
    uses
}

#[test]
fn each_branch_of_a_use_tree_is_found_with_its_line() {
    let text = "use crate::{\n    b::{self, x::Y},\n    c,\n};\nuse std::fs;\npub(crate) use crate::d::Z;\n";
    assert_eq!(
        uses(&[("a.rs", text)]),
        ["a.rs:2 a -> b", "a.rs:3 a -> c", "a.rs:6 a -> d"]
    );
}

#[test]
fn a_path_in_an_expression_and_in_the_arguments_of_a_macro_is_found() {
    let text = "fn f() -> crate::b::B {\n    println!(\"{}\", crate::c::name());\n    crate::d::make()\n}\n";
    assert_eq!(
        uses(&[("a.rs", text)]),
        ["a.rs:1 a -> b", "a.rs:2 a -> c", "a.rs:3 a -> d"]
    );
}

#[test]
fn super_is_resolved_from_the_depth_of_its_module() {
    let files = [
        (
            "a.rs",
            "mod deep;\nuse super::b;\nmod inline {\n    use super::c;\n    use super::super::c;\n}\n",
        ),
        (
            "a/deep.rs",
            "use super::d;\nuse super::super::{b, d::X};\nfn f() { self::super::super::c::g() }\n",
        ),
    ];
    let expected = [
        "a.rs:2 a -> b",
        "a.rs:5 a -> c",
        "a/deep.rs:2 a -> b",
        "a/deep.rs:2 a -> d",
        "a/deep.rs:3 a -> c",
    ];
    assert_eq!(uses(&files), expected);
}

#[test]
fn an_item_of_the_root_and_a_glob_of_it_are_found() {
    let text = "use crate::Item;\nuse crate::*;\n";
    assert_eq!(
        uses(&[("b.rs", text)]),
        ["b.rs:1 b -> Item", "b.rs:2 b -> *"]
    );
}

#[test]
fn a_path_within_its_own_module_a_string_a_comment_and_a_visibility_are_no_use() {
    let text = "//! See [`crate::b`].\npub(in crate::a) struct X;\npub(crate) struct Y;\n\
        // crate::c\nconst Z: &str = \"crate::d\";\nuse crate::a::X as W;\n";
    assert!(uses(&[("a.rs", text)]).is_empty());
}

#[test]
fn test_only_modules_and_items_are_skipped_and_what_follows_them_is_read() {
    let files = [
        (
            "a.rs",
            "#[cfg(test)]\nmod walk;\n#[cfg(any(test, fuzzing))]\npub mod fuzz { use crate::b::X; }\n\
             #[cfg(test)]\nuse crate::c::{Y, Z};\n#[cfg(all(test, unix))]\n#[path = \"none.rs\"]\nmod tests;\n\
             use crate::d;\n",
        ),
        ("a/walk.rs", "use crate::b;\n"),
    ];
    assert_eq!(uses(&files), ["a.rs:10 a -> d"]);
}

#[test]
fn an_item_that_ordinary_builds_contain_is_read() {
    let text = "#[cfg(not(test))]\nuse crate::b;\n#[cfg(any(test, unix))]\nuse crate::c;\n";
    assert_eq!(uses(&[("a.rs", text)]), ["a.rs:2 a -> b", "a.rs:4 a -> c"]);
}

#[test]
fn a_missing_file_is_named() {
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("lib.rs"), "mod gone;").unwrap();
    let error = format!("{:#}", read(source.path()).unwrap_err());
    assert!(error.contains("gone.rs"), "{error}");
}

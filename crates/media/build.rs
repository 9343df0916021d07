//! Warns of what would silently make the build slow.

use std::env;

fn main() {
    println!("cargo::rerun-if-env-changed=PATH");
    let assembled = matches!(
        env::var("CARGO_CFG_TARGET_ARCH").as_deref(),
        Ok("x86" | "x86_64")
    );
    let nasm = format!("nasm{}", env::consts::EXE_SUFFIX);
    let found = env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(&nasm).is_file()));
    if assembled && !found {
        println!(
            "cargo::warning=nasm is not installed: H.264 will take three times the processor time"
        );
    }
}

//! Names the code that is being built, so that results can be bound to it.
//!
//! The code hash is SHA-256 over the paths and contents of everything that can change a result: `src/`, `experiments/`,
//! `Cargo.toml`, `Cargo.lock` and the enabled features. It needs no git, so that a source archive gives the same hash.

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDERS: [&str; 2] = ["src", "experiments"];
const FILES: [&str; 2] = ["Cargo.toml", "Cargo.lock"];

fn main() {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| ".".into()));
    for watched in FOLDERS.iter().chain(&FILES).chain(&["build.rs"]) {
        println!("cargo:rerun-if-changed={watched}");
    }
    let features = features();
    set("TICKETSENSE_CODE_HASH", &code_hash(&root, &features));
    set("TICKETSENSE_FEATURES", &features);
    set("TICKETSENSE_TARGET", &std::env::var("TARGET").unwrap_or_default());
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    set(
        "TICKETSENSE_RUSTC",
        &output(&root, Command::new(rustc).arg("--version")).unwrap_or_default(),
    );
    set("TICKETSENSE_GIT_REVISION", &git_revision(&root).unwrap_or_default());
}

fn set(name: &str, value: &str) {
    println!("cargo:rustc-env={name}={value}");
}

/// The enabled features, sorted, joined by commas.
fn features() -> String {
    let mut names: Vec<String> = std::env::vars()
        .filter_map(|(name, _)| {
            name.strip_prefix("CARGO_FEATURE_")
                .map(|n| n.to_lowercase().replace('_', "-"))
        })
        .filter(|name| name != "default")
        .collect();
    names.sort();
    names.join(",")
}

fn code_hash(root: &Path, features: &str) -> String {
    let mut paths: Vec<PathBuf> = FILES.iter().map(|file| root.join(file)).collect();
    for folder in FOLDERS {
        collect(&root.join(folder), &mut paths);
    }
    // Sorted by the name that is hashed, with forward slashes, so that every system sees the same order.
    let mut named: Vec<(String, PathBuf)> = paths
        .into_iter()
        .map(|path| {
            let name = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .to_string_lossy()
                .replace('\\', "/");
            (name, path)
        })
        .collect();
    named.sort();
    let mut hash = Sha256::new();
    let mut update = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    update(features.as_bytes());
    for (name, path) in named {
        if let Ok(content) = std::fs::read(&path) {
            update(name.as_bytes());
            update(&content);
        }
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// Every file below a folder; names that begin with a dot are editors' and systems' own.
fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            collect(&path, into);
        } else {
            into.push(path);
        }
    }
}

/// The revision whose tree is built, with a mark where the hashed files differ from it; nothing outside a repository
/// that tracks this file.
///
/// It is read when the hashed files change, not at every commit: a later commit that leaves them alone names the same
/// code, so the recorded revision stays true.
fn git_revision(root: &Path) -> Option<String> {
    let git = |arguments: &[&str]| output(root, Command::new("git").args(arguments));
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    let revision = git(&["rev-parse", "HEAD"])?;
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(FOLDERS);
    status.extend(FILES);
    let changed = git(&status)?;
    Some(if changed.is_empty() {
        revision
    } else {
        format!("{revision}-modified")
    })
}

fn output(root: &Path, command: &mut Command) -> Option<String> {
    let result = command.current_dir(root).output().ok()?;
    result
        .status
        .success()
        .then(|| String::from_utf8_lossy(&result.stdout).trim().to_string())
}

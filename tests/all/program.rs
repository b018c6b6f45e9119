//! The built program, and one smoke run of every experiment that several tests read.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program with some arguments.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ticketsense"));
    command.args(arguments).current_dir(root());
    command
}

/// Runs the program to its end.
pub fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// Runs the program, which must succeed, and reads the JSON object that it prints.
pub fn json(arguments: &[&str]) -> Value {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", errors(&output));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(value.is_object(), "{arguments:?} prints {value}");
    value
}

/// What a run wrote to standard error.
pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every experiment that the program lists.
pub fn experiment_ids() -> Vec<String> {
    let list = json(&["list", "--json"]);
    let experiments = list["experiments"].as_array().unwrap();
    experiments
        .iter()
        .map(|e| e["id"].as_str().unwrap().to_string())
        .collect()
}

/// A folder of this test process, removed with the value.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ticketsense-tests-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn str(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Outputs that must not depend on time, host, jobs or interruptions, by path below the folder of results.
pub fn outputs(results: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut outputs = BTreeMap::new();
    for id in experiment_ids() {
        for name in ["table.csv", "verdicts.json", "figure.svg", "figure.png"] {
            let path = results.join(&id).join(name);
            let content = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            outputs.insert(format!("{id}/{name}"), content);
        }
    }
    outputs
}

/// Says where outputs differ without printing them.
pub fn assert_same_outputs(results: &Path, expected: &BTreeMap<String, Vec<u8>>) {
    let found = outputs(results);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    let differing: Vec<&String> = found.keys().filter(|name| found[*name] != expected[*name]).collect();
    assert!(differing.is_empty(), "other bytes in {differing:?}");
}

/// The folder of one smoke run of every experiment with two jobs, made once for all tests.
pub fn smoke_results() -> &'static Path {
    static RESULTS: OnceLock<PathBuf> = OnceLock::new();
    RESULTS.get_or_init(|| {
        // Below the build's own folder, so that it needs no cleaning: the next build's tests replace it.
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("smoke");
        let _ = std::fs::remove_dir_all(&path);
        let out = path.to_str().unwrap();
        let output = run(&["reproduce", "--scale", "smoke", "--jobs", "2", "--out", out]);
        assert!(output.status.success(), "smoke run: {}", errors(&output));
        path
    })
}

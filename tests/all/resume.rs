//! Killed, interrupted and damaged runs end with the bytes of an undisturbed one.

use crate::program::{Folder, assert_same_outputs, command, errors, experiment_ids, outputs, run, smoke_results};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

fn parts(results: &Path) -> Vec<PathBuf> {
    let mut parts = Vec::new();
    for id in experiment_ids() {
        let folder = ticketsense::files::list_folder(results.join(".cells").join(id)).unwrap();
        parts.extend(folder.into_iter().filter(|p| p.extension().is_some_and(|e| e == "csv")));
    }
    parts.sort();
    parts
}

fn start(out: &str) -> Child {
    command(&["reproduce", "--scale", "smoke", "--jobs", "1", "--out", out])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until the condition holds or the program ends by itself.
fn wait_until(child: &mut Child, condition: impl Fn() -> bool) {
    while !condition() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn finish(out: &str) {
    let output = run(&["reproduce", "--scale", "smoke", "--jobs", "1", "--out", out]);
    assert!(output.status.success(), "{}", errors(&output));
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_with_the_same_bytes() {
    let expected = outputs(smoke_results());
    let total = parts(smoke_results()).len();
    let folder = Folder::new("killed");
    for share in [0.0, 0.2, 0.5, 0.8] {
        let enough = (share * total as f64) as usize;
        let mut child = start(folder.str());
        wait_until(&mut child, || parts(&folder.0).len() > enough);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // Once more while the outputs of some experiment are being written.
    let ids = experiment_ids();
    let before: Vec<bool> = ids
        .iter()
        .map(|id| folder.0.join(id).join("table.csv").exists())
        .collect();
    let mut child = start(folder.str());
    wait_until(&mut child, || {
        ids.iter()
            .zip(&before)
            .any(|(id, before)| !before && folder.0.join(id).join("table.csv").exists())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    finish(folder.str());
    assert_same_outputs(&folder.0, &expected);
    let leftover = |id: &String| {
        let names = ticketsense::files::list_folder(folder.0.join(id)).unwrap();
        names.iter().any(|p| p.extension().is_some_and(|e| e == "part"))
    };
    assert!(cfg!(not(target_os = "linux")) || !ids.iter().any(leftover));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_run_with_130_and_keeps_what_was_finished() {
    let ids = experiment_ids();
    let folder = Folder::new("interrupted");
    let mut child = start(folder.str());
    wait_until(&mut child, || !parts(&folder.0).is_empty());
    let sent = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let status = child.wait().unwrap();
    if ids.is_empty() {
        return;
    }
    // A run of a single short experiment may have ended between the look and the signal.
    if sent.success() && status.code() != Some(0) {
        assert_eq!(status.code(), Some(130));
    }
    assert!(!parts(&folder.0).is_empty());
    finish(folder.str());
    assert_same_outputs(&folder.0, &outputs(smoke_results()));
}

#[test]
fn damaged_part_files_are_computed_again() {
    let expected = outputs(smoke_results());
    let folder = Folder::new("damaged");
    copy(smoke_results(), &folder.0);
    for (number, part) in parts(&folder.0).into_iter().enumerate() {
        // Every fifth is damaged, each in another way; the others show that intact ones are still used.
        let mut content = std::fs::read(&part).unwrap();
        match number % 20 {
            0 => content.clear(),
            5 => content.truncate(content.len() - 2),
            10 => {
                let last = content.len() - 2;
                content[last] ^= 1;
            }
            15 => content.extend_from_slice(b"more\n"),
            _ => continue,
        }
        std::fs::write(&part, content).unwrap();
    }
    for id in experiment_ids() {
        std::fs::remove_dir_all(folder.0.join(id)).unwrap();
    }
    finish(folder.str());
    assert_same_outputs(&folder.0, &expected);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for path in ticketsense::files::list_folder(from).unwrap() {
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

//! Every experiment, through the built program.

use crate::program::{Folder, errors, experiment_ids, json, root, run, smoke_results};
use serde_json::Value;
use ticketsense::files;

#[test]
fn every_smoke_run_leaves_complete_outputs_with_right_checksums() {
    for id in experiment_ids() {
        let folder = smoke_results().join(&id);
        let manifest: Value = serde_json::from_slice(&files::read(folder.join("manifest.json")).unwrap()).unwrap();
        assert_eq!(manifest["identity"]["experiment"], id);
        assert_eq!(manifest["identity"]["scale"], "smoke");
        let outputs = manifest["outputs"].as_object().unwrap();
        for name in ["table.csv", "verdicts.json", "figure.svg", "figure.png"] {
            assert!(outputs.contains_key(name), "{id}: {name} is not in the manifest");
        }
        for (name, checksum) in outputs {
            let content = files::read(folder.join(name)).unwrap();
            assert_eq!(files::sha256_hex(&content), checksum.as_str().unwrap(), "{id}/{name}");
        }
        let table = files::read_text(folder.join("table.csv")).unwrap();
        assert!(table.lines().count() > 1, "{id}: an empty table");
    }
}

#[test]
fn a_completed_run_is_not_repeated() {
    let out = smoke_results().to_str().unwrap();
    let again = json(&["reproduce", "--scale", "smoke", "--out", out, "--json"]);
    for experiment in again["experiments"].as_array().unwrap() {
        assert_eq!(experiment["state"], "up-to-date", "{}", experiment["id"]);
    }
}

#[test]
fn the_claims_of_a_run_are_those_that_its_tables_give() {
    let out = smoke_results().to_str().unwrap();
    let judged = json(&["claims", "--from", out, "--json"]);
    for claim in judged["claims"].as_array().unwrap() {
        let id = claim["experiment"].as_str().unwrap();
        let path = smoke_results().join(id).join("verdicts.json");
        let written: Value = serde_json::from_slice(&files::read(path).unwrap()).unwrap();
        let same = written["claims"]
            .as_array()
            .unwrap()
            .iter()
            .find(|c| c["id"] == claim["id"]);
        assert_eq!(same, Some(claim));
        assert!(!claim["hypotheses"].as_array().unwrap().is_empty(), "{}", claim["id"]);
        let verdict = claim["verdict"].as_str().unwrap();
        assert!(
            ["holds", "holds-under", "fails", "undecided"].contains(&verdict),
            "{verdict}"
        );
        assert_eq!(
            claim["condition"].is_string(),
            verdict == "holds-under",
            "{}",
            claim["id"]
        );
    }
}

/// A published figure is the drawing of its published table by the code as it stands.
#[test]
fn every_published_figure_is_redrawn_from_its_table_to_the_same_bytes() {
    let published = root().join("figures");
    for id in experiment_ids() {
        if !published.join(&id).join("table.csv").exists() {
            // That it should exist is the concern of the architecture test.
            continue;
        }
        let drawn = Folder::new(&format!("redraw-{id}"));
        let output = run(&["draw", &id, "--from", published.to_str().unwrap(), "--out", drawn.str()]);
        assert!(output.status.success(), "{id}: {}", errors(&output));
        for name in ["figure.svg", "verdicts.json"] {
            let expected = files::read(published.join(&id).join(name)).unwrap();
            assert!(
                files::read(drawn.0.join(&id).join(name)).unwrap() == expected,
                "{id}/{name} differs"
            );
        }
    }
}

#[test]
fn every_experiment_describes_itself_completely() {
    for id in experiment_ids() {
        let about = json(&["describe", &id, "--json"]);
        assert!(
            about["question"].as_str().unwrap().ends_with('?'),
            "{id}: its question is no question"
        );
        for column in about["columns"].as_array().unwrap() {
            assert!(
                !column["meaning"].as_str().unwrap().is_empty(),
                "{id}: {}",
                column["name"]
            );
        }
        for claim in about["claims"].as_array().unwrap() {
            for field in ["id", "name", "statement", "source", "expected", "tolerance_rule"] {
                assert!(
                    !claim[field].as_str().unwrap().is_empty(),
                    "{id}: {} has no {field}",
                    claim["id"]
                );
            }
        }
        let cells = &about["cells"];
        let [smoke, quick, paper] = ["smoke", "quick", "paper"].map(|scale| cells[scale].as_u64().unwrap());
        assert!(0 < smoke && smoke <= quick && quick <= paper, "{id}: {cells}");
    }
}

//! The command line: help, exit codes, refusals, JSON.

use crate::program::{Folder, command, errors, experiment_ids, json, run, smoke_results};
use std::process::Stdio;

fn code(arguments: &[&str]) -> i32 {
    run(arguments).status.code().unwrap()
}

#[test]
fn help_and_version_are_answers_and_a_missing_command_is_a_mistake() {
    assert_eq!(code(&["--help"]), 0);
    assert_eq!(code(&["--version"]), 0);
    assert_eq!(code(&[]), 2);
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        // A description that goes on in the next line is indented further.
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    for name in ["reproduce", "list", "describe", "claims", "draw"] {
        assert!(commands.contains(&name), "{name} is not in the help");
    }
    for name in commands {
        assert_eq!(code(&[name, "--help"]), 0, "{name} --help");
    }
}

#[test]
fn mistakes_on_the_command_line_end_with_2_and_say_what_is_wrong() {
    for (arguments, words) in [
        (&["reproduc"][..], "reproduce"),
        (&["reproduce", "--scale", "qick"], "did you mean 'quick'"),
        (&["reproduce", "--data", "digts"], "did you mean 'digits'"),
        (&["reproduce", "--seed", "-1"], "--seed"),
        (&["reproduce", "--seed", "x"], "--seed"),
        (&["reproduce", "--jobs", "0"], "--jobs"),
        (&["reproduce", "no-such-experiment"], "no-such-experiment"),
        (&["describe", "no-such-experiment"], "no-such-experiment"),
        (&["describe"], "ID"),
        (&["claims", "no-such-claim"], "no-such-claim"),
        (&["draw", "no-such-experiment"], "no-such-experiment"),
        (&["list", "--no-such-option"], "--no-such-option"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", errors(&output));
        assert!(errors(&output).contains(words), "{arguments:?}: {}", errors(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn folders_that_are_not_there_end_with_1_and_are_named() {
    for arguments in [
        &["reproduce", "--data", "/no/such/folder"][..],
        &["claims", "--from", "/no/such/folder"],
        &["draw", "--from", "/no/such/folder"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", errors(&output));
        assert!(
            errors(&output).contains("/no/such/folder"),
            "{arguments:?}: {}",
            errors(&output)
        );
    }
    for id in experiment_ids() {
        let output = run(&["draw", &id, "--from", "/no/such/folder"]);
        assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    }
}

#[test]
fn near_misses_of_experiments_get_a_suggestion() {
    for id in experiment_ids() {
        let misspelt = &id[..id.len() - 1];
        let message = errors(&run(&["reproduce", misspelt]));
        assert!(message.contains(&format!("did you mean '{id}'")), "{message}");
    }
}

#[test]
fn an_output_folder_that_cannot_be_written_is_refused_with_1() {
    let folder = Folder::new("unwritable");
    let file = folder.0.join("file");
    std::fs::write(&file, "x").unwrap();
    let output = run(&["reproduce", "--scale", "smoke", "--out", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("file"), "{}", errors(&output));
    assert_eq!(std::fs::read(&file).unwrap(), b"x");
}

#[test]
fn a_table_that_is_no_table_is_an_error_that_names_it() {
    for id in experiment_ids() {
        let folder = Folder::new(&format!("no-table-{id}"));
        std::fs::create_dir(folder.0.join(&id)).unwrap();
        std::fs::write(folder.0.join(&id).join("table.csv"), "a,b\n1,2\n").unwrap();
        for command in ["claims", "draw"] {
            let output = run(&[command, &id, "--from", folder.str()]);
            assert_eq!(output.status.code(), Some(1), "{command}");
            assert!(errors(&output).contains("table.csv"), "{}", errors(&output));
        }
    }
}

#[test]
fn a_folder_without_any_table_leaves_nothing_to_draw_and_says_so() {
    let folder = Folder::new("nothing-to-draw");
    let output = run(&["draw", "--from", folder.str()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("table.csv"), "{}", errors(&output));
}

#[test]
fn every_command_prints_one_json_object() {
    let list = json(&["list", "--json"]);
    for experiment in list["experiments"].as_array().unwrap() {
        assert!(experiment["id"].is_string() && experiment["question"].is_string());
        assert!(experiment["claims"].is_array());
        assert!(experiment["expected_seconds"].is_u64() && experiment["expected_memory_mb"].is_u64());
    }
    // The flag is global: it may stand before the command too.
    assert_eq!(json(&["--json", "list"]), list);
    let empty = Folder::new("no-results");
    let claims = json(&["claims", "--from", empty.str(), "--json"]);
    for claim in claims["claims"].as_array().unwrap() {
        assert_eq!(claim["verdict"], "undecided");
        assert!(claim["statistic"].is_null());
    }
    let out = smoke_results().to_str().unwrap();
    for id in experiment_ids() {
        let run = json(&["reproduce", &id, "--scale", "smoke", "--out", out, "--json"]);
        assert_eq!(run["experiments"].as_array().unwrap().len(), 1);
        assert!(run["claims"].is_array() && run["contradictions"].is_u64());
    }
}

#[test]
fn strict_ends_with_3_exactly_when_something_contradicts_its_expectation() {
    let out = smoke_results().to_str().unwrap();
    let plain = json(&["reproduce", "--scale", "smoke", "--out", out, "--json"]);
    let surprised = plain["claims"].as_array().unwrap().iter().any(|claim| {
        let (expected, verdict) = (claim["expected"].as_str().unwrap(), claim["verdict"].as_str().unwrap());
        expected != "open" && verdict != "undecided" && expected != verdict
    });
    let strict = code(&["reproduce", "--scale", "smoke", "--out", out, "--strict"]);
    assert_eq!(strict, if surprised { 3 } else { 0 });
}

#[test]
fn a_reader_that_stops_reading_is_no_error() {
    let mut child = command(&["list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert!(output.stderr.is_empty(), "{}", errors(&output));
}

#[test]
fn nothing_is_printed_beside_the_answer_when_nobody_watches() {
    let out = smoke_results().to_str().unwrap();
    let output = run(&["reproduce", "--scale", "smoke", "--out", out]);
    assert!(output.stderr.is_empty(), "{}", errors(&output));
}

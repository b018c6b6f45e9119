//! The chapter on masks: every command that it shows runs, in its order, on the files that the ones before it wrote.

use crate::program::{Folder, command, errors, root};

/// The commands that a page of the book shows, without `ticketsense`.
fn shown(page: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(root().join("docs/src").join(page)).unwrap();
    let text = text.replace("\\\n", " ");
    let lines = text.lines().filter_map(|line| line.strip_prefix("$ ticketsense "));
    lines
        .map(|line| {
            let line = line.split(" #").next().unwrap_or(line);
            line.split_whitespace().map(String::from).collect()
        })
        .collect()
}

#[test]
fn every_command_of_the_chapter_on_masks_runs_as_it_stands() {
    let folder = Folder::new("masks");
    let commands = shown("masks.md");
    for name in ["prune", "train", "grow", "percolate", "linearize", "certify"] {
        assert!(commands.iter().any(|words| words[0] == name), "{name} is not shown");
    }
    for words in commands {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = command(&words).current_dir(&folder.0).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", errors(&output));
    }
}

#[test]
fn a_mask_that_cannot_be_made_ends_with_2_says_why_and_leaves_no_file() {
    let folder = Folder::new("masks-refused");
    for (words, parts) in [
        ("--criterion heads --density 0.5", &["heads", "mlp:30"][..]),
        (
            "--criterion omp --density 0.4 --damping 0 --samples 10",
            &["rank bound", "888"],
        ),
        (
            "--criterion magnitude --density 0.4 --damping 0.1",
            &["damping", "magnitude", "omp"],
        ),
        ("--criterion om --density 0.4", &["did you mean 'omp'", "net-trim"]),
    ] {
        let line = format!("prune --network mlp:30 --out m.npy {words}");
        let words: Vec<&str> = line.split_whitespace().collect();
        let output = command(&words).current_dir(&folder.0).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}");
        for part in parts {
            assert!(errors(&output).contains(part), "{line}: {}", errors(&output));
        }
        assert!(output.stdout.is_empty() && !folder.0.join("m.npy").exists(), "{line}");
    }
}

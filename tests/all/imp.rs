//! The `imp` command: what it leaves, what it takes up again, what it refuses.

use crate::program::{Folder, command, errors, json, run};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use ticketsense::data::npy;
use ticketsense::files;
use ticketsense::pruning::ImpRun;

const SMALL: &[&str] = &[
    "imp",
    "--data",
    "digits",
    "--network",
    "mlp:12-8",
    "--rounds",
    "2",
    "--prune-fraction",
    "0.5",
    "--steps",
    "40",
];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [SMALL, more].concat()
}

fn lines(path: &Path) -> Vec<String> {
    files::read_text(path).unwrap().lines().map(str::to_string).collect()
}

#[test]
fn every_training_has_its_row_and_every_round_its_mask() {
    let out = Folder::new("imp-rows");
    let said = json(&with(&[
        "--seeds",
        "2",
        "--controls",
        "reinit,small-dense,order",
        "--output-prune-fraction",
        "0.25",
        "--out",
        out.str(),
        "--json",
    ]));
    // A dense training, and in each of two rounds the ticket and three controls.
    assert_eq!(said["rounds"].as_array().unwrap().len(), 1 + 2 * 4);
    assert_eq!(
        (said["seeds"].as_u64(), said["seeds_reused"].as_u64()),
        (Some(2), Some(0))
    );
    assert_eq!(said["weights"], 64 * 12 + 12 * 8 + 8 * 10);
    let rows = lines(&out.0.join("table.csv"));
    assert_eq!(
        rows[0],
        "seed,round,branch,density,effective_density,kept,test_accuracy,test_loss,early_stop_step,status,steps,diverged_at,emptied,dead"
    );
    assert_eq!(rows.len(), 1 + 2 * 9);
    // Half of 768 and 96, a quarter of 80; then half of 384 and 48, a quarter of 60.
    let ticket: Vec<&str> = rows[2].split(',').collect();
    assert_eq!(
        [&ticket[..4], &ticket[5..6]].concat(),
        ["0", "1", "ticket", &(492.0 / 944.0).to_string(), "492"]
    );
    let effective: f64 = ticket[4].parse().unwrap();
    assert!(effective > 0.25 && effective <= 492.0 / 944.0, "{effective}");
    assert_eq!(said["rounds"][0]["effective_density"], 1.0);
    for (round, kept) in [(0, 944), (1, 492), (2, 192 + 24 + 45)] {
        let mask = npy::read_vector(out.0.join(format!("seed-1/round-{round:02}.mask.npy"))).unwrap();
        // One 0 or 1 a parameter: the 30 biases are never pruned.
        assert_eq!(mask.len(), 944 + 30);
        assert_eq!(mask.iter().sum::<f64>(), f64::from(kept + 30));
    }
    let path = out.0.join("seed-0/run.safetensors");
    let stored = ImpRun::from_bytes(&path, &files::read(&path).unwrap()).unwrap();
    assert_eq!(stored.rounds.len(), 3);
    // Steps 0 and 40 of every training are looked at.
    assert_eq!(lines(&out.0.join("history.csv")).len(), 1 + 2 * 9 * 2);
}

#[test]
fn what_is_finished_is_not_trained_again_and_what_is_damaged_is() {
    let out = Folder::new("imp-resume");
    let tables =
        || ["table.csv", "history.csv", "seed-1/run.safetensors"].map(|name| files::read(out.0.join(name)).unwrap());
    let go = |more: &[&str]| {
        json(
            &[
                &with(&["--seeds", "3", "--controls", "signs", "--out", out.str(), "--json"])[..],
                more,
            ]
            .concat(),
        )
    };
    let first = go(&["--jobs", "2"]);
    let expected = tables();
    let again = go(&["--jobs", "1"]);
    assert_eq!(again["seeds_reused"], 3);
    assert_eq!(again["rounds"], first["rounds"]);
    let path = out.0.join("seed-1/run.safetensors");
    let mut content = files::read(&path).unwrap();
    let last = content.len() - 1;
    content[last] ^= 1;
    std::fs::write(&path, content).unwrap();
    std::fs::remove_file(out.0.join("seed-2/round-01.mask.npy")).unwrap();
    assert_eq!(go(&[])["seeds_reused"], 1);
    assert_eq!(tables(), expected);
    // Other settings and another root are other runs.
    assert_eq!(go(&["--learning-rate", "0.002"])["seeds_reused"], 0);
    assert_eq!(go(&["--learning-rate", "0.002", "--seed", "5"])["seeds_reused"], 0);
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_keeps_its_finished_seeds() {
    let out = Folder::new("imp-interrupted");
    let arguments = with(&["--seeds", "40", "--jobs", "1", "--out", out.str()]);
    let mut child = command(&arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !out.0.join("seed-0/seed.json").exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let sent = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let status = child.wait().unwrap();
    // The run may have ended between the look and the signal.
    if sent.success() && status.code() != Some(0) {
        assert_eq!(status.code(), Some(130));
    }
    let said = json(&with(&["--seeds", "40", "--out", out.str(), "--json"]));
    assert!(said["seeds_reused"].as_u64().unwrap() >= 1);
    assert_eq!(lines(&out.0.join("table.csv")).len(), 1 + 40 * 3);
}

#[test]
fn every_way_to_train_and_to_retrain_is_a_run_of_its_own() {
    let out = Folder::new("imp-ways");
    let go = |more: &[&str]| json(&[&with(&["--seeds", "1", "--out", out.str(), "--json"])[..], more].concat());
    let history = || lines(&out.0.join("history.csv"));
    let plain = go(&[]);
    let ways: [&[&str]; 13] = [
        &["--normalisation", "unit"],
        &["--optimiser", "adamw"],
        &[
            "--optimiser",
            "nesterov:momentum=0.8,weight-decay=0.001",
            "--learning-rate",
            "0.05",
        ],
        &["--optimiser", "gradient-descent:learning-rate=0.1"],
        &["--schedule", "cosine:floor=0.01,warm-up=5"],
        &["--label-smoothing", "0.1"],
        &["--mixing", "mixup:alpha=0.2"],
        &["--mixing", "cutmix"],
        &["--distillation", "weight=0.7,temperature=3"],
        &["--validation-samples", "40"],
        &[
            "--retraining",
            "learning-rate-rewinding",
            "--rewind-step",
            "10",
            "--schedule",
            "steps:at=20",
        ],
        &["--retraining", "fine-tuning:steps=15"],
        &["--layer-prune-fractions", "dense0.weight=0.6,dense2.weight=0.2"],
    ];
    let mut histories = vec![history()];
    for way in ways {
        let said = go(way);
        assert_eq!(said["seeds_reused"], 0, "{way:?}");
        assert_eq!(said["rounds"].as_array().unwrap().len(), 3, "{way:?}");
        assert_eq!(said["rounds"][2]["diverged"], 0, "{way:?}");
        assert!(!histories.contains(&history()), "{way:?}");
        histories.push(history());
        assert_eq!(go(way)["seeds_reused"], 1, "{way:?}");
    }
    let said = go(&["--retraining", "fine-tuning:steps=15", "--evaluate-every", "5"]);
    assert_eq!(said["rounds"][1]["kept"], plain["rounds"][1]["kept"]);
    let ticket = &lines(&out.0.join("table.csv"))[2];
    assert!(ticket.contains(",converged,15,"), "{ticket}");
    assert!(history().iter().any(|row| row.starts_with("0,2,ticket,55,")));
}

#[test]
fn a_layer_pruned_away_is_warned_of_and_a_divergence_has_its_step() {
    let out = Folder::new("imp-warned");
    let fraction = ["--layer-prune-fractions", "dense1.weight=0.999"];
    let arguments = with(&[&fraction[..], &["--seeds", "1", "--out", out.str()]].concat());
    let output = run(&arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("Warning: round 1: dense1.weight is pruned away whole in 1 of 1 seed."),
        "{text}"
    );
    assert!(lines(&out.0.join("table.csv"))[2].ends_with(",dense1.weight,dense0.weight dense1.weight dense2.weight"));
    assert!(
        text.contains(
            "Warning: round 1, ticket: nothing passes dense2.weight from an input to an output in 1 of 1 seed."
        ),
        "{text}"
    );
    let broken = [
        "--optimiser",
        "sgd",
        "--learning-rate",
        "1e30",
        "--loss",
        "squared",
        "--criterion",
        "random",
    ];
    let said = json(&[&with(&["--seeds", "1", "--out", out.str(), "--json"])[..], &broken].concat());
    assert_eq!(said["rounds"][0]["diverged"], 1);
    let step = said["rounds"][0]["diverged_at"][0].as_u64().unwrap();
    assert!(step > 0 && step < 40);
    let content = ["table.csv", "history.csv"].map(|name| lines(&out.0.join(name)).join("\n"));
    assert!(
        content
            .iter()
            .all(|rows| !rows.contains("NaN") && !rows.contains("inf")),
        "{content:?}"
    );
}

#[test]
fn more_rounds_and_an_interrupted_seed_go_on_from_the_stages_that_are_there() {
    let (once, twice) = (Folder::new("imp-once"), Folder::new("imp-twice"));
    let go = |out: &Folder, rounds: &str| {
        let more = [
            "--rounds",
            rounds,
            "--controls",
            "signs,order",
            "--rewind-step",
            "9",
            "--seeds",
            "1",
            "--out",
            out.str(),
            "--json",
        ];
        json(&[&SMALL[..5], &SMALL[7..], &more].concat())
    };
    let whole = go(&once, "4");
    go(&twice, "2");
    let stages = || {
        let all = twice.0.join("seed-0/stages");
        let folder = std::fs::read_dir(all).unwrap().next().unwrap().unwrap().path();
        let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        names.sort();
        names
    };
    let first = stages();
    // Three rounds, and two controls of two of them.
    assert_eq!(first.len(), 3 + 2 * 2);
    let written = |paths: &[std::path::PathBuf]| -> Vec<_> {
        let time = |path: &std::path::PathBuf| std::fs::metadata(path).unwrap().modified().unwrap();
        paths.iter().map(time).collect()
    };
    let before = written(&first);
    assert_eq!(go(&twice, "4")["rounds"], whole["rounds"]);
    assert_eq!(written(&first), before);
    assert_eq!(stages().len(), 5 + 2 * 4);
    // What an interruption in the fourth round leaves: all but the last rounds, and no finished seed.
    std::fs::remove_file(twice.0.join("seed-0/seed.json")).unwrap();
    for path in stages()
        .iter()
        .filter(|path| path.to_string_lossy().contains("round-04"))
    {
        std::fs::remove_file(path).unwrap();
    }
    let again = go(&twice, "4");
    assert_eq!(
        (again["seeds_reused"].as_u64(), &again["rounds"]),
        (Some(0), &whole["rounds"])
    );
    for name in ["table.csv", "history.csv", "seed-0/run.safetensors"] {
        let content = |out: &Folder| files::read(out.0.join(name)).unwrap();
        assert_eq!(content(&once), content(&twice), "{name}");
    }
}

#[test]
fn every_control_has_its_word_in_the_table_and_an_effective_density() {
    let out = Folder::new("imp-controls");
    let words = [
        "reinit",
        "signs",
        "constant-signs",
        "permute",
        "noise:0.1",
        "noise-keeping-signs:0.1",
        "shuffle",
        "shuffle-across",
        "shuffle-degrees",
        "random",
        "order",
        "small-dense",
        "one-shot",
    ];
    let list = words.join(",");
    let arguments = with(&["--seeds", "1", "--controls", &list, "--out", out.str(), "--json"]);
    let said = json(&arguments);
    assert_eq!(said["rounds"].as_array().unwrap().len(), 1 + 2 * (1 + words.len()));
    for word in words {
        let rows = said["rounds"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["branch"] == word);
        let rows: Vec<&Value> = rows.collect();
        assert_eq!(rows.len(), 2, "{word}");
        for row in rows {
            let [effective, density] = ["effective_density", "density"].map(|name| row[name].as_f64().unwrap());
            assert!(effective > 0.0 && effective <= density, "{word}: {effective} {density}");
        }
    }
    assert_eq!(json(&arguments)["seeds_reused"], 1);
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_trained() {
    let folder = Folder::new("imp-refused");
    let out = folder.0.join("out");
    let out = out.to_str().unwrap();
    for (option, value, words) in [
        ("--controls", "reinitt", "did you mean 'reinit'"),
        ("--controls", "order,order", "each control once"),
        ("--controls", "noise:0.1,noise:1e-1", "each control once"),
        ("--controls", "noise", "noise:TAU"),
        ("--controls", "shuffle:2", "shuffle without a number"),
        ("--criterion", "magnitud", "did you mean 'magnitude'"),
        ("--scope", "globl", "did you mean 'global'"),
        ("--optimiser", "adan", "did you mean 'adam'"),
        ("--loss", "square", "did you mean 'squared'"),
        ("--initialisation", "hee", "did you mean 'he'"),
        ("--learning-rate", "0", "learning rate"),
        ("--output-prune-fraction", "1", "output prune fraction"),
        (
            "--layer-prune-fractions",
            "dense0.weigth=0.1",
            "did you mean 'dense0.weight'",
        ),
        (
            "--layer-prune-fractions",
            "dense0.bias=0.1",
            "dense0.weight, dense1.weight",
        ),
        (
            "--layer-prune-fractions",
            "dense0.weight=1",
            "prune fraction of dense0.weight",
        ),
        ("--layer-prune-fractions", "dense0.weight", "LAYER=FRACTION"),
        ("--optimiser", "sgd:momentum=1", "momentum"),
        ("--schedule", "cosin", "did you mean 'cosine'"),
        ("--schedule", "steps:at=40", "below the 40 steps"),
        ("--schedule", "constant:warm-up=41", "warm-up"),
        ("--label-smoothing", "1", "label smoothing"),
        ("--mixing", "mixup:alpha=0", "positive"),
        ("--mixing", "cutmix:shape=1x7x8", "64 features"),
        ("--distillation", "weight=2", "weight of the teacher"),
        ("--validation-samples", "0", "validation samples"),
        ("--retraining", "fine-tuning", "fine-tuning:steps=N"),
        ("--rewind-step", "40", "rewind step"),
        ("--normalisation", "standardized", "did you mean 'standardised'"),
        ("--batch", "5000", "batch"),
        ("--seeds", "0", "--seeds"),
        ("--jobs", "0", "--jobs"),
    ] {
        let output = run(&with(&[option, value, "--out", out]));
        assert_eq!(output.status.code(), Some(2), "{option} {value}: {}", errors(&output));
        assert!(errors(&output).contains(words), "{option} {value}: {}", errors(&output));
    }
    let linear = [
        "imp",
        "--data",
        "digits",
        "--network",
        "linear",
        "--rounds",
        "1",
        "--prune-fraction",
        "0.5",
        "--steps",
        "5",
        "--controls",
        "small-dense",
        "--out",
        out,
    ];
    let output = run(&linear);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("hidden layer"), "{}", errors(&output));
    assert!(!Path::new(out).exists());

    let file = folder.0.join("file");
    std::fs::write(&file, "x").unwrap();
    let output = run(&with(&["--steps", "1", "--out", file.to_str().unwrap()][2..]));
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(errors(&output).contains("file"), "{}", errors(&output));
}

#[test]
#[ignore = "needs TICKETSENSE_DATA"]
fn tickets_of_real_mnist_train() {
    let data = std::env::var("TICKETSENSE_DATA").unwrap();
    let out = Folder::new("imp-mnist");
    let said = json(&[
        "imp",
        "--data",
        &format!("{data}/mnist"),
        "--network",
        "lenet-300-100",
        "--rounds",
        "2",
        "--prune-fraction",
        "0.5",
        "--steps",
        "300",
        "--seeds",
        "1",
        "--out",
        out.str(),
        "--json",
    ]);
    let accuracy = |round: usize| said["rounds"][round]["test_accuracy"]["mean"].as_f64().unwrap();
    let kept: Vec<&Value> = (0..3).map(|round| &said["rounds"][round]["kept"]).collect();
    assert_eq!(kept, [266_200.0, 133_100.0, 66_550.0]);
    // Well below what 300 steps reach (above 0.94), far above chance.
    assert!((0..3).all(|round| accuracy(round) > 0.9));
}

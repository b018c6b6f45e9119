//! The harness seen from outside, through an experiment with dice.

use super::figures::{Axis, Figure, Panel, Series};
use super::*;
use crate::data::DataChoice;
use crate::error::{Error, Result};
use crate::files;
use crate::row;
use crate::table::{Column, Row, Table};
use rand::RngExt;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Throws dice: the mean of `throws` throws for each number of sides, of loaded and of fair dice.
#[derive(Debug, Default)]
struct Dice {
    runs: AtomicUsize,
    shared: AtomicUsize,
    fault: Fault,
}

#[derive(Debug, Default, PartialEq)]
enum Fault {
    #[default]
    None,
    /// The cell of ten sides cannot be computed.
    Error,
    Panic,
    /// It returns rows that do not fit the columns.
    WrongRow,
    EqualCells,
    ReadsData,
}

const COLUMNS: &[Column] = &[
    Column::integer("sides", "", "Sides of the die."),
    Column::text("die", "fair or loaded."),
    Column::real("mean", "", "Mean of the throws."),
    Column::integer("bonus", "", "A number that all cells share."),
];

static CLAIMS: &[Claim] = &[Claim {
    id: "Z1",
    name: "mean-of-a-die",
    statement: "The mean of a fair die of n sides is (n + 1) / 2.",
    source: "arithmetic",
    expected: Expected::Holds,
    tolerance_rule: "five standard errors of the mean of 400 throws",
    check: mean_of_a_die,
}];

fn mean_of_a_die(table: &Table) -> Result<Verdict> {
    let mut worst: f64 = 0.0;
    for record in table.filter(|r| r.text("die").is_ok_and(|d| d == "fair")) {
        let sides = record.real("sides")?;
        let standard_error = ((sides * sides - 1.0) / 12.0 / 400.0).sqrt();
        worst = worst.max((record.real("mean")? - 0.5 * (sides + 1.0)).abs() / standard_error);
    }
    Ok(Verdict {
        decision: if worst <= 5.0 { Decision::Holds } else { Decision::Fails },
        hypotheses: vec!["throws are independent".into()],
        statistic: ("worst deviation in standard errors".into(), worst),
        tolerance: 5.0,
        evidence: format!("Worst deviation {worst:.2} standard errors."),
        counterexample: None,
    })
}

impl Experiment for Dice {
    fn id(&self) -> &'static str {
        "dice"
    }
    fn question(&self) -> &'static str {
        "What is the mean of a die?"
    }
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }
    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let sides = scale.pick(2..=12usize, 2..=20, 2..=100);
        let mut cells: Vec<Cell> = sides
            .flat_map(|n| ["fair", "loaded"].map(|die| Cell::new().problem("sides", n).treatment("die", die)))
            .collect();
        if self.fault == Fault::EqualCells {
            cells.push(cells[0].clone());
        }
        cells
    }
    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let sides = cell.integer("sides")?;
        match self.fault {
            Fault::Error if sides == 10 => return Err(Error::numerical("die", "fell off the table")),
            Fault::Panic if sides == 10 => panic!("the die burst"),
            Fault::WrongRow if sides == 10 => return Ok(vec![row![1.5]]),
            Fault::ReadsData => drop(context.data()?),
            _ => {}
        }
        let bonus = context.shared("bonus", "one", |seed| {
            self.shared.fetch_add(1, Ordering::Relaxed);
            Ok(vec![seed.rng().random_range(0..100)])
        })?;
        let mut rng = context.seed(cell).rng();
        let mean = context.time("throwing", || {
            (0..400).map(|_| rng.random_range(1..=sides) as f64).sum::<f64>() / 400.0
        });
        let mean = if cell.text("die")? == "loaded" {
            mean + 1.0
        } else {
            mean
        };
        Ok(vec![row![sides, cell.text("die")?, mean, u64::from(bonus[0])]])
    }
    fn claims(&self) -> &'static [Claim] {
        CLAIMS
    }
    fn draw(&self, table: &Table) -> Result<Figure> {
        let mut panel = Panel::new("", Axis::linear("sides n"), Axis::linear("mean"));
        for die in ["fair", "loaded"] {
            let mut points = Vec::new();
            for record in table.filter(|r| r.text("die").is_ok_and(|d| d == die)) {
                points.push((record.real("sides")?, record.real("mean")?));
            }
            panel = panel.series(Series::points(die, points));
        }
        Ok(Figure::new().panel(panel))
    }
    fn draw_timings(&self, timings: &Table) -> Result<Option<Figure>> {
        let mut panel = Panel::new("", Axis::linear("throw"), Axis::linear("seconds"));
        let times: Result<Vec<f64>> = timings.iter().map(|record| record.real("seconds")).collect();
        let points = times?
            .into_iter()
            .enumerate()
            .map(|(throw, seconds)| (throw as f64, seconds));
        panel = panel.series(Series::points("throws", points));
        Ok(Some(Figure::new().panel(panel)))
    }
    fn budget(&self) -> Budget {
        Budget {
            seconds: 1,
            memory_mb: 10,
        }
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ticketsense-harness-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Folder(path)
    }

    fn settings(&self, jobs: usize) -> Settings {
        Settings {
            scale: Scale::Smoke,
            jobs,
            out: self.0.clone(),
            ..Settings::default()
        }
    }

    /// The outputs that must not depend on time, host and jobs.
    fn outputs(&self) -> BTreeMap<&'static str, Vec<u8>> {
        ["table.csv", "verdicts.json", "figure.svg", "figure.png"]
            .into_iter()
            .map(|name| (name, files::read(self.0.join("dice").join(name)).unwrap()))
            .collect()
    }

    fn parts(&self) -> Vec<PathBuf> {
        files::list_folder(self.0.join(".cells/dice")).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run(dice: &Dice, settings: &Settings) -> Result<Vec<Report>> {
    reproduce(&[dice], settings, &Stop::new(), &Quiet)
}

fn reference() -> (Folder, BTreeMap<&'static str, Vec<u8>>) {
    // Tests run in threads of one process: each gets its own folder.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let folder = Folder::new(&format!("reference-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    run(&Dice::default(), &folder.settings(1)).unwrap();
    let outputs = folder.outputs();
    (folder, outputs)
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_jobs() {
    let (_reference, expected) = reference();
    let folder = Folder::new("jobs");
    run(&Dice::default(), &folder.settings(5)).unwrap();
    assert_eq!(folder.outputs(), expected);
}

/// Asks for a stop after a number of cells.
struct StopAfter(AtomicUsize, Stop);

impl ProgressSink for StopAfter {
    fn planned(&self, _experiment: &str, _cells: usize, _reused: usize) {}
    fn cell_finished(&self, _experiment: &str) {
        if self.0.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.1.request();
        }
    }
    fn completed(&self, _report: &Report) {}
}

#[test]
fn an_interrupted_run_goes_on_where_it_stopped_to_the_same_bytes() {
    let (_reference, expected) = reference();
    let folder = Folder::new("interrupted");
    let dice = Dice::default();
    let stop = Stop::new();
    let sink = StopAfter(AtomicUsize::new(5), stop.clone());
    let outcome = reproduce(&[&dice], &folder.settings(1), &stop, &sink);
    assert!(matches!(outcome, Err(Error::Interrupted)));
    assert!(!folder.0.join("dice/manifest.json").exists());
    let reports = run(&dice, &folder.settings(2)).unwrap();
    assert_eq!(
        reports[0].completion,
        Completion::Written {
            computed: 17,
            reused: 5
        }
    );
    assert_eq!(dice.runs.load(Ordering::Relaxed), 22);
    assert_eq!(folder.outputs(), expected);
}

#[test]
fn what_is_complete_is_not_computed_again_and_what_is_damaged_is_put_right() {
    let (folder, expected) = reference();
    let again = Dice::default();
    let settings = folder.settings(1);
    assert_eq!(run(&again, &settings).unwrap()[0].completion, Completion::UpToDate);
    for name in ["table.csv", "figure.png", "manifest.json", "timings.csv", "timings.svg"] {
        let path = folder.0.join("dice").join(name);
        let mut content = files::read(&path).unwrap();
        content.truncate(content.len() / 2);
        std::fs::write(&path, content).unwrap();
        assert!(matches!(
            run(&again, &settings).unwrap()[0].completion,
            Completion::Written { computed: 0, .. }
        ));
        assert_eq!(folder.outputs(), expected);
        std::fs::remove_file(&path).unwrap();
        run(&again, &settings).unwrap();
        assert_eq!(folder.outputs(), expected);
    }
    // The finished cells were enough each time.
    assert_eq!(again.runs.load(Ordering::Relaxed), 0);
    std::fs::remove_dir_all(folder.0.join("dice")).unwrap();
    std::fs::write(&folder.parts()[3], "damaged").unwrap();
    run(&again, &settings).unwrap();
    assert_eq!(again.runs.load(Ordering::Relaxed), 1);
    assert_eq!(folder.outputs(), expected);
}

#[test]
fn force_computes_everything_again_shared_results_too() {
    let (folder, expected) = reference();
    let again = Dice::default();
    let mut settings = folder.settings(2);
    settings.force = true;
    run(&again, &settings).unwrap();
    assert_eq!(again.runs.load(Ordering::Relaxed), 22);
    assert_eq!(again.shared.load(Ordering::Relaxed), 1);
    assert_eq!(folder.outputs(), expected);
}

#[test]
fn another_seed_or_scale_shares_nothing_and_coming_back_reuses_the_cells() {
    let (folder, expected) = reference();
    let again = Dice::default();
    let mut settings = folder.settings(1);
    settings.seed = 1;
    run(&again, &settings).unwrap();
    assert_eq!(again.runs.load(Ordering::Relaxed), 22);
    assert_ne!(folder.outputs()["table.csv"], expected["table.csv"]);
    settings.scale = Scale::Quick;
    run(&again, &settings).unwrap();
    assert_eq!(again.runs.load(Ordering::Relaxed), 22 + 38);
    run(&again, &folder.settings(1)).unwrap();
    assert_eq!(again.runs.load(Ordering::Relaxed), 22 + 38);
    assert_eq!(folder.outputs(), expected);
}

#[test]
fn the_manifest_names_what_was_computed_and_the_checksum_of_every_output() {
    let (folder, _) = reference();
    let dice = folder.0.join("dice");
    let manifest = Manifest::read(&dice).unwrap().unwrap();
    assert!(manifest.altered_outputs(&dice).is_empty());
    assert_eq!(manifest.cells, 22);
    assert_eq!(manifest.identity.code_hash, Build::this().code_hash);
    assert_eq!((manifest.identity.seed, manifest.identity.scale.as_str()), (0, "smoke"));
    let mut present: Vec<String> = std::fs::read_dir(&dice)
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "manifest.json")
        .collect();
    present.sort();
    assert_eq!(present, manifest.outputs.keys().cloned().collect::<Vec<_>>());
    // Times have a figure of their own, and the one that verdicts stand under knows nothing of them.
    assert!(present.contains(&"timings.svg".to_string()) && present.contains(&"timings.png".to_string()));
    assert!(!files::read_text(dice.join("figure.svg")).unwrap().contains("seconds"));
}

#[test]
fn a_cell_that_fails_is_named_and_the_others_are_kept() {
    for (fault, words) in [
        (Fault::Error, "fell off the table"),
        (Fault::Panic, "the die burst"),
        (Fault::WrongRow, "row of a table"),
    ] {
        let folder = Folder::new(&format!("fault-{fault:?}"));
        let dice = Dice {
            fault,
            ..Dice::default()
        };
        let error = run(&dice, &folder.settings(1)).unwrap_err();
        assert!(
            matches!(&error, Error::Cell { cell, .. } if cell == "sides=10;die=fair"),
            "{error}"
        );
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(folder.parts().len(), 16);
        let healthy = Dice::default();
        run(&healthy, &folder.settings(1)).unwrap();
        assert_eq!(healthy.runs.load(Ordering::Relaxed), 6);
    }
}

#[test]
fn what_cannot_be_run_is_refused_before_anything_is_computed() {
    let folder = Folder::new("refused");
    let with = |fault| Dice {
        fault,
        ..Dice::default()
    };
    let equal = with(Fault::EqualCells);
    assert!(run(&equal, &folder.settings(1)).is_err());
    assert!(run(&Dice::default(), &folder.settings(0)).is_err());
    let file = folder.0.join("file");
    std::fs::write(&file, "").unwrap();
    let inside_a_file = Settings {
        out: file.join("out"),
        ..folder.settings(1)
    };
    let dice = Dice::default();
    assert!(matches!(run(&dice, &inside_a_file), Err(Error::Io { .. })));
    assert_eq!(dice.runs.load(Ordering::Relaxed), 0);
    let undeclared = run(&with(Fault::ReadsData), &folder.settings(1))
        .unwrap_err()
        .to_string();
    assert!(undeclared.contains("uses_data"), "{undeclared}");
}

#[test]
fn a_table_in_memory_is_the_one_on_disk_and_treatments_meet_the_same_instance() {
    let (_folder, expected) = reference();
    let table = compute_table(&Dice::default(), Scale::Smoke, 0, &DataChoice::default()).unwrap();
    assert_eq!(table.to_csv().as_bytes(), expected["table.csv"]);
    let means: Vec<f64> = table.iter().map(|r| r.real("mean").unwrap()).collect();
    for pair in means.chunks(2) {
        // The loaded die throws the same numbers, plus one; the sum rounds within one unit in the last place of 20.
        assert!((pair[1] - pair[0] - 1.0).abs() < 1e-14, "{pair:?}");
    }
    assert_eq!(
        judge(&Dice::default(), &table).unwrap()[0].verdict.decision,
        Decision::Holds
    );
}

#[test]
fn drawing_again_elsewhere_gives_the_same_bytes_and_in_place_keeps_the_manifest_true() {
    let (folder, expected) = reference();
    let elsewhere = Folder::new("drawn");
    draw(&Dice::default(), &folder.0, &elsewhere.0).unwrap();
    for name in ["verdicts.json", "figure.svg", "figure.png"] {
        assert_eq!(
            files::read(elsewhere.0.join("dice").join(name)).unwrap(),
            expected[name],
            "{name}"
        );
    }
    assert!(!elsewhere.0.join("dice/table.csv").exists());
    // A figure of an older drawing, to which the manifest still agrees.
    let dice = folder.0.join("dice");
    let mut manifest = Manifest::read(&dice).unwrap().unwrap();
    std::fs::write(dice.join("figure.svg"), "older").unwrap();
    manifest
        .outputs
        .insert("figure.svg".into(), files::sha256_hex(b"older"));
    files::write_atomic(dice.join("manifest.json"), &serde_json::to_vec(&manifest).unwrap()).unwrap();
    draw(&Dice::default(), &folder.0, &folder.0).unwrap();
    let after = Manifest::read(&dice).unwrap().unwrap();
    assert!(after.altered_outputs(&dice).is_empty());
    assert_eq!(after.redrawn_by, Some(Build::this()));
    assert_eq!(folder.outputs(), expected);
}

#[test]
fn a_changed_table_changes_the_verdict_and_is_seen_to_be_changed() {
    let (folder, expected) = reference();
    let state = |folder: &Path| read_table(&Dice::default(), folder).unwrap().unwrap().1;
    assert_eq!(state(&folder.0), TableState::Current);
    let text = String::from_utf8(expected["table.csv"].clone()).unwrap();
    let loaded = text.replacen("2,fair,1.", "2,fair,9.", 1);
    assert_ne!(loaded, text);
    std::fs::write(folder.0.join("dice/table.csv"), loaded).unwrap();
    let (table, now) = read_table(&Dice::default(), &folder.0).unwrap().unwrap();
    assert_eq!(now, TableState::Altered);
    let judged = judge(&Dice::default(), &table).unwrap();
    assert!(judged[0].is_surprising());
    std::fs::remove_file(folder.0.join("dice/manifest.json")).unwrap();
    assert_eq!(state(&folder.0), TableState::Unfinished);
    assert!(
        read_table(&Dice::default(), Path::new("/nonexistent"))
            .unwrap()
            .is_none()
    );
}

#[test]
fn two_runs_in_one_folder_at_once_end_with_the_right_bytes() {
    let (_reference, expected) = reference();
    let folder = Folder::new("together");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| run(&Dice::default(), &folder.settings(2)).unwrap());
        }
    });
    assert_eq!(folder.outputs(), expected);
    assert!(Manifest::read(&folder.0.join("dice")).unwrap().is_some());
}

#[test]
fn interruption_within_a_cell_ends_the_run_as_interrupted() {
    struct Patient;
    impl Experiment for Patient {
        fn id(&self) -> &'static str {
            "dice"
        }
        fn question(&self) -> &'static str {
            "Does it stop?"
        }
        fn columns(&self) -> &'static [Column] {
            COLUMNS
        }
        fn cells(&self, _scale: Scale) -> Vec<Cell> {
            vec![Cell::new()]
        }
        fn run(&self, _cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
            loop {
                context.check()?;
                std::thread::yield_now();
            }
        }
        fn claims(&self) -> &'static [Claim] {
            &[]
        }
        fn draw(&self, _table: &Table) -> Result<Figure> {
            Ok(Figure::new())
        }
        fn budget(&self) -> Budget {
            Dice::default().budget()
        }
    }
    let folder = Folder::new("patient");
    let stop = Stop::new();
    let outcome = std::thread::scope(|scope| {
        let run = scope.spawn(|| reproduce(&[&Patient], &folder.settings(1), &stop, &Quiet));
        stop.request();
        run.join().unwrap()
    });
    assert!(matches!(outcome, Err(Error::Interrupted)));
}

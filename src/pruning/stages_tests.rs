use super::imp_tests::{Clouds, data, plan};
use super::*;
use crate::error::{Error, Result};
use crate::seed::Seed;
use crate::training::{Bundle, TrainingPlan};
use std::collections::BTreeMap;

/// Keeps stages in memory, interrupts after so many evaluations, and counts what is kept.
#[derive(Debug, Default)]
struct Memory {
    kept: BTreeMap<String, Vec<u8>>,
    evaluations_left: Option<usize>,
    checkpoint_every: Option<usize>,
    rounds_kept: usize,
    checkpoints_kept: usize,
}

impl Keeper for Memory {
    fn load(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.kept.get(name).cloned())
    }

    fn keep(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        if name.ends_with("checkpoint") {
            self.checkpoints_kept += 1;
        } else {
            self.rounds_kept += 1;
        }
        self.kept.insert(name.to_string(), bytes.to_vec());
        Ok(())
    }

    fn forget(&mut self, name: &str) -> Result<()> {
        self.kept.remove(name);
        Ok(())
    }

    fn go_on(&mut self) -> bool {
        match &mut self.evaluations_left {
            None => true,
            Some(left) => {
                *left = left.saturating_sub(1);
                *left > 0
            }
        }
    }

    fn checkpoint_every(&self) -> usize {
        self.checkpoint_every.unwrap_or(usize::MAX)
    }
}

fn small(rounds: usize) -> ImpPlan {
    ImpPlan { rounds, ..plan() }
}

fn bytes(run: &ImpRun) -> Vec<u8> {
    run.to_bytes("identity").unwrap()
}

fn run_kept(plan: &ImpPlan, memory: &mut Memory) -> Result<ImpRun> {
    let (training, other) = (Clouds::new(120, 1), Clouds::new(60, 2));
    plan.run_kept(&data(&training, &other), &Seed::root(5), memory, &mut |_| true)
}

fn fresh(plan: &ImpPlan) -> Vec<u8> {
    bytes(&run_kept(plan, &mut Memory::default()).unwrap())
}

#[test]
fn a_run_interrupted_at_every_evaluation_ends_in_the_same_bits() {
    let mixed = TrainingPlan {
        mixing: Some("mixup:alpha=0.4".parse().unwrap()),
        schedule: "cosine:warm-up=5".parse().unwrap(),
        ..plan().training
    };
    for plan in [
        small(2),
        ImpPlan {
            rewind_step: 17,
            ..small(2)
        },
        ImpPlan {
            rewind_step: 17,
            retraining: Retraining::LearningRateRewinding,
            ..small(2)
        },
        ImpPlan {
            retraining: Retraining::FineTuning { steps: 33 },
            training: mixed,
            ..small(2)
        },
        ImpPlan {
            distillation: Some("weight=0.5,temperature=2".parse().unwrap()),
            ..small(2)
        },
    ] {
        let expected = fresh(&plan);
        let mut memory = Memory::default();
        let mut interruptions = 0;
        let run = loop {
            // One evaluation an attempt: every one of them is an interruption once.
            memory.evaluations_left = Some(1);
            match run_kept(&plan, &mut memory) {
                Ok(run) => break run,
                Err(Error::Interrupted) => interruptions += 1,
                Err(other) => panic!("{other}"),
            }
            assert!(interruptions < 100);
        };
        assert_eq!(bytes(&run), expected);
        // Six evaluations on the way of the dense round, the last of which ends it.
        assert!(interruptions >= 5 + 2 * 2, "{interruptions}");
        assert!(memory.kept.keys().all(|name| !name.ends_with("checkpoint")));
    }
}

#[test]
fn checkpoints_are_kept_without_an_interruption_and_change_nothing() {
    let mut memory = Memory {
        checkpoint_every: Some(7),
        ..Memory::default()
    };
    let plan = ImpPlan {
        rewind_step: 17,
        ..small(1)
    };
    assert_eq!(bytes(&run_kept(&plan, &mut memory).unwrap()), fresh(&plan));
    // At 7 and 14, then from the step gone back to, 17, at 24, 31, 38, 45, 52, 59; and in the second round at 24 to 59.
    assert_eq!((memory.checkpoints_kept, memory.rounds_kept), (8 + 6, 2));
}

#[test]
fn more_rounds_of_the_same_plan_begin_with_those_that_are_there() {
    let mut memory = Memory::default();
    run_kept(&small(2), &mut memory).unwrap();
    assert_eq!(memory.rounds_kept, 3);
    let longer = run_kept(&small(4), &mut memory).unwrap();
    assert_eq!(memory.rounds_kept, 5);
    assert_eq!(bytes(&longer), fresh(&small(4)));
    // Fewer rounds are a part of more.
    assert_eq!(bytes(&run_kept(&small(1), &mut memory).unwrap()), fresh(&small(1)));
    assert_eq!(memory.rounds_kept, 5);
}

#[test]
fn stages_that_are_damaged_or_of_another_plan_are_computed_again() {
    let mut memory = Memory::default();
    run_kept(&small(2), &mut memory).unwrap();
    let expected = fresh(&small(2));
    let content = memory.kept.get_mut("round-01").unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 4;
    assert_eq!(bytes(&run_kept(&small(2), &mut memory).unwrap()), expected);
    assert_eq!(memory.rounds_kept, 4);
    let other = ImpPlan {
        prune_fraction: 0.4,
        ..small(2)
    };
    assert_eq!(bytes(&run_kept(&other, &mut memory).unwrap()), fresh(&other));
    assert_eq!(memory.rounds_kept, 7);
}

#[test]
fn a_checkpoint_of_another_way_to_retrain_is_not_taken_up() {
    // Both train the same mask by the same plan of training from step 17, from other values.
    let rewinding = ImpPlan {
        rewind_step: 17,
        ..small(1)
    };
    let keeping = ImpPlan {
        retraining: Retraining::LearningRateRewinding,
        ..rewinding.clone()
    };
    let mut memory = Memory::default();
    run_kept(
        &ImpPlan {
            rounds: 0,
            ..rewinding.clone()
        },
        &mut memory,
    )
    .unwrap();
    memory.evaluations_left = Some(2);
    assert!(matches!(run_kept(&rewinding, &mut memory), Err(Error::Interrupted)));
    memory.evaluations_left = None;
    assert!(memory.kept.contains_key("round-01.checkpoint"));
    assert_eq!(bytes(&run_kept(&keeping, &mut memory).unwrap()), fresh(&keeping));
}

#[test]
fn stages_in_a_folder_are_files_that_name_their_run() {
    let folder = std::env::temp_dir().join(format!("ticketsense-stages-{}", std::process::id()));
    let (training, other) = (Clouds::new(120, 1), Clouds::new(60, 2));
    let data = data(&training, &other);
    let left = std::cell::Cell::new(9);
    let go_on = || {
        left.set(left.get() - 1);
        left.get() > 0
    };
    let mut keeper = StageFolder::new(&folder, 1000, &go_on);
    let ended = small(2).run_kept(&data, &Seed::root(5), &mut keeper, &mut |_| true);
    assert!(matches!(ended, Err(Error::Interrupted)));
    let mut names: Vec<String> = std::fs::read_dir(keeper.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["round-00.safetensors", "round-01.checkpoint.safetensors"]);
    let stored = Bundle::load(folder.join("round-00.safetensors")).unwrap();
    assert_eq!(
        stored.description()["identity"],
        small(2).shared_identity(&data, &Seed::root(5))
    );
    left.set(usize::MAX);
    let run = small(2)
        .run_kept(&data, &Seed::root(5), &mut keeper, &mut |_| true)
        .unwrap();
    assert_eq!(bytes(&run), fresh(&small(2)));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_control_is_trained_once_and_comes_back_to_the_last_bit() {
    let (training, other) = (Clouds::new(120, 1), Clouds::new(60, 2));
    let data = data(&training, &other);
    let mut memory = Memory::default();
    let run = run_kept(&small(1), &mut memory).unwrap();
    for control in Control::ALL {
        let train = |memory: &mut Memory| {
            let before = memory.rounds_kept;
            let found = control
                .train_kept(&small(1), &data, &Seed::root(5), &run, 1, memory)
                .unwrap();
            (found, memory.rounds_kept - before)
        };
        let ((report, outcome), first) = train(&mut memory);
        let ((report_again, again), second) = train(&mut memory);
        assert_eq!((first, second), (1, 0));
        let whole = control.train(&small(1), &data, &Seed::root(5), &run, 1).unwrap();
        // The first evaluation has no training loss, and no number equals NaN.
        for found in [&outcome, &again] {
            assert_eq!(found.history[1..], whole.outcome.history[1..], "{control}");
            assert_eq!(
                (found.test_loss, found.steps),
                (whole.outcome.test_loss, whole.outcome.steps)
            );
        }
        assert_eq!((report.kept, &report), (whole.kept(), &report_again));
        let content = memory
            .kept
            .get_mut(&format!("round-01.{control}").replace(':', "-"))
            .unwrap();
        content[99] ^= 1;
        assert_eq!(train(&mut memory).1, 1);
    }
}

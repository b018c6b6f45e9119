use super::*;
use crate::error::Error;
use crate::networks::{Array, Initialisation, Loss, Network, SlotKind};
use crate::outcome::Status;
use crate::seed::Seed;
use crate::support::Mask;
use rand::RngExt;
use rand_distr::StandardNormal;

struct Problem {
    network: Network,
    inputs: Array<f32>,
    labels: Vec<usize>,
    mask: Mask,
    initial: Vec<f32>,
}

/// Two Gaussian clouds a class, three classes, and a mask that prunes about half of the weights.
fn problem() -> Problem {
    let network = Network::preset("mlp:9-7", 4, 3).unwrap();
    let mut rng = Seed::root(21).rng();
    let labels: Vec<usize> = (0..90).map(|i| i % 3).collect();
    let inputs = Array::from_fn(90, 4, |i, j| {
        let centre = if labels[i] == j { 2.5 } else { 0.0 };
        let noise: f64 = rng.sample(StandardNormal);
        (centre + noise) as f32
    });
    let mut mask = network.layout().full_mask();
    for &i in network.layout().weights().indices() {
        if rng.random::<f64>() < 0.5 {
            mask.set(i, false);
        }
    }
    let initial = network.initial(&Seed::root(22), &Initialisation::HE).unwrap();
    Problem {
        network,
        inputs,
        labels,
        mask,
        initial,
    }
}

impl Problem {
    fn trainer(&self, plan: TrainingPlan) -> Trainer<'_, f32> {
        let examples = Examples::labelled(&self.inputs, &self.labels);
        Trainer::new(&self.network, plan, examples, examples, &self.mask, &Seed::root(23)).unwrap()
    }
}

fn plan(optimiser: Optimiser, loss: Loss, steps: usize) -> TrainingPlan {
    TrainingPlan {
        optimiser,
        loss,
        batch: 20,
        steps,
        evaluate_every: 7,
        ..TrainingPlan::default()
    }
}

#[test]
fn a_pruned_weight_and_its_moments_are_exactly_zero_after_every_single_step() {
    let problem = problem();
    for optimiser in [Optimiser::sgd(0.05), Optimiser::adam(0.01)] {
        let trainer = problem.trainer(plan(optimiser, Loss::CrossEntropy, 25));
        let mut state = trainer.start(&problem.initial).unwrap();
        for step in 0..=25 {
            trainer.advance(&mut state, step, &mut |_| true).unwrap();
            assert_eq!(state.step, step);
            for (i, &keep) in problem.mask.bits().iter().enumerate().filter(|(_, keep)| !**keep) {
                let moments = [
                    state.moments.first[i],
                    state.moments.second.get(i).copied().unwrap_or(0.0),
                ];
                assert!(!keep && state.theta[i].to_bits() == 0 && moments.map(f32::to_bits) == [0, 0]);
            }
        }
        assert!(
            state
                .theta
                .iter()
                .zip(problem.mask.bits())
                .any(|(v, keep)| *keep && *v != 0.0)
        );
    }
}

/// Every way to train that differs in more than numbers.
fn every_kind_of_plan() -> Vec<TrainingPlan> {
    let named = |name: &str| Optimiser::named(name, 0.01).unwrap();
    let adam = plan(Optimiser::adam(0.01), Loss::CrossEntropy, 30);
    vec![
        plan(Optimiser::sgd(0.05), Loss::Squared, 30),
        adam.clone(),
        plan(named("nesterov:weight-decay=0.01"), Loss::CrossEntropy, 30),
        TrainingPlan {
            optimiser: named("adamw"),
            schedule: "cosine:warm-up=6".parse().unwrap(),
            label_smoothing: 0.1,
            validation_samples: Some(30),
            ..adam.clone()
        },
        TrainingPlan {
            mixing: Some("mixup:alpha=0.4".parse().unwrap()),
            schedule: "steps:at=10+20,factor=0.5".parse().unwrap(),
            ..adam.clone()
        },
        TrainingPlan {
            mixing: Some("cutmix:shape=1x2x2".parse().unwrap()),
            ..adam
        },
    ]
}

#[test]
fn training_stopped_saved_and_resumed_at_any_step_ends_in_the_same_bits() {
    let problem = problem();
    for plan in every_kind_of_plan() {
        let trainer = problem.trainer(plan);
        let whole = trainer.run(&problem.initial).unwrap();
        for cut in [0, 1, 4, 5, 13, 29, 30] {
            let mut state = trainer.start(&problem.initial).unwrap();
            trainer.advance(&mut state, cut, &mut |_| true).unwrap();
            let bytes = trainer.checkpoint(&state).to_bytes().unwrap();
            let mut resumed = trainer.resume(&Bundle::from_bytes("memory", &bytes).unwrap()).unwrap();
            trainer.advance(&mut resumed, usize::MAX, &mut |_| true).unwrap();
            assert_eq!(resumed.theta, whole.theta, "cut at {cut}");
            assert_eq!(resumed.moments, whole.moments);
            assert_eq!(resumed.status, Status::Converged);
            // The first evaluation has no training loss: compare all but that NaN.
            assert_eq!(resumed.history[1..], whole.history[1..]);
        }
    }
}

#[test]
fn training_on_the_survivors_alone_stops_and_goes_on_to_the_same_bits() {
    let mut problem = problem();
    let mut rng = Seed::root(24).rng();
    for &i in problem.network.layout().weights().indices() {
        problem.mask.set(i, rng.random::<f64>() < 0.2);
    }
    assert!(problem.network.layout().density(&problem.mask) < crate::networks::SPARSE_DENSITY_SINGLE);
    for optimiser in [Optimiser::sgd(0.05), Optimiser::adam(0.01)] {
        let trainer = problem.trainer(plan(optimiser, Loss::CrossEntropy, 30));
        let whole = trainer.run(&problem.initial).unwrap();
        let mut halting = trainer.start(&problem.initial).unwrap();
        for step in 0..=30 {
            trainer.advance(&mut halting, step, &mut |_| true).unwrap();
            let bytes = trainer.checkpoint(&halting).to_bytes().unwrap();
            halting = trainer.resume(&Bundle::from_bytes("memory", &bytes).unwrap()).unwrap();
            for (i, _) in problem.mask.bits().iter().enumerate().filter(|(_, keep)| !**keep) {
                let second = halting.moments.second.get(i).copied().unwrap_or(0.0);
                assert_eq!(
                    [halting.theta[i], halting.moments.first[i], second].map(f32::to_bits),
                    [0; 3]
                );
            }
        }
        assert_eq!(halting.theta, whole.theta);
        assert_eq!(halting.moments, whole.moments);
        assert_eq!(halting.history[1..], whole.history[1..]);
        let moved = (0..whole.theta.len()).filter(|&i| whole.theta[i] != 0.0 && whole.theta[i] != problem.initial[i]);
        assert!(moved.count() > 10);
    }
}

#[test]
fn weights_that_read_inputs_which_are_always_zero_keep_their_first_values() {
    let mut problem = problem();
    for row in problem.inputs.as_mut_slice().chunks_exact_mut(4) {
        (row[1], row[3]) = (0.0, -0.0);
    }
    assert_eq!(
        Examples::labelled(&problem.inputs, &problem.labels).silent_inputs(),
        [1, 3]
    );
    // Once with the products of dense matrices, once on the survivors.
    for density in [0.6, 0.2] {
        let mut rng = Seed::root(25).rng();
        for &i in problem.network.layout().weights().indices() {
            problem.mask.set(i, rng.random::<f64>() < density);
        }
        for optimiser in [Optimiser::sgd(0.05), Optimiser::adam(0.01)] {
            let trainer = problem.trainer(plan(optimiser, Loss::CrossEntropy, 20));
            let end = trainer.run(&problem.initial).unwrap();
            let first = problem.network.layout().slots()[0].range.clone();
            let kept: Vec<usize> = first.filter(|&i| problem.mask.keeps(i)).collect();
            assert!(kept.iter().any(|i| i % 2 == 1) && kept.iter().any(|&i| end.theta[i] != problem.initial[i]));
            for i in kept.into_iter().filter(|i| i % 2 == 1) {
                assert_eq!(end.theta[i], problem.initial[i]);
                assert_eq!(end.moments.first[i], 0.0);
            }
        }
    }
}

#[test]
fn training_learns_what_is_easy_to_learn() {
    let problem = problem();
    for loss in Loss::ALL {
        let state = problem
            .trainer(plan(Optimiser::adam(0.01), loss, 400))
            .run(&problem.initial)
            .unwrap();
        let (first, last) = (state.history[0], state.history[state.history.len() - 1]);
        assert!(
            last.validation_loss < 0.5 * first.validation_loss,
            "{loss:?}: {first:?} to {last:?}"
        );
        // The Bayes error of three unit clouds 2.5·√2 apart is below 8 %; half of the weights are enough for most of it.
        assert!(last.validation_accuracy > 0.85, "{last:?}");
        assert!(state.early_stop().unwrap().validation_loss <= last.validation_loss);
    }
}

#[test]
fn a_training_that_blows_up_says_that_it_diverged() {
    let problem = problem();
    let trainer = problem.trainer(plan(Optimiser::sgd(1e20), Loss::Squared, 50));
    let state = trainer.run(&problem.initial).unwrap();
    assert_eq!(state.status, Status::Diverged);
    let at = state.diverged_at.unwrap();
    assert!(at == state.step && at < 50);
    assert!(state.history.iter().all(|e| e.validation_loss.is_finite()));
    // The loss is finite one step before, and it is that of the last finite parameters.
    let mut before = trainer.start(&problem.initial).unwrap();
    trainer.advance(&mut before, at, &mut |_| true).unwrap();
    assert_eq!((before.status, before.diverged_at), (Status::Stopped, None));
    trainer.advance(&mut before, at + 1, &mut |_| true).unwrap();
    assert_eq!(before.diverged_at, Some(at));
    // What diverged stays so across a checkpoint whose parameters are finite, and is refused where they are not.
    let bytes = trainer.checkpoint(&before).to_bytes().unwrap();
    let resumed = trainer.resume(&Bundle::from_bytes("memory", &bytes).unwrap());
    if before.theta.iter().all(|v| v.is_finite()) {
        assert_eq!(resumed.unwrap().diverged_at, Some(at));
    } else {
        assert!(matches!(resumed, Err(Error::Format { .. })));
    }
}

#[test]
fn another_data_order_gives_another_path_and_the_same_order_the_same() {
    let problem = problem();
    let run = |seed: u64| {
        let examples = Examples::labelled(&problem.inputs, &problem.labels);
        let plan = plan(Optimiser::adam(0.01), Loss::CrossEntropy, 12);
        Trainer::new(
            &problem.network,
            plan,
            examples,
            examples,
            &problem.mask,
            &Seed::root(seed),
        )
        .unwrap()
        .run(&problem.initial)
        .unwrap()
        .theta
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn the_observer_can_stop_a_training_between_evaluations_and_it_goes_on_later() {
    let problem = problem();
    let trainer = problem.trainer(plan(Optimiser::adam(0.01), Loss::CrossEntropy, 30));
    let mut state = trainer.start(&problem.initial).unwrap();
    trainer.advance(&mut state, usize::MAX, &mut |e| e.step < 14).unwrap();
    assert_eq!((state.step, state.status), (14, Status::Stopped));
    trainer.advance(&mut state, usize::MAX, &mut |_| true).unwrap();
    assert_eq!(state.theta, trainer.run(&problem.initial).unwrap().theta);
}

#[test]
fn a_checkpoint_of_another_training_is_refused_by_the_field_that_differs() {
    let problem = problem();
    let trainer = problem.trainer(plan(Optimiser::adam(0.01), Loss::CrossEntropy, 30));
    let bundle = trainer.checkpoint(&trainer.start(&problem.initial).unwrap());
    let other_plan = problem.trainer(plan(Optimiser::adam(0.02), Loss::CrossEntropy, 30));
    assert!(other_plan.resume(&bundle).unwrap_err().to_string().contains("identity"));
    let examples = Examples::labelled(&problem.inputs, &problem.labels);
    let full = problem.network.layout().full_mask();
    let same_plan = || plan(Optimiser::adam(0.01), Loss::CrossEntropy, 30);
    let other_mask = Trainer::new(
        &problem.network,
        same_plan(),
        examples,
        examples,
        &full,
        &Seed::root(23),
    )
    .unwrap();
    assert!(other_mask.resume(&bundle).unwrap_err().to_string().contains("mask"));
    let network = Network::preset("mlp:9-8", 4, 3).unwrap();
    let all = network.layout().full_mask();
    let other_network = Trainer::new(&network, same_plan(), examples, examples, &all, &Seed::root(23)).unwrap();
    let refused = other_network.resume(&bundle).unwrap_err().to_string();
    assert!(
        refused.contains("network=mlp:9-8") && refused.contains("network=mlp:9-7"),
        "{refused}"
    );
    let other_order = Trainer::new(
        &problem.network,
        same_plan(),
        examples,
        examples,
        &problem.mask,
        &Seed::root(24),
    )
    .unwrap();
    assert!(
        other_order
            .resume(&bundle)
            .unwrap_err()
            .to_string()
            .contains("random_stream")
    );
}

#[test]
fn plans_and_data_that_do_not_fit_are_refused() {
    let problem = problem();
    let examples = Examples::labelled(&problem.inputs, &problem.labels);
    let try_plan = |plan: TrainingPlan| {
        Trainer::new(
            &problem.network,
            plan,
            examples,
            examples,
            &problem.mask,
            &Seed::root(1),
        )
        .map(|_| ())
    };
    assert!(matches!(
        try_plan(TrainingPlan {
            batch: 0,
            ..Default::default()
        }),
        Err(Error::Argument { .. })
    ));
    assert!(matches!(
        try_plan(TrainingPlan {
            batch: 91,
            ..Default::default()
        }),
        Err(Error::Argument { .. })
    ));
    assert!(matches!(
        try_plan(TrainingPlan {
            evaluate_every: 0,
            ..Default::default()
        }),
        Err(Error::Argument { .. })
    ));
    let short = Examples::labelled(&problem.inputs, &problem.labels[1..]);
    let plan = TrainingPlan::default();
    let refused = Trainer::new(&problem.network, plan, short, examples, &problem.mask, &Seed::root(1));
    assert!(matches!(refused.map(|_| ()), Err(Error::Shape { .. })));
    let trainer = problem.trainer(TrainingPlan::default());
    assert!(trainer.start(&problem.initial[1..]).is_err());
}

#[test]
fn a_teacher_that_is_sure_of_wrong_answers_misleads() {
    let problem = problem();
    let adam = plan(Optimiser::adam(0.01), Loss::CrossEntropy, 300);
    let alone = problem.trainer(adam.clone()).run(&problem.initial).unwrap();
    let linear = Network::preset("linear:no-bias", 4, 3).unwrap();
    let whole: Distillation = "weight=1,temperature=0.001".parse().unwrap();
    // A linear teacher that swaps the first two classes.
    let theta: Vec<f32> = (0..12).map(|k| f32::from(u8::from([1, 4, 10].contains(&k)))).collect();
    let misled = problem
        .trainer(adam.clone())
        .taught_by(&linear, &theta, whole)
        .unwrap()
        .run(&problem.initial)
        .unwrap();
    let last = |state: &TrainingState<f32>| state.history[state.history.len() - 1].validation_accuracy;
    assert!(
        last(&alone) > 0.8 && last(&misled) < 0.5,
        "{} {}",
        last(&alone),
        last(&misled)
    );
}

#[test]
fn a_teacher_is_heard_the_same_way_with_and_without_mixing_and_resumes_to_the_same_bits() {
    let problem = problem();
    let half: Distillation = "weight=0.5,temperature=2".parse().unwrap();
    let teacher: Vec<f32> = problem.network.initial(&Seed::root(31), &Initialisation::HE).unwrap();
    let other: Vec<f32> = problem.network.initial(&Seed::root(32), &Initialisation::HE).unwrap();
    for plan in every_kind_of_plan() {
        let taught = |theta| {
            problem
                .trainer(plan.clone())
                .taught_by(&problem.network, theta, half)
                .unwrap()
        };
        let whole = taught(&teacher).run(&problem.initial).unwrap();
        let mut state = taught(&teacher).start(&problem.initial).unwrap();
        taught(&teacher).advance(&mut state, 13, &mut |_| true).unwrap();
        let bytes = taught(&teacher).checkpoint(&state).to_bytes().unwrap();
        let bundle = Bundle::from_bytes("memory", &bytes).unwrap();
        let mut resumed = taught(&teacher).resume(&bundle).unwrap();
        taught(&teacher)
            .advance(&mut resumed, usize::MAX, &mut |_| true)
            .unwrap();
        assert_eq!(resumed.theta, whole.theta);
        assert_ne!(
            problem.trainer(plan.clone()).run(&problem.initial).unwrap().theta,
            whole.theta
        );
        for refused in [
            taught(&other).resume(&bundle),
            problem.trainer(plan.clone()).resume(&bundle),
        ] {
            assert!(refused.unwrap_err().to_string().contains("identity"));
        }
    }
    let plan = plan(Optimiser::adam(0.01), Loss::CrossEntropy, 30);
    let once = problem
        .trainer(plan.clone())
        .taught_by(&problem.network, &teacher, half)
        .unwrap();
    assert!(once.taught_by(&problem.network, &teacher, half).is_err());
    assert!(
        problem
            .trainer(plan)
            .taught_by(&problem.network, &teacher[1..], half)
            .is_err()
    );
}

#[test]
fn one_step_of_a_scheduled_training_is_one_step_at_the_rate_of_that_step() {
    let problem = problem();
    let scheduled = TrainingPlan {
        schedule: "steps:at=1,factor=0.25".parse().unwrap(),
        ..plan(
            Optimiser::named("gradient-descent", 0.5).unwrap(),
            Loss::CrossEntropy,
            2,
        )
    };
    let after_two = problem.trainer(scheduled).run(&problem.initial).unwrap();
    let at_rate = |rate: f64| {
        plan(
            Optimiser::named("gradient-descent", rate).unwrap(),
            Loss::CrossEntropy,
            2,
        )
    };
    // Gradient descent without momentum keeps nothing but the parameters from step to step.
    let fast = problem.trainer(at_rate(0.5));
    let mut state = fast.start(&problem.initial).unwrap();
    fast.advance(&mut state, 1, &mut |_| true).unwrap();
    let slow = problem.trainer(at_rate(0.125));
    let mut second = slow.start_at(&state.theta, 1).unwrap();
    slow.advance(&mut second, 2, &mut |_| true).unwrap();
    assert_eq!(second.theta, after_two.theta);
}

#[test]
fn decay_shrinks_weights_and_never_biases() {
    let mut problem = problem();
    check_decay(&problem);
    // A tenth of the weights, where a training may go by the survivors alone.
    let weights = problem.network.layout().weights();
    let pruned = weights.indices().iter().filter(|&&i| i % 10 != 3);
    pruned.for_each(|&i| problem.mask.set(i, false));
    check_decay(&problem);
}

fn check_decay(problem: &Problem) {
    let run = |name: &str| {
        let plan = plan(Optimiser::named(name, 0.01).unwrap(), Loss::CrossEntropy, 1);
        problem
            .trainer(plan)
            .run(&vec![1.0; problem.initial.len()])
            .unwrap()
            .theta
    };
    let plain = run("gradient-descent");
    for decayed in [
        run("gradient-descent:weight-decay=0.5"),
        run("gradient-descent:decoupled-decay=0.5"),
    ] {
        for slot in problem.network.layout().slots() {
            for i in slot.range.clone().filter(|&i| problem.mask.keeps(i)) {
                let lost = f64::from(plain[i] - decayed[i]);
                if slot.kind == SlotKind::Bias {
                    assert_eq!(lost, 0.0);
                } else {
                    // η λ θ with θ = 1 before the step; three roundings of numbers near 1.
                    assert!((lost - 0.01 * 0.5).abs() <= 4.0 * f64::from(f32::EPSILON), "{lost}");
                }
            }
        }
    }
}

#[test]
fn a_checkpoint_that_says_something_impossible_is_refused_by_its_field() {
    let problem = problem();
    let trainer = problem.trainer(plan(Optimiser::adam(0.01), Loss::CrossEntropy, 30));
    let mut state = trainer.start(&problem.initial).unwrap();
    trainer.advance(&mut state, 9, &mut |_| true).unwrap();
    let good = trainer.checkpoint(&state);
    for (field, value) in [
        ("kind", serde_json::json!("iterative pruning run")),
        ("version", serde_json::json!(1)),
        ("step", serde_json::json!(31)),
        ("step", serde_json::json!(-1)),
        ("status", serde_json::json!("paused")),
        ("diverged_at", serde_json::json!(3)),
        ("random_stream", serde_json::json!(null)),
    ] {
        let mut description = good.description().clone();
        description[field] = value;
        let mut bad = Bundle::new(description);
        bad.include("", &good);
        let refused = trainer.resume(&bad).unwrap_err();
        assert!(
            matches!(refused, Error::Format { .. }) && refused.to_string().contains(field),
            "{refused}"
        );
    }
    let mut short = Bundle::new(good.description().clone());
    short.include("", &good);
    short.put("theta", &state.theta[1..]);
    assert!(trainer.resume(&short).unwrap_err().to_string().contains("theta"));
}

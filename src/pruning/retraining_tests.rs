use super::imp_tests::{Clouds, data, plan};
use super::*;
use crate::error::Error;
use crate::outcome::Status;
use crate::seed::Seed;
use crate::training::{Optimiser, Trainer, TrainingPlan};
use std::collections::BTreeMap;

fn samples() -> (Clouds, Clouds) {
    (Clouds::new(120, 1), Clouds::new(60, 2))
}

fn scheduled() -> ImpPlan {
    ImpPlan {
        training: TrainingPlan {
            optimiser: Optimiser::named("momentum", 0.05).unwrap(),
            schedule: "steps:at=20+40,factor=0.2".parse().unwrap(),
            ..plan().training
        },
        rounds: 2,
        ..plan()
    }
}

/// Every round after the first, trained by hand: from given values, at a plan and a step.
fn check_by_hand(plan: &ImpPlan, training: &TrainingPlan, start: usize, from: fn(&ImpRun, usize) -> &[f32]) {
    let (training_samples, other) = samples();
    let data = data(&training_samples, &other);
    let network = plan.build_network(&data).unwrap();
    let run = plan.run(&data, &Seed::root(5), &mut |_| true).unwrap();
    for round in 1..run.rounds.len() {
        let mask = &run.rounds[round].mask;
        let order = Seed::root(5).stream("training");
        let trainer = Trainer::new(&network, training.clone(), data.training, data.validation, mask, &order).unwrap();
        let mut state = trainer.start_at(from(&run, round), start).unwrap();
        trainer.advance(&mut state, usize::MAX, &mut |_| true).unwrap();
        assert_eq!(state.theta, run.rounds[round].outcome.theta, "round {round}");
        assert_eq!(run.rounds[round].outcome.steps, training.steps - start);
        assert_eq!(run.rounds[round].outcome.history[0].step, start);
    }
}

#[test]
fn learning_rate_rewinding_keeps_the_weights_and_takes_the_schedule_back() {
    let plan = ImpPlan {
        retraining: Retraining::LearningRateRewinding,
        rewind_step: 15,
        ..scheduled()
    };
    check_by_hand(&plan, &plan.training, 15, |run, round| {
        &run.rounds[round - 1].outcome.theta
    });
}

#[test]
fn weight_rewinding_takes_weights_and_schedule_back() {
    let plan = ImpPlan {
        rewind_step: 15,
        ..scheduled()
    };
    check_by_hand(&plan, &plan.training, 15, |run, _| &run.rewind);
}

#[test]
fn fine_tuning_keeps_the_weights_and_the_last_learning_rate() {
    let plan = ImpPlan {
        retraining: Retraining::FineTuning { steps: 25 },
        ..scheduled()
    };
    // Two drops by 0.2 before the last of 60 steps: from there on the rate is 0.05 · 0.2², and 25 steps are added.
    let last = TrainingPlan {
        optimiser: Optimiser::named("momentum", 0.05 * 0.2f64.powi(2)).unwrap(),
        schedule: "constant".parse().unwrap(),
        steps: 85,
        ..plan.training.clone()
    };
    check_by_hand(&plan, &last, 60, |run, round| &run.rounds[round - 1].outcome.theta);
}

#[test]
fn the_three_retrainings_share_the_dense_round_and_the_first_mask() {
    let (training, other) = samples();
    let run = |retraining: Retraining| {
        let plan = ImpPlan {
            retraining,
            ..scheduled()
        };
        plan.run(&data(&training, &other), &Seed::root(5), &mut |_| true)
            .unwrap()
    };
    let weights = run(Retraining::WeightRewinding);
    for other in [
        run(Retraining::LearningRateRewinding),
        run(Retraining::FineTuning { steps: 60 }),
    ] {
        assert_eq!(other.rounds[0].outcome.theta, weights.rounds[0].outcome.theta);
        assert_eq!(other.rounds[1].mask, weights.rounds[1].mask);
        assert_ne!(other.rounds[1].outcome.theta, weights.rounds[1].outcome.theta);
    }
}

#[test]
fn controls_of_kept_weights_start_where_every_place_has_a_value() {
    let (training, other) = samples();
    let data = data(&training, &other);
    for retraining in [Retraining::LearningRateRewinding, Retraining::FineTuning { steps: 12 }] {
        let plan = ImpPlan {
            retraining,
            ..scheduled()
        };
        let run = plan.run(&data, &Seed::root(5), &mut |_| true).unwrap();
        for control in Control::ALL {
            let trained = control.train(&plan, &data, &Seed::root(5), &run, 2).unwrap();
            let steps = if control == Control::SmallDense {
                60
            } else {
                run.rounds[2].outcome.steps
            };
            assert_eq!(trained.outcome.steps, steps, "{control}");
            assert_ne!(trained.outcome.theta, run.rounds[2].outcome.theta, "{control}");
            let kept = trained.network.layout().weights();
            let kept = kept.indices().iter().filter(|&&i| trained.mask.keeps(i));
            // Trained from exactly zero a weight may stay there behind a dead unit; from a trained value it does not.
            assert!(
                kept.clone().filter(|&&i| trained.outcome.theta[i] == 0.0).count() == 0,
                "{control}"
            );
        }
        let once = Control::OneShot.train(&plan, &data, &Seed::root(5), &run, 1).unwrap();
        assert_eq!(once.outcome.theta, run.rounds[1].outcome.theta);
    }
}

#[test]
fn layers_lose_the_fractions_of_their_names() {
    let (training, other) = samples();
    let data = data(&training, &other);
    let named = |pairs: &[(&str, f64)]| ImpPlan {
        layer_prune_fractions: pairs
            .iter()
            .map(|(name, fraction)| (name.to_string(), *fraction))
            .collect(),
        ..plan()
    };
    let run = named(&[("dense1.weight", 0.5), ("dense2.weight", 0.25)])
        .run(&data, &Seed::root(5), &mut |_| true)
        .unwrap();
    let network = plan().build_network(&data).unwrap();
    let counts = |mask: &crate::support::Mask| -> Vec<usize> {
        network
            .layout()
            .weight_slots()
            .map(|slot| mask.kept_in(slot.range.clone()))
            .collect()
    };
    // 72, 96 and 24 weights lose 0.3, 0.5 and 0.25: 21.6 and 0.3 · 50 are rounded to 22 and 15.
    assert_eq!(counts(&run.rounds[1].mask), [50, 48, 18]);
    // A quarter of 18 is 4.5, which is rounded up.
    assert_eq!(counts(&run.rounds[2].mask), [35, 24, 13]);
    for (name, fraction, words) in [
        ("dense1.bias", 0.5, "dense0.weight, dense1.weight"),
        ("dense3.weight", 0.5, "did you mean"),
        ("dense1.weight", 1.0, "prune fraction of dense1.weight"),
    ] {
        let refused = named(&[(name, fraction)])
            .run(&data, &Seed::root(5), &mut |_| true)
            .unwrap_err();
        assert!(refused.to_string().contains(words), "{refused}");
    }
}

#[test]
fn a_layer_that_is_pruned_away_is_named_from_the_round_on_that_emptied_it() {
    let (training, other) = samples();
    let data = data(&training, &other);
    let plan = ImpPlan {
        // 24 weights: 1 is left after the first round, and half of one is rounded to one pruned.
        layer_prune_fractions: BTreeMap::from([("dense2.weight".to_string(), 0.95)]),
        rounds: 3,
        ..plan()
    };
    let run = plan.run(&data, &Seed::root(5), &mut |_| true).unwrap();
    let emptied: Vec<usize> = run.rounds.iter().map(|round| round.emptied.len()).collect();
    assert_eq!(emptied, [0, 0, 1, 1]);
    assert_eq!(run.rounds[2].emptied, ["dense2.weight"]);
    let back = ImpRun::from_bytes("memory", &run.to_bytes("x").unwrap()).unwrap();
    assert_eq!(back.rounds[3].emptied, ["dense2.weight"]);
    // Only the biases of the output are left: every sample gets the same answer.
    assert!(run.rounds[3].outcome.test_accuracy <= 1.0 / 3.0 + f64::EPSILON);
}

#[test]
fn a_distilled_ticket_learns_from_the_dense_network_and_the_dense_network_from_labels() {
    let (training, other) = samples();
    let data = data(&training, &other);
    let plain = scheduled();
    let distilled = ImpPlan {
        distillation: Some("weight=0.9,temperature=2".parse().unwrap()),
        ..scheduled()
    };
    let (a, b) = (
        plain.run(&data, &Seed::root(5), &mut |_| true).unwrap(),
        distilled.run(&data, &Seed::root(5), &mut |_| true).unwrap(),
    );
    assert_eq!(a.rounds[0].outcome.theta, b.rounds[0].outcome.theta);
    assert_eq!(a.rounds[1].mask, b.rounds[1].mask);
    assert_ne!(a.rounds[1].outcome.theta, b.rounds[1].outcome.theta);
    let network = distilled.build_network(&data).unwrap();
    let again = distilled
        .retrain(
            &network,
            &data,
            &b.rounds[2].mask,
            &b.rewind,
            &Seed::root(5).stream("training"),
            (&network, &b.rounds[0].outcome.theta),
        )
        .unwrap();
    assert_eq!(again.theta, b.rounds[2].outcome.theta);
}

#[test]
fn plans_that_contradict_themselves_are_refused() {
    let (training, other) = samples();
    let data = data(&training, &other);
    for (plan, words) in [
        (
            ImpPlan {
                retraining: Retraining::FineTuning { steps: 0 },
                ..plan()
            },
            "steps of fine-tuning",
        ),
        (
            ImpPlan {
                retraining: Retraining::FineTuning { steps: 5 },
                rewind_step: 3,
                ..plan()
            },
            "fine-tuning rewinds nothing",
        ),
        (
            ImpPlan {
                training: TrainingPlan {
                    label_smoothing: 1.0,
                    ..plan().training
                },
                ..plan()
            },
            "label smoothing",
        ),
    ] {
        let refused = plan.run(&data, &Seed::root(5), &mut |_| true).unwrap_err();
        assert!(
            matches!(refused, Error::Argument { .. }) && refused.to_string().contains(words),
            "{refused}"
        );
    }
}

#[test]
fn a_run_whose_weights_cannot_be_ranked_ends_with_the_step_at_which_they_broke() {
    let (training, other) = samples();
    let data = data(&training, &other);
    let plan = ImpPlan {
        training: TrainingPlan {
            optimiser: Optimiser::sgd(1e30),
            loss: crate::networks::Loss::Squared,
            ..plan().training
        },
        ..plan()
    };
    let run = plan.run(&data, &Seed::root(5), &mut |_| true).unwrap();
    let last = &run.rounds[run.rounds.len() - 1].outcome;
    assert_eq!(last.status, Status::Diverged);
    assert_eq!(last.diverged_at, Some(last.steps));
    assert!(last.history.iter().all(|e| e.validation_loss.is_finite()));
    let back = ImpRun::from_bytes("memory", &run.to_bytes("x").unwrap()).unwrap();
    assert_eq!(back.rounds[0].outcome.diverged_at, run.rounds[0].outcome.diverged_at);
}

#[test]
fn a_large_negative_weight_outlives_a_small_positive_one() {
    let (training, other) = samples();
    let data = data(&training, &other);
    let network = plan().build_network(&data).unwrap();
    let theta: Vec<f32> = (0..network.layout().len())
        .map(|i| if i % 2 == 0 { -1.0 } else { 0.5 })
        .collect();
    let input = CriterionInput {
        network: &network,
        theta: &theta,
        mask: &network.layout().full_mask(),
        initial: &theta,
        loss: crate::networks::Loss::CrossEntropy,
        training: data.training,
        seed: Seed::root(1),
    };
    let scores = Criterion::Magnitude.scores(&input).unwrap();
    let full = network.layout().full_mask();
    let rates = ImpPlan {
        prune_fraction: 0.5,
        output_prune_fraction: None,
        ..plan()
    }
    .layer_rates(&network)
    .unwrap();
    let mask = prune_lowest(&full, &scores, &rates, Scope::Layerwise).unwrap();
    assert!(
        network
            .layout()
            .weights()
            .indices()
            .iter()
            .all(|&i| mask.keeps(i) == (theta[i] < 0.0))
    );
}

#[test]
fn the_identity_of_a_plan_without_later_fields_is_what_it_always_was() {
    let (training, other) = samples();
    let data = data(&training, &other);
    let identity = |plan: &ImpPlan| plan.identity(&data, &Seed::root(1));
    // Written down from the program before the later fields were there: stored runs are found under this name.
    let before = "network=lenet-300-100;initialisation=glorot;optimiser=adam:learning-rate=0.0012,beta1=0.9,beta2=0.999,\
                  epsilon=0.00000001;loss=cross-entropy;batch=60;steps=1000;evaluate-every=50;rounds=10;\
                  prune-fraction=0.2;output-prune-fraction=0.1;scope=layerwise;criterion=magnitude;rewind-step=0;\
                  data=clouds;seed=SEED/0";
    let before = before.replace("SEED", &crate::files::hex(&Seed::root(1).key()));
    assert_eq!(identity(&ImpPlan::default()), before);
    assert_eq!(
        ImpPlan::default().shared_identity(&data, &Seed::root(1)),
        before.replace("rounds=10", "rounds=any")
    );
    let changed = [
        ImpPlan {
            retraining: Retraining::LearningRateRewinding,
            ..ImpPlan::default()
        },
        ImpPlan {
            retraining: Retraining::FineTuning { steps: 7 },
            ..ImpPlan::default()
        },
        ImpPlan {
            layer_prune_fractions: BTreeMap::from([("dense0.weight".to_string(), 0.4)]),
            ..ImpPlan::default()
        },
        ImpPlan {
            distillation: Some("weight=0.5".parse().unwrap()),
            ..ImpPlan::default()
        },
        ImpPlan {
            training: TrainingPlan {
                label_smoothing: 0.1,
                ..TrainingPlan::default()
            },
            ..ImpPlan::default()
        },
    ];
    let mut identities: Vec<String> = changed.iter().map(identity).collect();
    identities.push(before);
    for (i, a) in identities.iter().enumerate() {
        assert!(identities.iter().skip(i + 1).all(|b| a != b), "{a}");
    }
}

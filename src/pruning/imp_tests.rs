use super::*;
use crate::error::Error;
use crate::networks::{Array, Initialisation, Loss, Network};
use crate::outcome::Status;
use crate::seed::Seed;
use crate::support::Mask;
use crate::training::{Examples, Optimiser, TrainingPlan};
use rand::RngExt;
use rand_distr::StandardNormal;

/// Three Gaussian clouds in six dimensions.
pub(super) struct Clouds {
    inputs: Array<f32>,
    labels: Vec<usize>,
}

impl Clouds {
    pub(super) fn new(samples: usize, seed: u64) -> Self {
        let mut rng = Seed::root(seed).stream("clouds").rng();
        let labels: Vec<usize> = (0..samples).map(|i| i % 3).collect();
        let inputs = Array::from_fn(samples, 6, |i, j| {
            let noise: f64 = rng.sample(StandardNormal);
            (noise + if labels[i] == j { 3.0 } else { 0.0 }) as f32
        });
        Clouds { inputs, labels }
    }

    fn examples(&self) -> Examples<'_, f32> {
        Examples::labelled(&self.inputs, &self.labels)
    }
}

pub(super) fn plan() -> ImpPlan {
    ImpPlan {
        network: "mlp:12-8".into(),
        initialisation: Initialisation::HE,
        training: TrainingPlan {
            optimiser: Optimiser::adam(0.01),
            loss: Loss::CrossEntropy,
            batch: 30,
            steps: 60,
            evaluate_every: 10,
            ..TrainingPlan::default()
        },
        rounds: 4,
        prune_fraction: 0.3,
        output_prune_fraction: Some(0.1),
        ..ImpPlan::default()
    }
}

fn run(plan: &ImpPlan) -> (ImpRun, Network) {
    let (training, other) = (Clouds::new(120, 1), Clouds::new(60, 2));
    let data = data(&training, &other);
    let network = plan.build_network(&data).unwrap();
    (plan.run(&data, &Seed::root(5), &mut |_| true).unwrap(), network)
}

pub(super) fn data<'a>(training: &'a Clouds, other: &'a Clouds) -> ImpData<'a> {
    let (validation, test) = (other.examples(), other.examples());
    ImpData {
        training: training.examples(),
        validation,
        test,
        shape: training.inputs.columns().into(),
        classes: 3,
        identity: "clouds",
    }
}

#[test]
fn every_round_keeps_exactly_the_counts_of_the_integer_recursion_in_every_layer() {
    let (run, network) = run(&plan());
    let mut expected: Vec<usize> = network.layout().weight_slots().map(|slot| slot.range.len()).collect();
    assert_eq!(run.rounds.len(), 5);
    for round in &run.rounds {
        let kept: Vec<usize> = network
            .layout()
            .weight_slots()
            .map(|slot| round.mask.kept_in(slot.range.clone()))
            .collect();
        assert_eq!(kept, expected, "round {}", round.round);
        for slot in network.layout().unpruned_slots() {
            assert_eq!(round.mask.kept_in(slot.range.clone()), slot.range.len());
        }
        let last = expected.len() - 1;
        for (l, k) in expected.iter_mut().enumerate() {
            *k = survivors(*k, if l == last { 0.1 } else { 0.3 }).unwrap();
        }
    }
}

#[test]
fn survivors_are_those_of_largest_trained_magnitude_and_start_from_their_initial_values() {
    let (run, network) = run(&plan());
    for pair in run.rounds.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        for slot in network.layout().weight_slots() {
            let size = |i: usize| before.outcome.theta[i].abs();
            let kept = slot
                .range
                .clone()
                .filter(|&i| after.mask.keeps(i))
                .map(size)
                .fold(f32::MAX, f32::min);
            let lost = slot
                .range
                .clone()
                .filter(|&i| before.mask.keeps(i) && !after.mask.keeps(i));
            assert!(lost.map(size).fold(0.0, f32::max) <= kept);
        }
        // Retraining from the rewound values under the mask is the next round, to the last bit.
        let (training, other) = (Clouds::new(120, 1), Clouds::new(60, 2));
        let again = plan()
            .train(
                &network,
                &data(&training, &other),
                &after.mask,
                &run.initial,
                0,
                &Seed::root(5).stream("training"),
            )
            .unwrap();
        assert_eq!(again.theta, after.outcome.theta);
    }
    assert_eq!(run.rewind, run.initial);
}

#[test]
fn rewinding_to_a_later_step_takes_the_values_of_the_dense_training_there() {
    let late = ImpPlan {
        rewind_step: 17,
        rounds: 1,
        ..plan()
    };
    let (run, network) = run(&late);
    let (training, other) = (Clouds::new(120, 1), Clouds::new(60, 2));
    let data = data(&training, &other);
    let dense_early = ImpPlan {
        training: TrainingPlan {
            steps: 17,
            ..plan().training
        },
        ..plan()
    };
    let full = network.layout().full_mask();
    let order = Seed::root(5).stream("training");
    let early = dense_early
        .train(&network, &data, &full, &run.initial, 0, &order)
        .unwrap();
    assert_eq!(run.rewind, early.theta);
    assert_eq!(run.rounds[0].outcome.steps, 60);
    assert_eq!(run.rounds[1].outcome.steps, 43);
    // The dense round is not disturbed by the stop on its way.
    let whole = plan().train(&network, &data, &full, &run.initial, 0, &order).unwrap();
    assert_eq!(run.rounds[0].outcome.theta, whole.theta);
}

#[test]
fn a_stored_run_comes_back_to_the_last_bit_and_a_damaged_one_is_refused() {
    let (run, _) = run(&plan());
    let bytes = run.to_bytes("identity").unwrap();
    assert_eq!(bytes, run.to_bytes("identity").unwrap());
    let back = ImpRun::from_bytes("memory", &bytes).unwrap();
    assert_eq!(back.to_bytes("identity").unwrap(), bytes);
    assert_eq!(
        back.rounds.last().unwrap().outcome.theta,
        run.rounds.last().unwrap().outcome.theta
    );
    for cut in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        assert!(ImpRun::from_bytes("memory", &bytes[..cut]).is_err());
    }
}

#[test]
fn a_run_can_be_interrupted_after_a_round_and_plans_out_of_range_are_refused() {
    let (training, other) = (Clouds::new(120, 1), Clouds::new(60, 2));
    let data = data(&training, &other);
    let mut seen = 0;
    let ended = plan().run(&data, &Seed::root(5), &mut |_| {
        seen += 1;
        seen < 2
    });
    assert!(matches!(ended, Err(Error::Interrupted)) && seen == 2);
    for bad in [
        ImpPlan {
            prune_fraction: 1.0,
            ..plan()
        },
        ImpPlan {
            output_prune_fraction: Some(-0.1),
            ..plan()
        },
        ImpPlan {
            rewind_step: 60,
            ..plan()
        },
        ImpPlan {
            network: "mlp:0".into(),
            ..plan()
        },
    ] {
        assert!(matches!(
            bad.run(&data, &Seed::root(5), &mut |_| true),
            Err(Error::Argument { .. })
        ));
    }
}

#[test]
fn two_plans_that_differ_in_any_field_have_different_identities() {
    let (training, other) = (Clouds::new(120, 1), Clouds::new(60, 2));
    let data = data(&training, &other);
    let identity = |plan: ImpPlan| plan.identity(&data, &Seed::root(1));
    let all = [
        plan(),
        ImpPlan {
            network: "mlp:12-9".into(),
            ..plan()
        },
        ImpPlan {
            initialisation: Initialisation::GLOROT,
            ..plan()
        },
        ImpPlan {
            training: TrainingPlan {
                batch: 31,
                ..plan().training
            },
            ..plan()
        },
        ImpPlan { rounds: 5, ..plan() },
        ImpPlan {
            prune_fraction: 0.31,
            ..plan()
        },
        ImpPlan {
            output_prune_fraction: None,
            ..plan()
        },
        ImpPlan {
            scope: Scope::Global,
            ..plan()
        },
        ImpPlan {
            criterion: Criterion::Random,
            ..plan()
        },
        ImpPlan {
            rewind_step: 1,
            ..plan()
        },
    ]
    .map(identity);
    for (i, a) in all.iter().enumerate() {
        assert!(all.iter().skip(i + 1).all(|b| a != b), "{a}");
    }
    assert_ne!(
        plan().identity(&data, &Seed::root(1)),
        plan().identity(&data, &Seed::root(2))
    );
}

#[test]
fn every_criterion_gives_finite_scores_and_optimal_brain_damage_predicts_the_loss_of_one_weight() {
    // One linear layer and squared loss: the loss is quadratic in the weights, so at its minimum the expansion with the
    // diagonal is exact for a single weight.
    let network = Network::preset("linear:no-bias", 6, 3).unwrap();
    let clouds = Clouds::new(90, 3);
    let initial: Vec<f32> = network.initial(&Seed::root(1), &Initialisation::HE).unwrap();
    let least_squares = {
        let mut theta: Vec<f64> = initial.iter().map(|&v| f64::from(v)).collect();
        let inputs = clouds.inputs.convert();
        for _ in 0..4000 {
            let (_, gradient) = network
                .gradient(&theta, &inputs, &clouds.labels, Loss::Squared)
                .unwrap();
            theta.iter_mut().zip(&gradient).for_each(|(t, g)| *t -= 0.1 * g);
        }
        theta
    };
    let theta: Vec<f32> = least_squares.iter().map(|&v| v as f32).collect();
    let input = CriterionInput {
        network: &network,
        theta: &theta,
        mask: &network.layout().full_mask(),
        initial: &initial,
        loss: Loss::Squared,
        training: clouds.examples(),
        seed: Seed::root(9),
    };
    for criterion in Criterion::ALL {
        let scores = criterion.scores(&input).unwrap();
        let signed = [
            Criterion::GradientWeight,
            Criterion::Grasp,
            Criterion::MagnitudeIncrease,
        ];
        let may_be = |s: f64| s >= 0.0 || signed.contains(&criterion);
        assert!(scores.iter().all(|s| s.is_finite() && may_be(*s)), "{criterion}");
        assert_eq!(criterion.as_str().parse::<Criterion>().unwrap(), criterion);
    }
    let scores = Criterion::OptimalBrainDamage.scores(&input).unwrap();
    let inputs = clouds.inputs.convert();
    let base = network
        .loss(&least_squares, &inputs, &clouds.labels, Loss::Squared)
        .unwrap();
    for i in 0..least_squares.len() {
        let mut without = least_squares.clone();
        without[i] = 0.0;
        let rise = network.loss(&without, &inputs, &clouds.labels, Loss::Squared).unwrap() - base;
        // Weights were rounded to single precision, relative 6e-8, and the gradient left at the minimum is far below that.
        assert!(
            (rise - scores[i]).abs() <= 1e-6 * (rise + base),
            "weight {i}: {rise} against {}",
            scores[i]
        );
    }
}

#[test]
fn a_diverged_round_is_reported_and_does_not_stop_the_run() {
    let training = TrainingPlan {
        optimiser: Optimiser::sgd(1e18),
        loss: Loss::Squared,
        ..plan().training
    };
    let (run, _) = run(&ImpPlan {
        training,
        criterion: Criterion::Random,
        ..plan()
    });
    assert!(run.rounds.iter().all(|r| r.outcome.status == Status::Diverged));
    assert!(run.rounds.iter().all(|r| r.outcome.test_accuracy == 1.0 / 3.0));
    let kept: Vec<usize> = run.rounds.iter().map(|r| r.mask.kept()).collect();
    assert!(kept.windows(2).all(|w| w[1] < w[0]));
    let _: &Mask = &run.rounds[0].mask;
}

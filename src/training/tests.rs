use super::*;
use crate::error::Error;
use crate::networks::{Array, Initialisation, Loss, Network};
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

#[test]
fn training_stopped_saved_and_resumed_at_any_step_ends_in_the_same_bits() {
    let problem = problem();
    for (optimiser, loss) in [
        (Optimiser::sgd(0.05), Loss::Squared),
        (Optimiser::adam(0.01), Loss::CrossEntropy),
    ] {
        let trainer = problem.trainer(plan(optimiser, loss, 30));
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
    assert!(state.step < 50);
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

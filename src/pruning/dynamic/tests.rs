use super::exchange::Exchanger;
use super::*;
use crate::networks::{Initialisation, Loss};
use crate::pruning::small_samples::SmallSamples;
use crate::pruning::{ImpPlan, controls::random_mask};
use crate::training::Optimiser;
use proptest::prelude::*;
use std::ops::Range;

fn plan(steps: usize) -> TrainingPlan {
    TrainingPlan {
        batch: 30,
        steps,
        evaluate_every: 7,
        ..TrainingPlan::default()
    }
}

fn layers(network: &Network) -> Vec<Range<usize>> {
    network.layout().weight_ranges()
}

fn counts(network: &Network, mask: &Mask) -> Vec<usize> {
    layers(network).into_iter().map(|range| mask.kept_in(range)).collect()
}

/// A network, its initial values and a random mask of 13 and 9 weights.
fn start(name: &str) -> (Network, Vec<f32>, Mask) {
    let network = Network::preset(name, 6, 3).unwrap();
    let initial = network.initial(&Seed::root(1), &Initialisation::HE).unwrap();
    let mask = random_mask(network.layout().len(), &layers(&network), &[13, 9], &Seed::root(2)).unwrap();
    (network, initial, mask)
}

#[test]
fn without_exchanges_it_is_the_training_of_a_fixed_mask_to_the_last_bit() {
    let (small, (network, initial, mask)) = (SmallSamples::new(90, 6, 0.0), start("mlp:8"));
    let imp = ImpPlan {
        network: "mlp:8".into(),
        training: plan(25),
        ..ImpPlan::default()
    };
    let order = Seed::root(3);
    let fixed = imp.train(&network, &small.view(), &mask, &initial, 0, &order).unwrap();
    for growth in Growth::ALL {
        for still in [
            DynamicTraining {
                fraction: 0.0,
                every: 4,
                ..DynamicTraining::new(growth)
            },
            DynamicTraining {
                last_fraction: 0.0,
                every: 4,
                ..DynamicTraining::new(growth)
            },
            DynamicTraining {
                every: 25,
                ..DynamicTraining::new(growth)
            },
        ] {
            let found = still
                .train(&network, &small.view(), &imp.training, &mask, &initial, &order)
                .unwrap();
            assert_eq!((&found.outcome.theta, &found.mask), (&fixed.theta, &mask));
            // The first evaluation has no batches before it, and its mean loss is no number.
            assert_eq!(found.outcome.history[1..], fixed.history[1..]);
            assert_eq!(found.outcome.test_accuracy, fixed.test_accuracy);
            assert_eq!((found.exchanges.len(), found.gradients), (0, 25));
            assert_eq!(found.ever_active, 22.0 / 72.0);
        }
    }
}

#[test]
fn every_layer_keeps_its_count_and_what_is_pruned_is_exactly_zero() {
    let small = SmallSamples::new(90, 6, 0.0);
    for (name, optimiser) in [("mlp:8", Optimiser::adam(1e-2)), ("mlp:8:tanh", Optimiser::sgd(0.1))] {
        let (network, initial, mask) = start(name);
        let plan = TrainingPlan { optimiser, ..plan(40) };
        for growth in Growth::ALL {
            let dynamic = DynamicTraining {
                every: 5,
                ..DynamicTraining::new(growth)
            };
            let run = || {
                dynamic
                    .train(&network, &small.view(), &plan, &mask, &initial, &Seed::root(3))
                    .unwrap()
            };
            let found = run();
            let again = run();
            assert_eq!((&found.mask, &found.outcome.theta), (&again.mask, &again.outcome.theta));
            assert_eq!(found.exchanges, again.exchanges);
            assert_eq!(counts(&network, &found.mask), [13, 9]);
            assert_ne!(found.mask, mask);
            assert!((0..initial.len()).all(|i| found.mask.keeps(i) || found.outcome.theta[i] == 0.0));
            // Exchanges at 5, 10, …, 25: not at 30, where three quarters of training are over.
            let steps: Vec<usize> = found.exchanges.iter().map(|e| e.step).collect();
            assert_eq!(steps, [5, 10, 15, 20, 25]);
            let dense = if growth == Growth::Gradient { 5 } else { 0 };
            assert_eq!((found.dense_gradients, found.gradients), (dense, 40 + dense));
            // ½ · 0.3 · (1 + cos(π/6)) of 13 and 9 is 3.64 and 2.52.
            assert_eq!(found.exchanges[0].exchanged, [4, 3]);
            let seen: Vec<f64> = found.exchanges.iter().map(|e| e.ever_active).collect();
            assert!(seen[0] > 22.0 / 72.0 && seen.is_sorted() && *seen.last().unwrap() == found.ever_active);
        }
    }
}

#[test]
fn the_smallest_go_and_the_largest_gradients_come_back_as_by_hand() {
    let network = Network::preset("linear:no-bias", 4, 2).unwrap();
    let mask = Mask::from_bits(vec![true, true, true, false, true, false, false, false]);
    let theta = [0.3, -0.1, 0.2, 0.0, -0.2, 0.0, 0.0, 0.0];
    let gradient = [9.0, 0.5, 0.1, -0.7, 9.0, 0.6, -0.2, 0.1];
    let mut exchanger = Exchanger::new(network.layout(), &mask).unwrap();
    // Half of four: index 1, and of the two of size 0.2 the first, index 2. Then 3 and 5 have the largest gradients.
    let found = exchanger.exchange(&mask, &theta, 0.5, Some(&gradient), &Seed::root(0));
    assert_eq!(found.mask.support().indices(), [0, 3, 4, 5]);
    assert_eq!(found.kept.support().indices(), [0, 4]);
    assert_eq!((found.exchanged, exchanger.ever_active()), (vec![2], 6.0 / 8.0));
    // A weight that was given up may be grown at once: of those inactive by then 1 now has the largest gradient.
    let gradient = [9.0, 5.0, 0.1, -0.7, 9.0, 0.6, -0.2, 0.1];
    let found = exchanger.exchange(&mask, &theta, 0.25, Some(&gradient), &Seed::root(0));
    assert_eq!((found.mask, found.kept.keeps(1)), (mask.clone(), false));
    // A layer that is full has nothing to grow.
    let full = network.layout().full_mask();
    let found = exchanger.exchange(&full, &[0.5; 8], 0.5, Some(&gradient), &Seed::root(0));
    assert_eq!((found.mask, found.kept, found.exchanged), (full.clone(), full, vec![0]));
}

#[test]
fn random_growth_chooses_every_inactive_weight_equally_often() {
    let network = Network::preset("linear:no-bias", 4, 3).unwrap();
    let mask = Mask::from_bits((0..12).map(|i| i < 4).collect());
    let theta: Vec<f32> = (0..12).map(|i| if i < 4 { 4.0 - i as f32 } else { 0.0 }).collect();
    let mut grown = [0usize; 12];
    for t in 0..4000 {
        let mut exchanger = Exchanger::new(network.layout(), &mask).unwrap();
        let found = exchanger.exchange(&mask, &theta, 0.5, None, &Seed::root(5).replicate(t));
        assert_eq!(found.kept.support().indices(), [0, 1]);
        (2..12).for_each(|i| grown[i] += usize::from(found.mask.keeps(i)));
    }
    // Two of ten each time: Binomial(4000, 0.2) with deviation 25.3; ten places at five deviations fail by chance with
    // probability below 6e-6.
    assert!(
        grown[2..].iter().all(|&g| (g as f64 - 800.0).abs() < 5.0 * 25.3),
        "{grown:?}"
    );
}

#[test]
fn a_grown_weight_starts_at_zero_with_fresh_moments_and_others_go_on() {
    let (small, (network, initial, mask)) = (SmallSamples::new(90, 6, 0.0), start("mlp:8"));
    let data = small.view();
    for optimiser in [Optimiser::adam(1e-2), Optimiser::sgd(0.1)] {
        let plan = TrainingPlan { optimiser, ..plan(20) };
        let order = Seed::root(3);
        let before = Trainer::new(&network, plan.clone(), data.training, data.validation, &mask, &order).unwrap();
        let mut state = before.start(&initial).unwrap();
        before.advance(&mut state, 10, &mut |_| true).unwrap();
        let mut other = mask.clone();
        let gone = mask.support().indices()[0];
        let asks = before.dense_gradient(&state).unwrap();
        let come = (0..48).find(|&i| !mask.keeps(i) && asks[i] != 0.0).unwrap();
        other.set(gone, false);
        other.set(come, true);
        let old = state.clone();
        let after = Trainer::new(&network, plan.clone(), data.training, data.validation, &other, &order).unwrap();
        after.take_over(&mut state).unwrap();
        for values in [&state.theta, &state.moments.first, &state.moments.second] {
            assert!(values.is_empty() || (values[gone], values[come]) == (0.0, 0.0));
        }
        let same = |a: &[f32], b: &[f32]| (0..a.len()).all(|i| i == gone || a[i] == b[i]);
        assert!(same(&state.theta, &old.theta) && same(&state.moments.first, &old.moments.first));
        assert_eq!((state.step, state.first_step), (10, 0));
        after.advance(&mut state, 11, &mut |_| true).unwrap();
        assert!(state.theta[come] != 0.0 && state.theta[gone] == 0.0 && state.moments.first[gone] == 0.0);
    }
    let adam = Trainer::new(
        &network,
        plan(20),
        data.training,
        data.validation,
        &mask,
        &Seed::root(3),
    )
    .unwrap();
    let sgd = TrainingPlan {
        optimiser: Optimiser::sgd(0.1),
        ..plan(20)
    };
    let sgd = Trainer::new(&network, sgd, data.training, data.validation, &mask, &Seed::root(3)).unwrap();
    assert!(adam.take_over(&mut sgd.start(&initial).unwrap()).is_err());
}

#[test]
fn the_dense_gradient_is_that_of_the_next_batch_in_every_parameter() {
    let (small, (network, initial, mask)) = (SmallSamples::new(90, 6, 0.0), start("mlp:8:tanh"));
    let data = small.view();
    // Of one batch a pass the rows are all samples, in an order that does not matter.
    let whole = TrainingPlan { batch: 90, ..plan(5) };
    let trainer = Trainer::new(&network, whole, data.training, data.validation, &mask, &Seed::root(3)).unwrap();
    let mut state = trainer.start(&initial).unwrap();
    trainer.advance(&mut state, 2, &mut |_| true).unwrap();
    let found = trainer.dense_gradient(&state).unwrap();
    let theta: Vec<f64> = state.theta.iter().map(|&v| f64::from(v)).collect();
    let wide = small.inputs.convert();
    let loss = |theta: &[f64]| network.loss(theta, &wide, &small.labels, Loss::CrossEntropy).unwrap();
    for i in 0..theta.len() {
        let (mut up, mut down) = (theta.clone(), theta.clone());
        (up[i], down[i]) = (theta[i] + 1e-5, theta[i] - 1e-5);
        let difference = (loss(&up) - loss(&down)) / 2e-5;
        // Single precision over sums of 90 samples of size one; central differences of a smooth loss err by 1e-10 here.
        assert!(
            (f64::from(found[i]) - difference).abs() <= 90.0 * f64::from(f32::EPSILON),
            "{i}"
        );
    }
}

#[test]
fn numbers_out_of_range_and_unknown_methods_are_refused() {
    let (small, (network, initial, mask)) = (SmallSamples::new(90, 6, 0.0), start("mlp:8"));
    let good = DynamicTraining::new(Growth::Random);
    for bad in [
        DynamicTraining { every: 0, ..good },
        DynamicTraining { fraction: 1.5, ..good },
        DynamicTraining {
            last_fraction: f64::NAN,
            ..good
        },
    ] {
        let refused = bad.train(&network, &small.view(), &plan(5), &mask, &initial, &Seed::root(0));
        assert!(matches!(refused, Err(Error::Argument { .. })));
    }
    assert_eq!("rigl".parse::<Growth>().unwrap(), Growth::Gradient);
    assert!(
        "rigll"
            .parse::<Growth>()
            .unwrap_err()
            .to_string()
            .contains("did you mean 'rigl'")
    );
    assert_ne!(good.identity(), DynamicTraining::new(Growth::Gradient).identity());
}

proptest! {
    #[test]
    fn the_exchanged_fraction_falls_from_its_start_to_zero(step in 0usize..200, fraction in 0.0f64..1.0) {
        let cosine = DynamicTraining { fraction, ..DynamicTraining::new(Growth::Random) };
        let now = cosine.fraction_at(step, 200);
        prop_assert!(now <= fraction && now >= cosine.fraction_at(step + 1, 200));
        prop_assert_eq!(cosine.fraction_at(0, 200), fraction);
        prop_assert_eq!(now == 0.0, step >= 150 || fraction == 0.0);
        let constant = DynamicTraining { decay: FractionDecay::Constant, ..cosine };
        prop_assert_eq!(constant.fraction_at(step, 200), if step < 150 { fraction } else { 0.0 });
    }
}

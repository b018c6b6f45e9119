use super::imp::ImpPlan;
use super::movement_pruning::{Descent, Group, MovementPruning};
use crate::networks::{Array, Initialisation, Loss, Network};
use crate::outcome::Status;
use crate::pruning::small_samples::SmallSamples;
use crate::seed::Seed;
use crate::support::largest_by;
use crate::training::{Decay, Examples, Optimiser, Trainer, TrainingPlan};
use std::ops::Range;

fn layers(network: &Network) -> Vec<Range<usize>> {
    network.layout().weight_ranges()
}

/// Momentum 0.9 and a penalty, on all samples in a batch, so that no order matters.
fn method(steps: usize) -> MovementPruning {
    MovementPruning {
        training: TrainingPlan {
            optimiser: Optimiser::sgd(0.2).with_decay(Decay::Penalty(1e-3)),
            loss: Loss::CrossEntropy,
            batch: 60,
            steps,
            evaluate_every: 10,
            ..TrainingPlan::default()
        },
        first_fraction: 0.1,
        last_fraction: 0.7,
    }
}

/// A network in double precision with its samples.
struct Double {
    network: Network,
    inputs: Array<f64>,
    labels: Vec<usize>,
    from: Vec<f64>,
}

impl Double {
    fn new(preset: &str) -> Self {
        let small = SmallSamples::new(60, 6, 0.5);
        let network = Network::preset(preset, 6, 3).unwrap();
        Double {
            from: network.initial(&Seed::root(4), &Initialisation::HE).unwrap(),
            inputs: small.inputs.convert(),
            labels: small.labels,
            network,
        }
    }

    fn gradient(&self, theta: &[f64]) -> Vec<f64> {
        let found = self
            .network
            .gradient(theta, &self.inputs, &self.labels, Loss::CrossEntropy);
        found.unwrap().1
    }

    fn loss(&self, theta: &[f64]) -> f64 {
        self.network
            .loss(theta, &self.inputs, &self.labels, Loss::CrossEntropy)
            .unwrap()
    }

    fn groups(&self, counts: &[usize]) -> Vec<Group> {
        let layers = layers(&self.network);
        match counts {
            [together] => vec![Group::new(layers, *together)],
            _ => layers
                .into_iter()
                .zip(counts)
                .map(|(layer, &keep)| Group::new(vec![layer], keep))
                .collect(),
        }
    }

    /// Descends in parts that end after the given steps, and shows what there is after each.
    fn descend(
        &self,
        method: &MovementPruning,
        counts: &[usize],
        stops: &[usize],
        mut look: impl FnMut(&Descent<'_, f64>),
    ) {
        let examples = Examples::labelled(&self.inputs, &self.labels);
        let full = self.network.layout().full_mask();
        let plan = method.training.clone();
        let trainer = Trainer::new(&self.network, plan, examples, examples, &full, &Seed::root(5)).unwrap();
        let mut descent = Descent::new(method, &self.network, &trainer, self.groups(counts), &self.from).unwrap();
        for &stop in stops {
            descent.run(&trainer, stop).unwrap();
            look(&descent);
        }
    }
}

#[test]
fn scores_add_up_what_descent_takes_from_the_weights_as_a_plain_loop_does() {
    const STEPS: usize = 40;
    let method = method(STEPS);
    let small = Double::new("mlp:5:tanh");
    let (layers, n) = (layers(&small.network), small.from.len());
    for counts in [&[9, 6][..], &[12]] {
        let (mut weights, mut velocity, mut scores) = (small.from.clone(), vec![0.0; n], vec![0.0; n]);
        let mut kept = vec![true; n];
        let mut returned = 0;
        let groups: Vec<Vec<usize>> = match counts.len() {
            1 => vec![layers.iter().cloned().flatten().collect()],
            _ => layers.iter().map(|layer| layer.clone().collect()).collect(),
        };
        for step in 0..STEPS {
            let theta: Vec<f64> = (0..n).map(|i| if kept[i] { weights[i] } else { 0.0 }).collect();
            let gradient = small.gradient(&theta);
            for i in 0..n {
                let is_weight = layers.iter().any(|layer| layer.contains(&i));
                if is_weight {
                    scores[i] -= gradient[i] * weights[i];
                }
                let own = if kept[i] { gradient[i] } else { 0.0 };
                velocity[i] = 0.9 * velocity[i] + own + if is_weight { 1e-3 * weights[i] } else { 0.0 };
                weights[i] -= 0.2 * velocity[i];
            }
            // From 4 to 28 of 40 steps.
            let share = ((step as f64 + 1.0 - 4.0) / 24.0).clamp(0.0, 1.0);
            for (group, &keep) in groups.iter().zip(counts) {
                let count = keep as f64 + (group.len() - keep) as f64 * (1.0 - share).powi(3);
                let highest = largest_by(count.round() as usize, group.iter().copied(), |i| scores[i]);
                for &i in group {
                    let stays = highest.contains(&i);
                    returned += usize::from(stays && !kept[i]);
                    kept[i] = stays;
                }
            }
        }
        small.descend(&method, counts, &[STEPS], |found| {
            assert_eq!((&found.bits, found.returned), (&kept, returned));
            assert!(returned > 0, "no weight came back");
            // 40 steps amplify the roundings of sums of 60 terms of order one by a small factor.
            for (own, expected) in [(&found.scores, &scores), (&found.weights, &weights)] {
                assert!(own.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-10));
            }
            assert!((0..n).all(|i| found.state.theta[i] == if kept[i] { found.weights[i] } else { 0.0 }));
            assert!(found.state.status == Status::Converged && found.state.history.len() == 5);
        });
    }
}

#[test]
fn the_gradient_of_a_score_is_the_slope_of_the_loss_in_the_mask_of_its_weight_kept_or_not() {
    let method = method(40);
    let small = Double::new("mlp:5:tanh");
    let mut before: Option<(Vec<f64>, Vec<f64>, Vec<bool>)> = None;
    small.descend(&method, &[9, 6], &[25, 26], |found| {
        if let Some((scores, weights, kept)) = before.take() {
            let masked: Vec<f64> = (0..kept.len())
                .map(|i| if kept[i] { weights[i] } else { 0.0 })
                .collect();
            let mut pruned = 0;
            for i in layers(&small.network).into_iter().flatten() {
                let slope = |h: f64| {
                    let at = |move_by: f64| {
                        let mut theta = masked.clone();
                        theta[i] += move_by * weights[i];
                        small.loss(&theta)
                    };
                    (at(h) - at(-h)) / (2.0 * h)
                };
                let expected = (4.0 * slope(1e-3) - slope(2e-3)) / 3.0;
                // h⁴ = 1e-12 times a fifth derivative below 1e3, and ε/h of rounding.
                let taken = scores[i] - found.scores[i];
                assert!((taken - expected).abs() <= 2e-9, "{i}: {taken} {expected}");
                pruned += usize::from(!kept[i] && taken.abs() > 1e-5);
            }
            assert!(pruned > 5, "{pruned} pruned weights have a slope");
        }
        before = Some((found.scores.clone(), found.weights.clone(), found.bits.clone()));
    });
}

#[test]
fn the_number_of_weights_falls_along_a_cube_and_is_exact_after_every_step() {
    let method = method(40);
    assert_eq!([0, 4].map(|step| method.kept_after(step, 1000, 100)), [1000; 2]);
    // Half the way from step 4 to 28 an eighth of what goes is left.
    assert_eq!(method.kept_after(16, 1000, 100), 100 + 113);
    assert_eq!([28, 35, 40].map(|step| method.kept_after(step, 1000, 100)), [100; 3]);
    let at_once = MovementPruning {
        first_fraction: 1.0,
        last_fraction: 1.0,
        ..method.clone()
    };
    assert_eq!([0, 39, 40].map(|step| at_once.kept_after(step, 50, 7)), [50, 50, 7]);
    let small = Double::new("mlp:5:tanh");
    let all: Vec<usize> = (0..=40).collect();
    for counts in [&[9, 6][..], &[12]] {
        small.descend(&method, counts, &all, |found| {
            let step = found.state.step;
            let in_layers = layers(&small.network)
                .into_iter()
                .map(|layer| found.bits[layer].iter().filter(|b| **b).count());
            let kept: Vec<usize> = in_layers.collect();
            match counts {
                [together] => assert_eq!(kept.iter().sum::<usize>(), method.kept_after(step, 45, *together)),
                _ => assert_eq!(
                    kept,
                    [30, 15].map(|n| method.kept_after(step, n, if n == 30 { 9 } else { 6 }))
                ),
            }
        });
    }
}

#[test]
fn with_every_weight_kept_it_is_plain_training_to_the_last_bit() {
    let small = SmallSamples::new(60, 6, 0.5);
    for (preset, counts) in [
        ("mlp:8", [48, 24]),
        ("mlp:8:batch-norm", [48, 24]),
        ("mlp:8:dropout=0.3", [48, 24]),
    ] {
        let imp = ImpPlan {
            network: preset.into(),
            training: TrainingPlan {
                optimiser: Optimiser::adam(0.01).with_decay(Decay::Decoupled(0.1)),
                batch: 20,
                steps: 25,
                evaluate_every: 7,
                ..TrainingPlan::default()
            },
            ..ImpPlan::default()
        };
        let network = imp.build_network(&small.view()).unwrap();
        let from: Vec<f32> = network.initial(&Seed::root(1), &Initialisation::HE).unwrap();
        let full = network.layout().full_mask();
        let dense = imp
            .train(&network, &small.view(), &full, &from, 0, &Seed::root(2))
            .unwrap();
        let method = MovementPruning {
            training: imp.training.clone(),
            ..MovementPruning::default()
        };
        let layerwise = method
            .run(&network, &small.view(), &counts, &from, &Seed::root(2))
            .unwrap();
        let together = method
            .run_together(&network, &small.view(), 72, &from, &Seed::root(2))
            .unwrap();
        for found in [layerwise, together] {
            let evaluated = |outcome: &super::run::TrainingOutcome| {
                let losses = outcome.history.iter().map(|e| (e.step, e.validation_loss.to_bits()));
                losses.collect::<Vec<_>>()
            };
            assert_eq!(found.outcome.theta, dense.theta, "{preset}");
            assert_eq!(evaluated(&found.outcome), evaluated(&dense), "{preset}");
            assert_eq!((found.mask, found.returned, found.gradients), (full.clone(), 0, 25));
            assert!((found.passes - 25.0 / 3.0).abs() < 1e-12);
        }
    }
}

#[test]
fn what_is_out_of_range_is_refused_and_divergence_leaves_a_mask_of_the_right_size() {
    let small = SmallSamples::new(60, 6, 0.5);
    let network = Network::preset("mlp:8", 6, 3).unwrap();
    let from: Vec<f32> = network.initial(&Seed::root(1), &Initialisation::HE).unwrap();
    let good = method(30);
    let run =
        |method: &MovementPruning, counts: &[usize]| method.run(&network, &small.view(), counts, &from, &Seed::root(2));
    for (first, last) in [(-0.1, 0.5), (0.5, 0.4), (0.5, 1.1), (f64::NAN, 1.0), (0.0, f64::NAN)] {
        let bad = MovementPruning {
            first_fraction: first,
            last_fraction: last,
            ..good.clone()
        };
        assert!(
            run(&bad, &[5, 5])
                .unwrap_err()
                .to_string()
                .contains("fraction of training"),
            "{first} {last}"
        );
    }
    assert!(run(&good, &[49, 5]).unwrap_err().to_string().contains("dense0.weight"));
    assert!(run(&good, &[5]).is_err());
    let together = good.run_together(&network, &small.view(), 73, &from, &Seed::root(2));
    assert!(together.unwrap_err().to_string().contains("at most 72"));
    assert_ne!(
        good.identity(),
        MovementPruning {
            last_fraction: 0.9,
            ..good.clone()
        }
        .identity()
    );
    let found = run(&good, &[10, 6]).unwrap();
    assert_eq!((found.outcome.status, found.mask.kept()), (Status::Converged, 16 + 11));
    assert!((0..from.len()).all(|i| found.mask.keeps(i) || found.outcome.theta[i] == 0.0));
    let wild = MovementPruning {
        training: TrainingPlan {
            optimiser: Optimiser::sgd(1e20),
            loss: Loss::Squared,
            ..good.training.clone()
        },
        ..good
    };
    let found = run(&wild, &[10, 6]).unwrap();
    assert_eq!((found.outcome.status, found.mask.kept()), (Status::Diverged, 16 + 11));
    assert!(found.gradients < 30);
}

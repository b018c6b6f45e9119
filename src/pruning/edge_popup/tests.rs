use super::*;
use crate::networks::{Array, Loss, Workspace};
use crate::pruning::small_samples::SmallSamples;
use crate::training::{Batches, Examples};
use rand::seq::SliceRandom;

struct Small {
    inputs: Array<f64>,
    labels: Vec<usize>,
    network: Network,
}

impl Small {
    fn new(network: &str) -> Self {
        let labels: Vec<usize> = (0..24).map(|i| i % 3).collect();
        let inputs = Array::from_fn(24, 4, |i, j| {
            ((i * 7 + j * 5) % 11) as f64 / 5.5 - 1.0 + if labels[i] == j { 1.0 } else { 0.0 }
        });
        Small {
            inputs,
            labels,
            network: Network::preset(network, 4, 3).unwrap(),
        }
    }

    fn examples(&self) -> Examples<'_, f64> {
        Examples::labelled(&self.inputs, &self.labels)
    }
}

fn plan(steps: usize) -> TrainingPlan {
    TrainingPlan {
        batch: 8,
        steps,
        evaluate_every: 5,
        ..EdgePopup::default().training
    }
}

/// Positions of the `count` highest ranks of a layer by sorting, the first of equals.
fn highest(ranks: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..ranks.len()).collect();
    order.sort_by(|&a, &b| ranks[b].total_cmp(&ranks[a]).then(a.cmp(&b)));
    order.truncate(count);
    order
}

#[test]
fn a_descent_is_that_of_the_formulas_written_out_on_a_tiny_network() {
    let small = Small::new("mlp:5:no-bias");
    let (network, seed) = (&small.network, Seed::root(3));
    let counts = [7, 6];
    let layers: Vec<_> = network.layout().weight_ranges();
    for ranking in [ScoreRanking::Magnitude, ScoreRanking::Value] {
        let plan = plan(30);
        let full = network.layout().full_mask();
        let trainer = Trainer::new(network, plan.clone(), small.examples(), small.examples(), &full, &seed).unwrap();
        let frozen: Vec<f64> = FrozenWeights::KaimingNormal
            .draw(network, &counts, true, &seed)
            .unwrap();
        let first: Vec<f64> = frozen::first_scores(network, &seed);
        let mut descent = Descent::new(&trainer, network, ranking, &counts, &frozen, first.clone()).unwrap();
        descent.run(&trainer).unwrap();

        // Momentum 0.9, decay 1e-4, a cosine from 0.1 to zero, batches of 8 of 24 from the order of each epoch.
        let (mut scores, mut velocity) = (first, vec![0.0; frozen.len()]);
        let masked = |scores: &[f64]| -> Vec<f64> {
            let mut theta = vec![0.0; scores.len()];
            for (layer, &count) in layers.iter().zip(&counts) {
                let ranks: Vec<f64> = scores[layer.clone()]
                    .iter()
                    .map(|s| {
                        if ranking == ScoreRanking::Magnitude {
                            s.abs()
                        } else {
                            *s
                        }
                    })
                    .collect();
                for place in highest(&ranks, count) {
                    theta[layer.start + place] = frozen[layer.start + place];
                }
            }
            theta
        };
        for step in 0..30 {
            let mut order: Vec<usize> = (0..24).collect();
            order.shuffle(&mut seed.stream("data-order").replicate(step as u64 / 3).rng());
            let rows = &order[8 * (step % 3)..8 * (step % 3) + 8];
            let inputs = small.inputs.select_rows(rows).unwrap();
            let labels: Vec<usize> = rows.iter().map(|&r| small.labels[r]).collect();
            let theta = masked(&scores);
            let (_, gradient) = network.gradient(&theta, &inputs, &labels, Loss::CrossEntropy).unwrap();
            let rate = 0.1 * 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / 30.0).cos());
            for i in 0..scores.len() {
                let sign = match ranking {
                    ScoreRanking::Magnitude => scores[i].signum(),
                    ScoreRanking::Value => 1.0,
                };
                let towards = gradient[i] * frozen[i] * sign + 1e-4 * scores[i];
                velocity[i] = 0.9 * velocity[i] + towards;
                scores[i] -= rate * velocity[i];
            }
        }
        // 30 steps amplify the roundings of sums of some ten products by a small factor; the scores are of order one.
        for (i, (found, expected)) in descent.scores.iter().zip(&scores).enumerate() {
            assert!((found - expected).abs() < 1e-11, "{ranking:?} {i}: {found} {expected}");
        }
        assert_eq!(descent.state.theta, masked(&scores));
        assert_eq!(descent.state.history.len(), 7);
        let loss = network.loss(&descent.state.theta, &small.inputs, &small.labels, Loss::CrossEntropy);
        let last = descent.state.history.last().unwrap();
        assert!((last.validation_loss - loss.unwrap()).abs() < 1e-12);
    }
}

#[test]
fn the_gradient_of_a_score_is_the_slope_of_the_loss_in_its_effective_weight_times_the_frozen_one() {
    let small = Small::new("mlp:5:tanh");
    let (network, seed, counts) = (&small.network, Seed::root(5), [6, 5]);
    let full = network.layout().full_mask();
    let trainer = Trainer::new(network, plan(1), small.examples(), small.examples(), &full, &seed).unwrap();
    let frozen: Vec<f64> = FrozenWeights::SignedConstant
        .draw(network, &counts, false, &seed)
        .unwrap();
    let scores: Vec<f64> = frozen::first_scores(network, &seed);
    let ranking = ScoreRanking::Magnitude;
    let descent = Descent::new(&trainer, network, ranking, &counts, &frozen, scores.clone()).unwrap();
    let mut workspace = Workspace::new(network, &full, 8);
    let mut gradient = vec![0.0; frozen.len()];
    let mut batches = Batches::new(&trainer).unwrap();
    let batch = batches.at(0).unwrap();
    let theta = descent.state.theta.clone();
    workspace.loss_and_gradient(
        &theta,
        batch.inputs,
        batch.targets,
        batch.rows,
        Loss::CrossEntropy,
        &mut gradient,
    );
    descent.pass_through(&mut gradient);
    let inputs = small.inputs.select_rows(batch.rows).unwrap();
    let labels: Vec<usize> = batch.rows.iter().map(|&r| small.labels[r]).collect();
    let mut pruned = 0;
    for &i in network.layout().weights().indices() {
        let at = |value: f64| {
            let mut moved = theta.clone();
            moved[i] += value;
            network.loss(&moved, &inputs, &labels, Loss::CrossEntropy).unwrap()
        };
        let expected = (at(1e-5) - at(-1e-5)) / 2e-5 * frozen[i] * scores[i].signum();
        // Central differences: the third derivative times 1e-10, and roundings of the loss over 1e-5.
        assert!((gradient[i] - expected).abs() < 1e-8, "{i}: {} {expected}", gradient[i]);
        pruned += usize::from(theta[i] == 0.0 && gradient[i] != 0.0);
    }
    // Pruned weights have gradients too, without which none would come back.
    assert!(pruned > 10, "{pruned}");
}

#[test]
fn weights_never_move_counts_are_exact_and_a_search_repeats() {
    let samples = SmallSamples::new(60, 4, 0.0);
    let data = samples.view();
    let network = Network::preset("mlp:16-9", 4, 3).unwrap();
    let popup = EdgePopup {
        training: TrainingPlan { batch: 20, ..plan(40) },
        ..EdgePopup::default()
    };
    let (counts, seed) = ([20, 60, 27], Seed::root(11));
    let found = popup.run(&network, &data, &counts, &seed).unwrap();
    for (slot, count) in network.layout().weight_slots().zip(counts) {
        assert_eq!(found.mask.kept_in(slot.range.clone()), count);
        let constant = (2.0 / (slot.len() / slot.shape[0]) as f64 * slot.len() as f64 / count as f64).sqrt() as f32;
        assert!(found.weights[slot.range.clone()].iter().all(|w| w.abs() == constant));
    }
    let mut masked = found.weights.clone();
    found.mask.apply(&mut masked).unwrap();
    assert_eq!(masked, found.outcome.theta);
    assert!(found.changed > 0 && found.changed.is_multiple_of(2));
    assert_eq!(found.gradient_passes, 40.0 * 20.0 / 60.0);
    assert!(found.outcome.test_accuracy > 0.5, "{}", found.outcome.test_accuracy);
    let again = popup.run(&network, &data, &counts, &seed).unwrap();
    assert_eq!((&found.scores, &found.mask), (&again.scores, &again.mask));
    assert_eq!(found.outcome.theta, again.outcome.theta);
    for counts in [&[20, 60][..], &[0, 60, 27], &[20, 145, 27]] {
        assert!(popup.run(&network, &data, counts, &seed).is_err());
    }
}

#[test]
fn ties_go_by_index_and_a_full_count_keeps_all() {
    let small = Small::new("linear:no-bias");
    let (network, seed) = (&small.network, Seed::root(5));
    let full = network.layout().full_mask();
    let trainer = Trainer::new(network, plan(1), small.examples(), small.examples(), &full, &seed).unwrap();
    let (frozen, mut scores) = (vec![1.0; 12], vec![0.5; 12]);
    scores[4] = -0.75;
    scores[7] = 0.25;
    for (ranking, expected) in [
        (ScoreRanking::Magnitude, [0, 1, 2, 4]),
        (ScoreRanking::Value, [0, 1, 2, 3]),
    ] {
        let descent = Descent::new(&trainer, network, ranking, &[4], &frozen, scores.clone()).unwrap();
        assert_eq!(descent.mask().support().indices(), expected);
    }
    let all = Descent::new(&trainer, network, ScoreRanking::Value, &[12], &frozen, scores).unwrap();
    assert_eq!(all.mask().kept(), 12);
}

//! Signs after training against initial signs, for kept and pruned weights, with what no learning would give.

use super::super::comparison::{Line, Trial};
use super::{COLUMNS, SIGNS, plan};
use rand::seq::SliceRandom;
use std::collections::BTreeSet;
use ticketsense::harness::Context;
use ticketsense::pruning::Criterion;
use ticketsense::table::Row;
use ticketsense::theory::sign_flip::agreement_at;
use ticketsense::{Mask, Result, Seed};

/// Kept by the dense training at once, and round by round.
pub const SELECTIONS: [&str; 2] = ["one-shot", "iterative"];

/// Permutations that the null without a law is averaged over.
const PERMUTATIONS: u64 = 20;

/// One layer: the weights that could be kept and that were trained at all.
#[derive(Debug, Default)]
struct Layer {
    initial: Vec<f64>,
    trained: Vec<f64>,
    input: Vec<usize>,
    kept: Vec<bool>,
}

/// Sums of probabilities or of agreements over weights.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }

    fn value(self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

/// What the weights of one network say, layers pooled by their weights.
#[derive(Clone, Copy, Debug, Default)]
pub struct Agreement {
    correlation: Mean,
    kept: Mean,
    pruned: Mean,
    null_kept: Mean,
    null_pruned: Mean,
    permuted: Mean,
    by_input: Mean,
}

fn agrees(initial: f64, trained: f64) -> f64 {
    f64::from(u8::from(initial * trained > 0.0))
}

impl Layer {
    /// The correlation about zero of initial and trained weights, and the root mean square of the trained ones.
    fn correlation(&self) -> Option<(f64, f64)> {
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let (first, last) = (
            product(&self.initial, &self.initial),
            product(&self.trained, &self.trained),
        );
        let correlation = product(&self.initial, &self.trained) / (first * last).sqrt();
        let limit = 1.0 - 1e-12;
        (first * last > 0.0).then(|| {
            (
                correlation.clamp(-limit, limit),
                (last / self.trained.len() as f64).sqrt(),
            )
        })
    }

    /// The agreement of the largest weights, as many as are kept, after the steps of training were permuted among all
    /// weights or among those of one input.
    fn permuted(&self, seed: &Seed, within_inputs: bool, mean: &mut Mean) {
        let count = self.kept.iter().filter(|kept| **kept).count();
        let groups: Vec<Vec<usize>> = if within_inputs {
            let inputs: BTreeSet<usize> = self.input.iter().copied().collect();
            let of = |input: usize| (0..self.input.len()).filter(|&i| self.input[i] == input).collect();
            inputs.into_iter().map(of).collect()
        } else {
            vec![(0..self.input.len()).collect()]
        };
        for number in 0..PERMUTATIONS {
            let mut rng = seed.replicate(number).rng();
            let mut moved = self.initial.clone();
            for group in &groups {
                let mut from = group.clone();
                from.shuffle(&mut rng);
                for (&to, from) in group.iter().zip(from) {
                    moved[to] += self.trained[from] - self.initial[from];
                }
            }
            let mut order: Vec<usize> = (0..moved.len()).collect();
            order.sort_by(|&a, &b| moved[b].abs().total_cmp(&moved[a].abs()));
            for &i in &order[..count] {
                mean.add(agrees(self.initial[i], moved[i]));
            }
        }
    }
}

impl Agreement {
    fn add(&mut self, layer: &Layer, seed: &Seed) -> Result<()> {
        let Some((correlation, size)) = layer.correlation() else {
            return Ok(());
        };
        for i in 0..layer.kept.len() {
            let null = agreement_at(correlation, layer.trained[i] / size)?;
            let seen = agrees(layer.initial[i], layer.trained[i]);
            if layer.kept[i] {
                self.correlation.add(correlation);
                self.kept.add(seen);
                self.null_kept.add(null);
            } else {
                self.pruned.add(seen);
                self.null_pruned.add(null);
            }
        }
        layer.permuted(&seed.stream("layer"), false, &mut self.permuted);
        layer.permuted(&seed.stream("input"), true, &mut self.by_input);
        Ok(())
    }
}

/// The signs of the weights that `alive` leaves to be kept or pruned: `kept` of them are, by their trained values.
///
/// Weights that read an input which is zero in every sample never move, agree with themselves, and are left out.
pub fn agreement(trial: &Trial, alive: &Mask, trained: &[f32], kept: &Mask, seed: &Seed) -> Result<Agreement> {
    let silent: BTreeSet<usize> = trial.samples.view().training.silent_inputs().into_iter().collect();
    let mut agreement = Agreement::default();
    for slot in trial.network.layout().weight_slots() {
        let inputs = slot.shape.last().copied().unwrap_or(1);
        let mut layer = Layer::default();
        for i in slot.range.clone().filter(|&i| alive.keeps(i)) {
            let input = (i - slot.range.start) % inputs;
            if slot.layer == 0 && silent.contains(&input) {
                continue;
            }
            layer.initial.push(f64::from(trial.run.initial[i]));
            layer.trained.push(f64::from(trained[i]));
            layer.input.push(input);
            layer.kept.push(kept.keeps(i));
        }
        agreement.add(&layer, &seed.stream(&slot.name))?;
    }
    Ok(agreement)
}

/// The signs of one run at the counts of every round.
pub fn rows(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let trial = Trial::new(context, &plan(context.scale()), number)?;
    let full = trial.network.layout().full_mask();
    let mut rows = Vec::new();
    for round in 1..trial.run.rounds.len() {
        context.check()?;
        let before = trial.round(round - 1)?;
        let ticket = &trial.round(round)?.mask;
        let once = trial.highest(Criterion::Magnitude, trial.trained()?, &trial.counts(ticket))?;
        for selection in SELECTIONS {
            let seed = trial
                .seed
                .stream("sign-permutations")
                .stream(selection)
                .stream(round.to_string());
            let found = if selection == SELECTIONS[0] {
                agreement(&trial, &full, trial.trained()?, &once, &seed)?
            } else {
                agreement(&trial, &before.mask, &before.outcome.theta, ticket, &seed)?
            };
            let line = Line::new(SIGNS, number, "imp", trial.density(ticket))
                .masked(&trial, ticket)?
                .with("selection", selection)
                .with("correlation", found.correlation.value())
                .with("agreement_kept", found.kept.value())
                .with("agreement_pruned", found.pruned.value())
                .with("null_kept", found.null_kept.value())
                .with("null_pruned", found.null_pruned.value())
                .with("null_permuted", found.permuted.value())
                .with("null_by_input", found.by_input.value());
            rows.push(line.row(COLUMNS)?);
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;
    use rand_distr::StandardNormal;
    use ticketsense::theory::sign_flip::kept_agreement;

    #[test]
    fn weights_that_walk_at_random_agree_as_often_as_every_null_says() {
        // 40,000 weights that move by 0.8 of their size, a fifth kept: 8,000 agreements, each a coin of at most 0.5 in
        // deviation, so that five deviations are 0.028, and 0.009 at the probability of about 0.97 that is expected.
        let mut rng = Seed::root(1).rng();
        let mut draw = || -> f64 { rng.sample(StandardNormal) };
        let initial: Vec<f64> = (0..40_000).map(|_| draw()).collect();
        let trained: Vec<f64> = initial.iter().map(|w| w + 0.8 * draw()).collect();
        let mut order: Vec<usize> = (0..40_000).collect();
        order.sort_by(|&a, &b| trained[b].abs().total_cmp(&trained[a].abs()));
        let mut kept = vec![false; 40_000];
        order[..8000].iter().for_each(|&i| kept[i] = true);
        let layer = Layer {
            input: (0..40_000).map(|i| i % 40).collect(),
            initial,
            trained,
            kept,
        };
        let mut found = Agreement::default();
        found.add(&layer, &Seed::root(2)).unwrap();
        let expected = kept_agreement(0.8, 0.2).unwrap();
        for value in [found.kept, found.null_kept, found.permuted, found.by_input] {
            assert!(
                (value.value().unwrap() - expected).abs() < 0.009,
                "{value:?} {expected}"
            );
        }
        assert!((found.pruned.value().unwrap() - found.null_pruned.value().unwrap()).abs() < 0.014);
        assert!(found.pruned.value().unwrap() < expected);
    }
}

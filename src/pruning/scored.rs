//! Pruning by scores without training in between, at once or in rounds.

use super::allocation::{Allocation, exponential};
use super::criteria::{Criterion, CriterionInput};
use super::remaining::Remaining;
use super::run::emptied;
use crate::error::{Error, Result};
use crate::networks::Slot;
use crate::support::{Density, Mask};

/// Scores, prunes, scores what is left, and so on down to a density, with the weights as they are: pruning at
/// initialisation where these are initial ones.
///
/// The number of weights falls by the same factor every round (Tanaka et al., NeurIPS 2020). One round is how SNIP and
/// GraSP are meant, a hundred how SynFlow is: after one round over all layers alike a layer may be empty.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::networks::{Array, Initialisation, Loss, Network};
/// use ticketsense::pruning::{Allocation, Criterion, CriterionInput, ScoredPruning};
/// use ticketsense::training::Examples;
/// let network = Network::preset("mlp:20-10", 8, 3)?;
/// let theta: Vec<f32> = network.initial(&Seed::root(0), &Initialisation::GLOROT)?;
/// let (inputs, labels) = (Array::from_fn(6, 8, |i, j| ((i * j) as f32).sin()), [0, 1, 2, 0, 1, 2]);
/// let pruning = ScoredPruning { criterion: Criterion::SynFlow, density: 0.1, allocation: Allocation::Global, rounds: 100 };
/// let found = pruning.prune(&CriterionInput {
///     network: &network,
///     theta: &theta,
///     mask: &network.layout().full_mask(),
///     initial: &theta,
///     loss: Loss::CrossEntropy,
///     training: Examples::labelled(&inputs, &labels),
///     seed: Seed::root(1),
/// })?;
/// assert_eq!(network.layout().density(&found.mask), 39.0 / 390.0);
/// assert!(found.emptied.is_empty());
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredPruning {
    /// What decides who stays.
    pub criterion: Criterion,
    /// Fraction of all weights of the network that is left in the end, in `(0, 1]`.
    pub density: f64,
    /// How it is divided among the layers.
    pub allocation: Allocation,
    /// How often what is left is scored, at least 1.
    pub rounds: usize,
}

/// What pruning by scores leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredMask {
    /// What is left; biases are always kept.
    pub mask: Mask,
    /// The weight layers of which nothing is left, by slot name; only where all layers compete.
    pub emptied: Vec<String>,
    /// What the scores took, in passes over the given samples: see [`Criterion::gradient_passes`].
    pub gradient_passes: f64,
}

impl ScoredPruning {
    /// Prunes what the mask of `input` has left.
    ///
    /// # Errors
    /// [`Error::Argument`] without rounds; when a layer, or the network, has fewer weights left than it is to keep; when a
    /// criterion that compares with initial values is given nothing else. Otherwise as [`Allocation::counts`] and
    /// [`Criterion::scores`].
    ///
    /// Cost: `rounds` times the scores, and a selection over the weights that are left; SynFlow's scores cost what is left
    /// as well.
    pub fn prune(&self, input: &CriterionInput<'_>) -> Result<ScoredMask> {
        if self.rounds == 0 {
            return Err(Error::argument("rounds", "at least 1", self.rounds));
        }
        if self.criterion.needs_training() && input.theta == input.initial {
            let what = format!("weights of criterion {}", self.criterion);
            return Err(Error::argument(what, "trained ones", "the initial ones"));
        }
        let layout = input.network.layout();
        layout.check_mask(input.mask)?;
        let slots: Vec<&Slot> = layout.weight_slots().collect();
        let left: Vec<usize> = slots
            .iter()
            .map(|slot| input.mask.kept_in(slot.range.clone()))
            .collect();
        // One list of numbers for all layers together, or one a layer.
        let (left, last) = match self.allocation.counts(layout, self.density)? {
            None => (
                vec![left.iter().sum()],
                vec![Density::new(self.density)?.kept_of(layout.prunable())],
            ),
            Some(counts) => (left, counts),
        };
        let global = self.allocation == Allocation::Global;
        if let Some(place) = (0..last.len()).find(|&place| last[place] > left[place]) {
            let owner = if global {
                input.network.name()
            } else {
                slots[place].name.as_str()
            };
            return Err(Error::argument(
                format!("weights kept of {owner}"),
                format!("at most the {} that are left", left[place]),
                last[place],
            ));
        }
        let pairs = left.iter().zip(&last);
        let schedule: Vec<Vec<usize>> = pairs
            .map(|(&left, &last)| exponential(left, last, self.rounds))
            .collect();
        input.check()?;
        self.criterion.check(input.network)?;
        let mut remaining = Remaining::new(layout, input.mask, input.theta, global);
        let mut scores = Vec::new();
        for round in 0..self.rounds {
            self.criterion.rescore(input, &remaining, &mut scores)?;
            let counts: Vec<usize> = schedule.iter().map(|counts| counts[round]).collect();
            remaining.keep(&scores, &counts);
        }
        let mask = remaining.mask(input.mask);
        let (samples, classes) = (input.training.inputs.rows(), input.network.classes());
        Ok(ScoredMask {
            emptied: emptied(layout, &mask),
            gradient_passes: self.rounds as f64 * self.criterion.gradient_passes(samples, classes),
            mask,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::{Array, Initialisation, Loss, Network};
    use crate::pruning::keep_highest_together;
    use crate::seed::Seed;
    use crate::training::Examples;

    struct Start {
        network: Network,
        theta: Vec<f32>,
        initial: Vec<f32>,
        inputs: Array<f32>,
        labels: Vec<usize>,
    }

    impl Start {
        fn new(preset: &str) -> Self {
            let network = Network::preset(preset, 8, 3).unwrap();
            let draw = |seed| {
                network
                    .initial::<f32>(&Seed::root(seed), &Initialisation::GLOROT)
                    .unwrap()
            };
            Start {
                theta: draw(0),
                initial: draw(1),
                inputs: Array::from_fn(12, 8, |i, j| ((1 + i * (j + 2)) as f32).sin()),
                labels: (0..12).map(|i| i % 3).collect(),
                network,
            }
        }

        fn prune_from(&self, mask: &Mask, pruning: &ScoredPruning) -> Result<ScoredMask> {
            let mut theta = self.theta.clone();
            mask.apply(&mut theta).unwrap();
            pruning.prune(&CriterionInput {
                network: &self.network,
                theta: &theta,
                mask,
                initial: &self.initial,
                loss: Loss::CrossEntropy,
                training: Examples::labelled(&self.inputs, &self.labels),
                seed: Seed::root(2),
            })
        }

        fn prune(&self, pruning: &ScoredPruning) -> Result<ScoredMask> {
            self.prune_from(&self.network.layout().full_mask(), pruning)
        }

        fn counts(&self, mask: &Mask) -> Vec<usize> {
            self.network
                .layout()
                .weight_slots()
                .map(|s| mask.kept_in(s.range.clone()))
                .collect()
        }
    }

    fn pruning(criterion: Criterion, allocation: Allocation, rounds: usize) -> ScoredPruning {
        ScoredPruning {
            criterion,
            density: 0.1,
            allocation,
            rounds,
        }
    }

    #[test]
    fn every_criterion_and_allocation_ends_with_the_asked_number_of_weights() {
        let start = Start::new("mlp:20-10");
        for criterion in Criterion::ALL {
            for allocation in [Allocation::Uniform, Allocation::ErdosRenyiKernel, Allocation::Global] {
                for rounds in [1, 7] {
                    let found = start.prune(&pruning(criterion, allocation.clone(), rounds)).unwrap();
                    let counts = start.counts(&found.mask);
                    assert_eq!(counts.iter().sum::<usize>(), 39, "{criterion} {allocation}");
                    let asked = allocation.counts(start.network.layout(), 0.1).unwrap();
                    assert!(asked.is_none_or(|asked| asked == counts), "{criterion} {allocation}");
                    assert_eq!(found.gradient_passes, rounds as f64 * criterion.gradient_passes(12, 3));
                    start.network.layout().check_mask(&found.mask).unwrap();
                }
            }
        }
    }

    #[test]
    fn rounds_change_nothing_where_scores_do_not_depend_on_who_is_left() {
        let start = Start::new("mlp:20-10");
        for criterion in [Criterion::Magnitude, Criterion::Random] {
            for allocation in [Allocation::Uniform, Allocation::Global] {
                let once = start.prune(&pruning(criterion, allocation.clone(), 1)).unwrap();
                let often = start.prune(&pruning(criterion, allocation, 9)).unwrap();
                assert_eq!(once.mask, often.mask);
            }
        }
        let once = start
            .prune(&pruning(Criterion::SynFlow, Allocation::Global, 1))
            .unwrap();
        let often = start
            .prune(&pruning(Criterion::SynFlow, Allocation::Global, 100))
            .unwrap();
        assert_ne!(once.mask, often.mask);
    }

    #[test]
    fn synflow_in_a_hundred_rounds_keeps_every_layer_where_one_round_of_magnitudes_empties_one() {
        // The weights of the middle layer are a hundredth of the others, of which there are more than enough.
        let mut start = Start::new("mlp:20-20");
        let middle = start.network.layout().slot("dense1.weight").unwrap().range.clone();
        start.theta[middle].iter_mut().for_each(|weight| *weight *= 0.01);
        let magnitude = start
            .prune(&pruning(Criterion::Magnitude, Allocation::Global, 1))
            .unwrap();
        assert_eq!(magnitude.emptied, ["dense1.weight"]);
        let flow = start
            .prune(&pruning(Criterion::SynFlow, Allocation::Global, 100))
            .unwrap();
        assert!(flow.emptied.is_empty());
        let paths = crate::pruning::LivePaths::of(&start.network, &flow.mask).unwrap();
        assert!(paths.is_connected() && paths.dead_layers().is_empty());
    }

    #[test]
    fn what_is_pruned_stays_pruned_and_a_layer_that_has_too_little_is_named() {
        let start = Start::new("mlp:20-10");
        let mut mask = start.network.layout().full_mask();
        let last = start.network.layout().slot("dense2.weight").unwrap().range.clone();
        last.clone().skip(2).for_each(|weight| mask.set(weight, false));
        let error = start
            .prune_from(&mask, &pruning(Criterion::Snip, Allocation::Uniform, 2))
            .unwrap_err();
        assert!(error.to_string().contains("dense2.weight"), "{error}");
        let found = start
            .prune_from(&mask, &pruning(Criterion::Snip, Allocation::Global, 3))
            .unwrap();
        assert_eq!(found.mask.and(&mask).unwrap(), found.mask);
        let all = ScoredPruning {
            density: 1.0,
            ..pruning(Criterion::Snip, Allocation::Global, 1)
        };
        assert!(
            start
                .prune_from(&mask, &all)
                .unwrap_err()
                .to_string()
                .contains("that are left")
        );
        assert!(start.prune(&pruning(Criterion::Snip, Allocation::Global, 0)).is_err());
    }

    #[test]
    fn the_largest_of_all_layers_are_those_that_sorting_finds_ties_by_index() {
        let network = Network::preset("mlp:5-4", 6, 3).unwrap();
        let ranges: Vec<_> = network.layout().weight_ranges();
        let mut mask = network.layout().full_mask();
        ranges[0].clone().step_by(3).for_each(|i| mask.set(i, false));
        let scores: Vec<f64> = (0..mask.dimension()).map(|i| ((i * 7) % 5) as f64 - 2.0).collect();
        let weights = network.layout().weights();
        let left: Vec<usize> = weights.indices().iter().copied().filter(|&i| mask.keeps(i)).collect();
        for count in 0..=left.len() {
            let found = keep_highest_together(&mask, &scores, &ranges, count).unwrap();
            let expected = crate::support::largest_by(count, left.iter().copied(), |i| scores[i]);
            let stayed: Vec<usize> = left.iter().copied().filter(|&i| found.keeps(i)).collect();
            assert_eq!(stayed, expected, "{count}");
            network.layout().check_mask(&found).unwrap();
        }
    }

    #[test]
    fn movement_of_weights_that_were_never_trained_is_refused() {
        let mut start = Start::new("mlp:20-10");
        start.initial.clone_from(&start.theta);
        for criterion in [Criterion::Movement, Criterion::MagnitudeIncrease] {
            let error = start.prune(&pruning(criterion, Allocation::Global, 1)).unwrap_err();
            assert!(error.to_string().contains(criterion.as_str()), "{error}");
        }
    }
}

//! Every maker beside its own function.

use super::*;
use crate::linearize::RowTransform;
use crate::networks::{Array, Initialisation, Loss};
use crate::pruning::small_samples::SmallSamples;
use crate::pruning::{
    Allocation, CriterionInput, DesignPrior, DesignRequest, Edge, LinearImp, RecoveryRequest, Relinearised, Scope,
    ScoredPruning, SensingProblem, Spread, TrimOrder, TrimRequest, TrimmedBy, UnitNorm, keep_blocks, keep_of_every,
    kept_weights, net_trim,
};
use crate::seed::Seed;
use crate::support::Mask;
use crate::training::Examples;
use proptest::prelude::*;

/// A network with samples on which everything may be asked for.
pub(super) struct Start {
    pub network: Network,
    pub theta: Vec<f32>,
    initial: Vec<f32>,
    full: Mask,
    samples: SmallSamples,
}

impl Start {
    pub fn new(preset: &str) -> Self {
        let network = Network::preset(preset, 8, 3).unwrap();
        let draw = |seed| network.initial(&Seed::root(seed), &Initialisation::HE).unwrap();
        Start {
            theta: draw(0),
            initial: draw(1),
            full: network.layout().full_mask(),
            samples: SmallSamples::new(30, 8, 0.3),
            network,
        }
    }

    fn input(&self) -> CriterionInput<'_> {
        CriterionInput {
            network: &self.network,
            theta: &self.theta,
            mask: &self.full,
            initial: &self.initial,
            loss: Loss::CrossEntropy,
            training: Examples::labelled(&self.samples.inputs, &self.samples.labels),
            seed: Seed::root(2),
        }
    }

    pub fn make(&self, request: &MaskRequest) -> Result<MadeMask> {
        request.make(&self.input())
    }

    fn doubles(&self) -> (Vec<f64>, Array<f64>) {
        let theta = self.theta.iter().map(|&v| f64::from(v)).collect();
        (theta, self.samples.inputs.convert())
    }

    pub fn problem(&self) -> (SensingProblem, Vec<f64>) {
        let (theta, inputs) = self.doubles();
        let problem = SensingProblem::new(&self.network, &theta, &inputs, RowTransform::Centred).unwrap();
        let b = problem.right_hand_side(&self.samples.labels).unwrap();
        (problem, b)
    }
}

pub(super) fn at(word: &str, density: f64) -> MaskRequest {
    MaskRequest {
        density: Some(density),
        ..MaskRequest::new(word.parse().unwrap())
    }
}

#[test]
fn scores_and_patterns_are_those_of_their_own_functions() {
    let start = Start::new("mlp:8-4");
    let layout = start.network.layout();
    for criterion in Criterion::ALL {
        let request = MaskRequest {
            rounds: Some(3),
            allocation: Some(Allocation::ErdosRenyiKernel),
            ..at(criterion.as_str(), 0.3)
        };
        let expected = ScoredPruning {
            criterion,
            density: 0.3,
            allocation: Allocation::ErdosRenyiKernel,
            rounds: 3,
        }
        .prune(&start.input())
        .unwrap();
        let made = start.make(&request).unwrap();
        assert_eq!(made.mask, Some(expected.mask), "{criterion}");
        assert_eq!(made.gradient_passes, expected.gradient_passes);
        let scores = criterion.scores(&start.input()).unwrap();
        let pattern = |word: &str, density: Option<f64>| {
            let request = MaskRequest {
                pattern: Some(word.parse().unwrap()),
                density,
                ..MaskRequest::new(MaskMaker::Scores(criterion))
            };
            start.make(&request).unwrap().mask.unwrap()
        };
        let expected = keep_of_every(layout, &scores, 2, 4, Edge::Refused).unwrap();
        assert_eq!(pattern("2:4", None), expected, "{criterion}");
        let total = (0.4 * layout.prunable() as f64).round() as usize;
        let counts = [total, 0, 0];
        let expected = keep_blocks(layout, &scores, (1, 2), &counts, Scope::Global, Edge::Refused).unwrap();
        assert_eq!(pattern("1x2", Some(0.4)), expected, "{criterion}");
    }
}

#[test]
fn masks_of_the_linear_model_are_those_of_its_own_functions_and_cost_what_these_say() {
    let start = Start::new("mlp:8-4");
    let counts = Allocation::Uniform
        .counts(start.network.layout(), 0.25)
        .unwrap()
        .unwrap();
    let (problem, b) = start.problem();
    let setup = problem.applications() + 3.0;
    for solver in RecoveredBy::ALL {
        let expected = problem
            .recover(
                &b,
                &RecoveryRequest {
                    solver,
                    damping: 0.2,
                    counts: &counts,
                },
            )
            .unwrap();
        let request = MaskRequest {
            damping: Some(0.2),
            ..at(solver.as_str(), 0.25)
        };
        let made = start.make(&request).unwrap();
        assert_eq!(made.mask, expected.ticket.map(|ticket| ticket.mask), "{solver}");
        assert_eq!(
            (made.status, made.objective),
            (expected.status, Some(expected.objective))
        );
        assert_eq!(made.gradient_passes, setup + expected.applications);
        let columns = made.columns.unwrap();
        assert_eq!(
            (columns.zero, columns.merged),
            (problem.zero_columns(), problem.merged_columns())
        );
        assert_eq!(columns.rank_bound, problem.rank_bound());
    }
    let method = LinearImp {
        rounds: 4,
        ..LinearImp::default()
    };
    let expected = method.recover(&problem, &b, &counts, 0.1).unwrap();
    let request = MaskRequest {
        rounds: Some(4),
        ..at("elimination", 0.25)
    };
    assert_eq!(
        start.make(&request).unwrap().mask,
        expected.ticket.map(|ticket| ticket.mask)
    );
    let (theta, inputs) = start.doubles();
    let expected = Relinearised::default()
        .mask(&start.network, &theta, &inputs, &start.samples.labels, &counts)
        .unwrap();
    let made = start.make(&at("relinearised", 0.25)).unwrap();
    assert_eq!((made.mask, made.statuses), (expected.mask, expected.statuses));
    for (word, criterion) in [("a-design", DesignCriterion::A), ("d-design", DesignCriterion::D)] {
        for prior in [DesignPrior::Equal, DesignPrior::Magnitude] {
            let expected = problem
                .design(&DesignRequest {
                    criterion,
                    prior,
                    damping: 0.1,
                    counts: &counts,
                })
                .unwrap();
            let request = MaskRequest {
                prior: Some(prior),
                ..at(word, 0.25)
            };
            let made = start.make(&request).unwrap();
            assert_eq!(
                (made.mask, made.objective),
                (expected.mask, Some(expected.loss)),
                "{word} {prior}"
            );
        }
    }
    for (solver, by) in [
        (RecoveredBy::Omp, TrimmedBy::Omp),
        (RecoveredBy::Lasso, TrimmedBy::Lasso),
    ] {
        let (spread, order) = (Spread::Units, TrimOrder::Parallel);
        let trim = TrimRequest {
            solver: by,
            spread,
            order,
            counts: &counts,
        };
        let expected = net_trim(&start.network, &theta, &inputs, &trim);
        let request = MaskRequest {
            solver: Some(solver),
            spread: Some(spread),
            order: Some(order),
            ..at("net-trim", 0.25)
        };
        match (start.make(&request), expected) {
            (Ok(made), Ok(expected)) => {
                assert_eq!(made.relative_residuals, expected.relative_residuals);
                assert_eq!(made.mask, expected.ticket.map(|ticket| ticket.mask), "{solver}");
            }
            (Err(made), Err(expected)) => assert_eq!(made.to_string(), expected.to_string()),
            (made, expected) => panic!("{made:?} {expected:?}"),
        }
    }
}

#[test]
fn one_budget_is_that_of_the_whole_model_and_a_mask_takes_candidates_away() {
    let start = Start::new("mlp:8-4");
    let layout = start.network.layout();
    let mut left = layout.full_mask();
    layout
        .weights()
        .indices()
        .iter()
        .step_by(3)
        .for_each(|&j| left.set(j, false));
    let total = (0.2 * layout.prunable() as f64).round() as usize;
    let (mut theta, inputs) = start.doubles();
    left.apply(&mut theta).unwrap();
    let problem = SensingProblem::new(&start.network, &theta, &inputs, RowTransform::Centred).unwrap();
    let problem = problem.within(&left).unwrap().with_one_budget();
    let b = problem.right_hand_side(&start.samples.labels).unwrap();
    for solver in RecoveredBy::ALL {
        let request = MaskRequest {
            allocation: Some(Allocation::Global),
            ..at(solver.as_str(), 0.2)
        };
        let made = request
            .make(&CriterionInput {
                mask: &left,
                ..start.input()
            })
            .unwrap();
        let expected = RecoveryRequest {
            solver,
            damping: 0.1,
            counts: &[total],
        };
        let expected = problem.recover(&b, &expected).unwrap().ticket.unwrap().mask;
        assert_eq!(made.mask.as_ref(), Some(&expected), "{solver}");
        assert_eq!(expected.and(&left).unwrap(), expected);
    }
    // Who takes no mask says so.
    for word in ["relinearised", "net-trim", "group-lasso"] {
        let input = CriterionInput {
            mask: &left,
            ..start.input()
        };
        let error = at(word, 0.5).make(&input).unwrap_err().to_string();
        assert!(error.starts_with("mask") && error.contains(word), "{error}");
    }
}

#[test]
fn group_lasso_keeps_the_units_of_its_own_function_at_a_density_of_weights() {
    let start = Start::new("mlp:8-4");
    let made = start.make(&at("group-lasso", 0.5)).unwrap();
    let mask = made.require().unwrap();
    assert!(kept_weights(&start.network, mask) <= start.network.layout().prunable() / 2);
    let counts: Vec<usize> = made.units.iter().map(|family| family.kept).collect();
    let (problem, b) = start.problem();
    let units = Units::of(&start.network);
    let expected = problem.recover_units(&b, &units, 0.1, &counts).unwrap();
    assert_eq!(*mask, units.mask(&expected.choice.unwrap()));
    assert_eq!(made.status, expected.status);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Every choice of so many units in every width, one after the other.
    #[test]
    fn units_are_as_many_as_the_density_allows_and_no_other_choice_of_those_numbers_has_a_larger_norm(
        first in 1usize..6, second in 1usize..6, density in 0.3f64..1.0, seed in any::<u64>(), euclidean in any::<bool>(),
    ) {
        let network = Network::preset(&format!("mlp:{first}-{second}"), 5, 3).unwrap();
        let theta: Vec<f32> = network.initial(&Seed::root(seed), &Initialisation::HE).unwrap();
        let samples = SmallSamples::new(6, 5, 0.3);
        let full = network.layout().full_mask();
        let norm = if euclidean { UnitNorm::Euclidean } else { UnitNorm::AbsoluteSum };
        let request = MaskRequest { norm: Some(norm), ..at("neurons", density) };
        let made = request.make(&CriterionInput {
            network: &network,
            theta: &theta,
            mask: &full,
            initial: &theta,
            loss: Loss::CrossEntropy,
            training: Examples::labelled(&samples.inputs, &samples.labels),
            seed: Seed::root(0),
        });
        let weights = |a: usize, b: usize| 5 * a + a * b + 3 * b;
        let room = density * weights(first, second) as f64;
        // Rounded to nearest, half up, at least one, at every thousandth.
        let width = |units: usize, t: usize| (((units * t) as f64 / 1000.0 + 0.5).floor() as usize).max(1);
        let widths = |t: usize| (width(first, t), width(second, t));
        let best = (1..=1000).map(widths).rfind(|&(a, b)| weights(a, b) as f64 <= room);
        let Some((a, b)) = best else {
            prop_assert!(made.is_err());
            return Ok(());
        };
        let made = made.unwrap();
        let kept: Vec<usize> = made.units.iter().map(|family| family.kept).collect();
        prop_assert_eq!(kept, vec![a, b, 3]);
        let mask = made.mask.unwrap();
        prop_assert_eq!(kept_weights(&network, &mask), weights(a, b));
        // The rows of both hidden layers: what the mask keeps scores as much as the best subset of that size.
        for (name, inputs, units, count) in [("dense0.weight", 5, first, a), ("dense1.weight", first, second, b)] {
            let slot = network.layout().slot(name).unwrap().range.clone();
            let score = |u: usize| {
                let row = &theta[slot.start + u * inputs..slot.start + (u + 1) * inputs];
                match norm {
                    UnitNorm::AbsoluteSum => row.iter().map(|w| f64::from(w.abs())).sum::<f64>(),
                    UnitNorm::Euclidean => row.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>().sqrt(),
                }
            };
            let subset = |bits: u32| (0..units).filter(move |u| bits >> u & 1 == 1);
            let largest = (0u32..1 << units)
                .filter(|bits| bits.count_ones() as usize == count)
                .map(|bits| subset(bits).map(score).sum::<f64>())
                .fold(0.0, f64::max);
            let stays = |u: &usize| mask.kept_in(slot.start + u * inputs..slot.start + (u + 1) * inputs) > 0;
            let found: f64 = (0..units).filter(stays).map(score).sum();
            prop_assert!((found - largest).abs() <= 1e-12 * largest.max(1.0), "{} {}", found, largest);
        }
    }
}

//! Parallel columns, and the coherence of what is left, without looking at every pair.

use super::Estimator;
use super::parallel::{ParallelGroups, root};
use super::sketch::Sketch;
use crate::error::{Error, Result};
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use crate::outcome::{Certainty, Estimate};
use crate::seed::Seed;
use nalgebra::DMatrix;
use std::collections::BTreeMap;

/// Candidates that start the search for the largest cosine.
const STARTS: usize = 256;
/// Columns that follow a column, in the order of a direction and in the order of the operator, among which starts are looked for.
const FOLLOWERS: usize = 12;

/// Groups of parallel columns as [`super::ParallelColumns`] finds them, and the coherence of their representatives as
/// [`super::Coherence`] does, at the cost of a few inner products a column where nearly parallel columns exist.
///
/// Every unit column `u` is split into its part `P u` in a few orthonormal directions (the leading ones of a sample of the
/// columns) and the rest. For any two, `|⟨u, v⟩| ≤ |⟨P u, P v⟩| + ‖u − P u‖ ‖v − P v‖`, and `|⟨u, v⟩| ≥ c` needs
/// `|⟨q, u⟩| − |⟨q, v⟩|` of at most `√(2 (1 − c))` in size for every direction q. Sorted along one direction, a column meets only
/// those nearby, and only pairs whose bound exceeds what is asked for are formed. Nothing is missed: the groups and the coherence are exact
/// unless `max_comparisons` ends the search first, and then the coherence is a lower bound.
///
/// Cost: `(k + 1) m n` operations for k directions, k a comparison, m a formed pair. With a largest cosine near 1, as for
/// the Jacobian of a network with thousands of weights, comparisons are few among the `n²/2` pairs; for a Gaussian
/// matrix they are all of them. Source: Teflioudi, Gemulla and Mykytiuk (2015), *LEMP*, for the bound by a partial inner
/// product and the lengths of the rests.
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::Seed;
/// use ticketsense::estimators::{Estimator, NearColumns};
/// use ticketsense::operators::DenseOperator;
/// // The third column is −2 times the first, the fourth is zero.
/// let a = DenseOperator::new(dmatrix![1.0, 0.6, -2.0, 0.0; 0.0, 0.8, 0.0, 0.0])?;
/// let found = NearColumns::default().estimate(&a, &Seed::root(0))?.value;
/// assert_eq!((found.groups.merged, found.groups.zero), (1, vec![3]));
/// assert!((found.coherence - 0.6).abs() < 1e-14);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NearColumns {
    /// Directions that columns are projected on, from 1 to 256.
    pub directions: usize,
    /// Columns are parallel when their |cosine| is within this of 1; in (0, 1).
    pub tolerance: f64,
    /// The most comparisons of projections, for the groups and for the coherence each.
    pub max_comparisons: u64,
}

impl Default for NearColumns {
    /// 16 directions, tolerance 1e-12 and 2·10⁹ comparisons: some seconds.
    fn default() -> Self {
        NearColumns {
            directions: 16,
            tolerance: 1e-12,
            max_comparisons: 2_000_000_000,
        }
    }
}

/// Parallel columns and the coherence of those that are left.
#[derive(Clone, Debug, PartialEq)]
pub struct MergedCoherence {
    /// The groups of parallel columns, and the zero columns.
    pub groups: ParallelGroups,
    /// Whether the groups are exact: false when the comparisons ran out while columns were grouped.
    pub groups_exact: bool,
    /// The largest |cosine| of two representatives; 0 when there are fewer than two.
    pub coherence: f64,
    /// Rounding error of `coherence`.
    pub error_bound: f64,
    /// A pair of columns that attains it.
    pub pair: Option<(usize, usize)>,
    /// The largest |cosine| of two columns before merging: 1 up to rounding where some are parallel.
    pub unmerged: f64,
    /// Pairs whose projections were compared.
    pub comparisons: u64,
    /// Pairs whose cosine was formed.
    pub formed: u64,
}

impl Estimator for NearColumns {
    type Quantity = MergedCoherence;

    /// The certainty is that of the coherence.
    fn estimate(&self, a: &dyn MeasurementOperator, seed: &Seed) -> Result<Estimate<MergedCoherence>> {
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            let expected = "a number in (0, 1)";
            return Err(Error::argument(
                "tolerance of parallel columns",
                expected,
                self.tolerance,
            ));
        }
        let mut sketch = Sketch::new(a, self.directions, seed)?;
        let mut exact = Cosines::new(a);
        let parallel = 1.0 - self.tolerance;
        let count = sketch.live.len();
        let mut parent: Vec<usize> = (0..count).collect();
        let mut unmerged = 0.0f64;
        let everyone: Vec<usize> = (0..count).collect();
        let live = sketch.live.clone();
        let grouped = sketch.sweep(&everyone, parallel, self.max_comparisons, |block, bound| {
            for pair in block.above(bound) {
                let (x, y) = (root(&mut parent, pair.0), root(&mut parent, pair.1));
                if x == y {
                    continue;
                }
                let cosine = exact.cosine(live[pair.0], live[pair.1]);
                if cosine > parallel {
                    unmerged = unmerged.max(cosine);
                    parent[x.max(y)] = x.min(y);
                }
            }
            exact.forget();
            bound
        });
        let mut representative = vec![None; a.shape().columns];
        let mut kept = Vec::new();
        for (position, &j) in live.iter().enumerate() {
            let first = root(&mut parent, position);
            representative[j] = Some(live[first]);
            if first == position {
                kept.push(position);
            }
        }
        let mut largest = Largest::default();
        for (i, j) in sketch.promising(&kept, FOLLOWERS, STARTS) {
            largest.offer(exact.cosine(live[i], live[j]), (live[i], live[j]), parallel);
        }
        exact.forget();
        let searched = sketch.sweep(&kept, largest.value, self.max_comparisons, |block, mut bound| {
            for pair in block.above(bound) {
                // An earlier pair of the block may have raised what must be exceeded.
                if pair.2 > bound {
                    let columns = (live[pair.0], live[pair.1]);
                    largest.offer(exact.cosine(columns.0, columns.1), columns, parallel);
                    bound = largest.value;
                }
            }
            exact.forget();
            bound
        });
        let quantity = MergedCoherence {
            coherence: largest.value.min(1.0),
            error_bound: sketch.cosine_error(),
            pair: largest.pair,
            unmerged: unmerged.max(largest.value).min(1.0),
            comparisons: grouped.comparisons + searched.comparisons,
            formed: exact.formed,
            groups_exact: grouped.complete,
            groups: ParallelGroups {
                representative,
                merged: count - kept.len(),
                kept: kept.iter().map(|&position| live[position]).collect(),
                zero: std::mem::take(&mut sketch.zero),
            },
        };
        let certainty = if grouped.complete && searched.complete {
            Certainty::Exact
        } else {
            Certainty::LowerBound
        };
        let read = sketch.columns_read + exact.columns_read;
        let applications = read as f64 / a.shape().columns as f64;
        Ok(Estimate::new(quantity, certainty, applications))
    }
}

/// The largest |cosine| below that of parallel columns, and the first pair that attains it.
#[derive(Debug, Default)]
struct Largest {
    value: f64,
    pair: Option<(usize, usize)>,
}

impl Largest {
    fn offer(&mut self, cosine: f64, pair: (usize, usize), parallel: f64) {
        let pair = (pair.0.min(pair.1), pair.0.max(pair.1));
        if cosine > self.value && cosine <= parallel {
            self.value = cosine;
            self.pair = Some(pair);
        }
    }
}

/// Cosines from the columns themselves, which are kept for a while.
struct Cosines<'a> {
    operator: &'a dyn MeasurementOperator,
    columns: BTreeMap<usize, Vec<f64>>,
    columns_read: u64,
    formed: u64,
}

/// Columns that may be kept.
const KEPT: usize = 4096;

impl<'a> Cosines<'a> {
    fn new(operator: &'a dyn MeasurementOperator) -> Self {
        Cosines {
            operator,
            columns: BTreeMap::new(),
            columns_read: 0,
            formed: 0,
        }
    }

    fn cosine(&mut self, i: usize, j: usize) -> f64 {
        for c in [i, j] {
            if !self.columns.contains_key(&c) {
                let mut column = DMatrix::zeros(self.operator.shape().rows, 1);
                self.operator.columns_into(&[c], &mut column);
                let length = norm(column.as_slice());
                column /= length;
                self.columns.insert(c, column.as_slice().to_vec());
                self.columns_read += 1;
            }
        }
        self.formed += 1;
        dot(&self.columns[&i], &self.columns[&j]).abs()
    }

    /// Lets go of the columns when there are many.
    fn forget(&mut self) {
        if self.columns.len() > KEPT {
            self.columns.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Coherence, ParallelColumns};
    use super::*;
    use crate::linearize::{Biases, Linearisation, RowTransform};
    use crate::networks::derivative_cases::{Case, layered_networks};
    use crate::networks::{Array, Initialisation, Network};
    use crate::operators::{DenseOperator, GaussianEnsemble};

    /// The groups and the coherence of the representatives, by looking at every pair.
    fn compare(a: &dyn MeasurementOperator, directions: usize, name: &str) -> MergedCoherence {
        let seed = Seed::root(5);
        let near = NearColumns {
            directions,
            ..NearColumns::default()
        };
        let found = near.estimate(a, &seed).unwrap();
        assert_eq!(found.certainty, Certainty::Exact, "{name}");
        let groups = ParallelColumns::default().estimate(a, &seed).unwrap().value;
        assert_eq!(found.value.groups, groups, "{name}");
        if groups.kept.is_empty() {
            assert_eq!(found.value.coherence, 0.0, "{name}");
            return found.value;
        }
        let kept = DenseOperator::new(a.to_dense().select_columns(&groups.kept)).unwrap();
        let slow = Coherence.estimate(&kept, &seed).unwrap().value;
        let allowed = slow.error_bound + found.value.error_bound;
        assert!((found.value.coherence - slow.value).abs() <= allowed, "{name}");
        let all = Coherence.estimate(a, &seed).unwrap().value.value;
        assert!((found.value.unmerged - all).abs() <= allowed, "{name}");
        found.value
    }

    #[test]
    fn a_gaussian_matrix_gives_up_its_coherence_with_any_number_of_directions() {
        let drawn = GaussianEnsemble { rows: 20, columns: 600 }
            .draw(&Seed::root(1))
            .unwrap();
        let mut matrix = drawn.matrix().clone();
        for j in (0..600).step_by(50) {
            matrix.column_mut(j).fill(0.0);
            let copy = matrix.column(j + 7) * -3.0;
            matrix.set_column(j + 1, &copy);
        }
        let a = DenseOperator::new(matrix).unwrap();
        for directions in [1, 5, 16, 40] {
            let found = compare(&a, directions, "gaussian");
            assert_eq!((found.groups.zero.len(), found.groups.merged), (12, 12));
        }
    }

    #[test]
    fn jacobians_of_every_layer_are_grouped_as_by_looking_at_every_pair() {
        for network in layered_networks() {
            let name = network.name().to_string();
            let case = Case::of(network, &name);
            let at = Linearisation::new(&case.network, &case.theta, &case.inputs).unwrap();
            let weights = case.network.layout().weights();
            let few: Vec<usize> = weights
                .indices()
                .iter()
                .copied()
                .step_by(weights.len().div_ceil(900))
                .collect();
            let few = crate::support::Support::new(few, case.theta.len()).unwrap();
            compare(
                &at.jacobian(&few, RowTransform::Identity, Biases::Fixed).unwrap(),
                16,
                &name,
            );
            compare(
                &at.jacobian(&few, RowTransform::Centred, Biases::Free).unwrap(),
                4,
                &name,
            );
        }
    }

    #[test]
    fn near_parallel_columns_are_found_among_thousands_with_few_comparisons() {
        // Inputs of one sample make columns parallel: a unit that is active on one sample only.
        let network = Network::preset("mlp:100-40:no-bias", 60, 5).unwrap();
        let theta: Vec<f64> = network.initial(&Seed::root(2), &Initialisation::HE).unwrap();
        let mut rng = Seed::root(3).rng();
        // Features that come and go together in pairs, never quite in the same measure.
        let draw: Vec<f64> = crate::networks::derivative_cases::normal(&Seed::root(3), "x", 12 * 30);
        let inputs = Array::from_fn(12, 60, |s, j| {
            let wobble: f64 = rand::RngExt::random(&mut rng);
            draw[s * 30 + j / 2] * (1.0 + 1e-5 * wobble)
        });
        let at = Linearisation::new(&network, &theta, &inputs).unwrap();
        let a = at
            .jacobian(&network.layout().weights(), RowTransform::Identity, Biases::Fixed)
            .unwrap();
        let found = compare(&a, 16, "pairs");
        assert!(found.coherence > 1.0 - 1e-9);
        let pairs = 10_200u64 * 10_199 / 2;
        assert!(found.comparisons < pairs / 4, "{} of {pairs}", found.comparisons);
    }

    #[test]
    fn a_search_cut_short_is_a_lower_bound_and_says_so() {
        let a = GaussianEnsemble { rows: 30, columns: 900 }
            .draw(&Seed::root(1))
            .unwrap();
        let near = NearColumns {
            max_comparisons: 1,
            ..NearColumns::default()
        };
        let found = near.estimate(&a, &Seed::root(0)).unwrap();
        assert_eq!(found.certainty, Certainty::LowerBound);
        assert!(!found.value.groups_exact);
        let truth = Coherence.estimate(&a, &Seed::root(0)).unwrap().value.value;
        assert!(found.value.coherence <= truth + found.value.error_bound && found.value.coherence > 0.0);
    }

    #[test]
    fn unusable_numbers_are_refused() {
        let a = DenseOperator::new(DMatrix::identity(2, 2)).unwrap();
        let default = NearColumns::default();
        for near in [
            NearColumns {
                directions: 0,
                ..default
            },
            NearColumns {
                directions: 257,
                ..default
            },
            NearColumns {
                tolerance: 0.0,
                ..default
            },
            NearColumns {
                tolerance: 1.0,
                ..default
            },
        ] {
            assert!(matches!(near.estimate(&a, &Seed::root(0)), Err(Error::Argument { .. })));
        }
    }
}

//! How much of a kernel vector can sit on few coordinates: the quantity that decides recovery for every support at once.

use super::kernel::kernel_slack;
use super::multipliers::{joint_multipliers, multiplier_bounds};
use crate::error::Result;
use crate::estimators::Estimator;
use crate::estimators::subsets::check_order;
use crate::linalg::{dot, norm};
use crate::operators::{DenseOperator, MeasurementOperator};
use crate::outcome::{Certainty, Estimate};
use crate::recovery::{BasisPursuit, Certificate, Solver, proven_smallest_singular_value};
use crate::seed::Seed;
use nalgebra::DMatrix;

/// The concentration of the kernel, `α_k = max { Σ of the k largest |hᵢ| : A h = 0, ‖h‖₁ ≤ 1 }`.
///
/// Basis pursuit recovers every vector with k nonzeros if and only if `α_k < 1/2` (the null space property). For k = 1 this
/// is n linear programs, `max hᵢ = 1/(1 + min ‖x‖₁)` over `A₋ᵢ x = aᵢ`, solved here by basis pursuit: its answer is a vector
/// of the kernel, a lower bound, and its dual vector a multiplier `yᵢ`, an upper bound. Any multipliers Y bound the others,
/// because `h = (I − YᵀA)h` for h in the kernel: `α_k ≤ max_j (the k largest of |(I − YᵀA) eⱼ|, summed)`, and so do sums of
/// smaller orders. With `joint`, Y is chosen for that bound by one linear program an order. Bounds are evaluated from Y
/// itself and rounded outwards, so that no solver has to be trusted.
///
/// For unit columns `α₁ ≤ μ/(1 + μ)`, so what coherence certifies this certifies too. Cost: n basis pursuits; a joint
/// program has about `n² + mn` unknowns. Source: Juditsky and Nemirovski (2011), sections 2 to 4.
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::{Seed, estimators::{Estimator, KernelConcentration}, operators::DenseOperator};
/// // The kernel is spanned by (1, 1, 2): half of it sits on the last coordinate.
/// let a = DenseOperator::new(dmatrix![1.0, 1.0, -1.0; 1.0, -1.0, 0.0])?;
/// let bounds = KernelConcentration { max_nonzeros: 1, joint: false }.estimate(&a, &Seed::root(0))?.value;
/// assert!((bounds.upper[0] - 0.5).abs() < 1e-12 && (bounds.first_lower - 0.5).abs() < 1e-9);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct KernelConcentration {
    /// The largest order k to bound.
    pub max_nonzeros: usize,
    /// Whether to choose the multipliers for every order from 2 by a linear program of its own.
    pub joint: bool,
}

impl Default for KernelConcentration {
    /// Orders 1 to 3, each with its own multipliers.
    fn default() -> Self {
        KernelConcentration {
            max_nonzeros: 3,
            joint: true,
        }
    }
}

/// Proven bounds of the concentration of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct ConcentrationBounds {
    /// `α₁` is at least this; 0 where no vector of the kernel is proven.
    pub first_lower: f64,
    /// The coordinate on which the vector behind `first_lower` concentrates.
    pub first_coordinate: Option<usize>,
    /// `max |hᵢ|` for `‖h‖₁ ≤ 1` is at most this, for each coordinate.
    pub coordinate_upper: Vec<f64>,
    /// `α_k` is at most this, for k = 1, 2, …
    pub upper: Vec<f64>,
}

impl ConcentrationBounds {
    /// The largest k, of those bounded, for which every vector with k nonzeros is proven to be recovered; 0 for none.
    pub fn certified_nonzeros(&self) -> usize {
        self.upper.iter().take_while(|bound| **bound < 0.5).count()
    }
}

impl Estimator for KernelConcentration {
    type Quantity = ConcentrationBounds;

    fn estimate(&self, a: &dyn MeasurementOperator, _seed: &Seed) -> Result<Estimate<ConcentrationBounds>> {
        check_order(self.max_nonzeros, a.shape().columns)?;
        let a = DenseOperator::new(a.to_dense())?;
        let (multipliers, witness, mut applications) = coordinate_by_coordinate(&a)?;
        let bounds = multiplier_bounds(a.matrix(), &multipliers, self.max_nonzeros)?;
        let mut upper = bounds.orders;
        for k in 2..=self.max_nonzeros {
            if self.joint && upper[k - 2] < 0.5 {
                let own = joint_multipliers(a.matrix(), k)?;
                let tighter = multiplier_bounds(a.matrix(), &own, k)?;
                upper[k - 1] = upper[k - 1].min(tighter.orders[k - 1]);
                applications += 1.0;
            }
            // The k largest are the i largest and k − i others.
            for i in 1..k {
                upper[k - 1] = upper[k - 1].min((upper[i - 1] + upper[k - i - 1]) * (1.0 + f64::EPSILON));
            }
        }
        let value = ConcentrationBounds {
            first_lower: witness.map_or(0.0, |(_, lower)| lower),
            first_coordinate: witness.map(|(coordinate, _)| coordinate),
            coordinate_upper: bounds.coordinates,
            upper,
        };
        Ok(Estimate::new(value, Certainty::UpperBound, applications))
    }
}

/// A multiplier for each coordinate, the best lower bound of α₁ with its coordinate, and the operator applications.
type Answers = (DMatrix<f64>, Option<(usize, f64)>, f64);

fn coordinate_by_coordinate(a: &DenseOperator) -> Result<Answers> {
    let matrix = a.matrix();
    let (m, n) = matrix.shape();
    let sigma = proven_smallest_singular_value(a);
    let norms = a.column_norms();
    let mut multipliers = DMatrix::zeros(m, n);
    let mut witness: Option<(usize, f64)> = None;
    let mut applications = 0.0;
    let solver = BasisPursuit {
        tolerance: 1e-10,
        ..BasisPursuit::default()
    };
    for i in 0..n {
        let own: Vec<f64> = matrix.column(i).iter().copied().collect();
        if norms[i] == 0.0 {
            // The unit vector itself is in the kernel.
            witness = Some((i, 1.0));
            continue;
        }
        let others = DenseOperator::new(matrix.clone().remove_column(i))?;
        let mut answer = solver.solve(&others, &own)?;
        applications += answer.applications;
        let mut h = std::mem::take(&mut answer.x);
        h.iter_mut().for_each(|v| *v = -*v);
        h.insert(i, 1.0);
        let mut left = vec![0.0; m];
        a.apply_into(&h, &mut left);
        // Not reached by the others: what they leave of it is orthogonal to them.
        let direction = if norm(&left) > 1e-7 * norms[i] {
            left
        } else {
            match answer.certificate {
                Certificate::DualityGap { dual, .. } => dual,
                _ => continue,
            }
        };
        let along = dot(&own, &direction);
        let largest = (0..n)
            .filter(|&j| j != i)
            .map(|j| dot(matrix.column(j).into_owned().as_slice(), &direction).abs())
            .fold(0.0, f64::max);
        if along != 0.0 {
            // |1 − c aᵢᵀν| = c max |aⱼᵀν| is the least maximum along ν.
            let scale = along.signum() / (along.abs() + largest);
            multipliers
                .column_mut(i)
                .iter_mut()
                .zip(&direction)
                .for_each(|(y, v)| *y = scale * v);
        }
        let total: f64 = h.iter().map(|v| v.abs()).sum();
        h.iter_mut().for_each(|v| *v /= total);
        if let Some(slack) = kernel_slack(a, &norms, sigma, &h) {
            let lower = (h[i].abs() - slack) / (1.0 + slack);
            if lower > witness.map_or(0.0, |(_, best)| best) {
                witness = Some((i, lower));
            }
        }
    }
    Ok((multipliers, witness, applications))
}

#[cfg(test)]
mod tests {
    use super::super::SignedSupports;
    use super::super::reference::Program;
    use super::*;
    use crate::estimators::Coherence;
    use crate::operators::{GaussianEnsemble, ScaledColumns};
    use nalgebra::dmatrix;
    use proptest::prelude::*;

    fn bounds(a: &DMatrix<f64>, max_nonzeros: usize, joint: bool) -> ConcentrationBounds {
        let a = DenseOperator::new(a.clone()).unwrap();
        let estimator = KernelConcentration { max_nonzeros, joint };
        estimator.estimate(&a, &Seed::root(0)).unwrap().value
    }

    /// `max hᵢ` with `A h = 0`, `‖h‖₁ ≤ 1`, h = u − v.
    fn by_linear_program(a: &DMatrix<f64>, i: usize) -> f64 {
        let (m, n) = a.shape();
        let mut program = Program {
            cost: vec![0.0; 2 * n],
            ..Default::default()
        };
        program.cost[i] = -1.0;
        program.cost[n + i] = 1.0;
        for row in 0..m {
            let terms = (0..n).flat_map(|j| [(j, a[(row, j)]), (n + j, -a[(row, j)])]);
            program.equal.push((terms.collect(), 0.0));
        }
        program.below.push(((0..2 * n).map(|j| (j, 1.0)).collect(), 1.0));
        program.below.extend((0..2 * n).map(|j| (vec![(j, -1.0)], 0.0)));
        -program.value()
    }

    #[test]
    fn one_coordinate_is_what_linear_programs_say() {
        for (replicate, (rows, columns)) in [(3, 6), (5, 8), (6, 12)].into_iter().enumerate() {
            let a = GaussianEnsemble { rows, columns }
                .draw(&Seed::root(3).replicate(replicate as u64))
                .unwrap();
            let found = bounds(a.matrix(), 1, false);
            let each: Vec<f64> = (0..columns).map(|i| by_linear_program(a.matrix(), i)).collect();
            for (upper, value) in found.coordinate_upper.iter().zip(&each) {
                // The other method is asked for 1e-10, basis pursuit for 1e-10 of ‖x‖₁.
                assert!((upper - value).abs() < 1e-8, "{upper} {value}");
            }
            let largest = each.iter().fold(0.0f64, |m, v| m.max(*v));
            assert!((found.first_lower - largest).abs() < 1e-6 && found.first_lower <= found.upper[0]);
        }
    }

    #[test]
    fn independent_columns_have_no_kernel_and_a_zero_column_is_one() {
        let square = dmatrix![2.0, 1.0; 0.0, 1.0];
        let found = bounds(&square, 2, true);
        assert!(
            found.upper.iter().all(|u| *u < 1e-14) && found.first_lower == 0.0,
            "{found:?}"
        );
        let found = bounds(&dmatrix![1.0, 0.0; 2.0, 0.0], 2, true);
        assert!(found.first_lower == 1.0 && found.first_coordinate == Some(1) && found.upper[0] >= 1.0);
        assert_eq!(found.certified_nonzeros(), 0);
    }

    #[test]
    fn two_equal_columns_hold_half_each() {
        let found = bounds(&dmatrix![1.0, 1.0, 0.0; 0.0, 0.0, 1.0], 2, true);
        assert!(found.upper[0] >= 0.5 && found.upper[0] < 0.5 + 1e-9 && (found.first_lower - 0.5).abs() < 1e-6);
        assert_eq!(found.certified_nonzeros(), 0);
        assert!(found.upper[1] >= 1.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_is_certified_is_recovered_for_every_signed_support(seed in 0u64..10_000, rows in 4usize..9) {
            let raw = GaussianEnsemble { rows, columns: 10 }.draw(&Seed::root(seed)).unwrap();
            let unit = ScaledColumns::unit(&raw).to_dense();
            let single = bounds(&unit, 3, false);
            let joint = bounds(&unit, 3, true);
            for k in 1..=3 {
                prop_assert!(joint.upper[k - 1] <= single.upper[k - 1]);
                prop_assert!(joint.upper[k - 1] >= joint.first_lower);
                let a = DenseOperator::new(unit.clone()).unwrap();
                let counts = SignedSupports { nonzeros: k, ..Default::default() };
                let counts = counts.estimate(&a, &Seed::root(0)).unwrap().value;
                if joint.upper[k - 1] < 0.5 {
                    prop_assert!(counts.all_recovered(), "{k}: {counts:?}");
                }
                let mu = Coherence.estimate(&a, &Seed::root(0)).unwrap().value.value;
                prop_assert!(joint.upper[0] <= mu / (1.0 + mu) + 1e-9);
            }
            if joint.first_lower > 0.5 {
                let a = DenseOperator::new(unit).unwrap();
                let one = SignedSupports { nonzeros: 1, ..Default::default() };
                prop_assert!(one.estimate(&a, &Seed::root(0)).unwrap().value.not_recovered > 0);
            }
        }
    }
}

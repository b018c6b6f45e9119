//! Restricted eigenvalues, searched from above.

use crate::error::{Error, Result};
use crate::estimators::Estimator;
use crate::linalg::dense::{gram, symmetric_eigenvalues};
use crate::linalg::norm;
use crate::operators::{DenseOperator, MeasurementOperator};
use crate::outcome::{Certainty, Estimate};
use crate::seed::Seed;
use crate::support::largest_by;
use rand::RngExt;
use rand_distr::StandardNormal;

use crate::estimators::subsets::check_order;

/// An upper bound of the restricted eigenvalue `φ² = min ‖A h‖²/‖h_S‖²` over `|S| ≤ k` and `‖h_{S^c}‖₁ ≤ c ‖h_S‖₁`.
///
/// The error of the LASSO is bounded where φ is away from 0 (Bickel, Ritov & Tsybakov 2009, with a factor n beside). Its
/// minimum is over a set that is not convex: every h in the cone is an upper bound of it, so a search refutes a claimed φ
/// and never certifies one. The search goes downhill from random starts with step `1/λ_max`, S being the k largest entries
/// and the others being brought back into the cone by projection. Cost: `n²` operations a step.
#[derive(Clone, Debug, PartialEq)]
pub struct RestrictedEigenvalue {
    /// The order k.
    pub nonzeros: usize,
    /// The constant c of the cone, 3 in most theorems.
    pub cone: f64,
    /// Random starts.
    pub starts: usize,
    /// Steps from each.
    pub steps: usize,
}

impl Default for RestrictedEigenvalue {
    /// Two nonzeros, cone constant 3, 20 starts of 300 steps.
    fn default() -> Self {
        RestrictedEigenvalue {
            nonzeros: 2,
            cone: 3.0,
            starts: 20,
            steps: 300,
        }
    }
}

/// An upper bound of a restricted eigenvalue with the vector that shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct RestrictedEigenvalueBound {
    /// `‖A h‖²/‖h_S‖²`, rounded upwards.
    pub value: f64,
    /// h, with `‖h_S‖₂ = 1` but for rounding.
    pub direction: Vec<f64>,
    /// S, ascending.
    pub support: Vec<usize>,
}

impl Estimator for RestrictedEigenvalue {
    type Quantity = RestrictedEigenvalueBound;

    fn estimate(&self, a: &dyn MeasurementOperator, seed: &Seed) -> Result<Estimate<RestrictedEigenvalueBound>> {
        let n = a.shape().columns;
        check_order(self.nonzeros, n)?;
        if !(self.cone >= 0.0 && self.cone.is_finite()) {
            return Err(Error::argument(
                "cone constant",
                "a finite number of at least 0",
                self.cone,
            ));
        }
        if self.starts == 0 || self.steps == 0 {
            return Err(Error::argument("starts and steps", "at least 1 each", 0));
        }
        let dense = DenseOperator::new(a.to_dense())?;
        let norms = dense.column_norms();
        let g = gram(dense.matrix());
        let top = symmetric_eigenvalues(&g)?.last().copied().unwrap_or(0.0);
        let step = if top > 0.0 { 1.0 / top } else { 0.0 };
        let mut best: Option<RestrictedEigenvalueBound> = None;
        let mut product = vec![0.0; n];
        for start in 0..self.starts {
            let mut rng = seed.stream("restricted-eigenvalue").replicate(start as u64).rng();
            let mut h: Vec<f64> = (0..n).map(|_| rng.sample(StandardNormal)).collect();
            for _ in 0..=self.steps {
                let support = self.bring_into_cone(&mut h);
                let value = upper_value(&dense, &norms, &h, &support);
                if best.as_ref().is_none_or(|b| value < b.value) {
                    best = Some(RestrictedEigenvalueBound {
                        value,
                        direction: h.clone(),
                        support,
                    });
                }
                product.fill(0.0);
                for (column, v) in g.column_iter().zip(&h) {
                    product.iter_mut().zip(column.iter()).for_each(|(p, g)| *p += g * v);
                }
                h.iter_mut().zip(&product).for_each(|(h, p)| *h -= step * p);
            }
        }
        let value = best.ok_or_else(|| Error::numerical("restricted eigenvalue", "no start gave a direction"))?;
        let applications = (self.starts * (self.steps + 1)) as f64;
        Ok(Estimate::new(value, Certainty::UpperBound, applications))
    }
}

impl RestrictedEigenvalue {
    /// Scales h to `‖h_S‖₂ = 1`, S its k largest entries, and projects the rest onto the ℓ₁ ball of radius `c ‖h_S‖₁`,
    /// less a little, so that rounding does not leave the cone. Gives S.
    fn bring_into_cone(&self, h: &mut [f64]) -> Vec<usize> {
        let mut support = largest_by(self.nonzeros, 0..h.len(), |j| h[j].abs());
        support.sort_unstable();
        let inside: Vec<f64> = support.iter().map(|&j| h[j]).collect();
        let length = norm(&inside);
        if length == 0.0 {
            h[support[0]] = 1.0;
        } else {
            h.iter_mut().for_each(|v| *v /= length);
        }
        let on: f64 = support.iter().map(|&j| h[j].abs()).sum();
        let room = self.cone * on * (1.0 - 4.0 * h.len() as f64 * f64::EPSILON);
        let off: Vec<usize> = (0..h.len()).filter(|j| !support.contains(j)).collect();
        let total: f64 = off.iter().map(|&j| h[j].abs()).sum();
        if total > room {
            let mut sizes: Vec<f64> = off.iter().map(|&j| h[j].abs()).collect();
            sizes.sort_by(|x, y| y.total_cmp(x));
            // Without room nothing is left.
            let (mut sum, mut threshold) = (0.0, sizes[0]);
            for (i, size) in sizes.iter().enumerate() {
                sum += size;
                let level = (sum - room) / (i + 1) as f64;
                if level < *size {
                    threshold = level;
                }
            }
            for &j in &off {
                h[j] = (h[j].abs() - threshold).max(0.0).copysign(h[j]);
            }
        }
        support
    }
}

/// `‖A h‖²/‖h_S‖²`, upwards.
fn upper_value(a: &DenseOperator, norms: &[f64], h: &[f64], support: &[usize]) -> f64 {
    let mut image = vec![0.0; a.shape().rows];
    a.apply_into(h, &mut image);
    let unit = f64::EPSILON;
    let terms: f64 = h.iter().zip(norms).map(|(v, norm)| v.abs() * norm).sum();
    let rounding = (h.len() + 2) as f64 * unit * terms;
    let inside: f64 = support.iter().map(|&j| h[j] * h[j]).sum();
    let length = norm(&image) * (1.0 + image.len() as f64 * unit) + rounding;
    length * length / inside * (1.0 + (support.len() + 4) as f64 * unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::GaussianEnsemble;
    use nalgebra::{DMatrix, dmatrix};

    fn bound(a: DMatrix<f64>, nonzeros: usize, cone: f64) -> RestrictedEigenvalueBound {
        let estimator = RestrictedEigenvalue {
            nonzeros,
            cone,
            ..Default::default()
        };
        estimator
            .estimate(&DenseOperator::new(a).unwrap(), &Seed::root(4))
            .unwrap()
            .value
    }

    #[test]
    fn orthonormal_columns_have_one_and_equal_columns_none() {
        assert!((bound(DMatrix::identity(5, 5), 2, 3.0).value - 1.0).abs() < 1e-12);
        let twins = bound(dmatrix![1.0, 1.0, 0.0; 0.0, 0.0, 1.0], 1, 1.0);
        // Rounding of ‖A h‖ squared, with the little that the cone is kept away from its edge by.
        assert!(twins.value < 1e-12, "{}", twins.value);
        let apart = bound(dmatrix![1.0, 1.0, 0.0; 0.0, 0.0, 1.0], 1, 0.5);
        // At most half of one may be taken off by the other.
        assert!((apart.value - 0.25).abs() < 1e-9, "{}", apart.value);
    }

    #[test]
    fn without_a_cone_it_is_the_smallest_eigenvalue_of_a_support() {
        let a = GaussianEnsemble { rows: 9, columns: 6 }.draw(&Seed::root(1)).unwrap();
        let g = gram(a.matrix());
        let mut least = f64::INFINITY;
        crate::estimators::subsets::for_each_subset(6, 2, |s| {
            let block = DMatrix::from_fn(2, 2, |i, j| g[(s[i], s[j])]);
            least = least.min(symmetric_eigenvalues(&block)?[0]);
            Ok(())
        })
        .unwrap();
        let found = bound(a.matrix().clone(), 2, 0.0);
        assert!(found.value >= least * (1.0 - 1e-12));
        assert!(found.value <= least * (1.0 + 1e-6), "{} {least}", found.value);
    }

    #[test]
    fn the_direction_lies_in_its_cone_and_has_its_value() {
        let a = GaussianEnsemble { rows: 5, columns: 12 }.draw(&Seed::root(6)).unwrap();
        let found = bound(a.matrix().clone(), 2, 3.0);
        let sum = |on: bool| -> f64 {
            let of = (0..12).filter(|j| found.support.contains(j) == on);
            of.map(|j| found.direction[j].abs()).sum()
        };
        assert!(sum(false) <= 3.0 * sum(true) && found.support.len() == 2);
        let image = a.apply(&found.direction).unwrap();
        let plain = image.iter().map(|v| v * v).sum::<f64>();
        assert!(plain <= found.value * (1.0 + 1e-12));
        // Twelve columns in five dimensions: a wide cone reaches the kernel.
        assert!(bound(a.matrix().clone(), 2, 100.0).value < 1e-6);
    }
}

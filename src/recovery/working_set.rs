//! The LASSO restricted to a working set of columns, solved through their Gram matrix.

use crate::error::Result;
use crate::linalg::cholesky::solve_positive_definite;
use crate::linalg::dense::{gram, transpose_product};
use crate::linalg::dot;
use crate::operators::MeasurementOperator;
use nalgebra::DMatrix;

/// Sweeps of coordinate descent between two Newton steps.
const SWEEPS: usize = 4;
/// Halvings of a Newton step that are tried.
const HALVINGS: usize = 8;
/// Rounds of sweeps and a Newton step before the caller looks at the whole gradient again.
const ROUNDS: usize = 60;

/// `½‖y − C x‖² + λ‖x‖₁` over the columns `C` of a working set that only grows.
#[derive(Debug)]
pub(super) struct WorkingSet {
    indices: Vec<usize>,
    member: Vec<bool>,
    x: Vec<f64>,
    columns: DMatrix<f64>,
    gram: DMatrix<f64>,
    with_y: Vec<f64>,
    /// `Cᵀ(y − C x)`, kept up to date.
    correlations: Vec<f64>,
    y_square: f64,
}

impl WorkingSet {
    /// The empty set, of an operator with so many columns.
    pub fn new(y: &[f64], columns: usize) -> Self {
        WorkingSet {
            indices: Vec::new(),
            member: vec![false; columns],
            x: Vec::new(),
            columns: DMatrix::zeros(y.len(), 0),
            gram: DMatrix::zeros(0, 0),
            with_y: Vec::new(),
            correlations: Vec::new(),
            y_square: dot(y, y),
        }
    }

    /// Adds columns with the given coefficients. Cost: the columns, and `2mw` operations each.
    ///
    /// # Errors
    /// When the columns do not have one row a measurement: a broken operator.
    pub fn extend(&mut self, a: &dyn MeasurementOperator, y: &[f64], new: &[usize], values: &[f64]) -> Result<()> {
        let (rows, old, added) = (y.len(), self.indices.len(), new.len());
        if added == 0 {
            return Ok(());
        }
        let mut block = DMatrix::zeros(rows, added);
        a.columns_into(new, &mut block);
        let cross = transpose_product(&self.columns, &block)?;
        let inner = gram(&block);
        let total = old + added;
        let mut grown = DMatrix::zeros(total, total);
        grown.view_mut((0, 0), (old, old)).copy_from(&self.gram);
        grown.view_mut((0, old), (old, added)).copy_from(&cross);
        grown.view_mut((old, 0), (added, old)).copy_from(&cross.transpose());
        grown.view_mut((old, old), (added, added)).copy_from(&inner);
        self.gram = grown;
        self.with_y
            .extend(block.as_slice().chunks_exact(rows).map(|column| dot(column, y)));
        let mut columns: Vec<f64> = std::mem::replace(&mut self.columns, DMatrix::zeros(0, 0)).data.into();
        columns.extend_from_slice(block.as_slice());
        self.columns = DMatrix::from_vec(rows, total, columns);
        self.indices.extend_from_slice(new);
        new.iter().for_each(|&j| self.member[j] = true);
        self.x.extend_from_slice(values);
        self.refresh();
        Ok(())
    }

    /// Whether a column of the operator belongs to the set.
    pub fn contains(&self, column: usize) -> bool {
        self.member[column]
    }

    fn gram_column(&self, j: usize) -> &[f64] {
        let order = self.indices.len();
        &self.gram.as_slice()[j * order..(j + 1) * order]
    }

    /// Recomputes the correlations from the coefficients.
    fn refresh(&mut self) {
        let mut correlations = self.with_y.clone();
        for (j, &v) in self.x.iter().enumerate() {
            if v != 0.0 {
                correlations
                    .iter_mut()
                    .zip(self.gram_column(j))
                    .for_each(|(c, g)| *c -= v * g);
            }
        }
        self.correlations = correlations;
    }

    /// Indices and values of the nonzero coefficients.
    pub fn nonzeros(&self) -> (Vec<usize>, Vec<f64>) {
        self.indices
            .iter()
            .zip(&self.x)
            .filter(|(_, v)| **v != 0.0)
            .map(|(&j, &v)| (j, v))
            .unzip()
    }

    fn active(&self) -> Vec<usize> {
        (0..self.x.len()).filter(|&j| self.x[j] != 0.0).collect()
    }

    /// Minimises until the duality gap on the working set is at most `target`; true when it got there.
    pub fn minimise(&mut self, lambda: f64, target: f64) -> bool {
        let everything: Vec<usize> = (0..self.x.len()).collect();
        for _ in 0..ROUNDS {
            let mut moved = self.sweep(lambda, &everything);
            let active = self.active();
            for _ in 1..SWEEPS {
                moved = moved.max(self.sweep(lambda, &active));
            }
            let mut improved = false;
            // Down to the minimiser of a face: every step but the last leaves it for a smaller one.
            for _ in 0..self.x.len() {
                match self.newton(lambda) {
                    Some(left_face) => {
                        improved = true;
                        if !left_face {
                            break;
                        }
                    }
                    None => break,
                }
            }
            if self.gap(lambda) <= target {
                return true;
            }
            if moved == 0.0 && !improved {
                return false;
            }
        }
        false
    }

    /// One pass of exact coordinate minimisation; the largest drop of the objective by one coordinate.
    fn sweep(&mut self, lambda: f64, over: &[usize]) -> f64 {
        let order = self.indices.len();
        let mut largest = 0.0f64;
        for &j in over {
            let curvature = self.gram[(j, j)];
            if curvature == 0.0 {
                continue;
            }
            let old = self.x[j];
            let free = self.correlations[j] + curvature * old;
            let new = (free.abs() - lambda).max(0.0).copysign(free) / curvature;
            let new = if new == 0.0 { 0.0 } else { new };
            let change = new - old;
            if change != 0.0 {
                self.x[j] = new;
                let column = &self.gram.as_slice()[j * order..(j + 1) * order];
                self.correlations
                    .iter_mut()
                    .zip(column)
                    .for_each(|(c, g)| *c -= change * g);
                largest = largest.max(curvature * change * change);
            }
        }
        largest
    }

    /// A Newton step on the face of the current signs, if one lowers the objective; true when it left the face.
    ///
    /// Where the step would change signs, the crossed coordinates stop at zero, and the best is taken of the full step,
    /// its halves and the first crossing: one step can leave many coordinates behind.
    fn newton(&mut self, lambda: f64) -> Option<bool> {
        let active = self.active();
        if active.is_empty() {
            return None;
        }
        let slope: Vec<f64> = active
            .iter()
            .map(|&j| self.correlations[j] - lambda * self.x[j].signum())
            .collect();
        let mut face = DMatrix::from_fn(active.len(), active.len(), |i, j| self.gram[(active[i], active[j])]);
        let step = solve_positive_definite(&face, &slope).or_else(|_| {
            // Dependent columns: a trace of damping keeps the step a descent direction.
            let damping = 1e-10 * face.diagonal().amax();
            (0..active.len()).for_each(|i| face[(i, i)] += damping);
            solve_positive_definite(&face, &slope)
        });
        let step = step.ok()?;
        let start: Vec<f64> = active.iter().map(|&j| self.x[j]).collect();
        let crosses = |x: f64, d: f64| (x + d) * x <= 0.0;
        let first = start
            .iter()
            .zip(&step)
            .filter(|(x, d)| crosses(**x, **d))
            .map(|(x, d)| -x / d)
            .fold(1.0f64, f64::min);
        let along = |t: f64| -> Vec<f64> {
            let go = |(&x, &d): (&f64, &f64)| {
                let moved = x + t * d;
                if moved * x <= 0.0 || (crosses(x, d) && -x / d <= t) {
                    0.0
                } else {
                    moved
                }
            };
            start.iter().zip(&step).map(go).collect()
        };
        let halved = std::iter::successors(Some(1.0), |t| Some(0.5 * t))
            .take_while(|t| *t > first)
            .take(HALVINGS);
        let best = halved
            .chain([first])
            .map(|t| {
                let x = along(t);
                (self.change_of_objective(lambda, &active, &start, &x), x)
            })
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(change, x)| *change < 0.0 && x.iter().all(|v| v.is_finite()));
        let (_, x) = best?;
        for (&j, v) in active.iter().zip(x) {
            self.x[j] = v;
        }
        self.refresh();
        Some(first < 1.0)
    }

    /// The objective at `to` minus that at `from`, on the coordinates `over` and with the others as they are.
    fn change_of_objective(&self, lambda: f64, over: &[usize], from: &[f64], to: &[f64]) -> f64 {
        let difference: Vec<f64> = to.iter().zip(from).map(|(t, f)| t - f).collect();
        let mut image = vec![0.0; over.len()];
        for (&j, d) in over.iter().zip(&difference) {
            let column = self.gram_column(j);
            image.iter_mut().zip(over).for_each(|(out, &i)| *out += d * column[i]);
        }
        let linear: f64 = over
            .iter()
            .zip(&difference)
            .map(|(&j, d)| self.correlations[j] * d)
            .sum();
        let penalty: f64 = to.iter().zip(from).map(|(t, f)| t.abs() - f.abs()).sum();
        0.5 * dot(&image, &difference) - linear + lambda * penalty
    }

    /// The duality gap of the restricted problem, from the Gram matrix alone.
    fn gap(&self, lambda: f64) -> f64 {
        let with_fit = dot(&self.with_y, &self.x);
        let residual_square = (self.y_square - with_fit - dot(&self.correlations, &self.x)).max(0.0);
        let largest = self.correlations.iter().fold(0.0f64, |m, c| m.max(c.abs()));
        scaled_residual_gap(
            lambda,
            largest,
            residual_square,
            self.y_square - with_fit,
            self.x.iter().copied().zip(self.correlations.iter().copied()),
        )
        .0
    }
}

/// The LASSO's duality gap at `x` with the dual point `s r`, and `s`.
///
/// `s` is the best scale that keeps `s‖Aᵀr‖∞ ≤ λ`: `yᵀr/‖r‖²` clipped. With `θ = s r`,
/// `P(x) − D(θ) = ½(1 − s)²‖r‖² + Σ (λ|xⱼ| − s xⱼ aⱼᵀr)`: terms that are each not negative, so that a tiny gap is not
/// the difference of two large numbers. `terms` are the pairs `(xⱼ, aⱼᵀr)` of the nonzeros.
pub(super) fn scaled_residual_gap(
    lambda: f64,
    largest_correlation: f64,
    residual_square: f64,
    y_with_residual: f64,
    terms: impl Iterator<Item = (f64, f64)>,
) -> (f64, f64) {
    let bound = if largest_correlation > 0.0 {
        lambda / largest_correlation
    } else {
        f64::INFINITY
    };
    let best = if residual_square > 0.0 {
        y_with_residual / residual_square
    } else {
        1.0
    };
    let scale = best.clamp(-bound, bound);
    let slack: f64 = terms.map(|(x, c)| lambda * x.abs() - scale * x * c).sum();
    (0.5 * (1.0 - scale).powi(2) * residual_square + slack, scale)
}

//! The candidates of a selection and the loss of a choice among them.

use super::criterion::{Criterion, Prior};
use crate::error::{Error, Result, require_finite};
use crate::linalg::cholesky::UpdatableCholesky;
use crate::linalg::dense::{gram, product, symmetric_eigenvalues, transpose_product};
use crate::linalg::norm;
use nalgebra::DMatrix;

/// Candidate sensors: the rows `aᵢ` of `A ∈ ℝ^{m×n}` in `y = A x + ε`, with a prior on x, noise of standard deviation σ and a
/// criterion.
///
/// A choice S of rows has the information `M_S = P + σ⁻² Σ_{i∈S} aᵢaᵢᵀ` with the prior's precision P, and its *loss* is the
/// criterion's size of `C_S = M_S⁻¹`: `tr C`, `ln det C` or `λ_max(C)`. A singular information has the loss `+∞`: a relative
/// pivot of its Cholesky factor below `√(8nε)` counts as zero.
///
/// The candidates may as well be *weights*: [`DesignProblem::of_columns`] takes the columns of a network's Jacobian
/// `J ∈ ℝ^{N×p}`, so that `M_S = P + σ⁻² J_S J_Sᵀ` is the tangent kernel of the network that keeps the weights S, and with
/// `P = I` the loss `tr C_S` is `Σ_e min_x ‖e − J_S x‖² + σ²‖x‖²` over the unit targets e: the mean ridge objective that the
/// kept weights leave, summed over the outputs.
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::estimators::design::{Criterion, DesignProblem, Prior};
/// let a = dmatrix![1.0, 0.0; 1.0, 0.001; 0.0, 0.5];
/// let problem = DesignProblem::new(&a, &Prior::Flat, 1.0, Criterion::A)?;
/// assert!((problem.loss(&[0, 2])? - 5.0).abs() < 1e-12); // 1 + 1/0.5²
/// assert!(problem.loss(&[0, 1])? > 1e6); // the largest rows are nearly one and the same
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DesignProblem {
    /// `aᵢ/σ`, one a column.
    sensors: DMatrix<f64>,
    /// `‖aᵢ‖`.
    norms: Vec<f64>,
    precisions: Vec<f64>,
    criterion: Criterion,
}

impl DesignProblem {
    /// The rows of `a` as candidates.
    ///
    /// # Errors
    /// [`Error::Shape`] for an empty matrix or precisions of another number than its columns, [`Error::NotFinite`],
    /// [`Error::Argument`] for a noise level or precision that is not positive, or, with a flat prior, a matrix whose rank is
    /// less than its columns (then every choice has an infinite loss); [`Error::Numerical`] where products overflow.
    pub fn new(a: &DMatrix<f64>, prior: &Prior, noise_std: f64, criterion: Criterion) -> Result<Self> {
        Self::of_columns(&a.transpose(), prior, noise_std, criterion)
    }

    /// The columns of `j` as candidates: the weights of a linearised network, with its outputs in the place of the unknowns.
    /// The same as [`DesignProblem::new`] of the transpose.
    ///
    /// # Errors
    /// As [`DesignProblem::new`].
    pub fn of_columns(j: &DMatrix<f64>, prior: &Prior, noise_std: f64, criterion: Criterion) -> Result<Self> {
        if j.is_empty() {
            return Err(Error::shape(
                "candidates",
                "at least one row and one column",
                format!("{}×{}", j.nrows(), j.ncols()),
            ));
        }
        require_finite("candidates", j.as_slice())?;
        if !(noise_std > 0.0 && noise_std.is_finite()) {
            return Err(Error::argument(
                "noise standard deviation",
                "a positive finite number",
                noise_std,
            ));
        }
        let precisions = prior.diagonal(j.nrows())?;
        let norms = j.as_slice().chunks_exact(j.nrows()).map(norm).collect();
        let problem = DesignProblem {
            sensors: j / noise_std,
            norms,
            precisions,
            criterion,
        };
        let all: Vec<usize> = (0..problem.candidates()).collect();
        let information = problem.information(&all);
        if !information.iter().all(|v| v.is_finite()) {
            return Err(Error::numerical(
                "information of all candidates",
                "squares of the entries over σ² overflow",
            ));
        }
        if problem.is_flat() && problem.factor(&information).is_none() {
            return Err(Error::argument(
                "candidates",
                format!("rank {} (the number of unknowns), which a flat prior needs", j.nrows()),
                "a smaller rank",
            ));
        }
        Ok(problem)
    }

    /// The number of candidates, m.
    pub fn candidates(&self) -> usize {
        self.sensors.ncols()
    }

    /// The number of unknowns, n.
    pub fn unknowns(&self) -> usize {
        self.sensors.nrows()
    }

    /// The criterion.
    pub fn criterion(&self) -> Criterion {
        self.criterion
    }

    /// The Euclidean norm of every candidate.
    pub fn norms(&self) -> &[f64] {
        &self.norms
    }

    /// Whether the prior is flat.
    pub fn is_flat(&self) -> bool {
        self.precisions[0] == 0.0
    }

    /// The loss of a choice; `+∞` where its information is singular. An order of the rows does not matter, to the last bit.
    ///
    /// # Errors
    /// [`Error::Argument`] for a row that is not there or named twice. Cost: `kn² + n³/3` operations, `4n³/3` for E.
    pub fn loss(&self, rows: &[usize]) -> Result<f64> {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        if let Some(twice) = rows.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::argument("rows", "different rows", format!("{} twice", twice[0])));
        }
        match rows.last() {
            Some(&last) if last >= self.candidates() => Err(Error::argument(
                "rows",
                format!("numbers below {}", self.candidates()),
                last,
            )),
            _ => self.loss_of(&self.information(&rows)),
        }
    }

    /// Refuses a number of rows that cannot be chosen, or that leaves every loss infinite.
    pub(super) fn require_count(&self, count: usize) -> Result<()> {
        let least = if self.is_flat() { self.unknowns() } else { 0 };
        if (least..=self.candidates()).contains(&count) {
            return Ok(());
        }
        let expected = format!("from {least} to {} rows", self.candidates());
        Err(Error::argument("number of rows", expected, count))
    }

    /// `aᵢ/σ`.
    pub(super) fn sensor(&self, i: usize) -> &[f64] {
        let n = self.unknowns();
        &self.sensors.as_slice()[i * n..(i + 1) * n]
    }

    /// All of them, one a column.
    pub(super) fn sensors(&self) -> &DMatrix<f64> {
        &self.sensors
    }

    /// The diagonal of P.
    pub(super) fn precisions(&self) -> &[f64] {
        &self.precisions
    }

    /// `M_S`.
    pub(super) fn information(&self, rows: &[usize]) -> DMatrix<f64> {
        self.weighted_information(rows.iter().map(|&i| (i, 1.0)))
    }

    /// `P + σ⁻² Σ wᵢ aᵢaᵢᵀ`.
    pub(super) fn weighted_information(&self, weights: impl ExactSizeIterator<Item = (usize, f64)>) -> DMatrix<f64> {
        let n = self.unknowns();
        let mut chosen = DMatrix::zeros(weights.len(), n);
        for (r, (i, weight)) in weights.enumerate() {
            let root = weight.sqrt();
            for (c, value) in self.sensor(i).iter().enumerate() {
                chosen[(r, c)] = root * value;
            }
        }
        let mut information = gram(&chosen);
        for (j, precision) in self.precisions.iter().enumerate() {
            information[(j, j)] += precision;
        }
        information
    }

    /// The relative pivot (not squared) below which an information counts as singular: its square, `8nε`, is what rounding
    /// makes of a zero.
    pub(super) fn singular_pivot(&self) -> f64 {
        (8.0 * self.unknowns() as f64 * f64::EPSILON).sqrt()
    }

    /// Its Cholesky factor; none where it is singular.
    pub(super) fn factor(&self, information: &DMatrix<f64>) -> Option<UpdatableCholesky> {
        UpdatableCholesky::of(information, self.singular_pivot())
    }

    /// The loss of an information matrix.
    pub(super) fn loss_of(&self, information: &DMatrix<f64>) -> Result<f64> {
        let Some(factor) = self.factor(information) else {
            return Ok(f64::INFINITY);
        };
        Ok(match self.criterion {
            Criterion::A => inverse_of_factor(&factor).as_slice().iter().map(|v| v * v).sum(),
            Criterion::D => -2.0 * (0..factor.order()).map(|j| factor.column(j)[j].ln()).sum::<f64>(),
            Criterion::E => match symmetric_eigenvalues(information)?.first() {
                Some(&least) if least > 0.0 => 1.0 / least,
                _ => f64::INFINITY,
            },
        })
    }

    /// `M⁻¹`; none where M is singular. Cost: about `2n³` operations.
    pub(super) fn covariance(&self, information: &DMatrix<f64>) -> Result<Option<DMatrix<f64>>> {
        match self.factor(information) {
            None => Ok(None),
            Some(factor) => {
                let inverse = inverse_of_factor(&factor);
                transpose_product(&inverse, &inverse).map(Some)
            }
        }
    }

    /// `C aᵢ/σ` for every candidate, one a column.
    pub(super) fn images(&self, covariance: &DMatrix<f64>) -> Result<DMatrix<f64>> {
        product(covariance, &self.sensors)
    }
}

/// `R⁻ᵀ` of `M = RᵀR`, column by column, so that `M⁻¹` is the product of its transpose with itself.
pub(super) fn inverse_of_factor(factor: &UpdatableCholesky) -> DMatrix<f64> {
    let n = factor.order();
    let mut inverse = DMatrix::identity(n, n);
    for column in inverse.as_mut_slice().chunks_exact_mut(n.max(1)) {
        factor.solve_lower(column);
    }
    inverse
}

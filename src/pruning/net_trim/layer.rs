//! One layer as many sparse recovery problems with one matrix: its inputs.

use super::pursuit::Pursuits;
use super::{Spread, TrimmedBy, paths};
use crate::error::{Error, Result, require_finite};
use crate::linalg::cholesky::UpdatableCholesky;
use crate::linalg::dense::{gram, product, transpose_product};
use crate::linalg::{dot, norm};
use crate::operators::DenseOperator;
use crate::outcome::Status;
use crate::support::largest_by;
use nalgebra::DMatrix;

/// Below this relative pivot a column depends on the chosen ones: squares of it are the rounding of Gram entries.
pub(super) const DEPENDENT: f64 = 1e-6;

/// `y ← y − α x`.
pub(super) fn subtract_scaled(alpha: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y -= alpha * x;
    }
}

/// The inputs `A` of a layer on some samples (samples × fan-in): the matrix through which every output unit is measured.
///
/// The pre-activations of unit u are `z_u = A w_u` with the row `w_u` of its weights, and
/// [`LayerSensing::recover`] looks for sparse rows that give them. A column of zeros is an input that is never active: no
/// weight on it is ever chosen.
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::pruning::{LayerSensing, Spread, TrimmedBy};
/// let inputs = dmatrix![1.0, 0.0, 1.0; 0.0, 1.0, 1.0; 1.0, 1.0, 0.0; 1.0, 2.0, 1.0];
/// let layer = LayerSensing::new(inputs)?;
/// let targets = dmatrix![2.0; 0.0; 2.0; 2.0]; // the first input twice
/// let rows = layer.recover(&targets, TrimmedBy::Omp, Spread::Units, 1)?;
/// assert_eq!(rows.supports, [vec![0]]);
/// assert!((rows.weights[(0, 0)] - 2.0).abs() < 1e-12);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LayerSensing {
    inputs: DMatrix<f64>,
    norms: Vec<f64>,
    /// The inputs that are ever active.
    live: Vec<usize>,
    /// Their columns at unit length.
    unit: DMatrix<f64>,
    gram: DMatrix<f64>,
}

/// Sparse rows for the output units of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseRows {
    /// Units × fan-in, exactly 0 where not chosen.
    pub weights: DMatrix<f64>,
    /// The chosen inputs of every unit, ascending; a refitted weight may be 0 by chance.
    pub supports: Vec<Vec<usize>>,
    /// [`Status::SupportFull`] when the count was reached, [`Status::ResidualReached`] when fewer weights give the targets
    /// to rounding, [`Status::Exhausted`] when no independent input is left before that.
    pub status: Status,
    /// `‖Z − A Wᵀ‖_F / ‖Z‖_F`, 0 for targets of zero.
    pub relative_residual: f64,
}

impl SparseRows {
    /// Weights chosen in all units.
    pub fn kept(&self) -> usize {
        self.supports.iter().map(Vec::len).sum()
    }
}

impl LayerSensing {
    /// Takes the inputs of a layer, one row a sample.
    ///
    /// Cost: `m n²` operations for the Gram matrix of n inputs on m samples.
    ///
    /// # Errors
    /// [`Error::Shape`] for an empty matrix, [`Error::NotFinite`], [`Error::Numerical`] when squares of the entries overflow.
    pub fn new(inputs: DMatrix<f64>) -> Result<Self> {
        if inputs.is_empty() {
            return Err(Error::shape(
                "inputs of a layer",
                "at least one sample and one input",
                format!("{}×{}", inputs.nrows(), inputs.ncols()),
            ));
        }
        require_finite("inputs of a layer", inputs.as_slice())?;
        let norms: Vec<f64> = inputs.as_slice().chunks_exact(inputs.nrows()).map(norm).collect();
        let live: Vec<usize> = (0..norms.len()).filter(|&j| norms[j] > 0.0).collect();
        let unit = DMatrix::from_fn(inputs.nrows(), live.len(), |i, c| inputs[(i, live[c])] / norms[live[c]]);
        let gram = gram(&unit);
        if !(norms.iter().all(|n| n.is_finite()) && gram.iter().all(|v| v.is_finite())) {
            return Err(Error::numerical("inputs of a layer", "squares of the entries overflow"));
        }
        Ok(LayerSensing {
            inputs,
            norms,
            live,
            unit,
            gram,
        })
    }

    /// Samples, m.
    pub fn samples(&self) -> usize {
        self.inputs.nrows()
    }

    /// Inputs of the layer, n.
    pub fn fan_in(&self) -> usize {
        self.inputs.ncols()
    }

    /// Inputs that are ever active.
    pub fn live(&self) -> &[usize] {
        &self.live
    }

    /// Sparse rows for targets `Z` (samples × units): `count` weights in all.
    ///
    /// With [`Spread::Units`] every unit gets the same number, and what does not divide goes to the units of largest
    /// `‖z_u‖`, ties by number. With [`Spread::Layer`] the units compete: for OMP the pair of unit and input of largest
    /// `|aⱼᵀr_u|/‖aⱼ‖` is next, which is OMP on the block-diagonal matrix of the layer; the LASSO has one penalty for all.
    ///
    /// Every chosen row is the least squares fit on its support.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::NotFinite`] on targets that do not fit, [`Error::Argument`] on more weights than the
    /// layer has.
    ///
    /// Cost: for OMP `n k²` operations a unit with k weights; for the LASSO one path a unit.
    pub fn recover(
        &self,
        targets: &DMatrix<f64>,
        solver: TrimmedBy,
        spread: Spread,
        count: usize,
    ) -> Result<SparseRows> {
        let units = targets.ncols();
        if targets.nrows() != self.samples() || units == 0 {
            return Err(Error::shape(
                "targets of a layer",
                format!("{} samples of at least one unit", self.samples()),
                format!("{}×{}", targets.nrows(), units),
            ));
        }
        require_finite("targets of a layer", targets.as_slice())?;
        if count > units * self.fan_in() {
            let expected = format!("at most {} weights", units * self.fan_in());
            return Err(Error::argument("count of a layer", expected, count));
        }
        let right = transpose_product(&self.unit, targets)?;
        let lengths: Vec<f64> = targets.as_slice().chunks_exact(self.samples()).map(norm).collect();
        let budgets = match spread {
            Spread::Layer => vec![self.live.len(); units],
            Spread::Units => {
                let mut budgets = vec![count / units; units];
                for u in largest_by(count % units, 0..units, |u| lengths[u]) {
                    budgets[u] += 1;
                }
                budgets
            }
        };
        let (chosen, status) = match solver {
            TrimmedBy::Omp => {
                let mut pursuits = Pursuits::new(self, targets, &right, &lengths);
                let status = pursuits.run(&budgets, count);
                (pursuits.chosen(), status)
            }
            TrimmedBy::Lasso => paths::choose(self, targets, spread, &budgets, count)?,
        };
        self.refitted(targets, &right, chosen, status)
    }

    /// `A W` for rows of weights that stand in the columns of `W` (fan-in × units).
    ///
    /// # Errors
    /// [`Error::Shape`] when the weights do not fit.
    pub fn pre_activations(&self, weights: &DMatrix<f64>) -> Result<DMatrix<f64>> {
        product(&self.inputs, weights)
    }

    /// The unit columns as an operator.
    pub(super) fn operator(&self) -> Result<DenseOperator> {
        DenseOperator::new(self.unit.clone())
    }

    /// The columns of the unit operator.
    pub(super) fn unit(&self) -> &DMatrix<f64> {
        &self.unit
    }

    /// The Gram matrix of the unit columns.
    pub(super) fn gram(&self) -> &DMatrix<f64> {
        &self.gram
    }

    /// The least squares rows on chosen columns (places among the live inputs).
    fn refitted(
        &self,
        targets: &DMatrix<f64>,
        right: &DMatrix<f64>,
        chosen: Vec<Vec<usize>>,
        status: Status,
    ) -> Result<SparseRows> {
        let mut weights = DMatrix::zeros(targets.ncols(), self.fan_in());
        let mut supports = Vec::with_capacity(chosen.len());
        let mut left = 0.0;
        for (u, columns) in chosen.into_iter().enumerate() {
            let mut factor = UpdatableCholesky::with_capacity(columns.len());
            let (mut fitted, mut values) = (Vec::with_capacity(columns.len()), Vec::new());
            for &c in &columns {
                let cross: Vec<f64> = fitted.iter().map(|&i: &usize| self.gram[(i, c)]).collect();
                if factor.append(&cross, self.gram[(c, c)], DEPENDENT).accepted {
                    fitted.push(c);
                    values.push(right[(c, u)]);
                }
            }
            factor.solve_in_place(&mut values);
            let mut residual: Vec<f64> = targets.column(u).iter().copied().collect();
            for (&c, &v) in fitted.iter().zip(&values) {
                weights[(u, self.live[c])] = v / self.norms[self.live[c]];
                subtract_scaled(v, self.unit.column(c).as_slice(), &mut residual);
            }
            left += dot(&residual, &residual);
            let mut support: Vec<usize> = columns.iter().map(|&c| self.live[c]).collect();
            support.sort_unstable();
            supports.push(support);
        }
        require_finite("recovered rows", weights.as_slice())?;
        let data = dot(targets.as_slice(), targets.as_slice());
        Ok(SparseRows {
            weights,
            supports,
            status,
            relative_residual: if data > 0.0 { (left / data).sqrt() } else { 0.0 },
        })
    }
}

//! Known sparse rows, measured through a layer's inputs and looked for again.

use super::layer::LayerSensing;
use super::{Spread, TrimmedBy};
use crate::error::{Error, Result};
use crate::linalg::norm;
use crate::operators::GaussianEnsemble;
use crate::seed::Seed;
use nalgebra::DMatrix;
use rand::RngExt;

/// A row counts as recovered at this relative error in ℓ₂.
const RECOVERED: f64 = 1e-4;

/// What the inputs of the layer are.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum PlantedInputs<'a> {
    /// Independent `N(0, 1/samples)`: the reference of compressed sensing.
    Gaussian,
    /// The same with negative entries set to 0, as behind a rectified layer: the columns have a common direction.
    Rectified,
    /// Rows of a given matrix, drawn without replacement: a layer's inputs on real samples.
    Given(&'a DMatrix<f64>),
}

impl PlantedInputs<'_> {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            PlantedInputs::Gaussian => "gaussian",
            PlantedInputs::Rectified => "rectified",
            PlantedInputs::Given(_) => "given",
        }
    }
}

/// A layer whose rows are known and sparse: one point of the phase diagram in samples against fan-in.
///
/// Every row has `nonzeros` weights ±1 in places drawn among the inputs that are ever active; the pre-activations
/// `z = A w` are all that the solver sees, beside the number of nonzeros.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::pruning::{PlantedInputs, PlantedRows, TrimmedBy};
/// let problem = PlantedRows { inputs: PlantedInputs::Gaussian, samples: 60, fan_in: 100, nonzeros: 3, rows: 5 };
/// let outcome = problem.run(TrimmedBy::Omp, &Seed::root(0))?;
/// assert_eq!(outcome.recovered(), 5);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlantedRows<'a> {
    /// The law of the inputs.
    pub inputs: PlantedInputs<'a>,
    /// Measurements m: samples on which the pre-activations are seen.
    pub samples: usize,
    /// Unknowns n of a row; for given inputs the number of their columns.
    pub fan_in: usize,
    /// Weights of a row that are not 0.
    pub nonzeros: usize,
    /// Rows, all measured through the same inputs.
    pub rows: usize,
}

/// How well the planted rows were found.
#[derive(Clone, Debug, PartialEq)]
pub struct PlantedRowsOutcome {
    /// `‖ŵ − w‖₂/‖w‖₂` of every row.
    pub errors: Vec<f64>,
    /// Rows whose support was found exactly.
    pub exact_supports: usize,
    /// Of all planted weights, the fraction that was chosen.
    pub overlap: f64,
}

impl PlantedRowsOutcome {
    /// Rows with a relative error of at most 1e-4.
    pub fn recovered(&self) -> usize {
        self.errors.iter().filter(|e| **e <= RECOVERED).count()
    }
}

impl PlantedRows<'_> {
    /// Draws the inputs and rows from `seed`, and recovers the rows at their true number of nonzeros.
    ///
    /// The streams are `inputs` and `rows`, and do not depend on the solver: solvers meet the same problem.
    ///
    /// # Errors
    /// [`Error::Argument`] when a number is 0, there are more nonzeros than inputs that are ever active, or more samples
    /// than a given matrix has rows; otherwise as [`LayerSensing::new`].
    ///
    /// Cost: `mn²` operations, and `nk²` a row with k nonzeros for OMP.
    pub fn run(&self, solver: TrimmedBy, seed: &Seed) -> Result<PlantedRowsOutcome> {
        for (what, count) in [
            ("samples", self.samples),
            ("fan-in", self.fan_in),
            ("nonzeros", self.nonzeros),
            ("rows", self.rows),
        ] {
            if count == 0 {
                return Err(Error::argument(what, "at least 1", count));
            }
        }
        let layer = LayerSensing::new(self.draw_inputs(&seed.stream("inputs"))?)?;
        let live = layer.live();
        if self.nonzeros > live.len() {
            let expected = format!("at most the {} inputs that are ever active", live.len());
            return Err(Error::argument("nonzeros", expected, self.nonzeros));
        }
        let mut planted = DMatrix::zeros(self.fan_in, self.rows);
        for u in 0..self.rows {
            let mut rng = seed.stream("rows").stream(u.to_string()).rng();
            let mut places = live.to_vec();
            for i in 0..self.nonzeros {
                let other = rng.random_range(i..places.len());
                places.swap(i, other);
                planted[(places[i], u)] = if rng.random::<bool>() { 1.0 } else { -1.0 };
            }
        }
        let targets = layer.pre_activations(&planted)?;
        let found = layer.recover(&targets, solver, Spread::Units, self.nonzeros * self.rows)?;
        let (mut errors, mut exact, mut hits) = (Vec::with_capacity(self.rows), 0, 0);
        for u in 0..self.rows {
            let difference: Vec<f64> = (0..self.fan_in)
                .map(|j| found.weights[(u, j)] - planted[(j, u)])
                .collect();
            errors.push(norm(&difference) / (self.nonzeros as f64).sqrt());
            let right = found.supports[u].iter().filter(|&&j| planted[(j, u)] != 0.0).count();
            hits += right;
            exact += usize::from(right == self.nonzeros && found.supports[u].len() == self.nonzeros);
        }
        Ok(PlantedRowsOutcome {
            errors,
            exact_supports: exact,
            overlap: hits as f64 / (self.nonzeros * self.rows) as f64,
        })
    }

    pub(super) fn draw_inputs(&self, seed: &Seed) -> Result<DMatrix<f64>> {
        let gaussian = || {
            let ensemble = GaussianEnsemble {
                rows: self.samples,
                columns: self.fan_in,
            };
            ensemble.draw(seed).map(|a| a.matrix().clone())
        };
        match self.inputs {
            PlantedInputs::Gaussian => gaussian(),
            PlantedInputs::Rectified => gaussian().map(|a| a.map(|v| v.max(0.0))),
            PlantedInputs::Given(matrix) => {
                if matrix.ncols() != self.fan_in {
                    return Err(Error::shape(
                        "given inputs",
                        format!("{} columns", self.fan_in),
                        matrix.ncols(),
                    ));
                }
                if self.samples > matrix.nrows() {
                    let expected = format!("at most the {} rows of the given inputs", matrix.nrows());
                    return Err(Error::argument("samples", expected, self.samples));
                }
                let mut rng = seed.rng();
                let mut rows: Vec<usize> = (0..matrix.nrows()).collect();
                for i in 0..self.samples {
                    let other = rng.random_range(i..rows.len());
                    rows.swap(i, other);
                }
                Ok(matrix.select_rows(&rows[..self.samples]))
            }
        }
    }
}

//! The Jacobian and three matrices of its size: their columns, and what is recovered through them.

use super::row_of;
use crate::experiments::random_networks::{CLASSES, INPUTS, gaussian_inputs, is_found, network_name, planted_signs};
use nalgebra::DMatrix;
use rand::RngExt;
use ticketsense::estimators::{
    Babel, CosineHistogram, Estimator, Evidence, ParallelColumns, RestrictedIsometryConstant, guarantees,
    scaling_directions,
};
use ticketsense::harness::Context;
use ticketsense::linalg::dense::{ThinSvd, product, thin_svd};
use ticketsense::linearize::{Biases, Linearisation, RowTransform};
use ticketsense::networks::{Initialisation, Network};
use ticketsense::operators::{DenseOperator, GaussianEnsemble, MeasurementOperator};
use ticketsense::recovery::{BasisPursuit, Omp, Solver};
use ticketsense::table::Row;
use ticketsense::{Result, Seed};

/// The operators, in the order of the figure.
pub(super) const OPERATORS: [&str; 4] = ["jacobian", "surrogate", "whitened", "gaussian"];
pub(super) const SOLVERS: [&str; 2] = ["omp", "basis-pursuit"];
/// Hidden units, and samples: 60 rows and 120 columns.
const HIDDEN: usize = 10;
const SAMPLES: usize = 15;
const NONZEROS: [usize; 11] = [1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24];
const BINS: usize = 25;

/// Everything of one network: the four operators, their columns, and the same planted vectors through each.
pub(super) fn rows(number: usize, trials: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let network = Network::preset(&network_name("relu", 2, HIDDEN), INPUTS, CLASSES)?;
    let theta: Vec<f64> = network.initial(seed, &Initialisation::HE)?;
    let at = Linearisation::new(&network, &theta, &gaussian_inputs(SAMPLES, seed))?;
    let factored = at.jacobian(&network.layout().weights(), RowTransform::Identity, Biases::Fixed)?;
    // A unit that is never active has zero columns alone, and is a null direction too.
    let scaling = scaling_directions(&at, &factored)?.value;
    let null_units = scaling.null() + scaling.trivial();
    let jacobian = factored.to_dense();
    let svd = thin_svd(&jacobian)?;
    let operators = [
        jacobian.clone(),
        surrogate(&svd, jacobian.ncols(), seed)?,
        whitened(&svd)?,
        GaussianEnsemble {
            rows: jacobian.nrows(),
            columns: jacobian.ncols(),
        }
        .draw(&seed.stream("gaussian"))?
        .matrix()
        .clone(),
    ];
    let plants = plants(&jacobian, trials, seed);
    let mut rows = Vec::new();
    for (name, matrix) in OPERATORS.into_iter().zip(operators) {
        context.check()?;
        let operator = DenseOperator::new(matrix)?;
        let units = (name == "jacobian").then_some(null_units);
        rows.push(columns_row(name, number, &operator, units, seed)?);
        let law = CosineHistogram::new(BINS).estimate(&operator, seed)?.value;
        for group in &law.groups {
            for (bin, &count) in group.counts.iter().enumerate() {
                rows.push(row_of(&[
                    ("part", "cosine".into()),
                    ("operator", name.into()),
                    ("number", number.into()),
                    ("cosine_low", (bin as f64 / BINS as f64).into()),
                    ("count", count.into()),
                ])?);
            }
        }
        for (nonzeros, planted) in NONZEROS.into_iter().zip(&plants) {
            for solver in SOLVERS {
                rows.push(row_of(&[
                    ("part", "recovery".into()),
                    ("operator", name.into()),
                    ("number", number.into()),
                    ("solver", solver.into()),
                    ("nonzeros", nonzeros.into()),
                    ("trials", planted.len().into()),
                    ("successes", successes(&operator, solver, nonzeros, planted)?.into()),
                ])?);
            }
        }
    }
    Ok(rows)
}

/// The same singular values and left singular vectors, with right singular vectors of uniform law.
fn surrogate(svd: &ThinSvd, columns: usize, seed: &Seed) -> Result<DMatrix<f64>> {
    let mut rng = seed.stream("surrogate").rng();
    let count = svd.singular_values.len();
    let gaussian = DMatrix::from_fn(columns, count, |_, _| rng.sample(rand_distr::StandardNormal));
    // The orthogonal factor of a Gaussian matrix is uniform on matrices with orthonormal columns.
    let factors = thin_svd(&gaussian)?;
    let haar = product(&factors.u, &factors.v.transpose())?;
    let scaled = DMatrix::from_fn(svd.u.nrows(), count, |i, j| svd.u[(i, j)] * svd.singular_values[j]);
    product(&scaled, &haar.transpose())
}

/// `(J Jᵀ)^{−1/2} J`, on the range of J.
fn whitened(svd: &ThinSvd) -> Result<DMatrix<f64>> {
    let rank = svd.rank();
    product(
        &svd.u.columns(0, rank).into_owned(),
        &svd.v.columns(0, rank).transpose(),
    )
}

/// Vectors of ±1 on random columns that are not zero, for each number of nonzeros.
fn plants(jacobian: &DMatrix<f64>, trials: usize, seed: &Seed) -> Vec<Vec<Vec<f64>>> {
    let live: Vec<usize> = (0..jacobian.ncols())
        .filter(|&j| jacobian.column(j).norm() > 0.0)
        .collect();
    let mut rng = seed.stream("planted").rng();
    let mut draw = |nonzeros: usize| planted_signs(jacobian.ncols(), &live, nonzeros, &mut rng);
    NONZEROS
        .iter()
        .map(|&k| (0..trials).map(|_| draw(k)).collect())
        .collect()
}

fn successes(a: &DenseOperator, solver: &str, nonzeros: usize, planted: &[Vec<f64>]) -> Result<usize> {
    let greedy = Omp {
        max_support: Some(nonzeros),
        ..Omp::default()
    };
    let convex = BasisPursuit {
        max_iterations: 2000,
        ..BasisPursuit::default()
    };
    let solver: &dyn Solver = if solver == "omp" { &greedy } else { &convex };
    let mut count = 0;
    for x in planted {
        count += usize::from(is_found(solver, a, x)?);
    }
    Ok(count)
}

/// What the columns say: zero and parallel ones, coherence, and what the guarantees certify once those are gone.
fn columns_row(
    name: &str,
    number: usize,
    operator: &DenseOperator,
    null_units: Option<usize>,
    seed: &Seed,
) -> Result<Row> {
    let matrix = operator.matrix();
    let groups = ParallelColumns::default().estimate(operator, seed)?.value;
    let coherence = Babel { max_order: 1 }.estimate(operator, seed)?.value.coherence;
    let mut unit = matrix.select_columns(&groups.kept);
    for mut column in unit.column_iter_mut() {
        column.normalize_mut();
    }
    let unit = DenseOperator::new(unit)?;
    let babel = Babel { max_order: 4 }.estimate(&unit, seed)?.value;
    let isometry = RestrictedIsometryConstant::of_order(2).profile(&unit, seed)?.value;
    let certified = guarantees(&Evidence {
        shape: unit.shape(),
        babel: &babel,
        isometry: &isometry,
    })
    .iter()
    .map(|g| g.largest_nonzeros.max(g.largest_nonzeros_rescaled.unwrap_or(0)))
    .max();
    row_of(&[
        ("part", "operator".into()),
        ("activation", "relu".into()),
        ("layers", 2usize.into()),
        ("operator", name.into()),
        ("number", number.into()),
        ("rows", matrix.nrows().into()),
        ("columns", matrix.ncols().into()),
        ("zero", groups.zero.len().into()),
        ("merged", groups.merged.into()),
        ("rank", thin_svd(matrix)?.rank().into()),
        ("hidden", null_units.map(|_| HIDDEN).into()),
        ("null_units", null_units.into()),
        ("coherence", coherence.value.into()),
        ("merged_coherence", babel.coherence.value.into()),
        ("isometry", isometry.last().map(|r| r.lower).into()),
        ("certified", certified.into()),
    ])
}

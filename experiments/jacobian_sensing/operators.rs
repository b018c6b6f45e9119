//! The Jacobian and three matrices of its size: their columns, and what is recovered through them.

use super::{CLASSES, INPUTS, gaussian_inputs, network_name, row_of};
use nalgebra::DMatrix;
use rand::RngExt;
use rand::seq::index::sample;
use ticketsense::estimators::{
    Babel, CosineHistogram, Estimator, Evidence, ParallelColumns, RestrictedIsometryConstant, guarantees,
};
use ticketsense::harness::Context;
use ticketsense::linalg::dense::{ThinSvd, product, thin_svd};
use ticketsense::linalg::norm;
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
/// Relative error that counts as recovered.
const RECOVERED: f64 = 1e-4;

/// Everything of one network: the four operators, their columns, and the same planted vectors through each.
pub(super) fn rows(number: usize, trials: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let network = Network::preset(&network_name("relu", 2, HIDDEN), INPUTS, CLASSES)?;
    let theta: Vec<f64> = network.initial(seed, &Initialisation::HE)?;
    let at = Linearisation::new(&network, &theta, &gaussian_inputs(SAMPLES, seed))?;
    let jacobian = at
        .jacobian(&network.layout().weights(), RowTransform::Identity, Biases::Fixed)?
        .to_dense();
    let svd = thin_svd(&jacobian)?;
    let null_units = null_units(&jacobian, &theta);
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

/// How many hidden units j have `J (w_in, −w_out) = 0`: the direction along which ReLU scales in and out against each
/// other. The product is a sum of about `fan_in + classes` terms that cancel, each rounded to ε of its size.
fn null_units(jacobian: &DMatrix<f64>, theta: &[f64]) -> usize {
    let outgoing = HIDDEN * INPUTS;
    let is_null = |unit: &usize| {
        let mut direction = vec![0.0; theta.len()];
        let into = unit * INPUTS..(unit + 1) * INPUTS;
        direction[into.clone()].copy_from_slice(&theta[into]);
        for class in 0..CLASSES {
            let i = outgoing + class * HIDDEN + unit;
            direction[i] = -theta[i];
        }
        let image = jacobian * DMatrix::from_column_slice(theta.len(), 1, &direction);
        let size: f64 = (0..theta.len())
            .map(|i| jacobian.column(i).norm() * direction[i].abs())
            .sum();
        image.norm() <= 16.0 * f64::EPSILON * size
    };
    (0..HIDDEN).filter(is_null).count()
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

/// Singular values above `max(m, n) ε σ_max`, the rounding of the decomposition.
fn rank(svd: &ThinSvd) -> usize {
    let largest = svd.singular_values.iter().fold(0.0, |m: f64, s| m.max(*s));
    let cut = svd.v.nrows().max(svd.u.nrows()) as f64 * f64::EPSILON * largest;
    svd.singular_values.iter().filter(|s| **s > cut).count()
}

/// `(J Jᵀ)^{−1/2} J`, on the range of J.
fn whitened(svd: &ThinSvd) -> Result<DMatrix<f64>> {
    let rank = rank(svd);
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
    let mut draw = |nonzeros: usize| {
        let mut x = vec![0.0; jacobian.ncols()];
        for place in sample(&mut rng, live.len(), nonzeros.min(live.len())) {
            x[live[place]] = if rng.random::<bool>() { 1.0 } else { -1.0 };
        }
        x
    };
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
        let found = solver.solve(a, &a.apply(x)?)?.x;
        let error: Vec<f64> = found.iter().zip(x).map(|(a, b)| a - b).collect();
        count += usize::from(norm(&error) <= RECOVERED * norm(x));
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
        ("rank", rank(&thin_svd(matrix)?).into()),
        ("hidden", null_units.map(|_| HIDDEN).into()),
        ("null_units", null_units.into()),
        ("coherence", coherence.value.into()),
        ("merged_coherence", babel.coherence.value.into()),
        ("isometry", isometry.last().map(|r| r.lower).into()),
        ("certified", certified.into()),
    ])
}

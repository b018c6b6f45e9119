//! Random matrices: what is certified for them, and what becomes of every signed support.

use super::row_of;
use nalgebra::DMatrix;
use rand::RngExt;
use rand::seq::index::sample;
use ticketsense::estimators::{
    Babel, Estimator, Evidence, Guarantee, RestrictedIsometry, RestrictedIsometryConstant, SignedSupports, guarantees,
};
use ticketsense::harness::{Cell, Context, Scale};
use ticketsense::linalg::dense::{product, thin_svd};
use ticketsense::operators::{DenseOperator, GaussianEnsemble, MeasurementOperator};
use ticketsense::table::Row;
use ticketsense::{Error, Result, Seed};

/// Columns of every matrix: all signed supports up to [`MOST_NONZEROS`] can be gone through.
pub(super) const COLUMNS: usize = 16;
pub(super) const MOST_NONZEROS: usize = 3;
/// Highest order of restricted isometry constants: 2k for the most nonzeros, and one to spare for the family in t.
const MOST_ORDER: usize = 7;

/// `gaussian`: independent entries. `projection`: rows that span a uniformly random subspace. `flat`: rows that span the
/// complement of a few rows of a Hadamard matrix with random signs, so that the kernel is as spread out as can be.
pub(super) const FAMILIES: [&str; 3] = ["gaussian", "projection", "flat"];

pub(super) fn sizes(scale: Scale) -> Vec<(&'static str, usize)> {
    let rows: &[usize] = scale.pick(&[10, 15], &[8, 10, 12, 13, 14, 15], &[8, 9, 10, 11, 12, 13, 14, 15]);
    FAMILIES
        .iter()
        .flat_map(|family| rows.iter().map(|m| (*family, *m)))
        .collect()
}

/// A matrix of a family with 16 columns, all of norm one.
pub(super) fn draw(family: &str, rows: usize, seed: &Seed) -> Result<DenseOperator> {
    let mut matrix = match family {
        "gaussian" => gaussian(rows, COLUMNS, seed)?,
        // The right factor of a Gaussian matrix spans a uniformly random subspace.
        "projection" => thin_svd(&gaussian(rows, COLUMNS, seed)?)?.v.transpose(),
        "flat" => off_a_flat_kernel(rows, seed)?,
        other => return Err(Error::unknown("family", other, FAMILIES)),
    };
    for mut column in matrix.column_iter_mut() {
        let length = column.norm();
        if length > 0.0 {
            column /= length;
        }
    }
    DenseOperator::new(matrix)
}

fn gaussian(rows: usize, columns: usize, seed: &Seed) -> Result<DMatrix<f64>> {
    Ok(GaussianEnsemble { rows, columns }.draw(seed)?.matrix().clone())
}

/// Rows that span the complement of `16 − rows` rows of the Hadamard matrix of order 16 whose columns have random signs.
fn off_a_flat_kernel(rows: usize, seed: &Seed) -> Result<DMatrix<f64>> {
    let mut rng = seed.stream("flat").rng();
    let signs: Vec<f64> = (0..COLUMNS)
        .map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 })
        .collect();
    let mut kept = sample(&mut rng, COLUMNS, rows).into_vec();
    kept.sort_unstable();
    let sylvester = |i: usize, j: usize| {
        if (i & j).count_ones().is_multiple_of(2) {
            1.0
        } else {
            -1.0
        }
    };
    let spanned = DMatrix::from_fn(rows, COLUMNS, |i, j| sylvester(kept[i], j) * signs[j]);
    // Another basis of the same rows: only their span matters to basis pursuit, and to inner products of columns.
    product(&thin_svd(&gaussian(rows, rows, &seed.stream("basis"))?)?.u, &spanned)
}

pub(super) fn rows(cell: &Cell, count: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let (family, rows) = (cell.text("family")?, cell.integer("rows")?);
    let mut out = Vec::new();
    for number in 0..count {
        context.check()?;
        let a = draw(family, rows, &seed.replicate(number as u64))?;
        let constants = RestrictedIsometryConstant::of_order(MOST_ORDER)
            .profile(&a, seed)?
            .value;
        let babel = Babel { max_order: MOST_ORDER }.estimate(&a, seed)?.value;
        let table = guarantees(&Evidence {
            shape: a.shape(),
            babel: &babel,
            isometry: &constants,
        });
        for nonzeros in 1..=MOST_NONZEROS {
            let counts = SignedSupports {
                nonzeros,
                ..SignedSupports::default()
            }
            .estimate(&a, seed)?
            .value;
            out.push(row_of(&[
                ("part", "matrix".into()),
                ("family", family.into()),
                ("rows", rows.into()),
                ("columns", COLUMNS.into()),
                ("number", number.into()),
                ("nonzeros", nonzeros.into()),
                ("isometry_next", rescaled(&constants, nonzeros + 1).into()),
                ("isometry_double", rescaled(&constants, 2 * nonzeros).into()),
                ("isometry_triple", rescaled(&constants, 3 * nonzeros).into()),
                ("certified", reaching(&table, "basis pursuit", nonzeros).into()),
                ("greedy", reaching(&table, "OMP", nonzeros).into()),
                ("total", counts.total.into()),
                ("recovered", counts.recovered.into()),
                ("undecided", counts.undecided.into()),
                ("supports", counts.supports.into()),
                ("exact_recovery", counts.exact_recovery_supports.into()),
            ])?);
        }
    }
    Ok(out)
}

/// The upper end of the constant of an order at the best scale; none where it was not computed.
pub(super) fn rescaled(constants: &[RestrictedIsometry], order: usize) -> Option<f64> {
    constants.iter().find(|c| c.order == order).map(|c| c.rescaled().upper)
}

/// The names of the guarantees for a method that certify k nonzeros, at the best scale of the matrix.
fn reaching(table: &[Guarantee], method: &str, nonzeros: usize) -> String {
    let names: Vec<&str> = table
        .iter()
        .filter(|g| g.method.contains(method))
        .filter(|g| g.largest_nonzeros.max(g.largest_nonzeros_rescaled.unwrap_or(0)) >= nonzeros)
        .map(|g| g.name)
        .collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(" ")
    }
}

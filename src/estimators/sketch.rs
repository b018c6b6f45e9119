//! A few inner products of every column, which bound its cosines with all others.

use crate::error::{Error, Result, require_finite};
use crate::linalg::dense::{symmetric_eigen, thin_qr};
use crate::linalg::{gemm, norm};
use crate::operators::{MeasurementOperator, Shape};
use crate::seed::Seed;
use nalgebra::DMatrix;
use rand::seq::index::sample;

/// Columns that are read, and compared, at a time.
const BLOCK: usize = 256;
/// The least and the most columns whose leading directions are taken, an eighth of them in between.
const SAMPLE: (usize, usize) = (64, 512);

/// The nonzero columns at unit norm, projected on orthonormal directions.
#[derive(Debug)]
pub(super) struct Sketch {
    /// Indices of the columns with a nonzero norm, ascending.
    pub live: Vec<usize>,
    /// Indices of the zero columns, ascending.
    pub zero: Vec<usize>,
    pub columns_read: u64,
    directions: usize,
    /// One row a live column.
    coordinates: Vec<f64>,
    /// `‖u − P u‖`, rounded up.
    rest: Vec<f64>,
    rows: usize,
}

/// How a sweep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sweep {
    pub complete: bool,
    pub comparisons: u64,
}

/// Bounds of the cosines of two runs of columns.
pub(super) struct BoundBlock<'a> {
    left: &'a [usize],
    right: &'a [usize],
    same: bool,
    bounds: &'a [f64],
}

impl BoundBlock<'_> {
    /// The pairs (of positions among the live columns) whose |cosine| may exceed `bound`, with what it cannot exceed.
    pub fn above(&self, bound: f64) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        let rows = self.bounds.chunks_exact(self.right.len().max(1)).zip(self.left);
        rows.enumerate()
            .filter(move |(_, (row, _))| row.iter().fold(0.0f64, |m, v| if *v > m { *v } else { m }) > bound)
            .flat_map(move |(r, (row, &i))| {
                let first = if self.same { r + 1 } else { 0 };
                let pairs = row.iter().zip(self.right).skip(first);
                pairs.filter(move |(v, _)| **v > bound).map(move |(v, &j)| (i, j, *v))
            })
    }
}

impl Sketch {
    /// Reads a sample of the columns for its leading directions, and then every column once.
    pub fn new(operator: &dyn MeasurementOperator, directions: usize, seed: &Seed) -> Result<Self> {
        if !(1..=256).contains(&directions) {
            return Err(Error::argument("directions", "an integer in 1..=256", directions));
        }
        let Shape { rows, columns } = operator.shape();
        let (basis, sampled) = leading_directions(operator, directions, seed)?;
        let directions = basis.ncols();
        let mut sketch = Sketch {
            live: Vec::new(),
            zero: Vec::new(),
            columns_read: (sampled + columns) as u64,
            directions,
            coordinates: Vec::new(),
            rest: Vec::new(),
            rows,
        };
        let slack = sketch.slack();
        for start in (0..columns).step_by(BLOCK) {
            let indices: Vec<usize> = (start..columns.min(start + BLOCK)).collect();
            let (block, live) = unit_columns(operator, &indices)?;
            let first = sketch.coordinates.len();
            sketch.coordinates.resize(first + live.len() * directions, 0.0);
            let out = &mut sketch.coordinates[first..];
            gemm(
                live.len(),
                rows,
                directions,
                &block,
                false,
                basis.as_slice(),
                true,
                out,
                false,
            );
            for t in out.chunks_exact(directions) {
                let kept: f64 = t.iter().map(|t| t * t).sum();
                sketch.rest.push(((1.0 - kept).max(0.0) + slack).sqrt());
            }
            let mut next = live.iter().peekable();
            for j in indices {
                if next.next_if_eq(&&j).is_none() {
                    sketch.zero.push(j);
                }
            }
            sketch.live.extend(live);
        }
        Ok(sketch)
    }

    /// What rounding may add to a bound or to the square of a distance: each of k coordinates errs by `(m + 4) ε`, the
    /// directions are orthonormal to about `m k ε`, and both enter twice.
    fn slack(&self) -> f64 {
        4.0 * (self.rows + 8) as f64 * self.directions as f64 * f64::EPSILON
    }

    /// Rounding error of one cosine of unit columns.
    pub fn cosine_error(&self) -> f64 {
        (self.rows + 4) as f64 * f64::EPSILON
    }

    fn row(&self, position: usize) -> &[f64] {
        &self.coordinates[position * self.directions..(position + 1) * self.directions]
    }

    /// How far apart along one direction two columns may be whose |cosine| exceeds `bound`.
    fn window(&self, bound: f64) -> f64 {
        (2.0 * (1.0 - bound).max(0.0) + self.slack()).sqrt() + self.slack()
    }

    /// The positions in ascending order along the direction that leaves the fewest pairs within reach, and the distances
    /// along it.
    fn order(&self, of: &[usize], bound: f64) -> (Vec<usize>, Vec<f64>) {
        let window = self.window(bound);
        let mut best: Option<(u64, Vec<usize>, Vec<f64>)> = None;
        for direction in 0..self.directions {
            let along = |&i: &usize| self.row(i)[direction].abs();
            let mut order = of.to_vec();
            order.sort_by(|i, j| along(i).total_cmp(&along(j)));
            let places: Vec<f64> = order.iter().map(along).collect();
            let (mut last, mut pairs) = (0, 0u64);
            for (first, place) in places.iter().enumerate() {
                while last < places.len() && places[last] - place <= window {
                    last += 1;
                }
                pairs += (last - first) as u64;
            }
            if best.as_ref().is_none_or(|(least, ..)| pairs < *least) {
                best = Some((pairs, order, places));
            }
        }
        best.map_or((Vec::new(), Vec::new()), |(_, order, places)| (order, places))
    }

    /// Shows `visit` every pair of the positions `of` whose |cosine| may exceed the bound, which starts at `bound` and is
    /// what the last visit returned. Stops when the comparisons have reached `most`.
    pub fn sweep(
        &self,
        of: &[usize],
        mut bound: f64,
        most: u64,
        mut visit: impl FnMut(&BoundBlock<'_>, f64) -> f64,
    ) -> Sweep {
        let (order, places) = self.order(of, bound);
        let k = self.directions;
        let gathered: Vec<f64> = order.iter().flat_map(|&i| self.row(i).iter().copied()).collect();
        let rest: Vec<f64> = order.iter().map(|&i| self.rest[i]).collect();
        let slack = self.slack();
        let mut comparisons = 0;
        let mut bounds = vec![0.0; BLOCK * BLOCK];
        for first in (0..order.len()).step_by(BLOCK) {
            let left = first..order.len().min(first + BLOCK);
            for second in (first..order.len()).step_by(BLOCK) {
                // The last of the left run is nearest to the first of the right one.
                if places[second] - places[left.end - 1] > self.window(bound) {
                    break;
                }
                let right = second..order.len().min(second + BLOCK);
                if comparisons >= most {
                    return Sweep {
                        complete: false,
                        comparisons,
                    };
                }
                comparisons += (left.len() * right.len()) as u64;
                let bounds = &mut bounds[..left.len() * right.len()];
                let (u, v) = (
                    &gathered[left.start * k..left.end * k],
                    &gathered[right.start * k..right.end * k],
                );
                gemm(left.len(), k, right.len(), u, false, v, true, bounds, false);
                for (row, u) in bounds.chunks_exact_mut(right.len()).zip(&rest[left.clone()]) {
                    for (value, v) in row.iter_mut().zip(&rest[right.clone()]) {
                        *value = value.abs() + u * v + slack;
                    }
                }
                bound = visit(
                    &BoundBlock {
                        left: &order[left.clone()],
                        right: &order[right],
                        same: first == second,
                        bounds,
                    },
                    bound,
                );
            }
        }
        Sweep {
            complete: true,
            comparisons,
        }
    }

    /// Pairs whose projections already make a large cosine: the `most` best among columns near one another along a
    /// direction, or in the order of the operator.
    pub fn promising(&self, of: &[usize], followers: usize, most: usize) -> Vec<(usize, usize)> {
        let (along, _) = self.order(of, 1.0);
        let mut found: Vec<(f64, usize, usize)> = Vec::new();
        for order in [of, &along] {
            for (place, &i) in order.iter().enumerate() {
                for &j in order.iter().skip(place + 1).take(followers) {
                    let inner: f64 = self.row(i).iter().zip(self.row(j)).map(|(a, b)| a * b).sum();
                    found.push((inner.abs() - self.rest[i] * self.rest[j], i.min(j), i.max(j)));
                }
            }
            found.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
            found.truncate(most);
        }
        found.into_iter().map(|(_, i, j)| (i, j)).collect()
    }
}

/// The live columns among `indices` at unit norm, one after another, and their indices.
fn unit_columns(operator: &dyn MeasurementOperator, indices: &[usize]) -> Result<(Vec<f64>, Vec<usize>)> {
    let rows = operator.shape().rows;
    let mut block = DMatrix::zeros(rows, indices.len());
    operator.columns_into(indices, &mut block);
    let (mut unit, mut live) = (Vec::with_capacity(rows * indices.len()), Vec::new());
    for (column, &j) in block.as_slice().chunks_exact(rows).zip(indices) {
        require_finite(&format!("column {j}"), column)?;
        let length = norm(column);
        if length > 0.0 {
            unit.extend(column.iter().map(|v| v / length));
            live.push(j);
        }
    }
    Ok((unit, live))
}

/// Orthonormal directions that hold most of a random sample of the unit columns (its leading left singular vectors), and
/// the size of the sample. Bounds hold for any directions; these are tight for more columns.
fn leading_directions(operator: &dyn MeasurementOperator, most: usize, seed: &Seed) -> Result<(DMatrix<f64>, usize)> {
    let Shape { rows, columns } = operator.shape();
    let mut rng = seed.stream("near columns").rng();
    let count = (columns / 8).clamp(SAMPLE.0, SAMPLE.1).min(columns);
    let mut indices: Vec<usize> = sample(&mut rng, columns, count).into_vec();
    indices.sort_unstable();
    let (unit, live) = unit_columns(operator, &indices)?;
    let wanted = most.min(rows).min(live.len().max(1));
    let mut gram = DMatrix::zeros(live.len(), live.len());
    gemm(
        live.len(),
        rows,
        live.len(),
        &unit,
        false,
        &unit,
        true,
        gram.as_mut_slice(),
        false,
    );
    let (values, vectors) = symmetric_eigen(&gram)?;
    let mut basis = DMatrix::zeros(rows, wanted);
    for (direction, k) in (0..live.len()).rev().take(wanted).enumerate() {
        let length = values[k].max(0.0).sqrt();
        if length > 0.0 {
            let mut out = basis.column_mut(direction);
            for (column, &weight) in unit.chunks_exact(rows).zip(vectors.column(k).iter()) {
                for (out, v) in out.iter_mut().zip(column) {
                    *out += weight / length * v;
                }
            }
        }
    }
    // Directions of tiny singular values come out skewed; the factor Q of the decomposition is orthonormal regardless.
    Ok((thin_qr(&basis)?.q, count))
}

//! What can be proven about the live columns of a linear model stacked on `√α I`, for any α from one Gram matrix.

use nalgebra::DMatrix;
use ticketsense::linalg::dense::{gram, product, symmetric_eigen};
use ticketsense::operators::MeasurementOperator;
use ticketsense::pruning::SensingProblem;
use ticketsense::theory::coherence_bounds::certified_order;
use ticketsense::{Error, Result};

/// Inner products of the live columns of A.
#[derive(Debug)]
pub struct LiveGram {
    gram: DMatrix<f64>,
    /// The parameter of every column.
    pub parameters: Vec<usize>,
}

/// What holds for every support of a size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uniform {
    /// The largest cosine of two stacked columns.
    pub coherence: f64,
    /// Nonzeros that it certifies for orthogonal matching pursuit and basis pursuit, `(2k − 1)μ < 1`.
    pub coherence_order: usize,
    /// Nonzeros that the Babel function certifies, `μ₁(k − 1) + μ₁(k) < 1`; never fewer.
    pub babel_order: usize,
}

/// What holds for one support S.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OnSupport {
    /// `max_{j ∉ S} ‖A_S⁺ a_j‖₁` of unit stacked columns; none where those on S are dependent to working accuracy.
    pub recovery_value: Option<f64>,
    /// The smallest eigenvalue of their Gram matrix.
    pub smallest_eigenvalue: f64,
}

impl LiveGram {
    /// Forms the columns and their Gram matrix. Cost: `m n²` operations, `8 n (m + n)` bytes.
    pub fn new(problem: &SensingProblem) -> Self {
        let operator = problem.operator();
        let candidates = problem.candidates().iter().enumerate();
        let places: Vec<usize> = candidates.filter(|(_, live)| **live).map(|(c, _)| c).collect();
        let mut columns = DMatrix::zeros(operator.shape().rows, places.len());
        operator.columns_into(&places, &mut columns);
        LiveGram {
            gram: gram(&columns),
            parameters: places.iter().map(|&c| operator.parameters()[c]).collect(),
        }
    }

    /// One over the lengths of the columns stacked on `√α I`.
    fn scales(&self, alpha: f64) -> Vec<f64> {
        self.gram.diagonal().iter().map(|g| 1.0 / (g + alpha).sqrt()).collect()
    }

    /// Coherence and Babel function. Orders are looked for among the `depth` largest cosines of every column, eight times as
    /// many when that is too few. Cost: `n²` operations a depth.
    ///
    /// # Errors
    /// When a column is not finite.
    pub fn uniform(&self, alpha: f64) -> Result<Uniform> {
        let (scales, count) = (self.scales(alpha), self.gram.ncols());
        let others = count.saturating_sub(1);
        let mut depth = others.min(16);
        loop {
            let babel = self.babel(&scales, depth);
            let at = |k: usize| if k == 0 { 0.0 } else { babel[k - 1] };
            let coherence = at(depth.min(1)).min(1.0);
            let refused = (1..=depth).find(|&k| at(k - 1) + at(k) >= 1.0);
            if refused.is_some() || depth == others {
                return Ok(Uniform {
                    coherence,
                    coherence_order: certified_order(coherence)?.map_or(count, |k| (k as usize).min(count)),
                    babel_order: refused.map_or(count, |k| k - 1),
                });
            }
            depth = others.min(8 * depth);
        }
    }

    /// `μ₁(1), …, μ₁(depth)`.
    fn babel(&self, scales: &[f64], depth: usize) -> Vec<f64> {
        let mut most = vec![0.0f64; depth];
        let mut cosines = Vec::with_capacity(scales.len());
        for (i, &own) in scales.iter().enumerate() {
            cosines.clear();
            let column = self.gram.column(i);
            cosines.extend(column.iter().zip(scales).map(|(g, scale)| g.abs() * scale));
            cosines.swap_remove(i);
            if depth < cosines.len() {
                cosines.select_nth_unstable_by(depth, |a, b| b.total_cmp(a));
            }
            cosines[..depth].sort_unstable_by(|a, b| b.total_cmp(a));
            let mut sum = 0.0;
            for (most, cosine) in most.iter_mut().zip(&cosines) {
                sum += own * cosine;
                *most = most.max(sum);
            }
        }
        most
    }

    /// The exact recovery coefficient (Tropp 2004) of a support, given by parameters; those that are not live are left out.
    /// Cost: `k³ + k² n` operations.
    ///
    /// # Errors
    /// When none is live, or the eigenvalue iteration fails.
    pub fn on_support(&self, alpha: f64, keeps: impl Fn(usize) -> bool) -> Result<OnSupport> {
        let scales = self.scales(alpha);
        let (inside, outside): (Vec<usize>, Vec<usize>) = (0..scales.len()).partition(|&c| keeps(self.parameters[c]));
        if inside.is_empty() {
            return Err(Error::argument("support", "at least one live column", "none"));
        }
        let cosine = |i: usize, j: usize| self.gram[(i, j)] * scales[i] * scales[j];
        let size = inside.len();
        let within = DMatrix::from_fn(
            size,
            size,
            |a, b| if a == b { 1.0 } else { cosine(inside[a], inside[b]) },
        );
        let (values, vectors) = symmetric_eigen(&within)?;
        let smallest = values[0];
        let recovery_value = if smallest > size as f64 * f64::EPSILON * values[size - 1] {
            let scaled = DMatrix::from_fn(size, size, |r, c| vectors[(r, c)] / values[c]);
            let inverse = product(&scaled, &vectors.transpose())?;
            let across = DMatrix::from_fn(size, outside.len(), |a, b| cosine(inside[a], outside[b]));
            let images = product(&inverse, &across)?;
            let sums = images
                .column_iter()
                .map(|column| column.iter().map(|v| v.abs()).sum::<f64>());
            Some(sums.fold(0.0, f64::max))
        } else {
            None
        };
        Ok(OnSupport {
            recovery_value,
            smallest_eigenvalue: smallest,
        })
    }
}

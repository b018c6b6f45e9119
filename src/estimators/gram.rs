//! What the search for restricted isometry constants needs of a Gram matrix: extreme eigenvalues of its principal
//! submatrices, with the rounding of every step bounded.

use crate::error::{Error, Result, require_finite};
use crate::linalg::dense::{gram, symmetric_eigen};
use crate::linalg::small::SmallSymmetric;
use nalgebra::DMatrix;

/// One end of the spectrum. The largest eigenvalue of `sign · G_S` is what a search maximises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The largest eigenvalue of `G_S`.
    Largest,
    /// The smallest eigenvalue of `G_S`, as the largest of `−G_S`.
    Smallest,
}

impl End {
    pub fn sign(self) -> f64 {
        match self {
            End::Largest => 1.0,
            End::Smallest => -1.0,
        }
    }
}

/// `G = AᵀA` as computed.
#[derive(Clone, Debug)]
pub(super) struct GramMatrix {
    pub entries: DMatrix<f64>,
    /// Rows of A.
    rows: usize,
    /// Diagonal, descending.
    sorted_diagonal: Vec<f64>,
}

impl GramMatrix {
    pub fn new(a: &DMatrix<f64>) -> Result<Self> {
        require_finite("matrix", a.as_slice())?;
        let entries = gram(a);
        if entries.iter().any(|v| !v.is_finite()) || !(entries.trace() * 1e3).is_finite() {
            return Err(Error::numerical(
                "Gram matrix",
                "a sum of squares overflows; scale the matrix down",
            ));
        }
        let mut sorted_diagonal: Vec<f64> = entries.diagonal().iter().copied().collect();
        sorted_diagonal.sort_by(|x, y| y.total_cmp(x));
        Ok(GramMatrix {
            entries,
            rows: a.nrows(),
            sorted_diagonal,
        })
    }

    pub fn order(&self) -> usize {
        self.entries.nrows()
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn at(&self, i: usize, j: usize) -> f64 {
        self.entries[(i, j)]
    }

    pub fn column(&self, j: usize) -> &[f64] {
        let n = self.order();
        &self.entries.as_slice()[j * n..(j + 1) * n]
    }

    pub fn largest_diagonal(&self) -> f64 {
        self.sorted_diagonal[0]
    }

    pub fn smallest_diagonal(&self) -> f64 {
        self.sorted_diagonal[self.sorted_diagonal.len() - 1]
    }

    /// The largest trace of a principal submatrix of order k.
    pub fn largest_trace(&self, k: usize) -> f64 {
        self.sorted_diagonal.iter().take(k).sum()
    }

    /// How far an eigenvalue of a computed `G_S`, `|S| = k`, may lie from that of the exact one: an inner product of m
    /// terms, in any order and with or without fused operations, errs by at most `m u/(1 − m u) |aᵢ|ᵀ|aⱼ| ≤ m ε ‖aᵢ‖‖aⱼ‖`,
    /// and the matrix `‖aᵢ‖‖aⱼ‖` has norm `trace G_S`. The last term covers underflowing products.
    pub fn formation_error(&self, k: usize) -> f64 {
        let relative = (self.rows + 2) as f64 * f64::EPSILON;
        relative * self.largest_trace(k) + (k * self.rows) as f64 * f64::MIN_POSITIVE
    }
}

/// Extreme eigenvalues of single principal submatrices.
#[derive(Debug)]
pub(super) struct Submatrices<'a> {
    gram: &'a GramMatrix,
    batch: Option<SmallSymmetric>,
}

/// Orders up to this go through the lanes, larger ones through a full factorisation.
const LANES_UP_TO: usize = 48;

impl<'a> Submatrices<'a> {
    pub fn new(gram: &'a GramMatrix) -> Self {
        Submatrices { gram, batch: None }
    }

    /// `sign · λ` for the asked end of `G_S`, and a bound of its error: `16 k² ε ‖G_S‖_F` by either route.
    pub fn extreme(&mut self, support: &[usize], end: End) -> Result<(f64, f64)> {
        let k = support.len();
        if k > LANES_UP_TO {
            let (values, _) = symmetric_eigen(&self.submatrix(support))?;
            let value = if end == End::Largest { values[k - 1] } else { -values[0] };
            let trace: f64 = support.iter().map(|&j| self.gram.at(j, j)).sum();
            return Ok((value, 16.0 * (k * k) as f64 * f64::EPSILON * trace));
        }
        let batch = match &mut self.batch {
            Some(batch) if batch.order() == k => batch,
            slot => slot.insert(SmallSymmetric::new(k)?),
        };
        batch.load(0, |i, j| self.gram.at(support[i], support[j]));
        let ends = batch.extremes()?;
        let value = match end {
            End::Largest => ends.largest[0],
            End::Smallest => -ends.smallest[0],
        };
        Ok((value, ends.error_bound[0]))
    }

    /// The eigenvector of the asked end of `G_S`, and `sign · λ`.
    pub fn eigenvector(&self, support: &[usize], end: End) -> Result<(f64, Vec<f64>)> {
        let (values, vectors) = symmetric_eigen(&self.submatrix(support))?;
        let i = if end == End::Largest { support.len() - 1 } else { 0 };
        Ok((end.sign() * values[i], vectors.column(i).iter().copied().collect()))
    }

    fn submatrix(&self, support: &[usize]) -> DMatrix<f64> {
        DMatrix::from_fn(support.len(), support.len(), |i, j| {
            self.gram.at(support[i], support[j])
        })
    }
}

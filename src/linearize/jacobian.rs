//! The Jacobian of a network as a measurement operator, never formed.

use super::factors::{Entry, Factors};
use super::linearisation::RowTransform;
use super::projection::Projection;
use crate::operators::{MeasurementOperator, Shape};
use nalgebra::DMatrix;
use std::sync::Arc;

/// Columns whose projection keeps less than this fraction of their squared norm have it computed from the column itself,
/// because the difference of the two squared norms would lose two digits or more.
const CANCELLATION: f64 = 1e-2;

/// Columns that are projected at a time.
const BLOCK: usize = 64;

/// `A = Q R ∂f/∂θ_S ∈ ℝ^{nC × |S|}` of a network at one point: rows are samples × classes with sample s and class c at
/// row `s C + c`, columns are the chosen parameters S in ascending order.
///
/// R acts on the classes of each sample ([`super::RowTransform`]) and Q projects out the biases
/// ([`super::Biases::Free`]); see [`super::Linearisation::jacobian`]. The matrix is held as the factors of its layers'
/// blocks, so that LeNet-300-100 with 200 samples takes megabytes and not gigabytes. Products cost about one forward
/// (or backward) pass; a column costs n C operations, plus 2 rank n C with Q.
///
/// A column that Q annihilates to rounding (a weight whose input is constant acts like a bias) is exactly zero in
/// every method.
#[derive(Clone, Debug)]
pub struct Jacobian {
    pub(super) factors: Arc<Factors>,
    pub(super) projection: Option<Projection>,
    pub(super) columns: Vec<usize>,
    pub(super) rows: RowTransform,
    norms: Vec<f64>,
    /// The blocks of the factors in which there are columns.
    blocks: Vec<bool>,
}

impl Jacobian {
    pub(super) fn new(
        factors: Arc<Factors>,
        projection: Option<Projection>,
        columns: Vec<usize>,
        rows: RowTransform,
    ) -> Self {
        let squares = factors.squared_norms();
        let norms = columns.iter().map(|&j| squares[j].sqrt()).collect();
        let mut jacobian = Jacobian {
            blocks: factors.blocks_of(&columns),
            factors,
            projection,
            columns,
            rows,
            norms,
        };
        if jacobian.projection_rank() > 0 {
            jacobian.project_norms();
        }
        jacobian
    }

    /// The parameters behind the columns: positions in the network's flat vector, ascending.
    pub fn parameters(&self) -> &[usize] {
        &self.columns
    }

    /// Number of samples n.
    pub fn samples(&self) -> usize {
        self.factors.samples
    }

    /// Number of classes C.
    pub fn classes(&self) -> usize {
        self.factors.classes
    }

    /// Dimension of the space that Q projects out; 0 without a projection.
    pub fn projection_rank(&self) -> usize {
        self.projection.as_ref().map_or(0, Projection::rank)
    }

    /// Spreads one value a column over a vector of all parameters, zero elsewhere: the θ that a recovered x stands for.
    ///
    /// # Panics
    /// When there is not one value a column: a bug of the caller.
    pub fn scatter(&self, values: &[f64]) -> Vec<f64> {
        assert_eq!(values.len(), self.columns.len(), "scatter: one value a column");
        let mut all = vec![0.0; self.factors.parameters];
        for (&j, &v) in self.columns.iter().zip(values) {
            all[j] = v;
        }
        all
    }

    /// The tangent kernel `A Aᵀ ∈ ℝ^{nC × nC}` over the chosen columns, symmetric to the last bit.
    ///
    /// From the factors: a unit whose weights are all chosen adds `(δ δᵀ) ∘ (a aᵀ)`, with the Gram matrix of the layer's
    /// inputs repeated over the classes; a unit with some chosen weights takes the Gram matrix of those inputs alone.
    /// J is never formed. Cost: about `(nC)²` a unit and `n²` a chosen weight.
    pub fn tangent_kernel(&self) -> DMatrix<f64> {
        let rows = self.factors.rows();
        let mut kernel = DMatrix::zeros(rows, rows);
        super::kernel::accumulate(self, kernel.as_mut_slice());
        // Rows there are columns here.
        kernel.fill_lower_triangle_with_upper_triangle();
        if let Some(projection) = &self.projection {
            // Q K, transposed by symmetry, and once more: Q K Q.
            projection.apply_many(kernel.as_mut_slice());
            kernel.transpose_mut();
            projection.apply_many(kernel.as_mut_slice());
        }
        kernel.fill_upper_triangle_with_lower_triangle();
        kernel
    }

    /// The participation ratio `(tr K)²/tr K²` of the tangent kernel K: how many eigenvalues share its trace, between 1 and
    /// the rank; 0 where every column is zero.
    ///
    /// Cost: that of [`Jacobian::tangent_kernel`].
    pub fn kernel_participation(&self) -> f64 {
        let kernel = self.tangent_kernel();
        let squares: f64 = kernel.iter().map(|v| v * v).sum();
        if squares > 0.0 {
            kernel.trace().powi(2) / squares
        } else {
            0.0
        }
    }

    /// Whether column `c` is not exactly zero.
    pub(super) fn is_live(&self, c: usize) -> bool {
        self.norms[c] > 0.0
    }

    pub(super) fn entry(&self, c: usize) -> Entry<'_> {
        self.factors.entry(self.columns[c])
    }

    fn project(&self, y: &mut [f64]) {
        if let Some(projection) = &self.projection {
            projection.apply(y);
        }
    }

    /// Norms of the projected columns: `‖Q a‖² = ‖a‖² − Σ_k ⟨u_k, a⟩²` from the factors where that is accurate, from the
    /// column otherwise.
    fn project_norms(&mut self) {
        let Some(projection) = &self.projection else { return };
        let factors = &self.factors;
        let mut explained = vec![0.0; factors.parameters];
        let mut pulled = vec![0.0; factors.parameters];
        for k in 0..projection.rank() {
            factors.adjoint(projection.basis_vector(k), &self.blocks, &mut pulled);
            for (e, p) in explained.iter_mut().zip(&pulled) {
                *e += p * p;
            }
        }
        let mut delicate = Vec::new();
        for (c, &j) in self.columns.iter().enumerate() {
            let total = self.norms[c] * self.norms[c];
            let left = total - explained[j];
            if left > CANCELLATION * total {
                self.norms[c] = left.sqrt();
            } else if total > 0.0 {
                delicate.push(c);
            }
        }
        let rows = factors.rows();
        for chunk in delicate.chunks(BLOCK) {
            let mut block = vec![0.0; chunk.len() * rows];
            for (out, &c) in block.chunks_exact_mut(rows).zip(chunk) {
                factors.add_column(self.columns[c], 1.0, out);
            }
            projection.apply_many(&mut block);
            for (out, &c) in block.chunks_exact(rows).zip(chunk) {
                let left = crate::linalg::norm(out);
                self.norms[c] = if left > projection.resolution() * self.norms[c] {
                    left
                } else {
                    0.0
                };
            }
        }
    }
}

impl MeasurementOperator for Jacobian {
    fn shape(&self) -> Shape {
        Shape {
            rows: self.factors.rows(),
            columns: self.columns.len(),
        }
    }

    fn apply_into(&self, x: &[f64], y: &mut [f64]) {
        assert_eq!(
            (x.len(), y.len()),
            (self.columns.len(), self.factors.rows()),
            "apply: lengths"
        );
        let mut all = vec![0.0; self.factors.parameters];
        for ((&j, &v), &length) in self.columns.iter().zip(x).zip(&self.norms) {
            if length > 0.0 {
                all[j] = v;
            }
        }
        self.factors.apply(&all, y);
        self.project(y);
    }

    fn adjoint_into(&self, y: &[f64], x: &mut [f64]) {
        assert_eq!(
            (x.len(), y.len()),
            (self.columns.len(), self.factors.rows()),
            "adjoint: lengths"
        );
        let mut all = vec![0.0; self.factors.parameters];
        if self.projection_rank() > 0 {
            let mut projected = y.to_vec();
            self.project(&mut projected);
            self.factors.adjoint(&projected, &self.blocks, &mut all);
        } else {
            self.factors.adjoint(y, &self.blocks, &mut all);
        }
        for ((x, &j), &length) in x.iter_mut().zip(&self.columns).zip(&self.norms) {
            *x = if length > 0.0 { all[j] } else { 0.0 };
        }
    }

    fn apply_sparse_into(&self, support: &[usize], values: &[f64], y: &mut [f64]) {
        assert_eq!(
            (support.len(), y.len()),
            (values.len(), self.factors.rows()),
            "sparse product: lengths"
        );
        let live = support.iter().zip(values).filter(|(c, _)| self.norms[**c] > 0.0);
        let entries: Vec<(usize, f64)> = live.map(|(&c, &v)| (self.columns[c], v)).collect();
        y.fill(0.0);
        self.factors.add_columns(&entries, y);
        self.project(y);
    }

    fn columns_into(&self, support: &[usize], out: &mut DMatrix<f64>) {
        let rows = self.factors.rows();
        assert_eq!(out.shape(), (rows, support.len()), "columns: shape of the output");
        for (out, support) in out.as_mut_slice().chunks_mut(BLOCK * rows).zip(support.chunks(BLOCK)) {
            out.fill(0.0);
            for (column, &c) in out.chunks_exact_mut(rows).zip(support) {
                if self.norms[c] > 0.0 {
                    self.factors.add_column(self.columns[c], 1.0, column);
                }
            }
            if let Some(projection) = &self.projection {
                projection.apply_many(out);
            }
        }
    }

    fn column_norms(&self) -> Vec<f64> {
        self.norms.clone()
    }
}

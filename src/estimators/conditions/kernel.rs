//! Vectors of the kernel of a matrix, as counterexamples to recovery.

use crate::linalg::norm;
use crate::operators::{DenseOperator, MeasurementOperator};
use crate::recovery::proven_smallest_singular_value;

/// The most vectors kept.
const ROOM: usize = 1024;

/// Vectors h with `A h = 0` but for rounding, `‖h‖₁ = 1`. One with `|zᵀh_S| > ‖h_{S^c}‖₁` shows that the support S with the
/// signs z is not recovered: x moved along it grows shorter.
#[derive(Clone, Debug)]
pub(super) struct KernelVectors {
    vectors: Vec<KernelVector>,
    /// A proven lower bound of `σ_min(A)`.
    sigma: Option<f64>,
    norms: Vec<f64>,
}

#[derive(Clone, Debug)]
struct KernelVector {
    entries: Vec<f64>,
    /// There is a vector exactly in the kernel no further away than this in ℓ₁, roundings of a test included.
    slack: f64,
}

impl KernelVectors {
    pub fn new(a: &DenseOperator) -> Self {
        KernelVectors {
            vectors: Vec::new(),
            sigma: proven_smallest_singular_value(a),
            norms: a.column_norms(),
        }
    }

    /// Whether one of the vectors proves that the signed support is not recovered.
    pub fn refutes(&mut self, support: &[usize], signs: &[f64]) -> bool {
        let found = self.vectors.iter().position(|h| h.refutes(support, signs));
        if let Some(position) = found {
            // Neighbouring supports tend to have the same counterexample.
            self.vectors[..=position].rotate_right(1);
        }
        found.is_some()
    }

    /// Takes in a vector near the kernel, where the matrix has full row rank.
    pub fn learn(&mut self, a: &DenseOperator, direction: &[f64]) {
        let total: f64 = direction.iter().map(|v| v.abs()).sum();
        if !(total > 0.0 && total.is_finite()) {
            return;
        }
        let entries: Vec<f64> = direction.iter().map(|v| v / total).collect();
        let Some(slack) = kernel_slack(a, &self.norms, self.sigma, &entries) else {
            return;
        };
        self.vectors.insert(0, KernelVector { entries, slack });
        self.vectors.truncate(ROOM);
    }
}

/// A bound of the ℓ₁ distance from h, `‖h‖₁ = 1`, to the kernel, with room for the roundings of sums of entries of h; none
/// for a matrix that is not shown to have full row rank.
pub(super) fn kernel_slack(a: &DenseOperator, norms: &[f64], sigma: Option<f64>, h: &[f64]) -> Option<f64> {
    let mut image = vec![0.0; a.shape().rows];
    a.apply_into(h, &mut image);
    let n = h.len() as f64;
    let terms: f64 = h.iter().zip(norms).map(|(v, norm)| v.abs() * norm).sum();
    let left = norm(&image) + (n + 2.0) * f64::EPSILON * terms;
    // The nearest vector of the kernel is ‖A h‖/σ away in ℓ₂, √n times that in ℓ₁; a sum rounds by n ε.
    Some(1.01 * n.sqrt() * left / sigma? + 2.0 * (n + 2.0) * f64::EPSILON)
}

impl KernelVector {
    fn refutes(&self, support: &[usize], signs: &[f64]) -> bool {
        let (mut along, mut on) = (0.0, 0.0);
        for (&j, z) in support.iter().zip(signs) {
            along += self.entries[j] * z;
            on += self.entries[j].abs();
        }
        // ‖h‖₁ = 1 but for rounding, which the slack holds.
        f64::abs(along) > 1.0 - on + self.slack
    }
}

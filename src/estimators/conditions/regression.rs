//! Every column regressed on those of a support, with a proven bound of the error.

use super::column_gram::ColumnGram;

/// A column nearer than this to the span of those before it, relative to its length and squared, is not told from one in
/// it.
const SMALLEST_PIVOT: f64 = 1e-12;

/// The coefficients `W = A_S⁺ A = G_SS⁻¹ G_S·` of all columns on those of a support; space that is used again.
///
/// With `C` the cosines and `X` the computed inverse of `C_SS`, the residual `E = I − X C_SS` is computed too. Where
/// `‖E‖ < 1` it proves that the columns are independent, and `‖Xc − C_SS⁻¹c‖ ≤ ‖E‖ ‖Xc‖/(1 − ‖E‖)`; the errors of the
/// cosines and of the sums come on top. So the bounds hold whatever the condition, and tell where it is too large.
#[derive(Clone, Debug, Default)]
pub(super) struct Regression {
    order: usize,
    inverse: Vec<f64>,
    /// `k` coefficients for each column, one column after the other; those of the support itself stay 0.
    coefficients: Vec<f64>,
    /// `Σ_i |W_ij|` for each column.
    sums: Vec<f64>,
    /// A bound of the sum of the errors of the coefficients of each column, and of any signed sum of them.
    errors: Vec<f64>,
    /// A bound of `‖X − C_SS⁻¹‖_F`.
    inverse_error: f64,
}

impl Regression {
    /// Regresses every column on the support; false where the columns of the support are not shown to be independent.
    pub fn onto(&mut self, gram: &ColumnGram, support: &[usize]) -> bool {
        let (n, k) = (gram.columns(), support.len());
        self.order = k;
        self.coefficients.clear();
        self.coefficients.resize(n * k, 0.0);
        self.sums.clear();
        self.sums.resize(n, 0.0);
        self.errors.clear();
        self.errors.resize(n, 0.0);
        let Some(residual) = self.proven_inverse(gram, support) else {
            return false;
        };
        let unit = f64::EPSILON;
        let rounding = gram.cosine_error() + (k + 2) as f64 * unit;
        let size = self.inverse_size();
        let lengths = gram.lengths();
        let shrink = support
            .iter()
            .map(|&i| (1.0 / lengths[i]) * (1.0 / lengths[i]))
            .sum::<f64>()
            .sqrt();
        let root = (k as f64).sqrt();
        for j in (0..n).filter(|j| !support.contains(j) && lengths[*j] > 0.0) {
            let row = &mut self.coefficients[j * k..(j + 1) * k];
            let mut square = 0.0;
            for (i, w) in row.iter_mut().enumerate() {
                let of = &self.inverse[i * k..(i + 1) * k];
                let value: f64 = of.iter().zip(support).map(|(x, &s)| x * gram.cosine(s, j)).sum();
                square += value * value;
                *w = value;
            }
            let error = (residual * square.sqrt() + 1.01 * size * root * rounding) / (1.0 - residual);
            let mut sum = 0.0;
            for (w, &i) in row.iter_mut().zip(support) {
                *w *= lengths[j] / lengths[i];
                sum += w.abs();
            }
            self.sums[j] = sum;
            self.errors[j] = 1.01 * lengths[j] * shrink * error + (k + 4) as f64 * unit * sum;
        }
        true
    }

    /// Whether the columns are shown to be independent.
    pub fn independent(&mut self, gram: &ColumnGram, support: &[usize]) -> bool {
        self.order = support.len();
        self.proven_inverse(gram, support).is_some()
    }

    /// The inverse with a bound below ½ of `‖I − X C_SS‖`, if that proves it one.
    fn proven_inverse(&mut self, gram: &ColumnGram, support: &[usize]) -> Option<f64> {
        if !self.invert(gram, support) {
            return None;
        }
        let k = self.order as f64;
        let rounding = gram.cosine_error() + (k + 2.0) * f64::EPSILON;
        let size = self.inverse_size();
        let residual = self.residual(gram, support) + 1.01 * size * k * rounding;
        self.inverse_error = residual * size / (1.0 - residual);
        // What is not a number is not below either.
        (residual < 0.5).then_some(residual)
    }

    fn inverse_size(&self) -> f64 {
        self.inverse.iter().map(|x| x * x).sum::<f64>().sqrt()
    }

    /// `X ≈ C_SS⁻¹` by elimination without pivoting, which a positive definite matrix does not need.
    fn invert(&mut self, gram: &ColumnGram, support: &[usize]) -> bool {
        let k = support.len();
        self.inverse.clear();
        for &i in support {
            self.inverse.extend(support.iter().map(|&j| gram.cosine(i, j)));
        }
        let x = &mut self.inverse;
        for p in 0..k {
            let pivot = x[p * k + p];
            if pivot.is_nan() || pivot <= SMALLEST_PIVOT {
                return false;
            }
            let inverse = 1.0 / pivot;
            x[p * k + p] = 1.0;
            x[p * k..(p + 1) * k].iter_mut().for_each(|v| *v *= inverse);
            for i in (0..k).filter(|&i| i != p) {
                let factor = x[i * k + p];
                x[i * k + p] = 0.0;
                for j in 0..k {
                    x[i * k + j] -= factor * x[p * k + j];
                }
            }
        }
        true
    }

    /// `‖I − X C_SS‖_F` as computed.
    fn residual(&self, gram: &ColumnGram, support: &[usize]) -> f64 {
        let k = self.order;
        let mut square = 0.0;
        for i in 0..k {
            for (j, &column) in support.iter().enumerate() {
                let of = &self.inverse[i * k..(i + 1) * k];
                let product: f64 = of.iter().zip(support).map(|(x, &s)| x * gram.cosine(s, column)).sum();
                let entry = f64::from(u8::from(i == j)) - product;
                square += entry * entry;
            }
        }
        square.sqrt()
    }

    /// The absolute row sums of `G_SS⁻¹`, each with a bound of its error, after [`Self::onto`] has said yes.
    pub fn inverse_row_sums(&self, gram: &ColumnGram, support: &[usize]) -> Vec<(f64, f64)> {
        let k = self.order;
        let lengths: Vec<f64> = support.iter().map(|&i| gram.lengths()[i]).collect();
        let shrink: f64 = lengths.iter().map(|l| 1.0 / l).sum();
        let row = |i: usize| {
            let entries = self.inverse[i * k..(i + 1) * k].iter().zip(&lengths);
            let sum: f64 = entries.map(|(x, l)| x.abs() / (l * lengths[i])).sum();
            let rounding = (k + 4) as f64 * f64::EPSILON * sum;
            (sum, 1.01 * self.inverse_error * shrink / lengths[i] + rounding)
        };
        (0..k).map(row).collect()
    }

    /// `max_j ‖A_S⁺ a_j‖₁` over the columns off the support: a proven lower bound, the value, a proven upper bound; and
    /// the column that attains the value.
    pub fn largest(&self) -> Bounds {
        let mut bounds = Bounds::default();
        for (j, (sum, error)) in self.sums.iter().zip(&self.errors).enumerate() {
            bounds.offer(*sum, *error, j);
        }
        bounds
    }

    /// `max_j |zᵀA_S⁺ a_j|` over the columns off the support.
    pub fn largest_for(&self, signs: &[f64]) -> Bounds {
        let k = self.order;
        let mut bounds = Bounds::default();
        for (j, error) in self.errors.iter().enumerate() {
            let row = &self.coefficients[j * k..(j + 1) * k];
            let value: f64 = row.iter().zip(signs).map(|(w, z)| w * z).sum();
            bounds.offer(value.abs(), *error, j);
        }
        bounds
    }
}

/// A maximum with proven bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Bounds {
    pub lower: f64,
    pub value: f64,
    pub upper: f64,
    /// Where the value is attained.
    pub column: usize,
}

impl Bounds {
    fn offer(&mut self, value: f64, error: f64, column: usize) {
        if value > self.value {
            self.value = value;
            self.column = column;
        }
        self.lower = self.lower.max(value - error);
        let upper = value + error;
        // What is not a number bounds nothing.
        self.upper = if upper.is_nan() {
            f64::INFINITY
        } else {
            self.upper.max(upper)
        };
    }
}

//! Condition numbers on the nonzero spectrum, for masked Gauss-Newton matrices and masked Hessians.
//!
//! A mask keeps the coordinates S of a positive semidefinite curvature matrix H: the masked one is the principal
//! submatrix `H_SS`. For a Gauss-Newton matrix `H = JᵀJ` its nonzero eigenvalues are those of the kernel matrix
//! `K = J_S J_Sᵀ`, whose order is the number of outputs, whatever the number of weights.

use crate::error::{Error, Result};
use crate::linalg::dense::symmetric_eigenvalues;
use crate::support::Mask;
use nalgebra::DMatrix;

/// The nonzero spectrum of a positive semidefinite matrix, with the cut-off that decided what counts as zero.
#[derive(Clone, Debug, PartialEq)]
pub struct NonzeroConditioning {
    /// The largest eigenvalue.
    pub lambda_max: f64,
    /// The smallest eigenvalue above the cut-off; 0 when there is none.
    pub lambda_min_nonzero: f64,
    /// The number of eigenvalues above the cut-off.
    pub rank: usize,
    /// The order of the matrix.
    pub order: usize,
    /// The cut-off: see [`rank_tolerance`].
    pub tolerance: f64,
    /// The largest |eigenvalue| at or below the cut-off; 0 when there is none.
    pub largest_dropped: f64,
}

impl NonzeroConditioning {
    /// `κ⁺ = λ_max / λ_min⁺`; 1 for the zero matrix, where there is nothing to condition.
    pub fn condition(&self) -> f64 {
        if self.rank == 0 {
            1.0
        } else {
            self.lambda_max / self.lambda_min_nonzero
        }
    }

    /// How far apart the spectrum stands at the cut-off: `λ_min⁺` over the largest dropped eigenvalue, or over the
    /// cut-off itself when that is larger. Below about 10, κ⁺ depends on where the cut was made; 10³ and more make it a
    /// property of the matrix.
    pub fn gap(&self) -> f64 {
        if self.rank == 0 || self.tolerance == 0.0 {
            return f64::INFINITY;
        }
        self.lambda_min_nonzero / self.largest_dropped.max(self.tolerance)
    }
}

/// The size below which an eigenvalue of a computed `K = J Jᵀ` may be rounding alone.
///
/// Forming K from inner products of `inner` terms moves its eigenvalues by at most `inner · ε · trace K`, and the
/// eigenvalue solver by `order · ε · λ_max` (its usual size; the worst case carries a larger constant). `inner` = 0 takes
/// the entries of K as exact.
pub fn rank_tolerance(order: usize, inner: usize, lambda_max: f64, trace: f64) -> f64 {
    f64::EPSILON * (order as f64 * lambda_max.max(0.0) + inner as f64 * trace.max(0.0))
}

/// The nonzero spectrum of a positive semidefinite matrix `K`; `inner` is the number of columns of the J with
/// `K = J Jᵀ`, or 0 when the entries are exact.
///
/// # Errors
/// [`Error::Shape`] for a matrix that is not square, [`Error::NotFinite`], [`Error::Numerical`] when an eigenvalue lies
/// below minus the cut-off, so that K is not positive semidefinite.
///
/// Cost: `4 order³/3` operations.
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::estimators::nonzero_conditioning;
/// let found = nonzero_conditioning(&dmatrix![4.0, 0.0, 0.0; 0.0, 1.0, 0.0; 0.0, 0.0, 0.0], 0)?;
/// assert_eq!((found.rank, found.condition()), (2, 4.0));
/// # Ok::<(), ticketsense::Error>(())
/// ```
pub fn nonzero_conditioning(kernel: &DMatrix<f64>, inner: usize) -> Result<NonzeroConditioning> {
    let values = symmetric_eigenvalues(kernel)?;
    from_spectrum(&values, inner, kernel.trace())
}

fn from_spectrum(values: &[f64], inner: usize, trace: f64) -> Result<NonzeroConditioning> {
    let order = values.len();
    let lambda_max = values.last().copied().unwrap_or(0.0);
    let lambda_min = values.first().copied().unwrap_or(0.0);
    let tolerance = rank_tolerance(order, inner, lambda_max.max(-lambda_min), trace);
    if lambda_min < -tolerance {
        return Err(Error::numerical(
            "conditioning on the nonzero spectrum",
            format!("not positive semidefinite: smallest eigenvalue {lambda_min:e}, cut-off {tolerance:e}"),
        ));
    }
    let dropped = values.partition_point(|&v| v <= tolerance);
    let largest_dropped = values[..dropped].iter().fold(0.0f64, |m, v| m.max(v.abs()));
    Ok(NonzeroConditioning {
        lambda_max: lambda_max.max(0.0),
        lambda_min_nonzero: values.get(dropped).copied().unwrap_or(0.0),
        rank: order - dropped,
        order,
        tolerance,
        largest_dropped,
    })
}

/// One mask of a small curvature matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskedCurvature {
    /// The coordinates kept.
    pub mask: Mask,
    /// All eigenvalues of `H_SS`, ascending.
    pub eigenvalues: Vec<f64>,
    /// The nonzero spectrum of `H_SS`.
    pub conditioning: NonzeroConditioning,
}

/// The conditioning of one principal submatrix `H_SS` of a positive semidefinite H with exact entries.
///
/// # Errors
/// As [`nonzero_conditioning`]; [`Error::Shape`] when mask and matrix differ in size.
pub fn masked_curvature(hessian: &DMatrix<f64>, mask: &Mask) -> Result<MaskedCurvature> {
    if mask.dimension() != hessian.nrows() || !hessian.is_square() {
        return Err(Error::shape(
            "mask and curvature matrix",
            format!("a square matrix of order {}", mask.dimension()),
            format!("{}×{}", hessian.nrows(), hessian.ncols()),
        ));
    }
    let kept = mask.support();
    let s = kept.indices();
    let block = DMatrix::from_fn(s.len(), s.len(), |i, j| hessian[(s[i], s[j])]);
    let eigenvalues = symmetric_eigenvalues(&block)?;
    let conditioning = from_spectrum(&eigenvalues, 0, block.trace())?;
    Ok(MaskedCurvature {
        mask: mask.clone(),
        eigenvalues,
        conditioning,
    })
}

/// The most coordinates whose masks are all enumerated.
const MAX_ENUMERATED: usize = 20;

/// Every nonempty mask of a small positive semidefinite H, in the order of the binary numbers whose bit i keeps
/// coordinate i. The full mask comes last.
///
/// # Errors
/// [`Error::Argument`] above 20 coordinates; as [`masked_curvature`] otherwise, where the first refused mask ends the
/// call of `visit`.
///
/// Cost: `2ⁿ` small factorisations.
pub fn for_each_mask(hessian: &DMatrix<f64>, mut visit: impl FnMut(&MaskedCurvature)) -> Result<()> {
    let n = hessian.nrows();
    if n > MAX_ENUMERATED {
        return Err(Error::argument(
            "order of the curvature matrix",
            format!("at most {MAX_ENUMERATED}, for all of its masks"),
            n,
        ));
    }
    for number in 1..1usize << n {
        let mask = Mask::from_bits((0..n).map(|i| number >> i & 1 == 1).collect());
        visit(&masked_curvature(hessian, &mask)?);
    }
    Ok(())
}

/// By how much a spectrum breaks Cauchy's interlacing `λ_i(H) ≤ λ_i(H_SS) ≤ λ_{i+n−k}(H)`: the largest violation, at most
/// 0 when it holds. Both spectra ascending.
///
/// # Errors
/// [`Error::Shape`] when the part has more eigenvalues than the whole or none.
///
/// Source: Horn & Johnson, *Matrix Analysis*, Theorem 4.3.28.
pub fn interlacing_violation(whole: &[f64], part: &[f64]) -> Result<f64> {
    if part.is_empty() || part.len() > whole.len() {
        return Err(Error::shape(
            "spectrum of a principal submatrix",
            format!("1 to {} eigenvalues", whole.len()),
            part.len(),
        ));
    }
    let removed = whole.len() - part.len();
    Ok(part
        .iter()
        .enumerate()
        .map(|(i, v)| (whole[i] - v).max(v - whole[i + removed]))
        .fold(f64::NEG_INFINITY, f64::max))
}

/// The largest distance of an eigenvalue of the part from the nearest one of the whole: 0 exactly when the mask selects
/// eigenvalues, as it does for a matrix that is diagonal in the masked coordinates.
///
/// # Errors
/// [`Error::Shape`] when either spectrum is empty.
pub fn spectrum_distance(whole: &[f64], part: &[f64]) -> Result<f64> {
    if whole.is_empty() || part.is_empty() {
        return Err(Error::shape("spectra", "at least one eigenvalue each", 0));
    }
    let nearest = |v: f64| whole.iter().map(|w| (w - v).abs()).fold(f64::MAX, f64::min);
    Ok(part.iter().map(|&v| nearest(v)).fold(0.0, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dense::gram;
    use crate::seed::Seed;
    use proptest::prelude::*;
    use rand::RngExt;
    use rand_distr::StandardNormal;

    fn gaussian(m: usize, n: usize, seed: u64) -> DMatrix<f64> {
        let mut rng = Seed::root(seed).stream("conditioning").rng();
        DMatrix::from_fn(m, n, |_, _| rng.sample(StandardNormal))
    }

    #[test]
    fn a_projection_is_perfectly_conditioned_and_its_masks_are_not() {
        // H = I − nnᵀ in ℝ³ has κ⁺ = 1; keeping {i, j} gives eigenvalues 1 and n_k², k the coordinate dropped.
        let n = [0.6, 0.64, 0.48];
        let h = DMatrix::from_fn(3, 3, |i, j| f64::from(i == j) - n[i] * n[j]);
        let whole = nonzero_conditioning(&h, 0).unwrap();
        assert_eq!(whole.rank, 2);
        assert!((whole.condition() - 1.0).abs() <= 20.0 * f64::EPSILON);
        let mut seen = 0;
        for_each_mask(&h, |m| {
            if m.mask.kept() == 2 {
                let k = (0..3).find(|&i| !m.mask.keeps(i)).unwrap();
                let expected = 1.0 / (n[k] * n[k]);
                // The small eigenvalue carries 20 ε absolute error and is n_k².
                assert!((m.conditioning.condition() / expected - 1.0).abs() <= 20.0 * f64::EPSILON * expected);
                seen += 1;
            }
        })
        .unwrap();
        assert_eq!(seen, 3);
    }

    #[test]
    fn the_nonzero_spectrum_of_the_kernel_is_that_of_the_gauss_newton_matrix() {
        let j = gaussian(6, 15, 1);
        let kernel = nonzero_conditioning(&gram(&j.transpose()), 15).unwrap();
        let curvature = nonzero_conditioning(&gram(&j), 6).unwrap();
        assert_eq!((kernel.rank, curvature.rank), (6, 6));
        let spread = 100.0 * f64::EPSILON * kernel.condition();
        assert!((kernel.condition() / curvature.condition() - 1.0).abs() <= spread);
        assert_eq!(kernel.largest_dropped, 0.0);
        assert!(curvature.largest_dropped > 0.0 && curvature.gap() > 1e6);
    }

    #[test]
    fn the_zero_matrix_has_rank_zero_and_an_indefinite_one_is_refused() {
        let zero = nonzero_conditioning(&DMatrix::zeros(3, 3), 7).unwrap();
        assert_eq!((zero.rank, zero.condition(), zero.lambda_max), (0, 1.0, 0.0));
        let indefinite = DMatrix::from_row_slice(2, 2, &[0.0, 1.0, 1.0, 0.0]);
        assert!(matches!(
            nonzero_conditioning(&indefinite, 0),
            Err(Error::Numerical { .. })
        ));
        assert!(for_each_mask(&DMatrix::identity(21, 21), |_| {}).is_err());
    }

    #[test]
    fn a_cut_in_the_middle_of_a_decaying_spectrum_shows_a_small_gap() {
        let decaying = DMatrix::from_diagonal(&nalgebra::DVector::from_fn(40, |i, _| 4f64.powi(-(i as i32))));
        let found = nonzero_conditioning(&decaying, 0).unwrap();
        assert!(found.rank < 40 && found.rank > 15);
        assert!(found.gap() < 10.0, "{found:?}");
    }

    #[test]
    fn masks_of_a_diagonal_matrix_select_eigenvalues_and_others_do_not() {
        let h = DMatrix::from_diagonal(&nalgebra::dvector![1.0, 2.0, 5.0]);
        for_each_mask(&h, |m| {
            assert_eq!(spectrum_distance(&[1.0, 2.0, 5.0], &m.eigenvalues).unwrap(), 0.0);
        })
        .unwrap();
        let coupled = DMatrix::from_row_slice(2, 2, &[2.0, 1.0, 1.0, 2.0]);
        let mask = Mask::from_bits(vec![true, false]);
        let part = masked_curvature(&coupled, &mask).unwrap();
        assert!((spectrum_distance(&[1.0, 3.0], &part.eigenvalues).unwrap() - 1.0).abs() <= 4.0 * f64::EPSILON);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]
        #[test]
        fn masking_a_positive_definite_matrix_interlaces_and_never_worsens_it(n in 1usize..6, seed in 0u64..1000) {
            let h = gram(&gaussian(n + 3, n, seed));
            let whole = symmetric_eigenvalues(&h).unwrap();
            let rounding = 100.0 * f64::EPSILON * whole[n - 1];
            let kappa = whole[n - 1] / whole[0];
            for_each_mask(&h, |m| {
                assert!(interlacing_violation(&whole, &m.eigenvalues).unwrap() <= rounding);
                assert!(m.conditioning.condition() <= kappa * (1.0 + 200.0 * f64::EPSILON * kappa));
            })
            .unwrap();
        }
    }

    #[test]
    fn a_spectrum_that_does_not_interlace_is_caught() {
        assert_eq!(interlacing_violation(&[1.0, 2.0, 3.0], &[0.5, 2.5]).unwrap(), 0.5);
        assert_eq!(interlacing_violation(&[1.0, 2.0, 3.0], &[2.25, 2.5]).unwrap(), 0.25);
        assert!(interlacing_violation(&[1.0], &[1.0, 2.0]).is_err());
    }
}

//! How far noise and a compressible signal can throw recovery off, from restricted isometry constants.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::require_nonnegative;
use crate::error::{Error, Result};
use std::f64::consts::SQRT_2;

/// The closed form `stable-recovery-constants`.
pub static FORM: ClosedForm = ClosedForm {
    name: "stable-recovery-constants",
    summary: "Constants of stable recovery by basis pursuit denoising, from the restricted isometry constant of order 2k.",
    arguments: &[Argument::required(
        "isometry-constant",
        "delta_2k of the matrix as scaled",
        "constant",
        Domain::Real {
            lower: 0.0,
            lower_closed: true,
            upper: SQRT_2 - 1.0,
            upper_closed: false,
        },
    )],
    formula: "|x^ - x|_2 <= C0 sigma_k(x)_1/sqrt(k) + C1 e, C0 = 2 (1 + (sqrt(2)-1) d)/(1 - (sqrt(2)+1) d), \
         C1 = 4 sqrt(1 + d)/(1 - (sqrt(2)+1) d)",
    source: "Candes, Comptes Rendus Mathematique 346 (2008), Theorem 1.2 and its proof",
    claims: &["I12"],
    evaluate,
};

/// The two constants of an error bound `C₀ σ_k(x)₁/√k + C₁ ε`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StableRecovery {
    /// C₀, before what the k largest entries leave.
    pub compressibility: f64,
    /// C₁, before the norm of the noise.
    pub noise: f64,
}

/// The constants of basis pursuit denoising, `min ‖x‖₁` with `‖y − Ax‖ ≤ ε`, for `δ_2k < √2 − 1`:
/// `‖x̂ − x‖₂ ≤ C₀ σ_k(x)₁/√k + C₁ ε` for every x and every noise of norm at most ε, where `σ_k(x)₁` is the ℓ₁ norm of all but
/// the k largest entries;
///
/// `C₀ = 2(1 + ρ)/(1 − ρ)`, `C₁ = 2α/(1 − ρ)`, with `ρ = √2 δ/(1 − δ)` and `α = 2√(1 + δ)/(1 − δ)`.
///
/// ```
/// use ticketsense::theory::stable_recovery::basis_pursuit;
/// // The paper's example.
/// let constants = basis_pursuit(0.2)?;
/// assert!((constants.compressibility - 4.19).abs() < 0.005 && (constants.noise - 8.47).abs() < 0.005);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// Source: Candès, *The restricted isometry property and its implications for compressed sensing*, 2008, Theorem 1.2.
///
/// # Errors
/// [`Error::Argument`] outside of `[0, √2 − 1)`.
pub fn basis_pursuit(isometry_constant: f64) -> Result<StableRecovery> {
    let delta = isometry_constant;
    // The difference of the threshold, so that it vanishes where the constant is the threshold.
    let room = SQRT_2 - 1.0 - delta;
    if !(delta >= 0.0 && room > 0.0) {
        return Err(Error::argument("isometry-constant", "a number in [0, √2 − 1)", delta));
    }
    // 1 − (√2 + 1)δ = (√2 + 1)(√2 − 1 − δ).
    let denominator = (SQRT_2 + 1.0) * room;
    Ok(StableRecovery {
        compressibility: 2.0 * (1.0 + (SQRT_2 - 1.0) * delta) / denominator,
        noise: 4.0 * (1.0 + delta).sqrt() / denominator,
    })
}

/// How an iteration that keeps k entries approaches the k largest entries `x_S` of a signal:
/// `‖xⁿ − x_S‖ ≤ ϱⁿ ‖x⁰ − x_S‖ + τ ‖A x_{S̄} + e‖`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contraction {
    /// ϱ, below 1.
    pub rate: f64,
    /// τ.
    pub noise: f64,
    /// `√(1 + δ_2k)`, which bounds what A makes of the tail: `‖A x_{S̄}‖ ≤ √(1 + δ) (‖x_{S̄}‖₂ + ‖x_{S̄}‖₁/√k)`.
    tail: f64,
}

impl Contraction {
    /// The bound of `‖xⁿ − x‖₂` after n steps from zero: the head's norm shrinks by ϱⁿ, the tail and the noise stay.
    ///
    /// `ϱⁿ ‖x_S‖ + ‖x_{S̄}‖₂ + τ (√(1 + δ_2k) (‖x_{S̄}‖₂ + ‖x_{S̄}‖₁/√k) + ‖e‖)`; all arguments are norms, `nonzeros` is k.
    ///
    /// Source: Foucart & Rauhut, *A Mathematical Introduction to Compressive Sensing*, 2013, Theorem 6.18; for the tail
    /// Needell & Tropp 2009, Proposition 3.5.
    ///
    /// # Errors
    /// [`Error::Argument`] for negative norms or no nonzeros.
    pub fn bound(
        &self,
        steps: u32,
        nonzeros: u64,
        head: f64,
        (tail_l2, tail_l1): (f64, f64),
        noise: f64,
    ) -> Result<f64> {
        for (name, value) in [("head", head), ("tail", tail_l2), ("tail", tail_l1), ("noise", noise)] {
            require_nonnegative(name, value)?;
        }
        if nonzeros == 0 {
            return Err(Error::argument("nonzeros", "at least 1", nonzeros));
        }
        let seen = self.tail * (tail_l2 + tail_l1 / (nonzeros as f64).sqrt());
        let steps = i32::try_from(steps).unwrap_or(i32::MAX);
        Ok(self.rate.powi(steps) * head + tail_l2 + self.noise * (seen + noise))
    }
}

fn require_orders(second: f64, third: f64) -> Result<()> {
    if !(0.0..=third).contains(&second) {
        return Err(Error::argument("δ_2k", format!("from 0 to δ_3k = {third}"), second));
    }
    if third < 3f64.sqrt().recip() {
        Ok(())
    } else {
        Err(Error::argument("δ_3k", "below 1/√3", third))
    }
}

/// Iterative hard thresholding with unit step, for `δ_3k < 1/√3`: `ϱ = √3 δ_3k`, `τ = √3 √(1 + δ_2k)/(1 − ϱ)`.
///
/// Source: Foucart & Rauhut 2013, Theorem 6.18.
///
/// # Errors
/// [`Error::Argument`] when δ_3k is not below 1/√3 or δ_2k not from 0 to δ_3k.
pub fn iterative_hard_thresholding(second: f64, third: f64) -> Result<Contraction> {
    require_orders(second, third)?;
    let rate = 3f64.sqrt() * third;
    Ok(Contraction {
        rate,
        noise: 3f64.sqrt() * (1.0 + second).sqrt() / (1.0 - rate),
        tail: (1.0 + second).sqrt(),
    })
}

/// Hard thresholding pursuit with unit step, for `δ_3k < 1/√3`: `ϱ = √(2δ_3k²/(1 − δ_2k²))`,
/// `τ = (√(2(1 − δ_2k)) + √(1 + δ_2k))/((1 − δ_2k)(1 − ϱ))`.
///
/// Source: Foucart, SIAM J. Numer. Anal. 2011, Theorem 3.8; Foucart & Rauhut 2013, Theorem 6.18.
///
/// # Errors
/// As [`iterative_hard_thresholding`].
pub fn hard_thresholding_pursuit(second: f64, third: f64) -> Result<Contraction> {
    require_orders(second, third)?;
    // Below 1 because 2δ² + δ² < 1.
    let rate = SQRT_2 * third / (1.0 - second * second).sqrt();
    Ok(Contraction {
        rate,
        noise: ((2.0 * (1.0 - second)).sqrt() + (1.0 + second).sqrt()) / ((1.0 - second) * (1.0 - rate)),
        tail: (1.0 + second).sqrt(),
    })
}

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let constants = basis_pursuit(arguments.real("isometry-constant")?)?;
    Ok(vec![
        Quantity::real("value", constants.compressibility, "C0, before sigma_k(x)_1/sqrt(k)"),
        Quantity::real("noise_constant", constants.noise, "C1, before the norm of the noise"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_isometry_has_the_constants_two_and_four() {
        let constants = basis_pursuit(0.0).unwrap();
        assert!((constants.compressibility - 2.0).abs() < 1e-15 && (constants.noise - 4.0).abs() < 1e-15);
    }

    #[test]
    fn the_short_forms_are_those_in_rho_and_alpha() {
        for delta in [0.01, 0.1, 0.2, 0.3, 0.41] {
            let (rho, alpha) = (
                SQRT_2 * delta / (1.0 - delta),
                2.0 * (1.0f64 + delta).sqrt() / (1.0 - delta),
            );
            let found = basis_pursuit(delta).unwrap();
            // 1 − ρ cancels to 1/100 at 0.41.
            assert!((found.compressibility / (2.0 * (1.0 + rho) / (1.0 - rho)) - 1.0).abs() < 1e-13);
            assert!((found.noise / (2.0 * alpha / (1.0 - rho)) - 1.0).abs() < 1e-13);
        }
    }

    #[test]
    fn constants_grow_without_bound_towards_the_threshold_and_end_there() {
        let near = basis_pursuit(SQRT_2 - 1.0 - 1e-9).unwrap();
        assert!(near.compressibility > 1e8 && near.noise.is_finite());
        for outside in [SQRT_2 - 1.0, 0.5, -0.1, f64::NAN] {
            assert!(basis_pursuit(outside).is_err(), "{outside}");
        }
        let answer = FORM.evaluate_text(&[("isometry-constant", "0.2")]).unwrap();
        assert_eq!(answer[0].name, "value");
        assert!(FORM.evaluate_text(&[("isometry-constant", "0.42")]).is_err());
    }

    #[test]
    fn the_published_ceilings_of_thresholding_are_met() {
        // Foucart & Rauhut: (1 − ϱ)τ is at most 2.18 for iterative hard thresholding and 5.15 for the pursuit, at 1/√3.
        let limit = 3f64.sqrt().recip() - 1e-12;
        let iht = iterative_hard_thresholding(limit, limit).unwrap();
        let htp = hard_thresholding_pursuit(limit, limit).unwrap();
        assert!(((1.0 - iht.rate) * iht.noise - 2.18).abs() < 0.01);
        assert!(((1.0 - htp.rate) * htp.noise - 5.15).abs() < 0.01);
        assert!(iht.rate < 1.0 && htp.rate < 1.0);
        assert!(iterative_hard_thresholding(0.1, 0.58).is_err() && hard_thresholding_pursuit(0.3, 0.2).is_err());
    }

    #[test]
    fn an_isometry_leaves_the_tail_and_the_noise() {
        let iht = iterative_hard_thresholding(0.0, 0.0).unwrap();
        let bound = iht.bound(3, 4, 100.0, (1.0, 2.0), 0.5).unwrap();
        assert!((bound - (1.0 + 3f64.sqrt() * (1.0 + 1.0 + 0.5))).abs() < 1e-14);
        assert!(iht.bound(0, 0, 1.0, (0.0, 0.0), 0.0).is_err() && iht.bound(0, 1, -1.0, (0.0, 0.0), 0.0).is_err());
    }
}

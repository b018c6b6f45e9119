//! How large nonzeros must be to be found in an orthogonal design, and how probably they are.
//!
//! With n rows and columns of squared length n, orthogonal to each other, all that is known of p weights is
//! `w_j + (σ/√n) g_j` with independent standard normal `g_j`. The LASSO with penalty λ beside `‖y − Xw‖²/(2n)` thresholds
//! these at λ, and finds the signed support of k nonzeros of size β with the probability
//!
//! > Φ((β − λ)√n/σ)^k · (2Φ(λ√n/σ) − 1)^(p−k).
//!
//! Told k, one takes the k largest; no selection does better for exact recovery of a random support. As p − k and k grow the
//! turn of that comes at
//!
//! > β* = σ(√(2 ln(p−k)) + √(2 ln k))/√n
//!
//! (Butucea, Ndaoud, Stepanova & Tsybakov 2018), which is `σ√(2 ln p/n)` for bounded k only.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::special::{normal_central_probability, normal_density, normal_probability};
use super::thresholding::gauss_legendre;
use super::{require_nonnegative, require_positive};
use crate::error::{Error, Result};

/// The closed form `beta-min`.
pub static FORM: ClosedForm = ClosedForm {
    name: "beta-min",
    summary: "Size of the nonzeros at which an orthogonal design begins to give away the exact support.",
    arguments: &[
        Argument::required("columns", "unknowns p", "1", Domain::COUNT),
        Argument::required("nonzeros", "nonzeros k, at most p - 1", "1", Domain::COUNT),
        Argument::optional(
            "rows",
            "rows n, the squared length of a column",
            "1",
            Domain::COUNT,
            Some("1"),
        ),
        Argument::optional(
            "noise-std",
            "standard deviation of the noise",
            "1",
            Domain::POSITIVE,
            Some("1"),
        ),
        Argument::optional("signal", "size of the nonzeros", "1", Domain::NONNEGATIVE, None),
        Argument::optional(
            "penalty",
            "penalty of the LASSO beside |y - Xw|^2/(2n); the best one where none is given",
            "1",
            Domain::NONNEGATIVE,
            None,
        ),
    ],
    formula: "s (sqrt(2 ln(p - k)) + sqrt(2 ln k)) / sqrt(n)",
    source: "Butucea, Ndaoud, Stepanova & Tsybakov, Ann. Statist. 2018, arXiv:1512.01832; the probabilities are products",
    claims: &["H3"],
    evaluate,
};

/// An orthogonal design with equal nonzeros, in units of the noise of one weight, `σ/√n`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrthogonalDesign {
    columns: u64,
    nonzeros: u64,
}

impl OrthogonalDesign {
    /// p columns, k of them with nonzeros.
    ///
    /// # Errors
    /// [`Error::Argument`] for no nonzeros, or no zeros.
    pub fn new(columns: u64, nonzeros: u64) -> Result<Self> {
        if nonzeros == 0 || nonzeros >= columns {
            return Err(Error::argument(
                "nonzeros",
                format!("at least 1 and fewer than the {columns} columns"),
                nonzeros,
            ));
        }
        Ok(OrthogonalDesign { columns, nonzeros })
    }

    fn zeros(&self) -> f64 {
        (self.columns - self.nonzeros) as f64
    }

    /// `√(2 ln(p−k)) + √(2 ln k)`.
    ///
    /// ```
    /// use ticketsense::theory::beta_min::OrthogonalDesign;
    /// let design = OrthogonalDesign::new(1024, 1)?;
    /// assert!((design.threshold() - (2.0 * 1023_f64.ln()).sqrt()).abs() < 1e-15);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn threshold(&self) -> f64 {
        (2.0 * self.zeros().ln()).sqrt() + (2.0 * (self.nonzeros as f64).ln()).sqrt()
    }

    /// `√(2 ln p)`, the threshold for bounded k.
    pub fn bounded_threshold(&self) -> f64 {
        (2.0 * (self.columns as f64).ln()).sqrt()
    }

    /// The probability that thresholding at `cut ≥ 0` finds the signed support of nonzeros of size `signal ≥ 0`:
    /// `Φ(signal − cut)^k (2Φ(cut) − 1)^(p−k)`.
    pub fn signed_recovery(&self, signal: f64, cut: f64) -> f64 {
        let kept = ln_normal_probability(signal - cut) * self.nonzeros as f64;
        (kept + ln_central(cut) * self.zeros()).exp()
    }

    /// The same for the support whatever the signs.
    pub fn support_recovery(&self, signal: f64, cut: f64) -> f64 {
        let one = normal_probability(signal - cut) + normal_probability(-signal - cut);
        (one.ln() * self.nonzeros as f64 + ln_central(cut) * self.zeros()).exp()
    }

    /// The cut of the most probable signed recovery, and that probability.
    ///
    /// The logarithm of the probability is concave in the cut; its maximum is bracketed and bisected by its derivative.
    pub fn best_cut(&self, signal: f64) -> (f64, f64) {
        // d/dc: zeros · 2φ(c)/(2Φ(c) − 1) falls, k φ(s − c)/Φ(s − c) rises.
        let rising = |cut: f64| {
            let gain = self.zeros() * 2.0 * normal_density(cut) / normal_central_probability(cut);
            let loss = self.nonzeros as f64 * normal_density(signal - cut) / normal_probability(signal - cut);
            gain > loss
        };
        let (mut low, mut high) = (0.0, signal + self.bounded_threshold() + 10.0);
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if rising(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        (low, self.signed_recovery(signal, low))
    }

    /// The probability that the k largest of the absolute values are the nonzeros:
    /// `∫ P(every nonzero above t) d P(every zero below t)`.
    ///
    /// Gauss-Legendre on 24 pieces of the range in which the largest zero lies but for probability 1e-17: to 1e-14 for
    /// hundreds of columns, 1e-11 for 2⁴⁸, beside a rule on 64 pieces.
    pub fn largest_recovery(&self, signal: f64) -> f64 {
        let zeros = self.zeros();
        // P(largest > t) ≤ zeros · 2Φ(−t), P(largest < t) = (2Φ(t) − 1)^zeros.
        let upper = super::special::bisect(0.0, self.bounded_threshold() + 10.0, |t| {
            zeros * 2.0 * normal_probability(-t) > 1e-17
        });
        let lower = super::special::bisect(0.0, upper, |t| ln_central(t) * zeros < -40.0);
        let density = |t: f64| {
            let one = normal_probability(signal - t) + normal_probability(-signal - t);
            let nonzeros = one.ln() * self.nonzeros as f64;
            let others = ln_central(t) * (zeros - 1.0);
            2.0 * zeros * normal_density(t) * (nonzeros + others).exp()
        };
        let half = 0.5 * (upper - lower) / PIECES as f64;
        (0..PIECES)
            .map(|i| gauss_legendre(lower + (2 * i + 1) as f64 * half, half, density))
            .sum()
    }

    /// The size of the nonzeros at which [`Self::largest_recovery`] is one half.
    pub fn half_point(&self) -> f64 {
        super::special::bisect(0.0, 2.0 * self.threshold() + 10.0, |signal| {
            self.largest_recovery(signal) < 0.5
        })
    }
}

const PIECES: usize = 24;

/// `ln Φ(z)`, with full precision where Φ is near 1.
fn ln_normal_probability(z: f64) -> f64 {
    if z > 0.0 {
        (-normal_probability(-z)).ln_1p()
    } else {
        normal_probability(z).ln()
    }
}

/// `ln(2Φ(t) − 1)`, with full precision where that is near 1.
fn ln_central(t: f64) -> f64 {
    if t > 1.0 {
        (-2.0 * normal_probability(-t)).ln_1p()
    } else {
        normal_central_probability(t).ln()
    }
}

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let design = OrthogonalDesign::new(arguments.integer("columns")?, arguments.integer("nonzeros")?)?;
    let rows = arguments.integer("rows")?;
    if rows == 0 {
        return Err(Error::argument("rows", "at least 1", rows));
    }
    let noise = arguments.real("noise-std")?;
    require_positive("noise-std", noise)?;
    let unit = noise / (rows as f64).sqrt();
    let mut answer = vec![
        Quantity::real("value", unit * design.threshold(), "size at which the support turns up"),
        Quantity::real(
            "bounded",
            unit * design.bounded_threshold(),
            "the same for a bounded number of nonzeros, s sqrt(2 ln p / n)",
        ),
        Quantity::real(
            "half_point",
            unit * design.half_point(),
            "size at which the k largest are the nonzeros with probability one half",
        ),
    ];
    let none = [f64::NAN; 4];
    let [penalty, signed, support, largest] = match arguments.optional_real("signal") {
        Some(signal) => {
            require_nonnegative("signal", signal)?;
            let signal = signal / unit;
            let cut = match arguments.optional_real("penalty") {
                Some(penalty) => penalty / unit,
                None => design.best_cut(signal).0,
            };
            [
                cut * unit,
                design.signed_recovery(signal, cut),
                design.support_recovery(signal, cut),
                design.largest_recovery(signal),
            ]
        }
        None => none,
    };
    answer.extend([
        Quantity::real("penalty", penalty, "the penalty given, or the best one"),
        Quantity::real(
            "signed_support",
            signed,
            "probability that the LASSO finds support and signs",
        ),
        Quantity::real("support", support, "probability that it finds the support"),
        Quantity::real("largest", largest, "probability that the k largest are the nonzeros"),
    ]);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use proptest::prelude::*;
    use rand::RngExt;
    use rand_distr::StandardNormal;

    #[test]
    fn one_of_two_is_the_larger_with_a_probability_in_closed_form() {
        // |s + g| > |h| is (s + g − h)(s + g + h) > 0 with two independent factors of variance 2: Φ² + (1 − Φ)².
        let design = OrthogonalDesign::new(2, 1).unwrap();
        for signal in [0.0, 0.3, 1.0, 2.5, 6.0] {
            let one = normal_probability(signal / 2f64.sqrt());
            let expected = one * one + (1.0 - one) * (1.0 - one);
            let found = design.largest_recovery(signal);
            assert!((found - expected).abs() < 1e-12, "{signal}: {found} {expected}");
        }
        // Nothing to tell apart: one of so many.
        let blind = OrthogonalDesign::new(10, 3).unwrap().largest_recovery(0.0);
        assert!((blind - 1.0 / 120.0).abs() < 1e-13);
    }

    #[test]
    fn frequencies_are_those_of_the_products() {
        let (columns, nonzeros, signal) = (30u64, 4u64, 3.5);
        let design = OrthogonalDesign::new(columns, nonzeros).unwrap();
        let (cut, _) = design.best_cut(signal);
        let mut rng = Seed::root(1).stream("beta-min").rng();
        let trials = 20_000;
        let mut hits = [0u64; 3];
        for _ in 0..trials {
            let seen: Vec<f64> = (0..columns)
                .map(|j| rng.sample::<f64, _>(StandardNormal) + if j < nonzeros { signal } else { 0.0 })
                .collect();
            let (on, off) = seen.split_at(nonzeros as usize);
            let quiet = off.iter().all(|v| v.abs() <= cut);
            hits[0] += u64::from(quiet && on.iter().all(|v| *v > cut));
            hits[1] += u64::from(quiet && on.iter().all(|v| v.abs() > cut));
            let largest = off.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            hits[2] += u64::from(on.iter().all(|v| v.abs() > largest));
        }
        let expected = [
            design.signed_recovery(signal, cut),
            design.support_recovery(signal, cut),
            design.largest_recovery(signal),
        ];
        for (hits, expected) in hits.into_iter().zip(expected) {
            // Bernstein: a count is further than t from its mean with probability at most 2 exp(−t²/(2v + 2t/3)), here
            // 0.001 shared by three.
            let (mean, level) = (expected * trials as f64, (6e3f64).ln());
            let variance = mean * (1.0 - expected);
            let far = level / 3.0 + (level * level / 9.0 + 2.0 * level * variance).sqrt();
            assert!((hits as f64 - mean).abs() <= far, "{hits} {mean} ± {far}");
        }
    }

    #[test]
    fn the_half_point_meets_the_threshold_in_the_limit_only_with_both_terms() {
        let off = |columns: u64, of: fn(&OrthogonalDesign) -> f64| {
            let nonzeros = (columns as f64).sqrt() as u64;
            let design = OrthogonalDesign::new(columns, nonzeros).unwrap();
            (design.half_point() / of(&design) - 1.0).abs()
        };
        let sizes = [1u64 << 12, 1 << 24, 1 << 48];
        let both: Vec<f64> = sizes.iter().map(|&p| off(p, OrthogonalDesign::threshold)).collect();
        let bounded: Vec<f64> = sizes
            .iter()
            .map(|&p| off(p, OrthogonalDesign::bounded_threshold))
            .collect();
        assert!(both.windows(2).all(|w| w[1] < w[0]) && both[2] < 0.05, "{both:?}");
        assert!(
            bounded.windows(2).all(|w| w[1] > w[0]) && bounded[2] > 0.5,
            "{bounded:?}"
        );
    }

    #[test]
    fn what_has_no_support_to_find_is_refused() {
        assert!(OrthogonalDesign::new(5, 0).is_err() && OrthogonalDesign::new(5, 5).is_err());
        let form = super::FORM.evaluate_text(&[("columns", "9"), ("nonzeros", "2"), ("rows", "0")]);
        assert!(form.is_err());
    }

    proptest! {
        #[test]
        fn no_cut_does_better_than_the_best_and_none_than_the_largest(
            columns in 3u64..2000, share in 0.0..0.5f64, signal in 0.0..9.0f64, cut in 0.0..6.0f64,
        ) {
            let nonzeros = ((columns as f64 * share) as u64).max(1);
            let design = OrthogonalDesign::new(columns, nonzeros).unwrap();
            let (_, best) = design.best_cut(signal);
            prop_assert!(design.signed_recovery(signal, cut) <= best * (1.0 + 1e-12) + 1e-300);
            prop_assert!(design.signed_recovery(signal, cut) <= design.support_recovery(signal, cut) * (1.0 + 1e-12));
            let largest = design.largest_recovery(signal);
            prop_assert!(design.support_recovery(signal, cut) <= largest + 1e-12 && largest <= 1.0 + 1e-12);
        }
    }
}

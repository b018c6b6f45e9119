//! Dynamic sparse training by independent pruning and regrowth: which rates hold a density.
//!
//! A cycle prunes each active weight with probability p and regrows inactive ones with probability r. What "inactive"
//! means depends on the order, and so does the answer. (Methods that prune and grow equal *counts* hold the density
//! exactly and need none of this.)

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::{require_fraction, require_positive};
use crate::error::{Error, Result};
use std::f64::consts::LN_2;

/// The closed form `dst-equilibrium`.
pub static FORM: ClosedForm = ClosedForm {
    name: "dst-equilibrium",
    summary: "Prune probability per cycle that balances a regrowth probability at a density.",
    arguments: &[
        Argument::required("density", "density to hold", "1", Domain::POSITIVE_FRACTION),
        Argument::required(
            "regrow",
            "probability that an inactive weight is regrown in a cycle",
            "1",
            Domain::FRACTION,
        ),
        Argument::optional(
            "protocol",
            "order within a cycle",
            "1",
            Domain::Choice(&NAMES),
            Some(NAMES[0]),
        ),
    ],
    formula: "prune-then-regrow p = r(1-d)/(d(1-r)); simultaneous p = r(1-d)/d; regrow-then-prune p = r(1-d)/(d+r(1-d))",
    source: "two-state Markov chain; protocols after Mocanu et al. 2018 (SET) and Bellec et al. 2018 (DeepR)",
    claims: &["C12"],
    evaluate,
};

const NAMES: [&str; 3] = ["prune-then-regrow", "simultaneous", "regrow-then-prune"];

/// The order of pruning and regrowth within a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Prune, then regrow every weight that is inactive by then, those just pruned included.
    PruneThenRegrow,
    /// Both decided on the state at the start of the cycle: what was just pruned is not regrown.
    Simultaneous,
    /// Regrow, then prune every weight that is active by then, those just regrown included.
    RegrowThenPrune,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Protocol; 3] = [
        Protocol::PruneThenRegrow,
        Protocol::Simultaneous,
        Protocol::RegrowThenPrune,
    ];

    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::PruneThenRegrow => NAMES[0],
            Protocol::Simultaneous => NAMES[1],
            Protocol::RegrowThenPrune => NAMES[2],
        }
    }

    /// The protocol of that name.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn from_name(name: &str) -> Result<Self> {
        let found = Protocol::ALL.into_iter().find(|protocol| protocol.as_str() == name);
        found.ok_or_else(|| Error::unknown("protocol", name, NAMES))
    }

    /// The expected density after one cycle.
    ///
    /// # Errors
    /// [`Error::Argument`] for anything outside `[0, 1]`.
    pub fn next_density(self, density: f64, prune: f64, regrow: f64) -> Result<f64> {
        require_fraction("density", density)?;
        require_fraction("prune", prune)?;
        require_fraction("regrow", regrow)?;
        Ok(match self {
            Protocol::PruneThenRegrow => {
                let active = density * (1.0 - prune);
                active + regrow * (1.0 - active)
            }
            Protocol::Simultaneous => density * (1.0 - prune) + regrow * (1.0 - density),
            Protocol::RegrowThenPrune => (density + regrow * (1.0 - density)) * (1.0 - prune),
        })
    }

    /// The prune probability at which `density` is stationary; `None` where none in `[0, 1]` is.
    ///
    /// With f = r(1−ρ): `f/(ρ(1−r))`, `f/ρ`, `f/(ρ + f)` for the three protocols; feasible iff r ≤ ρ (and r < 1),
    /// f ≤ ρ, always.
    ///
    /// ```
    /// use ticketsense::theory::dynamic_sparsity::Protocol;
    /// let prune = Protocol::Simultaneous.equilibrium_prune(0.2, 0.05)?.unwrap();
    /// assert!((prune - 0.2).abs() < 1e-15);
    /// assert_eq!(Protocol::PruneThenRegrow.equilibrium_prune(0.2, 0.3)?, None);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] for a density outside `(0, 1]` or a probability outside `[0, 1]`.
    pub fn equilibrium_prune(self, density: f64, regrow: f64) -> Result<Option<f64>> {
        require_fraction("density", density)?;
        require_positive("density", density)?;
        require_fraction("regrow", regrow)?;
        let inflow = regrow * (1.0 - density);
        let (feasible, prune) = match self {
            Protocol::PruneThenRegrow => (regrow <= density && regrow < 1.0, inflow / (density * (1.0 - regrow))),
            Protocol::Simultaneous => (inflow <= density, inflow / density),
            Protocol::RegrowThenPrune => (true, inflow / (density + inflow)),
        };
        // A feasible quotient exceeds 1 only by rounding.
        Ok(feasible.then_some(prune.min(1.0)))
    }

    /// The largest regrowth probability for which `density` can be held.
    ///
    /// # Errors
    /// [`Error::Argument`] for a density outside `[0, 1]`.
    pub fn largest_regrow(self, density: f64) -> Result<f64> {
        require_fraction("density", density)?;
        Ok(match self {
            Protocol::PruneThenRegrow => density,
            Protocol::Simultaneous if density < 0.5 => density / (1.0 - density),
            Protocol::Simultaneous | Protocol::RegrowThenPrune => 1.0,
        })
    }

    /// The factor by which the distance of the expected density from its fixed point shrinks per cycle:
    /// `(1−p)(1−r)`, or `1−p−r` for the simultaneous protocol (negative where the density overshoots).
    ///
    /// # Errors
    /// [`Error::Argument`] for a probability outside `[0, 1]`.
    pub fn convergence_factor(self, prune: f64, regrow: f64) -> Result<f64> {
        require_fraction("prune", prune)?;
        require_fraction("regrow", regrow)?;
        Ok(match self {
            Protocol::Simultaneous => 1.0 - prune - regrow,
            Protocol::PruneThenRegrow | Protocol::RegrowThenPrune => (1.0 - prune) * (1.0 - regrow),
        })
    }

    /// The stationary density: `r/(p+r−pr)`, `r/(p+r)`, `r(1−p)/(p+r−pr)`; `None` when p = r = 0 and every density is.
    ///
    /// # Errors
    /// [`Error::Argument`] for a probability outside `[0, 1]`.
    pub fn fixed_point(self, prune: f64, regrow: f64) -> Result<Option<f64>> {
        require_fraction("prune", prune)?;
        require_fraction("regrow", regrow)?;
        if prune == 0.0 && regrow == 0.0 {
            return Ok(None);
        }
        // p + r − pr as a sum of nonnegative terms.
        let either = prune + regrow * (1.0 - prune);
        Ok(Some(match self {
            Protocol::PruneThenRegrow => regrow / either,
            Protocol::Simultaneous => regrow / (prune + regrow),
            Protocol::RegrowThenPrune => regrow * (1.0 - prune) / either,
        }))
    }
}

/// The stationary variance `ρ(1−ρ)/N` of the density of N independently pruned and regrown weights, in every protocol:
/// each weight is active with probability ρ, independently of the others.
///
/// # Errors
/// [`Error::Argument`] for a density outside `[0, 1]` or no weights.
pub fn stationary_variance(density: f64, weights: usize) -> Result<f64> {
    require_fraction("density", density)?;
    require_positive("weights", weights as f64)?;
    Ok(density * (1.0 - density) / weights as f64)
}

/// The probability `1 − (1−r)^T` that a weight which is inactive at the start has been regrown at least once within T
/// cycles, in every protocol: until then nothing but regrowth with probability r befalls it.
///
/// # Errors
/// [`Error::Argument`] for a probability outside `[0, 1]`.
pub fn explored(regrow: f64, cycles: usize) -> Result<f64> {
    require_fraction("regrow", regrow)?;
    if cycles == 0 {
        return Ok(0.0);
    }
    Ok(-(cycles as f64 * (-regrow).ln_1p()).exp_m1())
}

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let density = arguments.real("density")?;
    let regrow = arguments.real("regrow")?;
    let protocol = Protocol::from_name(arguments.text("protocol")?)?;
    let largest = protocol.largest_regrow(density)?;
    let Some(prune) = protocol.equilibrium_prune(density, regrow)? else {
        let bound = if largest < 1.0 {
            format!("at most {largest}")
        } else {
            "below 1".into()
        };
        let expected = format!(
            "{bound} at density {density} under {}: no prune probability in [0, 1] holds it",
            protocol.as_str()
        );
        return Err(Error::argument("regrow", expected, regrow));
    };
    let factor = protocol.convergence_factor(prune, regrow)?;
    let half_life = match factor.abs() {
        0.0 => 0.0,
        1.0 => f64::INFINITY,
        shrinking => LN_2 / -shrinking.ln(),
    };
    let mut answer = vec![
        Quantity::real("value", prune, "prune probability per cycle"),
        Quantity::real(
            "largest_regrow",
            largest,
            "largest regrowth probability that this density allows",
        ),
        Quantity::real(
            "convergence_factor",
            factor,
            "factor on the distance from equilibrium per cycle",
        ),
        Quantity::real("half_life", half_life, "cycles that halve that distance"),
        Quantity::real(
            "variance_times_weights",
            density * (1.0 - density),
            "stationary variance of the density times N",
        ),
    ];
    for (other, name) in Protocol::ALL
        .into_iter()
        .zip(["prune_then_regrow", "simultaneous", "regrow_then_prune"])
    {
        let prune = other.equilibrium_prune(density, regrow)?.unwrap_or(f64::NAN);
        answer.push(Quantity::real(
            name,
            prune,
            "prune probability under that protocol; none where infeasible",
        ));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_three_protocols_give_three_different_answers() {
        // By hand at density 0.2 and regrowth 0.1: 0.08/0.18, 0.08/0.2, 0.08/0.28.
        let expected = [0.08 / 0.18, 0.4, 0.08 / 0.28];
        for (protocol, expected) in Protocol::ALL.into_iter().zip(expected) {
            let prune = protocol.equilibrium_prune(0.2, 0.1).unwrap().unwrap();
            assert!((prune - expected).abs() < 1e-15, "{}: {prune}", protocol.as_str());
        }
    }

    #[test]
    fn feasibility_ends_where_the_prune_probability_reaches_one() {
        assert_eq!(
            Protocol::PruneThenRegrow.equilibrium_prune(0.3, 0.3).unwrap(),
            Some(1.0)
        );
        assert_eq!(Protocol::PruneThenRegrow.equilibrium_prune(0.3, 0.301).unwrap(), None);
        // Simultaneous regrowth may be larger: up to 0.3/0.7.
        assert!(Protocol::Simultaneous.equilibrium_prune(0.3, 0.42).unwrap().is_some());
        assert_eq!(Protocol::Simultaneous.equilibrium_prune(0.3, 0.43).unwrap(), None);
        assert!(Protocol::RegrowThenPrune.equilibrium_prune(0.3, 1.0).unwrap().is_some());
        // Regrowing everything after pruning leaves density 1, whatever is pruned.
        assert_eq!(Protocol::PruneThenRegrow.equilibrium_prune(1.0, 1.0).unwrap(), None);
    }

    #[test]
    fn an_infeasible_request_is_an_argument_error_naming_the_bound() {
        let error = FORM
            .evaluate_text(&[("density", "0.1"), ("regrow", "0.2")])
            .unwrap_err();
        assert!(
            matches!(&error, Error::Argument { name, .. } if name == "regrow"),
            "{error}"
        );
        assert!(error.to_string().contains("at most 0.1"), "{error}");
        let feasible = [("density", "0.1"), ("regrow", "0.2"), ("protocol", "regrow-then-prune")];
        assert!(FORM.evaluate_text(&feasible).is_ok());
    }

    #[test]
    fn no_regrowth_needs_no_pruning_and_never_converges() {
        let answer = FORM.evaluate_text(&[("density", "0.5"), ("regrow", "0")]).unwrap();
        assert_eq!(answer[0].value, super::super::Scalar::Real(0.0));
        assert!(matches!(answer[3].value, super::super::Scalar::Real(v) if v == f64::INFINITY));
        assert_eq!(Protocol::Simultaneous.fixed_point(0.0, 0.0).unwrap(), None);
    }

    #[test]
    fn exploration_is_the_complement_of_never_being_regrown() {
        // 1 − 0.9³ by hand; a certain regrowth explores at once, an impossible one never.
        assert!((explored(0.1, 3).unwrap() - 0.271).abs() < 1e-15);
        assert_eq!((explored(1.0, 1).unwrap(), explored(1.0, 0).unwrap()), (1.0, 0.0));
        assert_eq!(explored(0.0, 1000).unwrap(), 0.0);
        // Tiny probabilities keep their digits: T r to first order, T² r² / 2 away from it.
        assert!((explored(1e-14, 50).unwrap() / 5e-13 - 1.0).abs() < 1e-12);
        assert!(explored(1.1, 2).is_err());
    }

    proptest! {
        #[test]
        fn the_equilibrium_is_stationary_and_is_the_fixed_point(
            density in 0.01_f64..1.0, regrow in 0.001_f64..1.0, which in 0_usize..3,
        ) {
            let protocol = Protocol::ALL[which];
            if let Some(prune) = protocol.equilibrium_prune(density, regrow).unwrap() {
                // Two or three roundings at size 1.
                let next = protocol.next_density(density, prune, regrow).unwrap();
                prop_assert!((next - density).abs() < 1e-15);
                let fixed = protocol.fixed_point(prune, regrow).unwrap().unwrap();
                prop_assert!((fixed - density).abs() < 1e-14 * (1.0 + 1.0 / (prune + regrow)));
            } else {
                prop_assert!(regrow > protocol.largest_regrow(density).unwrap() * (1.0 - 1e-15));
                // Even pruning everything leaves the density too high.
                prop_assert!(protocol.next_density(density, 1.0, regrow).unwrap() > density * (1.0 - 1e-15));
            }
        }

        #[test]
        fn the_distance_from_the_fixed_point_shrinks_by_the_factor(
            prune in 0.01_f64..1.0, regrow in 0.01_f64..1.0, start in 0.0_f64..1.0, which in 0_usize..3,
        ) {
            let protocol = Protocol::ALL[which];
            let fixed = protocol.fixed_point(prune, regrow).unwrap().unwrap();
            let factor = protocol.convergence_factor(prune, regrow).unwrap();
            let next = protocol.next_density(start, prune, regrow).unwrap();
            prop_assert!((next - fixed - factor * (start - fixed)).abs() < 1e-14);
        }
    }
}

//! How many layers a signal lives in a network of finite width.
//!
//! The reached count is a Markov chain that ends in 0. While it lives it forgets where it began, and settles on a law that
//! one more layer leaves as it is, but for the share that dies: the quasi-stationary law, the left eigenvector of the
//! kernel without the state 0. Its eigenvalue is the second one of the whole kernel, and decides how long it lasts.

use super::ReachKernel;
use crate::error::{Error, Result};

/// What is left of a chain that has lived for long.
#[derive(Clone, Debug, PartialEq)]
pub struct QuasiStationary {
    /// Probabilities of the counts `0, 1, …, width`, given that the count is not 0; the first one is 0.
    pub law: Vec<f64>,
    /// Probability that the next layer is not reached any more: one minus the second eigenvalue of the kernel.
    pub extinction: f64,
}

/// Where two laws in succession differ by no more in total variation, relative to what they can be known to.
const SETTLED: f64 = 64.0 * f64::EPSILON;
/// Layers after which a chain that has not settled is given up: critical ones settle in some √width.
const MOST_LAYERS: usize = 1 << 20;

/// A living chain, followed layer by layer.
struct Living<'a> {
    kernel: &'a ReachKernel,
    law: Vec<f64>,
    /// Chance to die in the layer just passed.
    extinction: f64,
    /// Total variation between the last two laws.
    change: f64,
    /// Relative change of the chance to die.
    drift: f64,
}

impl<'a> Living<'a> {
    fn new(kernel: &'a ReachKernel, sources: usize) -> Result<Self> {
        let law = kernel.laws_from(sources, 0)?.remove(0);
        Ok(Living {
            kernel,
            law,
            extinction: 0.0,
            change: f64::INFINITY,
            drift: f64::INFINITY,
        })
    }

    /// One layer on; false when nothing lives there.
    fn step(&mut self) -> Result<bool> {
        let mut next = self.kernel.step(&self.law)?;
        let before = self.extinction;
        self.extinction = next[0];
        self.drift = (self.extinction - before).abs() / self.extinction.max(f64::MIN_POSITIVE);
        next[0] = 0.0;
        let total: f64 = next.iter().sum();
        if total <= 0.0 {
            self.extinction = 1.0;
            return Ok(false);
        }
        next.iter_mut().for_each(|p| *p /= total);
        self.change = 0.5 * next.iter().zip(&self.law).map(|(a, b)| (a - b).abs()).sum::<f64>();
        self.law = next;
        Ok(true)
    }

    fn settled(&self) -> bool {
        // Deaths come from rare counts, which may still move when the common ones have long settled.
        self.change <= SETTLED && self.drift <= 64.0 * SETTLED
    }
}

impl ReachKernel {
    /// The quasi-stationary law of layers of equal width, and the chance per layer to leave it for nothing.
    ///
    /// The chance is a sum of positive terms and not one minus an eigenvalue near it, so that it keeps its digits however small
    /// it is. After many layers the probability of being connected falls by the factor `1 − extinction` a layer.
    ///
    /// # Errors
    /// [`Error::Shape`] when the two widths differ; [`Error::Numerical`] when nothing survives a single layer, as for a keep
    /// probability of 0, or the law does not settle in 2²⁰ layers.
    ///
    /// Cost: `width²` a layer, for the layers in which the chain forgets its beginning (the logarithm of the precision over that
    /// of the ratio of the third to the second eigenvalue: tens away from the threshold, some √width at it).
    ///
    /// Source: Darroch & Seneta, On quasi-stationary distributions in absorbing discrete-time finite Markov chains, 1965.
    ///
    /// ```
    /// use ticketsense::simulations::percolation::ReachKernel;
    /// let settled = |width| ReachKernel::full(width, width, 1.5 / width as f64)?.quasi_stationary();
    /// // The lifetime grows exponentially with the width: 0.28847 a unit, by power iteration on the plain matrix.
    /// let (narrow, wide) = (settled(40)?.extinction, settled(80)?.extinction);
    /// assert!(((narrow / wide).ln() / 40.0 - 0.28847).abs() < 1e-5);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn quasi_stationary(&self) -> Result<QuasiStationary> {
        let mut living = Living::new(self, self.from())?;
        for _ in 0..MOST_LAYERS {
            if !living.step()? {
                return Err(Error::numerical("quasi-stationary law", "no count survives a layer"));
            }
            if living.settled() {
                return Ok(QuasiStationary {
                    law: living.law,
                    extinction: living.extinction,
                });
            }
        }
        Err(Error::numerical(
            "quasi-stationary law",
            format!("not settled after {MOST_LAYERS} layers"),
        ))
    }

    /// The depth at which half of all networks are cut off: the probability that any unit is reached from `sources` units is ½ there,
    /// its logarithm taken as linear between layers. Infinite where nothing ever dies.
    ///
    /// Once the chain has settled the rest of the way is a geometric law, so that a median of 10¹⁰⁰ layers takes no longer than
    /// one of a hundred.
    ///
    /// # Errors
    /// [`Error::Shape`] when the two widths differ; [`Error::Argument`] for more sources than units; [`Error::Numerical`] when the
    /// law does not settle in 2²⁰ layers.
    ///
    /// Cost: as [`ReachKernel::quasi_stationary`].
    ///
    /// ```
    /// use ticketsense::simulations::percolation::ReachKernel;
    /// // One unit a layer lives with the probability q^L.
    /// let half = ReachKernel::full(1, 1, 0.9)?.half_depth(1)?;
    /// assert!((half - 0.5f64.ln() / 0.9f64.ln()).abs() < 1e-12);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn half_depth(&self, sources: usize) -> Result<f64> {
        let mut living = Living::new(self, sources)?;
        // ln 2 of hazard is what a median takes.
        let mut left = std::f64::consts::LN_2;
        for layer in 0..MOST_LAYERS {
            if !living.step()? {
                // All of the rest dies in this layer, at no finite rate.
                return Ok(layer as f64 + 1.0);
            }
            let hazard = -(-living.extinction).ln_1p();
            if hazard >= left || living.settled() {
                return Ok(layer as f64 + left / hazard);
            }
            left -= hazard;
        }
        Err(Error::numerical(
            "median depth",
            format!("law of the reached count not settled after {MOST_LAYERS} layers"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_units_have_the_eigenvalue_of_their_quadratic_equation() {
        for keep in [0.1, 0.4, 0.7, 0.95] {
            let found = ReachKernel::full(2, 2, keep).unwrap().quasi_stationary().unwrap();
            let hit = |j: i32| 1.0 - (1.0f64 - keep).powi(j);
            let (a, b) = (2.0 * hit(1) * (1.0 - hit(1)), hit(1).powi(2));
            let (c, d) = (2.0 * hit(2) * (1.0 - hit(2)), hit(2).powi(2));
            let eigenvalue = 0.5 * (a + d + ((a - d).powi(2) + 4.0 * b * c).sqrt());
            // A handful of roundings of numbers near one.
            assert!(
                (1.0 - found.extinction - eigenvalue).abs() < 32.0 * f64::EPSILON,
                "{keep}: {found:?}, {eigenvalue}"
            );
            assert!((found.law.iter().sum::<f64>() - 1.0).abs() < 4.0 * f64::EPSILON);
            assert_eq!(found.law[0], 0.0);
        }
    }

    #[test]
    fn a_settled_law_stays_as_it_is_and_loses_its_share() {
        for (kernel, name) in [
            (ReachKernel::full(30, 30, 0.05).unwrap(), "full"),
            (ReachKernel::random_wiring(25, 3, 0.4).unwrap(), "random"),
        ] {
            let found = kernel.quasi_stationary().unwrap();
            let next = kernel.step(&found.law).unwrap();
            for (count, (after, before)) in next.iter().zip(&found.law).enumerate().skip(1) {
                // The law is known to the total variation at which it counts as settled, and to its own rounding.
                assert!(
                    (after - (1.0 - found.extinction) * before).abs() < 4.0 * SETTLED,
                    "{name} at {count}"
                );
            }
            // The chance to die had settled to a relative 64 times that, and moves less from layer to layer.
            assert!((next[0] / found.extinction - 1.0).abs() < 128.0 * SETTLED, "{name}");
        }
    }

    #[test]
    fn half_of_all_networks_are_cut_at_the_median_depth_of_the_iterated_law() {
        // Above, at and below the threshold, from one source and from all, far below and far beyond where the law settles.
        for (width, keep) in [(10, 0.15), (20, 0.05), (20, 0.02), (5, 0.3)] {
            let kernel = ReachKernel::full(width, width, keep).unwrap();
            for sources in [1, width] {
                let half = kernel.half_depth(sources).unwrap();
                let below = half.floor() as usize;
                let laws = kernel.laws_from(sources, below + 1).unwrap();
                let alive = |layer: usize| laws[layer][1..].iter().sum::<f64>();
                // One rounding a layer.
                let room = (below + 1) as f64 * 4.0 * f64::EPSILON;
                assert!(alive(below) >= 0.5 - room, "{width} {keep} {sources}: {half}");
                assert!(alive(below + 1) <= 0.5 + room, "{width} {keep} {sources}: {half}");
            }
        }
    }

    #[test]
    fn what_never_dies_or_never_lives_is_said_so() {
        let immortal = ReachKernel::full(7, 7, 1.0).unwrap();
        assert_eq!(immortal.half_depth(1).unwrap(), f64::INFINITY);
        assert_eq!(immortal.quasi_stationary().unwrap().extinction, 0.0);
        let dead = ReachKernel::random_wiring(7, 2, 0.0).unwrap();
        assert_eq!(dead.half_depth(7).unwrap(), 1.0);
        assert!(matches!(dead.quasi_stationary(), Err(Error::Numerical { .. })));
        let uneven = ReachKernel::full(3, 4, 0.5).unwrap();
        assert!(matches!(uneven.half_depth(1), Err(Error::Shape { .. })));
        assert!(matches!(uneven.quasi_stationary(), Err(Error::Shape { .. })));
        assert!(immortal.half_depth(8).is_err());
    }

    #[test]
    fn a_lifetime_of_astronomical_length_keeps_its_digits() {
        let kernel = ReachKernel::full(16, 16, 0.6).unwrap();
        let seen = kernel.quasi_stationary().unwrap().extinction;
        // From a full layer, nearly certain here, to none: all of the 256 weights are dropped.
        assert!(seen > 0.4f64.powi(256) && seen < 1e-80, "{seen}");
        // A second way: the chance to be dead L layers on, over L, from the law of the whole chain, once it has settled.
        let laws = kernel.laws_from(16, 200).unwrap();
        let rate = (laws[200][0] - laws[100][0]) / 100.0;
        assert!((rate / seen - 1.0).abs() < 1e-12, "{rate} {seen}");
    }
}
